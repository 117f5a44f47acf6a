"""One row makes a metric: objectives, comparison, series, report and docs read the same rows."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import region_loss
from rich.console import Console
from several import a_run, runs

from lab.commands.parsing import options
from lab.core.errors import UsageError
from lab.core.verdict import Comparison, Found, Objective, Verdict
from lab.drills.finding import drills
from lab.metrics.customobjectives import read
from lab.metrics.objectives import ALWAYS, judge_all
from lab.records import metricrows, result, spread
from lab.records.compare import compare, of_run
from lab.records.metric import USERS, Better, Metric, Shown, worst
from lab.records.metricrows import METRICS, metric
from lab.records.metricvalues import whole
from lab.records.resultrows import PERCENTILES
from lab.records.thresholds import DAYS, TARGETS, filled
from lab.report import metrictables, reportpage, runtables

ROOT = Path(__file__).parent.parent.parent
EXAMPLE = ROOT / "docs" / "examples" / "region-loss" / "result.json"


# --- A row more ----------------------------------------------------------------------------------

MADE_UP = Metric(
    "tears", "drops", "tears of users",
    "drops that users shed",
    "three for each lost write; users wait {patience} s before they cry",
    lambda found: whole(3 * found.lost),
    shown=Shown.FIRST,
    flag="tears",
)  # fmt: skip


@pytest.fixture
def with_tears(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metricrows, "METRICS", (*METRICS, MADE_UP))


@pytest.mark.usefixtures("with_tears")
def test_an_objective_may_name_a_row_that_was_added() -> None:
    assert "tears<=" in options._figures()
    general, short = (
        read({}, ["tears<=3"], ()).objectives,
        read({"tears": "3"}, (), ()).objectives,
    )
    assert general == short
    found = region_loss(general)
    [row] = [each for each in found.objectives if each.name == "tears"]
    assert (row.found, row.unit, row.verdict) == (3 * found.lost, "drops", Verdict.FAIL)
    with pytest.raises(UsageError, match="did you mean tears"):
        read({}, ["teers<=3"], ())


@pytest.mark.usefixtures("with_tears")
def test_a_comparison_shows_a_row_that_was_added() -> None:
    found = compare(of_run("a", a_run(7, lost=1)), of_run("b", a_run(7, lost=2)))
    [row] = [each for each in found.rows if each.title == "tears of users"]
    assert (row.a, row.b, row.judgement, row.headline) == ("3 drops", "6 drops", "worse", True)


@pytest.mark.usefixtures("with_tears")
def test_a_series_shows_a_row_that_was_added() -> None:
    [row] = [each for each in spread.spread(runs()) if each.figure == "tears"]
    assert (row.title, row.unit, row.minimum) == ("tears of users", "drops", 6)
    console = Console(width=160, file=io.StringIO())
    series = spread.series(
        drill="d", title="t", command="c", seed=1, asked=6, interrupted=False,
        conditions=None, runs=runs(),
    )  # fmt: skip
    console.print(runtables.spread(series, "runs/x"))
    assert "tears of users" in console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.usefixtures("with_tears")
def test_the_report_shows_a_row_that_was_added() -> None:
    run = a_run(7, lost=2)
    assert ("tears", "6 drops", "drops that users shed") in metrictables.figures(run).rows
    assert "drops that users shed" in reportpage.render(run)


@pytest.mark.usefixtures("with_tears")
def test_the_docs_have_a_row_that_was_added() -> None:
    text = metrictables.markdown(result.from_file(EXAMPLE))
    assert "| `tears` | drops | drops that users shed | three for each lost write;" in text
    assert "wait 1.5 s before they cry" in text


# --- The rows as they are ------------------------------------------------------------------------


def test_the_report_lists_what_was_measured_alone() -> None:
    listed = {name for name, *_ in metrictables.figures(a_run(7, rpo_seconds=None)).rows}
    assert "rpo_seconds" not in listed
    assert {"lost", "rto_seconds.max", "record_gaps"} < listed


def test_the_documentation_holds_the_rows_as_they_are() -> None:
    text = (ROOT / "docs" / "figures.md").read_text()
    found = re.search(r"<!-- metrics -->\n(.*)<!-- end of the metrics -->", text, re.DOTALL)
    assert found is not None
    assert found[1] == metrictables.markdown(result.from_file(EXAMPLE))


def test_every_row_says_what_it_is_in_words_of_its_own() -> None:
    for each in ("name", "title", "means"):
        assert len({getattr(row, each) for row in METRICS}) == len(METRICS), each
    for row in METRICS:
        assert ("{}" in row.title) == (row.of is not None), row.name
        assert "." not in row.name


def test_thresholds_in_formulas_are_filled_in_and_never_typed() -> None:
    for row in METRICS:
        assert not re.search(r"\d (s|ms|%)", row.formula.replace("99 % of the users", "")), row.name
        assert "{" not in row.measured() + row.means, row.name
    assert "t + 5 s]" in metric("rto_seconds").measured()
    own = region_loss().model_copy(update={"rto_window": 2.5, "rto_patience": 0.75})
    told = metric("rto_seconds").measured(own)
    assert "t + 2.5 s]" in told
    assert "within 0.75 s" in told


def objectives() -> Iterator[tuple[str, Objective]]:
    yield from (("every drill", each) for each in ALWAYS)
    for drill in drills():
        yield from ((drill.name, each) for each in drill.read().objectives)


@pytest.mark.parametrize(("drill", "objective"), list(objectives()))
def test_an_objective_of_a_drill_has_the_unit_of_its_metric(
    drill: str, objective: Objective
) -> None:
    assert objective.unit == metric(objective.name).unit, drill


# --- Percentiles ---------------------------------------------------------------------------------


def test_p99_9_is_in_the_result_the_report_and_in_objectives() -> None:
    assert [each.title for each in PERCENTILES.values()] == ["p50", "p95", "p99", "p99.9"]
    found = region_loss(read({}, ["p99_9_before<=1ms"], ()).objectives)
    for row in found.populations:
        assert row.before.p99_9 is not None
        assert row.before.p99_9 >= (row.before.p99 or 0.0)
    [judged] = [each for each in found.objectives if each.name == "p99_9_before"]
    assert judged.found == max(row.before.p99_9 or 0.0 for row in found.populations)
    assert judged.verdict is Verdict.FAIL
    page = reportpage.render(found)
    assert '<th class="n" scope="col">p99.9</th>' in page
    assert "p99_9_before.east" in page


def test_a_result_of_an_older_lab_has_no_p99_9() -> None:
    older = result.from_file(EXAMPLE)
    assert {row.before.p99_9 for row in older.populations} == {None}
    assert metricrows.find("p99_9_before", older).value is None
    assert metricrows.find("p99_before", older).value is not None


# --- One value of several ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("p99_9_befor<=1s", "did you mean p99_9_before"),
        ("p99_before.eats<=1s", "no population called 'eats'"),
        ("phase_seconds.detct<=1s", "did you mean detect"),
        ("lost.east<=1", "no figure called 'lost.east'"),
        ("rto_seconds.max<=1s", "no population called 'max'"),
    ],
)
def test_a_name_that_no_row_has_is_refused_with_the_nearest(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        read({}, [text], ())
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("text", "value"),
    [("phase_seconds.clients follow<=9s", 1.52), ("phase_seconds.detect<=9s", 1.61)],
)
def test_an_objective_may_name_one_of_several(text: str, value: float) -> None:
    [wanted] = read({}, [text], ()).objectives
    [found] = [each for each in judge_all([wanted], region_loss()) if each.objective == wanted]
    assert found.found == pytest.approx(value, abs=0.01)
    assert found.verdict is Verdict.PASS


known = st.floats(0, 1e6)


@given(st.lists(known, min_size=1))
def test_of_several_values_the_worst_counts(numbers: list[float]) -> None:
    each = [Found(value) for value in numbers]
    assert worst(each).value == max(numbers)
    assert worst(each, Better.HIGHER).value == min(numbers)
    missing = worst([*each, Found(None, "not seen", 7.0)])
    assert (missing.value, missing.detail) == (None, "not seen")
    assert missing.at_least == max([*numbers, 7.0])


def test_a_value_of_nothing_says_why() -> None:
    nothing = region_loss().model_copy(update={"populations": (), "rto_seconds": {}})
    for name in ("longest_gap_seconds", "longest_gap_seconds.east", "rto_seconds"):
        assert metricrows.find(name, nothing) == Found(None, metric(name).missing)
    assert USERS.names == ("east", "west")
    assert Comparison.AT_MOST.sign == "≤"


def test_thresholds_in_the_docs_are_those_that_formulas_compute_with() -> None:
    figures, glossary = (
        " ".join((ROOT / "docs" / f"{name}.md").read_text().split())
        for name in ("figures", "glossary")
    )
    for text in (
        "acknowledged (`ok`) within {patience} s of its start",
        "Exactly {patience} s is served",
        "never paused for more than {patience} s",
        "more than they start in {patience} s",
        f"(1 − target) × {DAYS} days",
        *(f"{target * 100:g} %: " for target in TARGETS),
    ):
        assert filled(text) in figures, text
    assert filled("until {share} % of a population's orders are served again, for {window} s") in (
        glossary
    )
