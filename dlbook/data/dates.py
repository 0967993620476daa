"""Dates as people write them in many languages, each with its ISO 8601 form: a small translation.

``7 de junio de 2021``, ``7. kesäkuuta 2021`` and ``2021年6月7日`` are all ``2021-06-07``. How dates
are written comes from CLDR, the Unicode consortium's collection, through the package Babel;
another version of it may write some of them differently.

**What can be known.** The long and the medium form have a year of four digits, and in the locales
of ``LOCALES`` no string stands for two dates (a test tries them all). The short form does: 7/6/21
is in June or in July. With ``locale_token=True`` the first token of the input tells the locale,
and of ``YEARS`` no two end in the same two digits; then short forms can be known as well.

**What is unseen.** A date belongs to training, validation or test, by the SHA-256 of its ISO form,
in about 80, 10 and 10 per cent; in whatever locale and form it is written. So no date of the test
part was seen in any language. The locales of ``HELD_OUT`` are in no part: :func:`sample` writes
dates in them.
"""

import datetime
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import torch
from babel import Locale, UnknownLocaleError
from babel.dates import format_date
from jaxtyping import Int
from torch import Tensor

__all__ = [
    "HELD_OUT",
    "LOCALES",
    "YEARS",
    "DateSplits",
    "Dates",
    "Vocabulary",
    "days",
    "load",
    "sample",
    "write",
]

Form = Literal["long", "medium", "short"]
Part = Literal["train", "validation", "test"]

LOCALES: tuple[str, ...] = (
    *("cs", "de", "el", "en_GB", "en_US", "es", "fi", "fr", "hi", "hu", "it", "ja", "ko", "nl"),
    *("pl", "ru", "sv", "tr", "vi", "zh"),
)
"""Twenty locales to train on, by their CLDR names."""

HELD_OUT: tuple[str, ...] = ("pt", "lt")
"""Two that are not: one that resembles others of ``LOCALES``, and one that doesn't."""

YEARS: tuple[int, int] = (1950, 2049)
"""First and last year: a hundred of them, so that two digits tell which."""


