"""What is judged of every run before any figure: was the fault seen, and did the runbook end?"""

from __future__ import annotations

import pytest

from lab.core.errors import FaultUnseen, LabError, Unplayed
from lab.core.verdict import Verdict
from lab.drills.evaluate import stopped
from lab.metrics.compute import ran_through
from lab.records.journalfile import Journal, Mark, MarkName, StepRecord, Via

DONE = StepRecord("promote", Via.OUT_OF_BAND, 12.0, 13.0, "done", "", "")
STOPPED = LabError("west's shop takes no orders")
UNSEEN = FaultUnseen("silent west:east:sql to show its effect", 15, LabError("no answer", "wait"))
UNPLAYED = Unplayed("freeze west.db2 was to strike when promote begins: that step never began")


@pytest.mark.parametrize(
    ("proven", "failure", "expected"),
    [
        (True, None, (Verdict.PASS, Verdict.PASS)),
        (True, STOPPED, (Verdict.PASS, Verdict.FAIL)),
        (False, STOPPED, (Verdict.UNKNOWN, Verdict.UNKNOWN)),
        (False, UNSEEN, (Verdict.UNKNOWN, Verdict.UNKNOWN)),
        (True, UNPLAYED, (Verdict.UNKNOWN, Verdict.UNKNOWN)),
        (True, UNSEEN, (Verdict.UNKNOWN, Verdict.UNKNOWN)),  # the first was seen, a later one not
    ],
)
def test_a_runbook_fails_only_after_faults_whose_effect_was_seen(
    proven: bool, failure: LabError | None, expected: tuple[Verdict, Verdict]
) -> None:
    marks = (Mark(MarkName.FAULT_PROVEN, 1.0),) if proven else ()
    journal = Journal("boot", marks, (DONE,))
    seen, ended = ran_through(journal, stopped(failure, journal))
    assert (seen.verdict, ended.verdict) == expected
    assert ended.detail == (failure.message if failure else "")


@pytest.mark.parametrize("failure", [UNSEEN, UNPLAYED])
def test_a_run_without_a_fault_of_its_own_is_unknown_if_what_was_added_did_not_strike(
    failure: LabError,
) -> None:
    journal = Journal("boot", (Mark(MarkName.RUNBOOK_STARTED, 1.0),), (DONE,))
    [ended] = ran_through(journal, stopped(failure, journal))
    assert (ended.verdict, ended.detail) == (Verdict.UNKNOWN, failure.message)


@pytest.mark.parametrize("act", [MarkName.FAULT_STARTED, MarkName.RUNBOOK_STARTED])
@pytest.mark.parametrize(
    ("detected", "expected"), [(9.9, Verdict.UNKNOWN), (10.0, Verdict.PASS), (12.0, Verdict.PASS)]
)
def test_a_runbook_that_began_with_an_older_alarm_has_not_proven_itself(
    act: MarkName, detected: float, expected: Verdict
) -> None:
    marks = (Mark(act, 10.0), Mark(MarkName.FAULT_PROVEN, 11.0), Mark(MarkName.DETECTED, detected))
    *_, ended = ran_through(Journal("boot", marks, (DONE,)), None)
    assert (ended.verdict, ended.found) == (expected, 1.0)
    assert ("before" in ended.detail) is (expected is Verdict.UNKNOWN)
    *_, failed = ran_through(Journal("boot", marks), stopped(STOPPED, Journal("boot", marks)))
    assert failed.verdict is Verdict.FAIL


def test_a_runbook_of_which_no_step_was_done_has_not_proven_itself() -> None:
    marks = (Mark(MarkName.FAULT_STARTED, 10.0), Mark(MarkName.FAULT_PROVEN, 11.0))
    seen, ended = ran_through(Journal("boot", marks), None)
    assert (seen.verdict, ended.verdict) == (Verdict.PASS, Verdict.UNKNOWN)
    assert ended.detail == "no step of it was done"


@pytest.mark.parametrize(
    ("steps", "doubt"),
    [
        (("promote",), ""),
        (("detect", "promote"), "the journal has no step detect"),
        (("promote", "verify", "promote"), "the journal has no step promote, verify"),
    ],
)
def test_a_runbook_that_ended_and_whose_journal_lacks_a_step_has_not_proven_itself(
    steps: tuple[str, ...], doubt: str
) -> None:
    marks = (Mark(MarkName.FAULT_STARTED, 10.0), Mark(MarkName.FAULT_PROVEN, 11.0))
    journal = Journal("boot", marks, (DONE,))
    *_, ended = ran_through(journal, None, steps)
    assert (ended.verdict, ended.detail) == (Verdict.UNKNOWN if doubt else Verdict.PASS, doubt)
    *_, failed = ran_through(journal, stopped(STOPPED, journal), steps)
    assert failed.verdict is Verdict.FAIL  # it stopped before its other steps


def test_a_runbook_that_stopped_says_at_which_step() -> None:
    no = StepRecord("check-lag", Via.OUT_OF_BAND, 13.0, 13.5, "failed", "too much", "")
    found = stopped(LabError("more than the RPO would be lost"), Journal("boot", (), (DONE, no)))
    assert found is not None
    assert found.reason == "the runbook stopped at check-lag: more than the RPO would be lost"


def test_what_was_seen_last_is_told_without_its_advice() -> None:
    assert UNSEEN.message.endswith("last seen: no answer")
