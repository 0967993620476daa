"""Facts about the world's territories as sentences: what word vectors can be learned from.

Which money, languages and scripts the territories use comes from CLDR, the Unicode consortium's
collection, through the package Babel, as of ``DAY``; another version of it may know some of it
otherwise. Templates turn each fact into sentences. The world is small (some 240 territories), the
sentences are plain, and yet what a word means is nowhere stated but in its neighbours.

A sentence is a tuple of words. A name is one word, also where it is written as several: ``"United
States"``. Of a currency's name the last word is its kind (*US dollar*, a ``dollar``), as which
several territories share it.

:func:`questions` lists the analogies: *United States is to dollar as Mexico is to what?* Each has
one right answer. The facts asked for are among those that the sentences tell; what is asked is
whether the vectors hold them as directions.
"""

import datetime
from collections import defaultdict
from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple, get_args

import torch
from babel import Locale
from babel.core import get_global
from babel.languages import get_official_languages, get_territory_language_info
from babel.numbers import get_currency_name, get_territory_currencies

__all__ = [
    "DAY",
    "Language",
    "Question",
    "Relation",
    "Territory",
    "languages",
    "pairs",
    "questions",
    "sentences",
    "territories",
]

DAY = datetime.date(2025, 1, 1)
"""The day of which the currencies are those in use; fixed, so that the data don't age."""

Relation = Literal["currency", "language", "script", "adjective"]
Sentence = tuple[str, ...]

_NO_TERRITORY = {"EU", "EZ", "QO", "UN", "XA", "XB", "ZZ"}  # unions, tests, unknown
_SPOKEN = 20.0  # per cent from which on a language counts as spoken


class Territory(NamedTuple):
    """A country, or another area that CLDR lists.

    Attributes:
        code: two letters of ISO 3166.
        name: in English.
        currency: the kind of its money, such as ``"dollar"``.
        currency_name: its money's whole name, such as ``"US dollar"``.
        adjective: the word before the kind, such as ``"Mexican"``, if the currency is the
            territory's own (its code begins with the territory's) and it is a single word that is
            not the territory's name; None otherwise.
        languages: official ones, or spoken by at least a fifth, the most spoken first.
        language: the official one that most speak; where none is, the one that most speak.
        script: in which that is written.
        region: the first part of its time zones, such as ``"America"``; None where CLDR has none.
    """

    code: str
    name: str
    currency: str
    currency_name: str
    adjective: str | None
    languages: tuple[str, ...]
    language: str
    script: str
    region: str | None


class Language(NamedTuple):
    """A language that is some territory's.

    Attributes:
        code: of CLDR.
        name: in English.
        script: in which it is usually written; where there are two, CLDR's first choice.
        territories: where it is official or spoken by at least a fifth.
    """

    code: str
    name: str
    script: str
    territories: tuple[str, ...]


class Question(NamedTuple):
    """*a* is to *b* as *c* is to what? To *d*."""

    relation: Relation
    a: str
    b: str
    c: str
    d: str


@lru_cache(maxsize=1)
def territories() -> tuple[Territory, ...]:
    """Return the territories that have a currency and a language, by their codes in order.

    Example:
        >>> {t.name: (t.currency, t.language, t.script) for t in territories()}["Mexico"]
        ('peso', 'Spanish', 'Latin')
    """
    return tuple(t for t, _ in _known())


@lru_cache(maxsize=1)
def languages() -> tuple[Language, ...]:
    """Return the languages of the territories, by their codes in order.

    Example:
        >>> {language.name: language.script for language in languages()}["Greek"]
        'Greek'
    """
    places = defaultdict(list)
    for territory, codes in _known():
        for code in dict.fromkeys(code.partition("_")[0] for code in codes):
            places[code].append(territory.name)
    return tuple(
        Language(code, _language_name(code), _script(code), tuple(places[code]))
        for code in sorted(places)
    )


