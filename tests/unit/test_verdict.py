"""Verdicts form a lattice, objectives are held against figures, and a crash never passes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import BOOT, header, lines, write

from lab import ledger
from lab.classify import Row, classify
from lab.errors import UnknownName
from lab.figures import Figures, measure
from lab.history import Operation, Outcome
from lab.objectives import ALWAYS, FIGURES, find, judge_all
from lab.record import Journal, Mark, MarkName
from lab.verdict import Comparison, Found, Objective, Verdict, check, judge, worst

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
verdicts = st.lists(st.sampled_from(Verdict))


def objective(
    name: str = "lost", limit: float = 10, how: Comparison = Comparison.AT_MOST
) -> Objective:
    return Objective(name, limit, "writes", how, "because")


# --- The lattice -------------------------------------------------------------------------------


def test_fail_is_over_unknown_and_unknown_over_pass() -> None:
    assert worst([PASS, UNKNOWN, FAIL]) is FAIL
    assert worst([PASS, UNKNOWN]) is UNKNOWN
    assert worst([PASS, PASS]) is PASS


def test_a_drill_that_judged_nothing_is_unknown() -> None:
    assert worst([]) is UNKNOWN


@given(verdicts.filter(len), verdicts.filter(len))
def test_the_worst_of_all_is_the_worst_of_the_parts_in_any_order(
    left: list[Verdict], right: list[Verdict]
) -> None:
    assert worst([worst(left), worst(right)]) is worst([*right, *left])
    assert worst([*left, *left]) is worst(left)


@given(verdicts)
def test_a_run_passes_only_when_everything_passes(each: list[Verdict]) -> None:
    assert (worst([PASS, *each]) is PASS) == all(one is PASS for one in each)
    assert (worst(each) is FAIL) == (FAIL in each)


def test_verdicts_have_the_exit_codes_of_the_command_line() -> None:
    assert {v: v.exit_code for v in Verdict} == {PASS: 0, FAIL: 1, UNKNOWN: 4}


# --- One objective -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "below", "at", "above"),
    [
        (Comparison.AT_MOST, PASS, PASS, FAIL),
        (Comparison.AT_LEAST, FAIL, PASS, PASS),
        (Comparison.EXACTLY, FAIL, PASS, FAIL),
    ],
)
def test_a_figure_is_compared_with_its_limit(
    how: Comparison, below: Verdict, at: Verdict, above: Verdict
) -> None:
    found = [judge(objective(how=how), Found(value)).verdict for value in (9.99, 10, 10.01)]
    assert found == [below, at, above]


@pytest.mark.parametrize("value", [None, math.nan])
@pytest.mark.parametrize("how", list(Comparison))
def test_what_was_not_measured_is_unknown(value: float | None, how: Comparison) -> None:
    judged = judge(objective(how=how), Found(value))
    assert (judged.verdict, judged.found, judged.detail) == (UNKNOWN, None, "not measured")


@pytest.mark.parametrize(
    ("how", "bound", "verdict"),
    [
        (Comparison.AT_MOST, 10.1, FAIL),
        (Comparison.AT_MOST, 10.0, UNKNOWN),
        (Comparison.AT_LEAST, 11.0, UNKNOWN),
    ],
)
def test_a_lower_bound_beyond_the_limit_is_a_proven_breach(
    how: Comparison, bound: float, verdict: Verdict
) -> None:
    assert judge(objective(how=how), Found(None, "never came back", bound)).verdict is verdict


def test_a_breach_can_be_declared_to_leave_the_verdict_open() -> None:
    open_question = replace(objective(limit=0), breach=UNKNOWN)
    assert judge(open_question, Found(1)).verdict is UNKNOWN


def test_a_check_that_crashes_is_unknown_and_says_why() -> None:
    def probe() -> Found:
        raise ZeroDivisionError("division by zero")

    judged = check(objective(), probe)
    assert judged.verdict is UNKNOWN
    assert judged.detail == "the check crashed: ZeroDivisionError: division by zero"


def test_infinity_is_a_figure_and_breaks_an_upper_limit() -> None:
    assert judge(objective(), Found(math.inf)).verdict is FAIL


# --- Objectives against the figures of a run ---------------------------------------------------


def load() -> list[Operation]:
    return [write(f"k{n}", start=90 + n / 10) for n in range(400)]


def figures(
    writes: list[Operation],
    missing: tuple[str, ...] = (),
    orphans: tuple[str, ...] = (),
    copies: dict[str, int] | None = None,
    fault: float | None = 100.0,
) -> Figures:
    told = {w.key for w in writes if w.outcome in (Outcome.OK, Outcome.LOCAL)}
    row = {key: Row(1) for key in told if key not in missing}
    row |= {key: Row(n) for key, n in (copies or {}).items()}
    reads = {"w": row, "l": {key: Row() for key in orphans}}
    marks = [Mark(MarkName.STEADY, 90.0), Mark(MarkName.LOAD_STOPPED, 129.9)]
    if fault is not None:
        marks.append(Mark(MarkName.FAULT_STARTED, fault))
    with ledger.load(header() + lines(writes)) as record:
        found = classify(record, reads, "w", {"l", "unread"})
        return measure(record, Journal(BOOT, tuple(marks)), found)


def verdict_of(found: Figures, *objectives: Objective) -> Verdict:
    return worst(item.verdict for item in judge_all(objectives, found))


def test_a_clean_run_passes() -> None:
    assert verdict_of(figures(load()), objective("lost", 0), objective("rto_seconds", 5)) is PASS


def test_a_lost_write_that_is_nowhere_leaves_the_verdict_open() -> None:
    found = figures(load(), missing=("k50",))
    assert verdict_of(found, objective("lost", 5)) is UNKNOWN
    [judged] = [j for j in judge_all([], found) if j.objective.name == "unaccounted"]
    assert judged.detail == "could not be read: unread"


def test_an_orphaned_write_within_the_objective_passes() -> None:
    found = figures(load(), missing=("k50",), orphans=("k50",))
    assert verdict_of(found, objective("lost", 1)) is PASS
    assert verdict_of(found, objective("lost", 0)) is FAIL


def test_a_write_that_users_were_told_failed_and_is_there_fails_every_drill() -> None:
    writes = load()
    writes[50] = replace(writes[50], outcome=Outcome.FAIL)
    assert verdict_of(figures(writes, copies={"k50": 1})) is FAIL


def test_a_row_that_is_there_twice_fails_every_drill() -> None:
    assert verdict_of(figures(load(), copies={"k50": 2})) is FAIL


def test_a_run_without_load_before_the_fault_proves_nothing() -> None:
    assert verdict_of(figures(load(), fault=90.0), objective("lost", 0)) is UNKNOWN


def test_a_pause_of_the_load_proves_nothing() -> None:
    paused = [w for w in load() if not 105 < w.start < 107]
    assert verdict_of(figures(paused), objective("lost", 0)) is UNKNOWN


def test_a_drill_may_set_its_own_limit_for_what_is_always_judged() -> None:
    found = figures(load(), copies={"k50": 2})
    assert verdict_of(found, objective("duplicated", 1)) is PASS


def test_users_who_never_came_back_fail_once_they_were_watched_beyond_the_limit() -> None:
    down = [replace(w, outcome=Outcome.FAIL) if w.start >= 100 else w for w in load()]
    assert verdict_of(figures(down), objective("rto_seconds", 20)) is FAIL
    assert verdict_of(figures(down), objective("rto_seconds", 30)) is UNKNOWN


def test_the_slowest_population_counts_even_when_another_was_not_measured() -> None:
    down = [replace(w, outcome=Outcome.FAIL) if 100 <= w.start < 110 else w for w in load()]
    found = figures(down)
    [back] = found.recoveries
    silent = replace(back, population="west", seconds=None, interrupted=None)
    both = replace(found, recoveries=(back, silent))
    assert verdict_of(both, objective("rto_seconds", 5)) is FAIL
    assert verdict_of(both, objective("rto_seconds", 20)) is UNKNOWN
    assert find("rto_seconds.east", both).value == back.seconds
    assert find("rto_seconds.west", both).value is None
    assert find("rto_seconds.mars", both).value is None


def test_split_brain_with_untraced_acknowledgements_is_only_bounded() -> None:
    writes = load()
    writes[60] = replace(writes[60], timeline=None)
    assert verdict_of(figures(writes), objective("split_brain_writes", 0)) is UNKNOWN
    writes[10] = replace(writes[10], timeline=2)
    assert verdict_of(figures(writes), objective("split_brain_writes", 0)) is FAIL


def test_without_a_fault_its_figures_are_unknown() -> None:
    found = figures(load(), fault=None)
    for name in ("rpo_seconds", "rpo_wal_bytes", "rto_seconds", "longest_gap_seconds", "relapses"):
        assert find(name, found).value is None, name
    assert verdict_of(found, objective("lost", 0)) is PASS


def test_every_figure_of_the_table_can_be_found_and_has_a_name_of_its_own() -> None:
    found = figures(load())
    names = [row.name for row in FIGURES]
    assert len(set(names)) == len(names)
    assert all(find(name, found).value is not None for name in names)
    assert {each.name for each in ALWAYS} <= set(names)


def test_an_objective_that_names_no_figure_is_a_mistake_of_the_drill() -> None:
    with pytest.raises(UnknownName, match=r"did you mean .*rto_seconds"):
        judge_all([objective("rto_second")], figures(load()))


def test_a_figure_that_cannot_be_computed_is_unknown_and_the_others_are_judged() -> None:
    broken = replace(figures(load()), split_brain=None)  # type: ignore[arg-type]
    judged = {
        j.objective.name: j.verdict for j in judge_all([objective("split_brain_writes")], broken)
    }
    assert judged.pop("split_brain_writes") is UNKNOWN
    assert set(judged.values()) == {PASS}
