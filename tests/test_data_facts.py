"""dlbook.data.facts: facts by hand, sentences that tell each of them, questions with one answer."""

import datetime
from collections import Counter
from itertools import pairwise

import pytest

from dlbook.data import facts
from dlbook.data.facts import Question, languages, pairs, questions, sentences, territories

RELATIONS = ("currency", "language", "script", "adjective")


@pytest.fixture(scope="module")
def told():
    return sentences()


def test_facts_by_hand():
    known = {t.code: t for t in territories()}
    assert known["US"][:5] == ("US", "United States", "dollar", "US dollar", "US")
    assert known["MX"][2:8] == ("peso", "Mexican peso", "Mexican", ("Spanish",), "Spanish", "Latin")
    assert known["JP"][2:5] == ("yen", "Japanese yen", "Japanese")
    assert known["FR"][2:5] == ("euro", "euro", None)  # not France's own
    assert known["SG"].adjective is None  # Singapore dollar
    assert known["BT"].currency == "ngultrum"  # the Indian rupee, too
    assert known["CH"].languages[0] == "German"
    assert {"French", "Italian"} < set(known["CH"].languages)
    assert (known["CN"].script, known["TW"].script) == ("Han", "Han")
    assert (known["BG"].script, known["GR"].script) == ("Cyrillic", "Greek")
    assert (known["BR"].region, known["KE"].region) == ("America", "Africa")
    scripts = {language.code: language.script for language in languages()}
    assert (scripts["en"], scripts["ru"], scripts["hi"]) == ("Latin", "Cyrillic", "Devanagari")


def test_the_lists_are_large_and_each_name_comes_once():
    for listed, least in ((territories(), 230), (languages(), 130)):
        assert len(listed) >= least
        codes = [entry.code for entry in listed]
        assert codes == sorted(set(codes))
        assert len({entry.name for entry in listed}) == len(listed)
    for t in territories():
        assert t.language in t.languages
        assert t.currency == t.currency.lower() == t.currency_name.split()[-1].lower()
        assert len(set(t.languages)) == len(t.languages)
    names = {t.name for t in territories()}
    for language in languages():
        assert language.territories
        assert set(language.territories) <= names
    assert {name for t in territories() for name in t.languages} == {
        language.name for language in languages()
    }


def test_the_currencies_are_those_of_a_fixed_day(monkeypatch):
    assert datetime.date(2025, 1, 1) == facts.DAY
    assert {t.code: t.currency for t in territories()}["BG"] == "lev"  # before the euro of 2026
    asked = []
    source = facts.get_territory_currencies

    def spy(code, **dates):
        asked.append(dates)
        return source(code, **dates)

    monkeypatch.setattr(facts, "get_territory_currencies", spy)
    facts._known.__wrapped__()
    assert all(dates == {"start_date": facts.DAY, "end_date": facts.DAY} for dates in asked)
    assert asked


def test_every_fact_is_told_and_nothing_else(told):
    together = {frozenset(s) for s in told}
    for relation in RELATIONS:
        for a, b in pairs(relation):
            assert any({a, b} <= words for words in together), (a, b)
    right = {(t.name, t.currency) for t in territories()}
    kinds = {t.currency for t in territories()}
    names = {t.name for t in territories()}
    for words in told:
        for name in names.intersection(words):
            for kind in kinds.intersection(words):
                assert (name, kind) in right or kind in ("gold",), words
    assert not any("{" in word for s in told for word in s)
    assert all(word for s in told for word in s)


def test_sentences_are_many_varied_and_seeded(told):
    counts = Counter(word for s in told for word in s)
    assert len(told) > 7000
    assert sum(counts.values()) > 50_000
    assert min(counts[t.name] for t in territories()) >= 20
    assert min(counts[t.currency] for t in territories()) >= 10
    assert sentences() == told
    other = sentences(1)
    assert other != told
    assert Counter(other) == Counter(told)
    twice = Counter(sentences(repeat=2))
    assert twice == Counter({s: 2 * n for s, n in Counter(told).items()})
    with pytest.raises(ValueError, match="repeat expects at least 1, got 0"):
        sentences(repeat=0)


@pytest.mark.parametrize("relation", RELATIONS)
def test_questions_have_one_answer_and_are_all_of_them(relation, told):
    known = pairs(relation)
    right = dict(known)
    assert len(right) == len(known)
    assert all(a != b for a, b in known)
    asked = questions([relation])
    assert len(set(asked)) == len(asked)
    words = {word for s in told for word in s}
    for q in asked:
        assert right[q.a] == q.b
        assert right[q.c] == q.d
        assert q.d not in (q.a, q.b, q.c)
    assert {w for q in asked for w in q[1:]} <= words
    counted = sum(
        b != d and d not in (a, c) and b not in (a, c) for a, b in known for c, d in known
    )
    assert counted == len(asked) > 5000
    assert sorted(asked)[:1] == [min(asked)]
    assert all(one != other for one, other in pairwise(sorted(asked)))


def test_the_question_of_the_chapter():
    asked = questions(["currency"], like=("United States", "dollar"))
    assert Question("currency", "United States", "dollar", "Mexico", "peso") in asked
    assert {q[:3] for q in asked} == {("currency", "United States", "dollar")}
    assert set(asked) == {q for q in questions(["currency"]) if q.a == "United States"}
    assert not any(q.c == "Australia" for q in asked)  # a dollar, too
    every = questions()
    assert len(every) == sum(len(questions([relation])) for relation in RELATIONS)
    with pytest.raises(ValueError, match="expects a fact of"):
        questions(["currency"], like=("Mexico", "dollar"))


@pytest.mark.untyped
def test_another_relation():
    with pytest.raises(ValueError, match="relation expects one of"):
        pairs("capital")
