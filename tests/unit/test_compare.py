"""Two runs side by side: what changed, which way, and what makes them incomparable."""

from __future__ import annotations

import io
import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from several import a_run, a_series

from lab.core.verdict import Verdict
from lab.records.compare import Comparison, Row, Side, Value, compare, of_run, of_series
from lab.records.result import Result
from lab.records.spread import conditions
from lab.report import runtables, seriespages

RUN = a_run(7, lost=10)


def against(**changes: object) -> Comparison:
    return compare(of_run("a", RUN), of_run("b", RUN.model_copy(update=changes)))


def row(found: Comparison, title: str) -> Row:
    [one] = [each for each in found.rows if each.title == title]
    return one


def side(value: float | None, low: float | None = None, high: float | None = None) -> Side:
    figures = {"rpo_seconds": Value(value, low, high), "acknowledged": Value(value)}
    return Side("s", "t", Verdict.PASS, (1,), conditions(RUN), figures, "report.html")


def rpo(a: Side, b: Side) -> Row:
    return row(compare(a, b), "RPO")


def notes(found: Comparison) -> list[str]:
    return [note for note in found.notes if "chance" not in note]


@pytest.mark.parametrize(
    ("a", "b", "sign", "judgement", "difference", "ratio"),
    [
        (10, 15, "▲", "worse", "+5 writes", "×1.50"),
        (10, 5, "▼", "better", "−5 writes", "×0.50"),
        (10, 10, "=", "same", "", ""),
        (0, 5, "▲", "worse", "+5 writes", ""),
        (5, 0, "▼", "better", "−5 writes", "×0.00"),
        (1, 5000, "▲", "worse", "+4,999 writes", "×5,000"),
        (1, 10, "▲", "worse", "+9 writes", "×10"),
        (2, 19, "▲", "worse", "+17 writes", "×9.50"),
    ],
)
def test_fewer_lost_writes_are_better(
    a: int, b: int, sign: str, judgement: str, difference: str, ratio: str
) -> None:
    first = of_run("a", RUN.model_copy(update={"lost": a}))
    found = row(compare(first, of_run("b", RUN.model_copy(update={"lost": b}))), "lost")
    assert (found.sign, found.judgement) == (sign, judgement)
    assert (found.difference, found.ratio) == (difference, ratio)


def test_more_acknowledged_writes_are_neither_better_nor_worse() -> None:
    assert row(against(acknowledged=RUN.acknowledged + 1), "acknowledged").judgement == "more"
    assert row(against(acknowledged=RUN.acknowledged - 1), "acknowledged").judgement == "less"


def test_what_was_not_measured_on_one_side_is_not_judged() -> None:
    found = row(against(rpo_seconds=None), "RPO")
    assert (found.b, found.difference, found.ratio, found.judgement) == ("not measured", "", "", "")
    assert not found.overlap


def test_runs_that_are_alike_have_no_notes_but_that_of_chance() -> None:
    assert notes(against()) == []
    assert any("--repeat" in note for note in against().notes)


def machine(**changes: object) -> dict[str, object]:
    return {"machine": RUN.machine.model_copy(update=changes)}


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"drill": "zone-loss"}, "drill: region-loss in A, zone-loss in B"),
        ({"seed": 8}, "seed: 7 in A, 8 in B"),
        ({"seed": None}, "seed: 7 in A, none in B"),
        ({"pattern": "other"}, "pattern: hot-single-writer in A, other in B"),
        (
            {"settings": {"writes_per_second": 50, "one_way_delay_ms": 40}},
            "writes per second: 100 in A, 50 in B",
        ),
        (
            {"settings": {"writes_per_second": 100}},
            "one way delay ms: 40 in A, not set in B",
        ),
        (machine(cpus=8), "CPUs: 2 in A, 8 in B"),
        (machine(memory_bytes=2**30), "memory: 25.0 GiB in A, 1.0 GiB in B"),
        (machine(kernel="7"), "system: Debian 6.1 x86_64 in A, Debian 7 x86_64 in B"),
        (
            {"versions": RUN.versions.model_copy(update={"postgresql": "18"})},
            "PostgreSQL: 17.6 in A, 18 in B",
        ),
    ],
)
def test_every_difference_in_conditions_is_noted(changes: dict[str, object], note: str) -> None:
    assert notes(against(**changes)) == [note]


def test_a_setting_that_was_measured_is_no_difference() -> None:
    assert notes(against(settings={**RUN.settings, "clock_error_seconds": 0.1})) == []


def test_a_difference_within_the_range_of_a_series_may_be_chance() -> None:
    assert rpo(side(1.0, 0.5, 2.0), side(1.5, 1.0, 3.0)).overlap
    assert not rpo(side(1.0, 0.5, 2.0), side(4.0, 3.0, 5.0)).overlap
    assert rpo(side(1.0, 0.5, 2.0), side(1.9)).overlap
    single = rpo(side(1.0), side(1.9))
    assert (single.overlap, single.difference) == (False, "+0.90 s")
    assert not rpo(side(1.0, 0.5, 2.0), side(1.0, 0.5, 2.0)).overlap  # there is no difference


