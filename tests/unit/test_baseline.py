"""A run that must keep up with an earlier one."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from several import a_run, a_series

from lab.core.errors import UsageError
from lab.core.verdict import Comparison, Objective, Verdict
from lab.drills import baseline
from lab.drills.baseline import Baseline
from lab.metrics.assemble import judged
from lab.metrics.objectives import judge_all
from lab.records import result, spread
from lab.records.metric import Better, Tolerance
from lab.records.metricrows import METRICS
from lab.records.result import Result
from lab.report import junit, reportpage, resulttext

DRILL = "region-loss"


@pytest.fixture
def earlier(tmp_path: Path) -> Baseline:
    return of(a_run(1), tmp_path / "result.json")


def of(run: Result, path: Path) -> Baseline:
    path.write_text(result.to_json(run))
    return baseline.read(str(path), run.drill)


def beside(earlier: Baseline, **changes: object) -> Result:
    """A run with other figures, judged by the baseline and by what every drill is judged by."""
    run = a_run(1, **changes)
    return judged(run, judge_all(earlier.wanted.more, run))


@given(st.floats(0, 1e6), st.sampled_from([row for row in METRICS if row.tolerance]))
def test_a_figure_is_worse_only_beyond_its_tolerance(value: float, row: object) -> None:
    tolerance = row.tolerance  # type: ignore[attr-defined]
    assert tolerance.of(value) >= max(tolerance.least, value * tolerance.share / 100)
    assert tolerance.of(value + 1) >= tolerance.of(value)


def test_only_figures_that_are_better_if_lower_are_compared() -> None:
    compared = [row for row in METRICS if row.tolerance]
    assert {row.better for row in compared} == {Better.LOWER}
    assert {"rto_seconds", "lost", "rpo_seconds", "split_brain_writes"} <= {
        row.name for row in compared
    }


def test_a_run_keeps_up_with_itself(earlier: Baseline) -> None:
    found = beside(earlier)
    rows = [row for row in found.objectives if row.baseline is not None]
    assert len(rows) >= 5
    assert {row.verdict for row in rows} == {Verdict.PASS}
    assert found.verdict is Verdict.PASS


def test_a_figure_that_got_worse_fails_and_says_by_how_much(earlier: Baseline) -> None:
    then = a_run(1).rto_seconds["max"]
    assert then is not None
    found = beside(earlier, rto_seconds={"east": then + 4, "west": 1.0, "max": then + 4})
    assert found.verdict is Verdict.FAIL
    [row] = [row for row in found.objectives if row.verdict is Verdict.FAIL]
    assert row.name == "rto_seconds"
    assert row.comparison is Comparison.AT_MOST
    assert row.detail == "4.00 s worse than the baseline"
    assert row.limit == pytest.approx(then + max(0.5, then / 4), abs=0.001)
    assert "more is no regression" in row.why


def test_a_count_has_a_whole_limit(tmp_path: Path) -> None:
    run = a_run(1)
    found = of(run, tmp_path / "result.json").wanted.more
    [lost] = [item for item in found if item.name == "lost"]
    assert lost.limit == run.lost + max(10, run.lost // 4)
    assert Tolerance(0).of(0) == 0


def test_users_who_are_not_back_are_worse_if_they_were_back_in_the_baseline(
    earlier: Baseline,
) -> None:
    found = beside(earlier, rto_seconds={"east": None, "west": 1.0, "max": None})
    [row] = [row for row in found.objectives if row.name == "rto_seconds"]
    assert row.verdict is not Verdict.PASS


def test_a_figure_that_the_baseline_lacks_is_not_compared(tmp_path: Path) -> None:
    run = a_run(1, rto_seconds={"east": 2.0, "west": None, "max": None})
    names = [item.name for item in of(run, tmp_path / "result.json").wanted.more]
    assert "rto_seconds" not in names
    assert "lost" in names


def test_of_a_series_the_worst_run_counts(tmp_path: Path) -> None:
    path = tmp_path / spread.FILE
    series = a_series()
    path.write_text(spread.to_json(series))
    limits = {item.name: item.baseline for item in baseline.read(str(path), DRILL).wanted.more}
    [lost] = [row for row in series.spread if row.figure == "lost"]
    assert limits["lost"] == lost.maximum
    assert "rto_seconds" not in limits  # one of its runs has none
    short = a_series(asked=2, take=2)
    path.write_text(spread.to_json(short))
    limits = {item.name: item.baseline for item in baseline.read(str(path), DRILL).wanted.more}
    assert limits["rto_seconds"] == max(
        row.maximum for row in short.spread if row.figure.startswith("rto_seconds") and row.maximum
    )


def test_a_baseline_of_another_drill_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(result.to_json(a_run(1)))
    with pytest.raises(UsageError, match="is a run of region-loss, and this is zone-loss"):
        baseline.read(str(path), "zone-loss")


def test_the_drills_own_objective_and_those_of_every_drill_stay(earlier: Baseline) -> None:
    from made_up import OBJECTIVES

    both = earlier.wanted.instead_of(OBJECTIVES)
    assert both[: len(OBJECTIVES)] == OBJECTIVES
    names = [each.objective.name for each in judge_all(both, a_run(1))]
    assert names.count("rto_seconds") == 2
    assert {"unaccounted", "unexpected", "duplicated"} <= set(names)


def test_a_limit_of_a_baseline_takes_no_standard_checks_place() -> None:
    own = Objective("unexpected", 5, "writes", Comparison.AT_MOST, "as before", baseline=0)
    found = [each.objective for each in judge_all([own], a_run(1))]
    assert [each.limit for each in found if each.name == "unexpected"] == [5, 0]


def test_the_command_names_the_baseline_again(earlier: Baseline) -> None:
    assert earlier.wanted.arguments[0] == "--baseline"


def test_what_makes_both_hard_to_compare_is_told(earlier: Baseline) -> None:
    run = a_run(1)
    assert [*earlier.doubts(run)] == []
    moved = run.model_copy(update={"machine": run.machine.model_copy(update={"cpus": 64})})
    [doubt] = earlier.doubts(moved)
    assert doubt == f"CPUs: {run.machine.cpus} in the baseline, 64 in this run"
    assert [*Baseline().doubts(moved)] == []


def test_ci_reads_both_objectives_of_a_figure_under_two_names(earlier: Baseline) -> None:
    found = beside(earlier, split_brain_writes=40)
    text = junit.document([junit.of_result(found, "runs/x")])
    [suite] = ElementTree.fromstring(text)  # noqa: S314 - our own document
    cases = {case.get("name"): case for case in suite.iter("testcase")}
    failure = cases["split_brain_writes (baseline)"].find("failure")
    assert failure is not None
    assert "writes worse than the baseline" in (failure.get("message") or "")
    assert len(cases) == len(found.objectives)


def test_a_terminal_shows_what_got_worse_and_counts_the_rest(earlier: Baseline) -> None:
    console = Console(width=160, record=True, file=None)
    with console.capture() as shown:
        console.print(resulttext.summary(beside(earlier, split_brain_writes=40), "runs/x"))
    lines = shown.get().splitlines()
    [failed] = [line for line in lines if line.startswith("split_brain_writes")]
    assert "worse than the baseline" in failed
    assert not any(line.startswith("rpo_seconds") for line in lines)
    assert any("figures no worse than in the baseline" in line for line in lines)


def test_the_report_says_which_baseline(earlier: Baseline) -> None:
    found = beside(earlier, split_brain_writes=40)
    page = reportpage.render(found, "x")
    assert "in the baseline" in page
    assert "worse than the baseline" in page
