"""A machine that was too busy makes a missed time unknown; a slow failover on a calm one fails."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from users.stats import waited

from lab.core.verdict import Comparison, Found, Judgement, Objective, Verdict, judge
from lab.records import machineload
from lab.records.machineload import TOO_BUSY, Reading

SECONDS = st.floats(0, 1e4)
SHARES = st.none() | st.floats(0, 1)
RTO = Objective("rto_seconds", 10, "s", Comparison.AT_MOST, "users wait")
LOST = Objective("lost", 0, "writes", Comparison.AT_MOST, "orders are gone")
LASTS = Objective("split_brain_seconds", 1, "s", Comparison.AT_LEAST, "it must do harm")
FINISHED = Objective("runbook_finished", 1, "", Comparison.EXACTLY, "it must end")
FOUND = st.sampled_from([0.0, 1.0, 5.0, 50.0]).map(Found)
JUDGED = st.builds(judge, st.sampled_from([RTO, LOST, LASTS, FINISHED]), FOUND)


@given(SECONDS, SECONDS, SECONDS, SECONDS)
def test_the_share_is_what_was_waited_of_what_could_have_been_worked(
    used: float, waited_for: float, more: float, longer: float
) -> None:
    found = machineload.share(
        {"east": Reading(used, waited_for)},
        {"east": Reading(used + more, waited_for + longer)},
    )
    if found is None:
        assert more + longer == pytest.approx(0, abs=1e-6)
    else:
        assert 0 <= found <= 1
        if more > 1 and longer > 1:
            assert found == pytest.approx(longer / (longer + more), rel=1e-6)


def test_who_answered_only_once_or_counts_nothing_is_left_out() -> None:
    before = {"east": Reading(1, 1), "west": Reading(1, 1)}
    assert machineload.share(before, {"east": Reading(2, 4)}) == 0.75
    assert machineload.share(before, {"east": Reading(2, None)}) is None
    assert machineload.share({"east": Reading(1, None)}, {"east": Reading(2, 4)}) is None
    assert machineload.share({"north": Reading(1, 1), **before}, {"west": Reading(2, 4)}) == 0.75
    assert machineload.share(before, {"east": Reading(1.25, 1.25)}) == 0.5
    assert machineload.share(before, {"east": Reading(0.5, 1.25)}) == 1.0
    assert machineload.share({}, before) is None


def test_what_is_told_names_the_share_and_the_limit() -> None:
    assert TOO_BUSY == 0.75
    assert "in 80% of" in machineload.told(0.8)
    assert "beyond 75%" in machineload.told(0.8)


def test_a_missed_time_is_excused_also_when_no_wait_ended() -> None:
    (found,) = machineload.excused([judge(RTO, Found(12.0))], 0.76)
    assert found.verdict is Verdict.UNKNOWN


@given(st.lists(JUDGED), SHARES)
def test_only_missed_times_change_and_only_on_a_machine_that_was_too_busy(
    judged: list[Judgement], waiting: float | None
) -> None:
    for before, after in zip(judged, machineload.excused(judged, waiting), strict=True):
        late = before.objective is RTO and before.verdict is Verdict.FAIL
        if late and waiting is not None and waiting > TOO_BUSY:
            assert after.verdict is Verdict.UNKNOWN
            assert "too busy" in after.detail
            assert (after.found, after.objective) == (before.found, before.objective)
        else:
            assert after == before


def test_a_slow_failover_on_a_calm_machine_fails() -> None:
    slow = judge(RTO, Found(12.0))
    assert machineload.excused([slow], TOO_BUSY) == (slow,)
    assert slow.verdict is Verdict.FAIL


def test_a_runbook_that_ran_out_of_time_on_a_busy_machine_is_unknown() -> None:
    ended = judge(FINISHED, Found(0, "waited 30 s for west's steering"))
    (found,) = machineload.excused([ended], 0.9, timed_out={FINISHED.name})
    assert found.verdict is Verdict.UNKNOWN
    assert found.detail.startswith("waited 30 s")
    assert machineload.excused([ended], 0.9) == (ended,)


def test_the_kernel_says_how_long_a_program_waited(tmp_path: Path) -> None:
    told = tmp_path / "schedstat"
    told.write_text("498777099 16020260765 3623\n")
    assert waited(told) == pytest.approx(16.020260765)


@pytest.mark.parametrize("text", ["", "1 2\n", "a b c\n"])
def test_a_kernel_that_says_something_else_counts_nothing(tmp_path: Path, text: str) -> None:
    told = tmp_path / "schedstat"
    told.write_text(text)
    assert waited(told) is None
    assert waited(tmp_path / "missing") is None
