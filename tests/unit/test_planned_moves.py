"""A run that breaks nothing has no RTO: it is told and judged by how long its users waited."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from pure_builders import BOOT, loaded, run, write
from rich.console import Console
from test_drill_bound import _Sampler

from lab.core.load import Load
from lab.core.topology import EAST_DB1, WEST_DB1
from lab.core.verdict import Comparison, Objective, Verdict
from lab.drills.drill import Begun, Course
from lab.drills.rehearsal import drill_of
from lab.drills.row import Drill
from lab.faults.acting import Proof
from lab.metrics.assemble import assemble, judged
from lab.metrics.classify import Row, classify
from lab.metrics.compute import ran_through
from lab.metrics.figures import measure
from lab.metrics.objectives import judge_all
from lab.metrics.rawrecord import Stopped
from lab.records.history import Kind, Operation, Outcome
from lab.records.journalfile import Journal, Mark, MarkName, StepRecord, Via
from lab.records.result import Result
from lab.report import reportpage, resulttext, sentences
from lab.runbooks import runbookfile, shipped
from lab.runbooks.runbook import Plan, Runbook
from lab.runbooks.scenarios import scenario
from lab.steps import catalogue
from lab.testbed.journalwriter import EngineClock
from lab.testbed.lab import Lab

BEGAN, UNTIL = 100.0, 130.0
REFUSED = {"east": (106.0, 111.8), "west": (106.0, 110.0)}
UNREAD = (106.0, 106.4)
PLANNED, BROKEN = MarkName.RUNBOOK_STARTED, MarkName.FAULT_STARTED


def operations(population: str) -> Iterator[Operation]:
    """Ten writes and ten reads a second; each is done the moment it is started."""
    for n in range(400):
        at = 90 + n / 10
        for kind, (begin, end) in (
            (Kind.WRITE, REFUSED[population]), (Kind.READ, UNREAD),
        ):  # fmt: skip
            refused = begin < at < end
            yield write(
                f"{population}-{kind}-{n}", Outcome.FAIL if refused else Outcome.OK,
                start=at, end=at, kind=kind, population=population,
            )  # fmt: skip


def result(first: MarkName, *objectives: Objective) -> Result:
    """A runbook that stops writes six seconds after its start, for 5.8 s of users east."""
    marks = (Mark(MarkName.STEADY, 90.0), Mark(first, BEGAN), Mark(MarkName.LOAD_STOPPED, UNTIL))
    journal = Journal(BOOT, marks)
    every = [each for name in REFUSED for each in operations(name)]
    rows = {each.key: Row() for each in every if each.outcome is Outcome.OK}
    with loaded(every) as told:
        found = measure(told, journal, classify(told, {"w": rows}, "w", set()))
        measured = assemble(run(), journal, told, found)
        return judged(measured, judge_all(objectives, measured))


def at_most(name: str, limit: float) -> Objective:
    return Objective(name, limit, "s", Comparison.AT_MOST, "users wait")


def test_a_planned_move_has_no_rto_but_the_longest_pauses_of_its_users() -> None:
    found = result(PLANNED)
    assert (found.time_zero, found.rto_seconds, found.recoveries) == (
        "runbook_started", {"max": None}, (),
    )  # fmt: skip
    assert (found.rpo_seconds, found.rto_phases, found.rto_first_seconds) == (None, (), {})
    east, west = found.populations
    assert east.longest_gap_seconds == pytest.approx(5.8)
    assert east.longest_gap_started == pytest.approx(6.0)
    assert west.longest_gap_seconds == pytest.approx(4.0)
    assert east.longest_read_gap_seconds == west.longest_read_gap_seconds == pytest.approx(0.4)
    assert east.longest_read_gap_started == pytest.approx(6.0)
    assert east.before.acknowledged_per_second == pytest.approx(10.0)
    assert found.budgets[0].spent_seconds == pytest.approx((57 + 39) / 20)
    assert found.full_recovery_seconds == 12.0


def test_a_planned_move_is_judged_by_the_pause_of_those_who_waited_longest() -> None:
    for name, longest in (("longest_gap_seconds", 5.8), ("longest_read_gap_seconds", 0.4)):
        for limit, verdict in ((longest + 0.1, Verdict.PASS), (longest - 0.1, Verdict.FAIL)):
            found = result(PLANNED, at_most(name, limit))
            assert found.objectives[0].found == pytest.approx(longest)
            assert found.verdict is verdict
    [row, *_] = result(PLANNED, at_most("longest_gap_seconds", 60)).objectives
    assert row.detail == "users east"
    assert result(PLANNED, at_most("rto_seconds", 60)).verdict is Verdict.UNKNOWN


def test_after_a_fault_that_users_did_not_notice_a_later_interruption_is_judged_as_well() -> None:
    found = result(BROKEN, at_most("rto_seconds", 5), at_most("longest_gap_seconds", 5))
    assert found.rto_seconds == {"east": 0.0, "west": 0.0, "max": 0.0}
    assert [row.verdict for row in found.objectives[:2]] == [Verdict.PASS, Verdict.FAIL]


def shown(found: Result) -> str:
    text = io.StringIO()
    Console(file=text, width=200).print(resulttext.summary(found, "runs/1"))
    return text.getvalue()


@pytest.mark.parametrize("first", [PLANNED, BROKEN])
def test_terminal_and_page_tell_the_pauses_that_no_rto_tells(first: MarkName) -> None:
    found = result(first)
    told = "waited 5.80 s for an order at the longest and 0.40 s for a read"
    assert f"Users in the east {told}." in shown(found)
    page = reportpage.render(found)
    assert f"sers east {told}" in page
    for title, value in (("Longest pause, users east", "5.80 s"), ("users west", "4.00 s")):
        assert f'{title}</h3>\n    <p class="value">{value}</p>' in page
    assert "5.80 s without an order from +6.00 s and 0.40 s without a read from +6.00 s" in page


def test_a_planned_move_is_told_as_one() -> None:
    found = result(PLANNED)
    assert sentences.sentences(found)[0] == (
        "This run of region-loss broke nothing; no runbook steps followed."
    )
    assert "RTO, users" not in reportpage.render(found)
    assert "from the first step on" in reportpage.render(found)
    assert "seconds after the first step" in reportpage.render(found)
    assert "could order again" not in shown(found)


def test_users_who_came_back_in_time_are_told_by_their_rto_alone() -> None:
    found = result(BROKEN)
    late = found.model_copy(update={"rto_seconds": {"east": 5.8, "west": None, "max": None}})
    assert sentences.pauses(late) == ()


# --- How such a run comes about ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("book", "where", "judged_by"),
    [
        ("switchover", "healthy", {"longest_gap_seconds", "longest_read_gap_seconds"}),
        ("region-failover", "partition",
         {"rto_seconds", "longest_gap_seconds", "longest_read_gap_seconds"}),
    ],
)  # fmt: skip
def test_a_rehearsal_is_judged_by_pauses_and_after_a_fault_by_the_return(
    book: str, where: str, judged_by: set[str]
) -> None:
    runbook = runbookfile.read(shipped.find(book), catalogue.vocabulary())
    chosen = drill_of(runbook, scenario(where))
    assert {each.name for each in chosen.objectives} == {*judged_by, "split_brain_writes"}


def test_a_runbook_that_broke_nothing_has_no_fault_to_prove() -> None:
    step = StepRecord("promote", Via.OUT_OF_BAND, BEGAN, UNTIL, "done", "", "")
    journal = Journal(BOOT, (Mark(PLANNED, BEGAN),), (step,))
    [ended] = ran_through(journal, None)
    assert (ended.objective.name, ended.verdict) == ("runbook_finished", Verdict.PASS)
    [ended] = ran_through(journal, Stopped(reason="west takes no orders"))
    assert (ended.verdict, ended.detail) == (Verdict.FAIL, "west takes no orders")


def test_where_nothing_strikes_no_fault_is_marked_and_none_proven(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lab.drills.drill.CALM_SECONDS", (0.0, 0.0))
    monkeypatch.setattr("lab.drills.drill.UNNOTICED_SECONDS", 0.0)
    monkeypatch.setattr("lab.testbed.service.wait_for_service", lambda *_: None)
    monkeypatch.setattr(EngineClock, "calibrate", lambda _clock: EngineClock("boot", 0.0, 0.0))
    book = Runbook("move", "A move", Plan(EAST_DB1, WEST_DB1), (), ("healthy",))
    move = Drill("move", "A move", "Nothing is wrong.", (), (), book, ())
    users = {"east": SimpleNamespace(clock=None)}
    lab = cast("Lab", SimpleNamespace(name="lab", users=users, obeying_cuts=lambda: None))
    monkeypatch.setattr("lab.testbed.sampler.Sampler", _Sampler)
    course = Course(move, lab, tmp_path, 1)
    assert course.break_and_follow(Begun((), Load(), {})) is None
    marks = [mark.name for mark in course.context.recorder.journal.events]
    assert marks == [MarkName.DRILL_STARTED, PLANNED]


def test_a_proof_without_faults_tells_no_evidence() -> None:
    told = list[str]()
    Proof(cast("Lab", None), (), told.append).begin().wait()
    assert told == []
