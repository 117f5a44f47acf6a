"""Verdicts form a lattice, objectives are held against figures, and a crash never passes."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import BOOT, header, lines, unjudged, write

from lab.core.errors import UnknownName
from lab.core.verdict import Comparison, Found, Judgement, Objective, Verdict, check, judge, worst
from lab.metrics.classify import classify
from lab.metrics.errorbudget import FullRecovery, Spike
from lab.metrics.figures import Figures, Stretch, measure
from lab.metrics.measure import Loss, SplitBrain
from lab.metrics.objectives import ALWAYS, judge_all
from lab.metrics.placing import Row
from lab.metrics.recovery import Recovery
from lab.metrics.seenthengone import SeenThenGone
from lab.metrics.stalereads import StaleRead
from lab.metrics.traffic import Gap, Latency, Rate
from lab.records import ledger, metricrows
from lab.records.history import CutLine, Kind, Operation, Outcome
from lab.records.journalfile import Journal, Mark, MarkName
from lab.records.metricrows import METRICS
from lab.records.recordgaps import Miscount, RecordGaps, Shortfall

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
    judged = judge(objective(how=how), Found(None, "never came back", bound))
    assert (judged.verdict, judged.detail) == (verdict, "never came back")


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
    unread: tuple[str, ...] = (),
) -> Figures:
    told = {w.key for w in writes if w.outcome in (Outcome.OK, Outcome.LOCAL)}
    row = {key: Row(1) for key in told if key not in missing}
    row |= {key: Row(n) for key, n in (copies or {}).items()}
    reads = {"w": row, "l": {key: Row() for key in orphans}}
    marks = [Mark(MarkName.STEADY, 90.0), Mark(MarkName.LOAD_STOPPED, 129.9)]
    if fault is not None:
        marks.append(Mark(MarkName.FAULT_STARTED, fault))
    with ledger.load(header() + lines(writes)) as record:
        found = classify(record, reads, "w", {"l", *unread})
        return measure(record, Journal(BOOT, tuple(marks)), found)


@cache
def whole() -> Figures:
    return figures(load())


def find(name: str, found: Figures) -> Found:
    return metricrows.find(name, unjudged(found))


def judged(objectives: list[Objective], found: Figures) -> dict[str, Judgement]:
    return {each.objective.name: each for each in judge_all(objectives, unjudged(found))}


def verdict_of(found: Figures, *objectives: Objective) -> Verdict:
    return worst(each.verdict for each in judged([*objectives], found).values())


def test_a_clean_run_passes() -> None:
    assert verdict_of(figures(load()), objective("lost", 0), objective("rto_seconds", 5)) is PASS


def test_a_lost_write_that_is_nowhere_leaves_the_verdict_open() -> None:
    found = figures(load(), missing=("k50",), unread=("l2",))
    assert verdict_of(found, objective("lost", 5)) is UNKNOWN
    assert judged([], found)["unaccounted"].detail == "could not be read: l2"
    all_read = replace(found, classification=replace(found.classification, unread=()))
    assert find("unaccounted", all_read) == Found(1)


def test_a_loser_that_was_not_read_leaves_the_verdict_open() -> None:
    found = figures(load(), unread=("l2",))
    assert verdict_of(found, objective("lost", 0)) is UNKNOWN
    assert find("record_gaps", found) == Found(1, "l2 could not be read at the end")


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


BORDERS = {
    # what holds for every drill: the worst that passes, what does not, and the verdict then
    "acknowledged_before_fault": (1, 0, UNKNOWN),
    "load_pause_seconds": (1.5, 1.51, UNKNOWN),
    "record_gaps": (0, 1, UNKNOWN),
    "unaccounted": (0, 1, UNKNOWN),
    "unexpected": (0, 1, FAIL),
    "duplicated": (0, 1, FAIL),
}


def test_what_holds_for_every_drill_has_a_border() -> None:
    judged = {
        each.name: [judge(each, Found(value)).verdict for value in BORDERS[each.name][:2]]
        for each in ALWAYS
    }
    assert judged == {name: [PASS, verdict] for name, (_, _, verdict) in BORDERS.items()}


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


def back(**changes: object) -> Recovery:
    known = Recovery("east", True, 4.0, "they were served", True)
    return replace(known, **changes)  # type: ignore[arg-type]


NEVER = back(seconds=None, why="they never were", at_least=6.0)
MISSED = StaleRead(write("a", kind=Kind.READ, found=False), 1.0, lost=False)
GONE = SeenThenGone(write("g", Outcome.LOCAL), 1.0, 2)
FOUND = {
    # figure: fields of the figures, what is found
    "rto_seconds": [
        ({"recoveries": (back(), back(seconds=9.0, population="west"))}, (9.0, 0.0, "users west")),
        ({"recoveries": (back(), back(seconds=9.0, honours_ttl=False))}, (4.0, 0.0, "users east")),
        ({"recoveries": (back(seconds=0.0), back(seconds=0.5, population="west"))},
         (0.5, 0.0, "users west")),
        ({"recoveries": (back(), NEVER)}, (None, 6.0, "they never were")),
        ({"recoveries": (back(seconds=9.0), NEVER)}, (None, 9.0, "they never were")),
        ({"recoveries": (back(seconds=0.0, interrupted=False),)}, (0.0, None, "they were served")),
        ({"recoveries": ()}, (None, None, "there was no fault, or no users, to measure")),
    ],
    "rto_seconds.west": [
        ({"recoveries": (back(), back(seconds=9.0, population="west"))}, (9.0, 0.0, "users west")),
        ({"recoveries": (back(population="west", honours_ttl=False),)}, (None, None, "no fault")),
        ({"recoveries": (replace(NEVER, population="west"),)}, (None, 6.0, "they never were")),
        ({"recoveries": (back(population="west", at_least=3.0, interrupted=False),)},
         (4.0, None, "users west")),
    ],
    "relapses": [
        ({"recoveries": (back(relapsed=0.0), back())}, (1, None, "")),
        ({"recoveries": (back(relapsed=9.0, honours_ttl=False), back())}, (0, None, "")),
        ({"recoveries": ()}, (None, None, "there was no fault")),
    ],
    "full_recovery_seconds": [
        ({"full_recovery": FullRecovery(7.0, 7.0)}, (7.0, None, "")),
        ({"full_recovery": FullRecovery(None, 7.0)}, (None, 7.0, "not within the record")),
        ({"full_recovery": None}, (None, None, "there was no fault")),
    ],
    "seconds_over_limit": [
        ({"spike": Spike(2.5, 3)}, (3, None, "limit 2500 ms")),
        ({"spike": None}, (None, None, "there was no fault")),
    ],
    "stale_reads": [
        ({"stale": (MISSED, MISSED, replace(MISSED, lost=True))}, (2, None, "")),
    ],
    "seen_then_gone": [
        ({"classification": replace(whole().classification, seen_then_gone=(GONE, GONE))},
         (2, None, "")),
        ({"classification": replace(whole().classification, seen_then_gone=())}, (0, None, "")),
    ],
    "split_brain_seconds": [
        ({"split_brain": SplitBrain((1, 2), 3.0, 0, 0, 0)}, (3.0, None, "")),
        ({"split_brain": SplitBrain((1, 2), 3.0, 0, 0, 5)}, (None, 3.0, "5 acknowledgements name")),
    ],
    "rpo_wal_bytes": [({"loss": Loss(1, 2.0, 3)}, (3, None, ""))],
    "rpo_seconds": [
        ({"loss": Loss(1, 2.0, 3)}, (2.0, None, "")),
        ({"loss": None}, (None, None, "there was no fault")),
    ],
    "record_gaps": [
        ({"gaps": RecordGaps()}, (0, None, "")),
        ({"gaps": RecordGaps(("west",), (Shortfall("east", 1200, 6000),), orders=1)},
         (3, None, "users west have no record; users east recorded 1,200 of 6,000 operations;"
                   " no record has 1 order of users that w holds")),
        ({"gaps": RecordGaps(cut=(CutLine("/runs/x/east.jsonl", 7, "{", "east"),))},
         (1, None, "the record of users east is cut in its middle (east.jsonl, line 7)")),
        ({"gaps": RecordGaps(miscounted=(Miscount("east", 1199, 1200),))},
         (1, None, "users east wrote down 1,200 operations, and their record has 1,199")),
    ],
}  # fmt: skip


@pytest.mark.parametrize(
    ("name", "fields", "expected"),
    [(name, *row) for name, rows in FOUND.items() for row in rows],
)
def test_a_figure_is_found_with_its_bound_and_why(
    name: str, fields: dict[str, object], expected: tuple[float | None, float | None, str]
) -> None:
    found = find(name, replace(whole(), **fields))  # type: ignore[arg-type]
    value, at_least, detail = expected
    assert (found.value, found.at_least) == (value, at_least)
    assert detail in found.detail
    assert bool(detail) == bool(found.detail)


def test_of_several_populations_the_one_that_fared_worst_counts() -> None:
    east, west = (
        replace(
            whole().populations[0], population=name, pause=Gap(100, seconds / 10),
            gap=Gap(100, seconds), read_gap=Gap(100, 9 - seconds),
            before=Stretch(Rate(9, round(seconds), 10), Latency(0)),
        )
        for name, seconds in (("east", 5.0), ("west", 3.0))
    )  # fmt: skip
    found = replace(whole(), populations=(east, west))
    assert find("longest_gap_seconds", found) == Found(5.0, "users east")
    assert find("longest_read_gap_seconds", found) == Found(6.0, "users west")
    assert find("load_pause_seconds", found).value == 0.5
    assert find("acknowledged_before_fault", found).value == 3
    without_users = replace(found, populations=())
    assert find("longest_gap_seconds", without_users).value is None
    assert find("load_pause_seconds", without_users).value is None
    assert find("acknowledged_before_fault", without_users).value == 0


def test_every_figure_of_the_table_can_be_found_and_has_a_name_of_its_own() -> None:
    found = figures(load())
    names = [row.name for row in METRICS]
    assert len(set(names)) == len(names)
    document = unjudged(found)
    without = {name for name in names if metricrows.find(name, document).value is None}
    assert without == {"phase_seconds", "moved_seconds"}  # no step, and no address that died
    assert {each.name for each in ALWAYS} <= set(names)


def test_an_objective_that_names_no_figure_is_a_mistake_of_the_drill() -> None:
    with pytest.raises(UnknownName, match=r"did you mean .*rto_seconds"):
        judged([objective("rto_second")], figures(load()))


def test_a_figure_that_cannot_be_computed_is_unknown_and_the_others_are_judged() -> None:
    broken = unjudged(figures(load())).model_copy(update={"stale_reads": None})
    found = {j.objective.name: j.verdict for j in judge_all([objective("stale_reads")], broken)}
    assert found.pop("stale_reads") is UNKNOWN
    assert set(found.values()) == {PASS}
