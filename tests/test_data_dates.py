"""dlbook.data.dates: what is written can be known, and what is tested was never seen."""

import datetime

import pytest
import torch

from dlbook.data import dates
from dlbook.data.dates import HELD_OUT, LOCALES, YEARS, Vocabulary, days, load, sample, write


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def splits():
    return load(examples=(4000, 500, 500))


def test_dates_by_hand():
    day = datetime.date(2021, 6, 7)
    assert write(day, "en_US") == "June 7, 2021"
    assert write(day, "en_GB", "medium") == "7 Jun 2021"
    assert write(day, "de", "medium") == "07.06.2021"
    assert write(day, "fi") == "7. kesäkuuta 2021"
    assert write(day, "zh") == "2021年6月7日"
    assert write(day, "en_US", "short") == "6/7/21"
    assert write(day, "es", "short") == "7/6/21"


def test_no_string_of_long_or_medium_form_stands_for_two_dates():
    """All days of two years, in all locales, those held out among them."""
    seen = {}
    for locale in LOCALES + HELD_OUT:
        for form in ("long", "medium"):
            for day in days(years=(2023, 2024)):
                text = write(day, locale, form)
                assert str(day.year) in text
                assert seen.setdefault(text, day) == day, (text, locale)


def test_short_forms_stand_for_one_date_of_their_locale():
    for locale in LOCALES:
        short = [write(day, locale, "short") for day in days(years=(1950, 1952))]
        short += [write(day, locale, "short") for day in days(years=(2047, 2049))]
        assert len(set(short)) == len(short), locale
    assert YEARS[1] - YEARS[0] == 99


def test_parts_share_no_date_and_leave_none_out():
    parts = [set(days(part)) for part in ("train", "validation", "test")]
    whole = days()
    assert whole[0] == datetime.date(1950, 1, 1)
    assert whole[-1] == datetime.date(2049, 12, 31)
    assert len(set(whole)) == len(whole) == sum(map(len, parts))
    assert set.union(*parts) == set(whole)
    for part, share in zip(parts, (0.8, 0.1, 0.1), strict=True):
        assert abs(len(part) / len(whole) - share) < 0.01
        assert {d.month for d in part} == set(range(1, 13))
    # The same whatever the years are.
    assert set(days("test", years=(2000, 2001))) == {d for d in parts[2] if d.year in (2000, 2001)}


def test_load(splits):
    parts = splits.train, splits.validation, splits.test
    for part, name, n in zip(parts, ("train", "validation", "test"), (4000, 500, 500)):
        assert len(part) == n
        assert {datetime.date.fromisoformat(iso) for iso in part.isos} <= set(days(name))
        assert set(part.locales) == set(LOCALES)
        assert set(part.forms) == {"long", "medium"}
        assert not (part.source == Vocabulary.UNKNOWN).any()
        assert splits.written.decode(part.source) == list(part.texts)
        assert splits.iso.decode(part.target) == list(part.isos)
        assert part.source.dtype == part.target.dtype == part.lengths.dtype == torch.int64
        assert part.lengths.tolist() == [len(text) for text in part.texts]
        assert part.source.shape == (n, max(part.lengths))
        position = torch.arange(part.source.shape[1])
        assert torch.equal(part.source == Vocabulary.PAD, position >= part.lengths[:, None])
        assert part.target.shape == (n, 12)
        assert (part.target[:, 0] == Vocabulary.START).all()
        assert (part.target[:, -1] == Vocabulary.STOP).all()
        for i in range(0, n, 50):
            day = datetime.date.fromisoformat(part.isos[i])
            assert part.texts[i] == write(day, part.locales[i], part.forms[i])
    assert "2000 in" in repr(load(examples=(2000, 1, 1)).train)


def test_sampling_is_seeded_and_even(splits):
    again = load(examples=(4000, 500, 500))
    other = load(examples=(4000, 500, 500), seed=1)
    assert again.train.texts == splits.train.texts
    assert torch.equal(again.test.source, splits.test.source)
    assert other.train.texts != splits.train.texts
    for locale in LOCALES:
        assert abs(splits.train.locales.count(locale) - 200) < 5 * 200**0.5
    assert abs(splits.train.forms.count("long") - 2000) < 5 * 1000**0.5
    assert len(set(splits.train.isos)) > 3500


def test_the_vocabulary_has_every_character_of_every_day():
    for forms in (("long", "medium"), ("short",)):
        known = set(dates._written(LOCALES, forms, YEARS, False).characters)
        for locale in LOCALES:
            for form in forms:
                for day in days(years=(1999, 2000)):
                    assert set(write(day, locale, form)) <= known


