"""dlbook.data.history: every record has a source, and the first chapter tells of it."""

import math
import re
from pathlib import Path

import pytest

from dlbook.data import history

ROOT = Path(__file__).resolve().parents[1]
PAGE = (ROOT / "book/foundations/introduction.md").read_text("utf8")
ERRATA = (ROOT / "book/errata.md").read_text("utf8")
BIB = (ROOT / "book/references.bib").read_text("utf8")
YEARS = {
    key: int(re.search(r"^\s*year\s*=\s*\{(\d{4})\}", body, re.M).group(1))
    for key, body in re.findall(r"^@\w+\{(\w+),(.*?)^\}", BIB, re.M | re.S)
}
CITED = set(re.findall(r"\{cite(?::\w+)?\}`([^`]+)`", PAGE + ERRATA))
CITED = {key.strip() for keys in CITED for key in keys.split(",")}
RECORDS = [
    *history.events(),
    *history.datasets(),
    *history.frameworks(),
    *history.challenge(),
    *history.counts().values(),
]


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: f"{record.year}-{record.name}")
def test_every_record_has_a_source_that_is_cited(record):
    assert record.source in YEARS, f"{record.name}: no {record.source} in the bibliography"
    assert record.source in CITED, f"{record.name}: neither chapter nor errata cite {record.source}"


@pytest.mark.parametrize("event", history.events(), ids=lambda event: event.name)
def test_a_year_is_the_sources_or_says_why_not(event):
    assert event.year == YEARS[event.source] or str(YEARS[event.source]) in event.note


@pytest.mark.parametrize(
    "event", [e for e in history.events() if e.chapter], ids=lambda event: event.name
)
def test_a_chapter_that_exists_is_linked_and_no_other(event):
    part, stem = event.chapter.split("/")
    link = f"({stem}.md)" if part == "foundations" else f"(../{part}/{stem}.md)"
    exists = (ROOT / f"book/{event.chapter}.md").is_file()
    assert exists == (link in PAGE), (
        f"{event.chapter} exists: let the history in introduction.md link to it as {link}"
        if exists
        else f"{event.chapter} is not written yet: {link} must be plain text"
    )


def test_the_years_are_in_order():
    for table in (history.events(), history.frameworks(), history.challenge()):
        years = [record.year for record in table]
        assert years == sorted(years)
    assert history.events()[0].year == 1943
    assert history.events()[-1].year == 2023


def test_the_decks_sizes_agree_with_other_counts():
    for dataset in history.datasets():
        if dataset.found is not None:
            ratio = dataset.found / dataset.size
            assert 0.9 < ratio < 1.3, f"{dataset.name}: {ratio:.2f}"
    found = [dataset.name for dataset in history.datasets() if dataset.found is None]
    assert found == ["SST-2", "WMT-18", "OSCAR"]


def test_the_challenge_got_easier_every_year():
    errors = [fact.value for fact in history.challenge()]
    assert errors == sorted(errors, reverse=True)
    assert {fact.unit for fact in history.challenge()} == {"%"}
    # The last two are told relative to each other, too: a quarter less {cite}`hu2018`.
    assert math.isclose(1 - errors[-1] / errors[-2], 0.25, abs_tol=0.005)


def test_growth_and_doubling_time_agree_with_the_dates():
    growth = history.counts()["growth of compute since AlexNet"].value
    doubling = history.counts()["doubling time of compute"].value
    years = math.log2(growth) * doubling / 12
    assert 4.9 < years < 5.4  # AlexNet, autumn 2012, to AlphaGo Zero, autumn 2017
