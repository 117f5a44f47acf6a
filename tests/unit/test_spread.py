"""A series: medians of what was measured, the worst verdict, and a page that shows every run."""

from __future__ import annotations

import io
import re
import statistics
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from several import a_run, a_series, folder, runs

from lab.charts import dotplot
from lab.charts.svg import Scale
from lab.core.errors import UnknownName, UsageError
from lab.core.verdict import Verdict
from lab.records import metricrows, spread
from lab.records.spread import Series, SeriesRun, SpreadRow
from lab.report import runtables, seriespages

SERIES = a_series()
PAGE = seriespages.spread(SERIES)


def row(figure: str, series: Series = SERIES) -> SpreadRow:
    [found] = [each for each in series.spread if each.figure == figure]
    return found


def run_of(number: int, verdict: Verdict = Verdict.PASS, **figures: float | None) -> SeriesRun:
    return SeriesRun(number=number, seed=number, folder="f", verdict=verdict, figures=figures)


# --- Figures -----------------------------------------------------------------------------------


def test_a_figure_has_the_median_and_the_ends_of_what_was_measured() -> None:
    lost = row("lost")
    values = [run.figures["lost"] for run in SERIES.runs if run.figures]
    assert lost.median == statistics.median([value for value in values if value is not None])
    assert (lost.minimum, lost.maximum) == (2, 12)


def test_what_was_not_measured_is_left_out_and_counted() -> None:
    east = row("rto_seconds.east")
    assert (east.measured, east.runs) == (4, 6)
    assert row("rto_seconds.west").measured == 5
    none = spread.spread([run_of(1, lost=None), run_of(2, lost=None)])
    assert (none[0].median, none[0].minimum, none[0].measured) == (None, None, 0)


@given(st.lists(st.none() | st.floats(0, 1e6), min_size=1, max_size=9))
def test_the_median_lies_between_the_ends(values: list[float | None]) -> None:
    [found] = spread.spread([run_of(n, rpo_seconds=value) for n, value in enumerate(values)])
    assert found.measured == sum(value is not None for value in values)
    if found.minimum is not None and found.median is not None and found.maximum is not None:
        assert found.minimum <= found.median <= found.maximum


def test_the_verdict_of_a_series_is_the_worst_and_all_are_counted() -> None:
    assert SERIES.verdict is Verdict.FAIL
    assert SERIES.verdicts == {Verdict.PASS: 3, Verdict.UNKNOWN: 2, Verdict.FAIL: 1}
    assert a_series(take=1).verdict is Verdict.PASS
    assert a_series(take=0).verdict is Verdict.UNKNOWN


def test_a_run_that_died_has_no_figures_and_its_verdict_is_unknown() -> None:
    last = SERIES.runs[-1]
    assert (last.verdict, last.figures) == (Verdict.UNKNOWN, {})
    assert "waited 20 s" in last.error


def test_every_figure_of_a_result_has_a_row_and_a_title_without_gaps() -> None:
    found = metricrows.read(a_run(7))
    assert {"lost", "rto_seconds.east", "rto_seconds.max", "p99_before.west"} <= set(found)
    for name in found:
        assert "{" not in metricrows.metric(name).title
    assert metricrows.metric("rto_seconds.max").title == "RTO, slowest users"
    with pytest.raises(UnknownName):
        metricrows.metric("loss")


def test_the_conditions_of_a_run_are_all_that_must_be_equal_in_another() -> None:
    run = a_run(7)
    assert spread.conditions(run).model_dump() == run.model_dump(
        include={"drill", "pattern", "versions", "machine", "settings"}
    )


def test_a_series_survives_being_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "spread.json"
    path.write_text(spread.to_json(SERIES))
    assert spread.from_file(path) == SERIES
    assert SERIES.schema_version == spread.SCHEMA == 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"schema_version": 9}', "spread schema 9"),
        ('{"schema_version": 1}', "no series of this lab: drill"),
        ("{", "no series of this lab"),
    ],
)
def test_what_is_no_series_is_refused(tmp_path: Path, text: str, expected: str) -> None:
    path = tmp_path / "spread.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=expected):
        spread.from_file(path)


# --- The page ----------------------------------------------------------------------------------


def test_the_page_needs_nothing_from_anywhere_else() -> None:
    assert not re.search(r"https?://|src=|<script|<link|@import|url\((?!#)", PAGE)