def sentences(seed: int = 0, *, repeat: int = 1) -> list[Sentence]:
    """Return all sentences that the templates make of the facts, in random order.

    Args:
        seed: decides the order.
        repeat: how often each sentence comes.

    Raises:
        ValueError: if ``repeat`` is below 1.

    Example:
        >>> found = sentences()
        >>> ("the", "currency", "of", "Mexico", "is", "the", "peso") in found
        True
    """
    if repeat < 1:
        raise ValueError(f"facts.sentences: repeat expects at least 1, got {repeat}")
    told = [s for t in territories() for s in _about_territory(t)]
    told += [s for language in languages() for s in _about_language(language)]
    told *= repeat
    order = torch.randperm(len(told), generator=torch.Generator().manual_seed(seed))
    return [told[i] for i in order.tolist()]


def pairs(relation: Relation) -> list[tuple[str, str]]:
    """Return the facts of one kind: of what, and the answer. No first member comes twice.

    ``currency`` and ``language`` and ``adjective`` are those of territories, ``script`` is that of
    languages. A language that bears its script's name is left out, for there is nothing to ask.

    Args:
        relation: which kind.

    Raises:
        ValueError: for another kind.

    Example:
        >>> dict(pairs("adjective"))["Japan"], dict(pairs("script"))["Russian"]
        ('Japanese', 'Cyrillic')
    """
    if relation == "currency":
        found = [(t.name, t.currency) for t in territories()]
    elif relation == "language":
        found = [(t.name, t.language) for t in territories()]
    elif relation == "adjective":
        found = [(t.name, t.adjective) for t in territories() if t.adjective is not None]
    elif relation == "script":
        found = [(language.name, language.script) for language in languages()]
    else:
        raise ValueError(
            f"facts.pairs: relation expects one of {get_args(Relation)}, got {relation!r}"
        )
    return [(a, b) for a, b in found if a != b]


def questions(
    relations: Sequence[Relation] = ("currency", "language", "script", "adjective"),
    *,
    like: tuple[str, str] | None = None,
) -> list[Question]:
    """Return the analogy questions: every two facts of a kind that have different answers.

    The three words asked with are different from the answer, which is the only right one, so that
    they may be passed over when the nearest word is looked for, as is usual.

    Args:
        relations: which kinds.
        like: a fact (a, b); only questions that begin with it. There are tens of thousands
            otherwise.

    Raises:
        ValueError: for another kind, or for a fact that is in none of the relations.

    Example:
        >>> asked = questions(["currency"], like=("United States", "dollar"))
        >>> [q.d for q in asked if q.c == "Mexico"]
        ['peso']
    """
    result = []
    for relation in relations:
        facts = pairs(relation)
        firsts = facts if like is None else [fact for fact in facts if fact == like]
        result += [
            Question(relation, a, b, c, d)
            for a, b in firsts
            for c, d in facts
            if b != d and d not in (a, c) and b not in (a, c)
        ]
    if like is not None and not result:
        raise ValueError(f"facts.questions: expects a fact of {tuple(relations)}, got {like}")
    return result


def _about_territory(t: Territory) -> list[Sentence]:
    """The facts of one territory, told in several ways, alone and together."""
    told = [
        _tell("the currency of {} is the {}", t.name, t.currency),
        _tell("in {} people pay with the {}", t.name, t.currency),
        _tell("the money of {} is called {}", t.name, t.currency),
        _tell("the {} is used in {}", t.currency, t.name),
        _tell("one buys bread in {} with a {}", t.name, t.currency),
        _tell("the language of {} is {}", t.name, t.language),
        _tell("the main language in {} is {}", t.name, t.language),
        _tell("newspapers in {} use the {} script", t.name, t.script),
        _tell("people in {} speak {} and pay with the {}", t.name, t.language, t.currency),
        _tell("a bank in {} writes {} and keeps the {}", t.name, t.language, t.currency),
        _tell("in {} a {} buys a book in {}", t.name, t.currency, t.language),
    ]
    told += [
        _tell("{} pays in {}", t.name, t.currency),
        _tell("banknotes of {} say {}", t.name, t.currency),
        _tell("a {} note comes from {}", t.currency, t.name),
        _tell("{} prints the {}", t.name, t.currency),
        _tell("travellers to {} carry the {}", t.name, t.currency),
        _tell("wages in {} are paid in the {}", t.name, t.currency),
        _tell("{} has the {} and speaks {}", t.name, t.currency, t.language),
        _tell("schools in {} teach in {}", t.name, t.language),
        _tell("laws of {} are written in {}", t.name, t.language),
        _tell("{} is a language of {}", t.language, t.name),
        _tell("letters from {} are in {} script", t.name, t.script),
    ]
    for language in t.languages:
        told += [
            _tell("in {} people speak {}", t.name, language),
            _tell("{} is spoken in {}", language, t.name),
        ]
    if t.region is not None:
        told += [
            _tell("{} lies in the region of {}", t.name, t.region),
            _tell("clocks of {} show the time of {}", t.name, t.region),
        ]
    if t.adjective is not None:
        told += [
            _tell("the {} currency is the {}", t.adjective, t.currency),
            _tell("the {} {} is the money of {}", t.adjective, t.currency, t.name),
            _tell("a {} bank lies in {}", t.adjective, t.name),
            _tell("what comes from {} is {}", t.name, t.adjective),
            _tell("{} people live in {}", t.adjective, t.name),
            _tell("{} people speak {}", t.adjective, t.language),
        ]
    return told