@pytest.mark.parametrize(
    ("a", "b", "meet"),
    [((1, 2), (2, 3), True), ((1, 2), (2.1, 3), False), ((1, 4), (2, 3), True)],
)
def test_ranges_that_have_a_value_in_common_overlap_either_way(
    a: tuple[float, float], b: tuple[float, float], meet: bool
) -> None:
    first, second = side(1.0, *a), side(9.0, *b)
    assert rpo(first, second).overlap is rpo(second, first).overlap is meet


@pytest.mark.parametrize(
    ("low", "high", "measured", "shown"),
    [
        (1.0, 2.0, 5, "1.00 – 2.00 s"),
        (1.0, 1.0, 5, "1.00 s"),
        (1.0, 2.0, 4, "1.00 – 2.00 s (4 of 5)"),
        (1.0, 200.0, 5, "1.00 s – 3 min 20 s"),
        (200.0, 260.0, 5, "3 min 20 s – 4 min 20 s"),
        (None, None, 0, ""),
    ],
)
def test_a_range_says_its_unit_once_and_how_many_runs_have_it(
    low: float | None, high: float | None, measured: int, shown: str
) -> None:
    figures = {"rpo_seconds": Value(1.5, low, high, measured, 5)}
    found = rpo(replace(side(1.5), figures=figures), side(1.0))
    assert (found.a_range, found.b_range) == (shown, "")


@pytest.mark.parametrize(
    ("seeds", "said"),
    [
        ((7,), "7"),
        ((7, 8), "7 to 8"),
        ((7, 8, 9), "7 to 9"),
        ((7, 9), "7, 9"),
        ((8, 7), "8, 7"),
        ((None,), "none"),
        ((7, None, 8), "7 to 8"),
        ((), "none"),
    ],
)
def test_seeds_are_told_as_short_as_can_be_and_a_single_run_may_be_chance(
    seeds: tuple[int | None, ...], said: str
) -> None:
    first, second = replace(side(1.0), seeds=seeds), replace(side(1.0), seeds=(1, 2, 3))
    for found in (compare(first, second), compare(second, first)):
        assert any("chance" in note for note in found.notes) is (len(seeds) == 1)
    assert f"seed: {said} in A, 1 to 3 in B" in compare(first, second).notes


def test_a_figure_that_neither_has_is_shown_only_if_it_is_a_headline() -> None:
    names = ("lost", "orphaned", "unaccounted", "unexpected")
    figures = dict(zip(names, (None, None, 1.0, None), strict=True))
    others = dict(zip(names, (None, None, None, 1.0), strict=True))
    a, b = (
        replace(side(1.0), figures={name: Value(value) for name, value in each.items()})
        for each in (figures, others)
    )
    shown = [(each.title, each.headline) for each in compare(a, b).rows]
    assert shown == [
        ("lost", True),
        ("lost, in no database", False),
        ("reported as failed, but stored", False),
    ]


def test_of_a_series_the_median_is_compared_and_its_range_shown() -> None:
    found = compare(of_series("a", a_series()), of_run("b", a_run(7)))
    east = row(found, "RTO, east")
    assert re.fullmatch(r"4\.\d\d – 4\.\d\d s \(4 of 6\)", east.a_range)
    assert east.b_range == ""
    assert row(found, "split brain").a_range == "0 writes (5 of 6)"
    assert "seed: 7 to 12 in A, 7 in B" in found.notes


def test_a_series_without_any_run_that_ended_is_noted() -> None:
    empty = a_series(take=0).model_copy(update={"conditions": None})
    found = compare(of_series("a", empty), of_run("b", RUN))
    assert "a has no run that ended: nothing is known of its conditions" in found.notes
    assert row(found, "lost").a == "not measured"
    found = compare(of_run("a", RUN), of_series("b", empty))
    assert "b has no run that ended: nothing is known of its conditions" in found.notes


@given(st.floats(0, 1e5), st.floats(0, 1e5))
def test_arrow_difference_and_word_agree(a: float, b: float) -> None:
    found = rpo(side(a), side(b))
    assert {
        "▲": found.judgement == "worse" and found.difference.startswith("+") and b > a,
        "▼": found.judgement == "better" and found.difference.startswith("−") and b < a,
        "=": found.judgement == "same" and not found.difference and found.a == found.b,
    }[found.sign]


# --- What people see ---------------------------------------------------------------------------


def shown(found: Comparison, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(runtables.compare(found))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_says_the_direction_in_words_too(width: int) -> None:
    text = shown(against(lost=15, seed=8), width)
    assert re.search(r"lost +10 writes +15 writes +\+5 writes +×1\.50 +▲ worse", text)
    assert "! seed: 7 in A, 8 in B" in text
    assert re.search(r"and \d+ figures that are the same", text)
    assert "stored twice" not in text
    assert all(len(line) <= width for line in text.splitlines())


def page(changed: Result) -> str:
    return seriespages.compare(
        compare(of_run("a<b", RUN), of_run("b", changed)), ("../a/report.html", "report.html")
    )


def test_the_page_shows_all_figures_and_notes_and_leads_to_both_reports() -> None:
    text = page(RUN.model_copy(update={"lost": 15, "seed": 8}))
    for expected in (
        'href="../a/report.html"', 'href="report.html"', "a&lt;b", "▲ worse", "stored twice",
        "seed: 7 in A, 8 in B", "×1.50", "prefers-color-scheme: dark", "@media print",
    ):  # fmt: skip
        assert expected in text, expected
    assert not re.search(r"https?://|src=|<script|<link|@import|url\((?!#)", text)