def test_short_forms_come_with_their_locale():
    splits = load(forms=("short", "long"), examples=(500, 50, 50))
    first = [splits.written.symbols[i] for i in splits.train.source[:, 0]]
    assert first == [f"<{locale}>" for locale in splits.train.locales]
    assert splits.written.marks == tuple(f"<{locale}>" for locale in LOCALES)
    assert splits.train.lengths.tolist() == [len(text) + 1 for text in splits.train.texts]
    assert splits.written.decode(splits.train.source) == list(splits.train.texts)
    assert not load(examples=(1, 1, 1)).written.marks
    assert load(examples=(1, 1, 1), locale_token=True).written.marks
    with pytest.raises(ValueError, match="short forms expect locale_token and at most 100 years"):
        load(forms=("short",), locale_token=False)
    with pytest.raises(ValueError, match="short forms expect locale_token and at most 100 years"):
        load(forms=("short",), years=(1900, 2000))


def test_a_locale_held_out(splits):
    assert not set(HELD_OUT) & set(LOCALES)
    strange = sample(200, seeded(), written=splits.written)
    assert set(strange.locales) == set(HELD_OUT)
    assert {datetime.date.fromisoformat(iso) for iso in strange.isos} <= set(days("test"))
    assert not set(strange.texts) & set(splits.train.texts)
    unknown = strange.source == Vocabulary.UNKNOWN
    letters = {c for text in strange.texts for c in text}
    assert bool(unknown.any()) == bool(letters - set(splits.written.characters))
    with pytest.raises(ValueError, match=r"expects marks of \(\), got"):
        sample(3, seeded(), written=splits.written, locale_token=True)
    none = sample(0, seeded(), written=splits.written)
    assert none.source.shape[0] == len(none) == 0
    assert none.target.shape == (0, 12)
    assert list(none.batches(3)) == []


def test_batches_are_cut_to_their_longest(splits):
    part = splits.validation
    seen = 0
    for source, lengths, target in part.batches(64):
        n = len(source)
        assert source.shape[1] == lengths.max()
        assert torch.equal(source, part.source[seen : seen + n, : source.shape[1]])
        assert torch.equal(target, part.target[seen : seen + n])
        seen += n
    assert seen == len(part)
    mixed = [splits.iso.decode(t) for *_, t in part.batches(64, seeded())]
    assert [len(b) for b in mixed] == [64] * 7 + [52]
    flat = [iso for batch in mixed for iso in batch]
    assert sorted(flat) == sorted(part.isos)
    assert flat != list(part.isos)
    with pytest.raises(ValueError, match="batch_size expects at least 1, got 0"):
        part.batches(0)


def test_vocabulary():
    vocabulary = Vocabulary(["ba", "c"], marks=["<x>", "<y>"])
    assert vocabulary.symbols == (
        "<pad>",
        "<start>",
        "<stop>",
        "<unknown>",
        *("<x>", "<y>"),
        *"abc",
    )
    assert len(vocabulary) == 9
    tokens, lengths = vocabulary.encode(["ab", "", "q"], marks=["<y>", "<x>", "<x>"], bounds=True)
    assert tokens.tolist() == [[1, 5, 6, 7, 2], [1, 4, 2, 0, 0], [1, 4, 3, 2, 0]]
    assert lengths.tolist() == [5, 3, 4]
    assert vocabulary.decode(tokens) == ["ab", "", "\ufffd"]
    assert vocabulary.decode(torch.tensor([[6, 2, 7]])) == ["a"]
    assert vocabulary.encode([])[0].shape == (0, 0)
    assert repr(vocabulary) == "Vocabulary('abc', marks=('<x>', '<y>'))"
    with pytest.raises(ValueError, match="expects a mark for each text, got 1 marks and 2 texts"):
        vocabulary.encode(["a", "b"], marks=["<x>"])
    with pytest.raises(ValueError, match=r"expects marks of \('<x>', '<y>'\), got \('<z>',\)"):
        vocabulary.encode(["a"], marks=["<z>"])
    with pytest.raises(ValueError, match="expects tokens from 0 to 8, got 9"):
        vocabulary.decode(torch.tensor([[9]]))
    with pytest.raises(ValueError, match="marks expects different ones"):
        Vocabulary("a", marks=["<x>", "<x>"])


def test_bad_arguments(splits):
    for name in ("tlh", "no such", ""):
        with pytest.raises(ValueError, match="expected the name of a locale"):
            write(datetime.date(2021, 6, 7), name)
    for years in ((2001, 2000), (999, 2000), (2000, 10_000)):
        with pytest.raises(ValueError, match="years expects first <= last"):
            days(years=years)
    with pytest.raises(ValueError, match="n expects a number >= 0, got -1"):
        sample(-1, seeded(), written=splits.written)
    with pytest.raises(ValueError, match="expects locales and forms"):
        sample(1, seeded(), written=splits.written, locales=())
    with pytest.raises(ValueError, match="at least one in every part"):
        load(examples=(1, 0, 1))


@pytest.mark.untyped
def test_bad_names():
    with pytest.raises(ValueError, match="form expects 'long', 'medium' or 'short', got 'full'"):
        write(datetime.date(2021, 6, 7), "de", "full")
    with pytest.raises(ValueError, match="part expects 'train', 'validation', 'test' or None"):
        days("rest")