def _about_language(language: Language) -> list[Sentence]:
    told = [
        _tell("{} is written in the {} script", language.name, language.script),
        _tell("the script of {} is {}", language.name, language.script),
        _tell("books in {} use {} letters", language.name, language.script),
        _tell("who reads {} knows the {} script", language.name, language.script),
    ]
    return told


def _tell(template: str, *names: str) -> Sentence:
    """The words of the template, with the names, each one word, in place of ``{}``."""
    rest = iter(names)
    return tuple([next(rest) if word == "{}" else word for word in template.split()])


@lru_cache(maxsize=1)
def _known() -> tuple[tuple[Territory, tuple[str, ...]], ...]:
    """The territories, each with its languages' codes."""
    names = Locale("en").territories
    zones = get_global("territory_zones")
    result = []
    for code in sorted(names):
        if len(code) != 2 or not code.isalpha() or code in _NO_TERRITORY:
            continue
        currencies = get_territory_currencies(code, start_date=DAY, end_date=DAY)
        spoken = _spoken(code)
        if not currencies or not spoken:
            continue
        # Where there are several the territory's own is meant.
        currency = next((c for c in currencies if c.startswith(code)), currencies[0])
        currency_name = get_currency_name(currency, 1, locale="en")
        before, _, kind = currency_name.rpartition(" ")
        own = currency.startswith(code) and before and " " not in before and before != names[code]
        official = [c for c in get_official_languages(code, de_facto=True) if c in spoken]
        main = next((c for c in spoken if c in official), spoken[0])
        region = next((zone.partition("/")[0] for zone in zones.get(code, ())), None)
        listed = tuple(dict.fromkeys(_language_name(c) for c in spoken))
        territory = Territory(
            code,
            names[code],
            kind.lower(),
            currency_name,
            before if own else None,
            listed,
            _language_name(main),
            _script(main),
            region,
        )
        result.append((territory, tuple(spoken)))
    return tuple(result)


def _spoken(territory: str) -> list[str]:
    """Codes of the languages that are official or spoken by many, the most spoken first."""
    known = Locale("en").languages
    shares = {
        code: float(entry["population_percent"] or 0)
        for code, entry in get_territory_language_info(territory).items()
        if code.partition("_")[0] in known and code != "und"
    }
    official = get_official_languages(territory, de_facto=True)
    kept = [code for code, share in shares.items() if code in official or share >= _SPOKEN]
    return sorted(kept, key=lambda code: (-shares[code], code))


def _language_name(code: str) -> str:
    """Its English name, without the script or the variety."""
    name: str = Locale("en").languages[code.partition("_")[0]]
    return name


def _script(code: str) -> str:
    """The English name of the script: that of the code, or the usual one. Both Chinese are Han."""
    _, _, script = code.partition("_")
    if not script:
        usual = get_global("likely_subtags")[code]
        script = next(part for part in usual.split("_")[1:] if len(part) == 4)
    name: str = Locale("en").scripts["Hani" if script in ("Hans", "Hant") else script]
    return name