def test_the_page_names_every_run_and_leads_to_its_report() -> None:
    for seed in range(7, 12):
        assert f'href="../{folder(seed)}/report.html"' in PAGE
    assert f'href="../{folder(12)}/report.html"' not in PAGE
    assert "waited 20 s for west&#39;s shop" in PAGE
    assert "<title>fail: East is gone, 6 runs (region-loss)</title>" in PAGE
    assert "3 pass, 2 unknown, 1 fail" in PAGE
    assert "lab drill region-loss --seed 7 --repeat 6" in PAGE
    assert "4 of 6" in PAGE


def test_the_page_of_a_series_that_was_cut_short_says_so() -> None:
    assert "2 of 6 runs:</strong> the series was interrupted" in seriespages.spread(
        a_series(take=2, interrupted=True)
    )
    assert "the series was cut short" in seriespages.spread(a_series(take=2))
    empty = seriespages.spread(a_series(take=0).model_copy(update={"conditions": None}))
    assert "No run ended" in empty
    assert "None" not in empty


def test_text_of_a_run_cannot_become_markup() -> None:
    evil = "<script>alert(1)</script>"
    died = spread.died(1, 1, evil, evil)
    page = seriespages.spread(SERIES.model_copy(update={"title": evil, "runs": (died,)}))
    assert "<script" not in page


# --- The dot plot ------------------------------------------------------------------------------


@pytest.mark.parametrize("width", [seriespages.WIDE, seriespages.NARROW])
def test_every_measured_run_is_a_mark_inside_the_picture(width: int) -> None:
    for each in (each for each in SERIES.spread if each.measured):
        picture = dotplot.plot(SERIES, each, width)
        root = ElementTree.fromstring(picture)  # noqa: S314 - our own picture
        marks = [item for item in root.iter("g") if "mark" in item.get("class", "")]
        assert len(marks) == each.measured
        for item in root.iter("circle"):
            assert 8 <= float(item.get("cx", "0")) <= width - 8


def test_verdicts_are_told_by_shape() -> None:
    shapes = [str(dotplot.shape(verdict, 10.0, 10.0)) for verdict in Verdict]
    assert ["circle" in text for text in shapes] == [True, False, False]
    assert ["rotate" in text for text in shapes] == [False, True, False]


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_no_two_marks_touch(values: list[float]) -> None:
    scale = Scale(0, 100, 18, 360)
    marks = dotplot.place([(run_of(n), value) for n, value in enumerate(values)], scale)
    assert len(marks) == len(values)
    for n, mark in enumerate(marks):
        for other in marks[:n]:
            apart = abs(mark.x - other.x) >= 2 * dotplot.MARK
            assert apart or mark.level != other.level


def test_a_figure_that_no_run_has_is_not_drawn() -> None:
    lacking = [run.model_copy(update={"figures": {"lost": None}}) for run in runs()]
    series = SERIES.model_copy(update={"runs": lacking, "spread": spread.spread(lacking)})
    assert dotplot.plot(series, row("lost", series), 960) == ""
    assert "<h3>lost</h3>" not in seriespages.spread(series)


def test_equal_values_are_drawn_without_dividing_by_zero() -> None:
    same = [run_of(n, lost=0.0) for n in range(3)]
    series = SERIES.model_copy(update={"runs": same, "spread": spread.spread(same)})
    assert dotplot.plot(series, row("lost", series), 380).count("<circle") == 3


# --- The terminal ------------------------------------------------------------------------------


def printed(series: Series, width: int) -> str:
    console = Console(width=width, file=io.StringIO(), highlight=False)
    console.print(runtables.spread(series, "runs/x"))
    return console.file.getvalue()  # type: ignore[attr-defined, no-any-return]


def test_a_series_whose_runs_all_died_has_no_empty_table() -> None:
    dead = SERIES.model_copy(update={"runs": runs()[5:], "spread": ()})
    assert "median" not in printed(dead, 80)


@pytest.mark.parametrize("width", [80, 120])
def test_the_terminal_shows_every_run_and_the_spread_without_folding_numbers(width: int) -> None:
    text = printed(SERIES, width)
    assert re.search(r"2 +8 +fail +1,946 +9 +0\.31 s +4\.\d\d s +2\.92 s", text)
    assert re.search(r"3 +9 +unknown +1,948 +11 +0\.15 s +– +3\.40 s +–", text)
    assert re.search(r"RTO, slowest users +4\.\d\d s +4\.\d\d s +4\.\d\d s +4 of 6", text)
    assert "run 6 died: waited 20 s" in text
    assert all(len(line) <= width for line in text.splitlines())