class Vocabulary:
    """Characters, and a few tokens of another kind, as numbers.

    The first four are ``PAD``, 0, after the end of a shorter text; ``START``, 1; ``STOP``, 2; and
    ``UNKNOWN``, 3, for characters that are not in the vocabulary. Then come the marks, such as
    ``"<de>"``, then the characters.

    Args:
        characters: any; each once, sorted by code.
        marks: tokens that are no characters, in this order.

    Raises:
        ValueError: if two marks are the same.

    Example:
        >>> vocabulary = Vocabulary("0123456789-")
        >>> tokens, lengths = vocabulary.encode(["7-6", "21"])
        >>> tokens.tolist(), lengths.tolist()
        ([[12, 4, 11], [7, 6, 0]], [3, 2])
        >>> vocabulary.decode(tokens)
        ['7-6', '21']
    """

    PAD, START, STOP, UNKNOWN = range(4)

    def __init__(self, characters: Iterable[str], marks: Sequence[str] = ()) -> None:
        if len(set(marks)) != len(marks):
            raise ValueError(f"Vocabulary: marks expects different ones, got {tuple(marks)}")
        self.marks = tuple(marks)
        self.characters = "".join(sorted({c for text in characters for c in text}))
        signs = ["<pad>", "<start>", "<stop>", "<unknown>", *marks, *self.characters]
        self.symbols: tuple[str, ...] = tuple(signs)
        first = len(signs) - len(self.characters)
        self._index = {c: first + i for i, c in enumerate(self.characters)}
        self._mark = {mark: 4 + i for i, mark in enumerate(self.marks)}

    def __len__(self) -> int:
        return len(self.symbols)

    def __repr__(self) -> str:
        return f"Vocabulary({self.characters!r}, marks={self.marks})"

    def encode(
        self,
        texts: Sequence[str],
        *,
        marks: Sequence[str] | None = None,
        bounds: bool = False,
    ) -> tuple[Int[Tensor, "N T"], Int[Tensor, "N"]]:
        """Return texts as rows of tokens of one length.

        Args:
            texts: N strings.
            marks: a mark for each, which comes first.
            bounds: put ``START`` before and ``STOP`` after each.

        Returns:
            Tokens ``(N, T)``, padded with ``PAD`` on the right, and the lengths ``(N,)`` without
            the padding; both int64.

        Raises:
            ValueError: for another number of marks than of texts, or for an unknown mark.
        """
        if marks is not None and len(marks) != len(texts):
            raise ValueError(
                f"Vocabulary.encode: expects a mark for each text, got {len(marks)} marks and "
                f"{len(texts)} texts"
            )
        rows = [[self._index.get(c, self.UNKNOWN) for c in text] for text in texts]
        if marks is not None:
            unknown = sorted(set(marks) - set(self._mark))
            if unknown:
                raise ValueError(
                    f"Vocabulary.encode: expects marks of {self.marks}, got {tuple(unknown)}"
                )
            rows = [[self._mark[mark], *row] for mark, row in zip(marks, rows, strict=True)]
        if bounds:
            rows = [[self.START, *row, self.STOP] for row in rows]
        lengths = torch.tensor([len(row) for row in rows], dtype=torch.int64)
        longest = max((len(row) for row in rows), default=0)
        padded = [row + [self.PAD] * (longest - len(row)) for row in rows]
        return torch.tensor(padded, dtype=torch.int64).reshape(len(rows), longest), lengths

    def decode(self, tokens: Int[Tensor, "N T"]) -> list[str]:
        r"""Return the characters of each row up to ``STOP``; ``"\ufffd"`` for ``UNKNOWN``.

        Args:
            tokens: ``(N, T)``; marks, ``PAD`` and ``START`` are passed over.

        Raises:
            ValueError: for another shape, or tokens out of range.
        """
        if tokens.dim() != 2 or tokens.is_floating_point():
            raise ValueError(
                "Vocabulary.decode: expects integers (N, T), "
                f"got {tokens.dtype} of shape {tuple(tokens.shape)}"
            )
        first = len(self) - len(self.characters)
        result = []
        for row in tokens.tolist():
            text = ""
            for token in row:
                if not 0 <= token < len(self):
                    raise ValueError(
                        f"Vocabulary.decode: expects tokens from 0 to {len(self) - 1}, got {token}"
                    )
                if token == self.STOP:
                    break
                if token == self.UNKNOWN or token >= first:
                    text += "\ufffd" if token == self.UNKNOWN else self.symbols[token]
            result.append(text)
        return result


@dataclass(frozen=True, eq=False, repr=False)
class Dates:
    """Written dates and their ISO forms, as text and as tokens.

    Args:
        source: tokens of what is written, ``(N, T)`` of int64, padded with 0.
        lengths: how many tokens of each row are no padding, ``(N,)`` of int64.
        target: tokens of the ISO forms with ``START`` and ``STOP``, ``(N, 12)`` of int64.
        texts: what is written, N strings.
        isos: the ISO forms, such as ``"2021-06-07"``.
        locales: the locale of each.
        forms: the form of each.
    """

    source: Int[Tensor, "N T"]
    lengths: Int[Tensor, "N"]
    target: Int[Tensor, "N 12"]
    texts: tuple[str, ...]
    isos: tuple[str, ...]
    locales: tuple[str, ...]
    forms: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.texts)

    def __repr__(self) -> str:
        places, longest = len(set(self.locales)), self.source.shape[1]
        return f"Dates({len(self)} in {places} locales, up to {longest} tokens)"

    def batches(
        self, batch_size: int, generator: torch.Generator | None = None
    ) -> Iterator[tuple[Int[Tensor, "B S"], Int[Tensor, "B"], Int[Tensor, "B 12"]]]:
        """Yield all dates in batches, cut to the longest of each.

        Args:
            batch_size: dates a batch; the last one may have fewer.
            generator: for a random order; None for the order they are in.

        Yields:
            ``source``, ``lengths`` and ``target`` of the batch.

        Raises:
            ValueError: at the call, for a batch size below 1.
        """
        if batch_size < 1:
            raise ValueError(f"Dates.batches: batch_size expects at least 1, got {batch_size}")
        n = len(self)
        order = torch.arange(n) if generator is None else torch.randperm(n, generator=generator)

        def cut(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
            lengths = self.lengths[rows]
            return self.source[rows, : int(lengths.max())], lengths, self.target[rows]

        return (cut(order[first : first + batch_size]) for first in range(0, n, batch_size))


class DateSplits(NamedTuple):
    """Dates in three parts that share no date, and the vocabularies of both sides."""

    train: Dates
    validation: Dates
    test: Dates
    written: Vocabulary
    iso: Vocabulary


def write(day: datetime.date, locale: str, form: Form = "long") -> str:
    """Return a date as it is written somewhere.

    Args:
        day: the date, in the Gregorian calendar.
        locale: a CLDR name, such as ``"en_US"``.
        form: ``"long"``, ``"medium"`` or ``"short"``.

    Raises:
        ValueError: for a locale or a form that there is not.

    Example:
        >>> day = datetime.date(2021, 6, 7)
        >>> [write(day, locale) for locale in ("en_US", "de", "ja")]
        ['June 7, 2021', '7. Juni 2021', '2021年6月7日']
    """
    if form not in ("long", "medium", "short"):
        raise ValueError(f"dates.write: form expects 'long', 'medium' or 'short', got {form!r}")
    return format_date(day, form, locale=_locale(locale))


def days(part: Part | None = None, *, years: tuple[int, int] = YEARS) -> list[datetime.date]:
    """Return the dates of a part, in order.

    Args:
        part: ``"train"``, ``"validation"`` or ``"test"``; None for all.
        years: first and last year, from 1000 to 9999.

    Raises:
        ValueError: for another part, or years out of range.

    Example:
        >>> len(days()), [len(days(part)) for part in ("train", "validation", "test")]
        (36525, [29195, 3686, 3644])
    """
    if part not in (None, "train", "validation", "test"):
        raise ValueError(
            f"dates.days: part expects 'train', 'validation', 'test' or None, got {part!r}"
        )
    if not 1000 <= years[0] <= years[1] <= 9999:
        raise ValueError(f"dates.days: years expects first <= last, from 1000 to 9999, got {years}")
    first = datetime.date(years[0], 1, 1).toordinal()
    last = datetime.date(years[1], 12, 31).toordinal()
    every = map(datetime.date.fromordinal, range(first, last + 1))
    return [day for day in every if part is None or _part(day.isoformat()) == part]


def sample(
    n: int,
    generator: torch.Generator,
    *,
    written: Vocabulary,
    part: Part | None = "test",
    locales: Sequence[str] = HELD_OUT,
    forms: Sequence[Form] = ("long", "medium"),
    years: tuple[int, int] = YEARS,
    locale_token: bool = False,
) -> Dates:
    """Write some dates: day, locale and form are drawn independently, each equally likely.

    Args:
        n: how many; the same may come again.
        generator: where the randomness comes from.
        written: the vocabulary of what is written, as :func:`load` gives it. Characters it lacks
            become ``UNKNOWN``.
        part: whose days; None for all.
        locales: where.
        forms: how.
        years: first and last year.
        locale_token: begin each input with a mark that tells the locale. Then ``written`` must
            have the mark.

    Raises:
        ValueError: for arguments out of range.

    Example:
        >>> train, *_, written, iso = load(examples=(100, 20, 20))
        >>> strange = sample(4, torch.Generator().manual_seed(0), written=written)
        >>> set(strange.locales) <= set(HELD_OUT), strange.isos == tuple(iso.decode(strange.target))
        (True, True)
    """
    if n < 0:
        raise ValueError(f"dates.sample: n expects a number >= 0, got {n}")
    if not locales or not forms:
        raise ValueError(
            f"dates.sample: expects locales and forms, got {tuple(locales)} and {tuple(forms)}"
        )
    pool = days(part, years=years)

    def draw(among: int) -> list[int]:
        drawn: list[int] = torch.randint(among, (n,), generator=generator).tolist()
        return drawn

    chosen = [pool[i] for i in draw(len(pool))]
    places = [locales[i] for i in draw(len(locales))]
    manners = [forms[i] for i in draw(len(forms))]
    texts = [write(*triple) for triple in zip(chosen, places, manners, strict=True)]
    isos = [day.isoformat() for day in chosen]
    marks = [_mark(locale) for locale in places] if locale_token else None
    source, lengths = written.encode(texts, marks=marks)
    target = _iso().encode(isos, bounds=True)[0].reshape(n, 12)
    return Dates(source, lengths, target, tuple(texts), tuple(isos), tuple(places), tuple(manners))


def load(
    *,
    locales: Sequence[str] = LOCALES,
    forms: Sequence[Form] = ("long", "medium"),
    examples: tuple[int, int, int] = (20_000, 2000, 2000),
    years: tuple[int, int] = YEARS,
    locale_token: bool | None = None,
    seed: int = 0,
) -> DateSplits:
    """Write dates for training, validation and test; no two parts share a date.

    Args:
        locales: where; none of ``HELD_OUT`` by default.
        forms: how: some of ``"long"``, ``"medium"`` and ``"short"``.
        examples: how many in each part.
        years: first and last year. With short forms at most a hundred.
        locale_token: begin each input with a mark, such as ``"<de>"``; None: where there are short
            forms.
        seed: decides which dates, locales and forms are drawn, but not the part of a date.

    Returns:
        The parts, and the vocabularies of what is written and of ISO forms. The former has every
        character with which any date of these years is written in these locales and forms.

    Raises:
        ValueError: for arguments out of range; for short forms that can't be known, because
            ``locale_token`` is False or the years are too many.

    Example:
        >>> splits = load(examples=(1000, 100, 100))
        >>> splits.train.target.shape, len(splits.iso)
        (torch.Size([1000, 12]), 15)
        >>> set(splits.train.isos) & set(splits.test.isos)
        set()
    """
    tell = "short" in forms if locale_token is None else locale_token
    if "short" in forms and (not tell or years[1] - years[0] >= 100):
        raise ValueError(
            "dates.load: short forms expect locale_token and at most 100 years, "
            f"got locale_token={locale_token} and years={years}"
        )
    if min(examples) < 1:
        raise ValueError(f"dates.load: examples expects at least one in every part, got {examples}")
    written = _written(tuple(locales), tuple(forms), years, tell)
    generator = torch.Generator().manual_seed(seed)
    train, validation, test = (
        sample(
            n,
            generator,
            written=written,
            part=part,
            locales=locales,
            forms=forms,
            years=years,
            locale_token=tell,
        )
        for part, n in zip(_PARTS, examples, strict=True)
    )
    return DateSplits(train, validation, test, written, _iso())


_PARTS: tuple[Part, Part, Part] = ("train", "validation", "test")


def _part(iso: str) -> Part:
    """Whose a date is: as good as random, and the same for ever."""
    draw = int.from_bytes(hashlib.sha256(f"date {iso}".encode()).digest()[:8], "big") / 2**64
    return "train" if draw < 0.8 else "validation" if draw < 0.9 else "test"


def _mark(locale: str) -> str:
    return f"<{locale}>"


@lru_cache(maxsize=1000)
def _locale(name: str) -> Locale:
    try:
        return Locale.parse(name)
    except (UnknownLocaleError, ValueError) as error:
        raise ValueError(f"dates: expected the name of a locale, got {name!r}") from error


def _iso() -> Vocabulary:
    return Vocabulary("0123456789-")


@lru_cache(maxsize=8)
def _written(
    locales: tuple[str, ...], forms: tuple[Form, ...], years: tuple[int, int], tell: bool
) -> Vocabulary:
    """Every character: of all months at all lengths of the day, and all digits, in one year."""
    first = years[0]
    some = [datetime.date(first, m, d) for m in range(1, 13) for d in (1, 2, 10, 23, 28)]
    texts = [write(day, locale, form) for locale in locales for form in forms for day in some]
    return Vocabulary(
        [*texts, "0123456789"], marks=[_mark(name) for name in locales] if tell else ()
    )
