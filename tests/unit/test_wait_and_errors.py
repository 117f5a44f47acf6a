"""Waiting and failing: a wait says what it awaited, an error says what to do."""

from __future__ import annotations

import itertools
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from lab.core import errors
from lab.core.errors import (
    Busy,
    CommandFailed,
    LabError,
    LossUnseen,
    Refused,
    TooBusy,
    UnknownName,
    WaitExpired,
)
from lab.core.verdict import Verdict
from lab.core.wait import pause, wait_until, within


def test_a_wait_returns_the_first_true_value() -> None:
    values = iter([0, "", None, 7, 8])
    assert wait_until("seven", lambda: next(values), timeout=2, every=0) == 7


def test_a_wait_that_expires_says_what_for_and_what_it_saw_last() -> None:
    with pytest.raises(WaitExpired, match=r"waited 0\.05 s for the moon$"):
        wait_until("the moon", lambda: False, timeout=0.05, every=0.01)


@pytest.mark.parametrize("nothing", [None, False, 0, "", ()])
def test_a_wait_says_nothing_of_a_probe_that_saw_nothing(nothing: object) -> None:
    assert str(WaitExpired("the moon", 1, nothing)) == "waited 1 s for the moon"
    assert str(WaitExpired("the moon", 1, LabError("clouds"))).endswith("; last seen: clouds")


def test_a_wait_ignores_only_the_errors_it_was_told_to() -> None:
    def fails() -> bool:
        raise LabError("not there yet")

    with pytest.raises(WaitExpired, match="not there yet"):
        wait_until("it", fails, timeout=0.03, every=0.01, ignoring=(LabError,))
    with pytest.raises(ZeroDivisionError):
        wait_until("it", lambda: 1 / 0, timeout=1, ignoring=(LabError,))


def test_a_slow_probe_gets_one_more_look_after_the_deadline() -> None:
    calls = itertools.count()

    def slow() -> bool:
        time.sleep(0.05)
        return next(calls) >= 1

    assert wait_until("the second look", slow, timeout=0.01, every=0)


def test_no_wait_lasts_longer_than_the_time_of_everything() -> None:
    with pytest.raises(TooBusy, match="to wait for the moon\n"), within(0.05):
        wait_until("the moon", lambda: False, timeout=60, every=0.01)
    assert wait_until("seven", lambda: 7, timeout=0) == 7


def test_a_wait_that_swallows_errors_ends_with_the_time_of_everything_too() -> None:
    def moon() -> bool:
        return wait_until("the moon", lambda: False, timeout=60, every=0.01)

    with pytest.raises(TooBusy, match="to wait for the tide"), within(0.05):
        wait_until("the tide", moon, timeout=60, every=0.01, ignoring=(LabError,))


def test_threads_of_a_block_have_its_end_and_the_inner_of_two_blocks_the_earlier_one() -> None:
    def moon() -> bool:
        return wait_until("the moon", lambda: False, timeout=60, every=0.01)

    with pytest.raises(TooBusy), within(0.05), within(60), ThreadPoolExecutor() as pool:
        pool.submit(moon).result()


def test_a_block_that_ends_too_late_is_too_busy_although_nothing_waited() -> None:
    with pytest.raises(TooBusy, match="as a whole"), within(0.01):
        pause(0.02)


def test_after_the_time_of_everything_a_wait_has_its_own_deadline_again() -> None:
    with suppress(TooBusy), within(0):
        pass
    values = iter([0, 0, 7])
    assert wait_until("seven", lambda: next(values), timeout=5, every=0) == 7


def tree(error: type[LabError]) -> list[type[LabError]]:
    return [error, *(each for child in error.__subclasses__() for each in tree(child))]


def test_a_no_and_no_answer_now_are_told_apart_from_a_broken_lab() -> None:
    ends = {code: {each for each in tree(LabError) if each.exit_code == code} for code in (1, 4)}
    assert ends == {1: {Refused, LossUnseen}, 4: {TooBusy, Busy}}
    assert {each.exit_code for each in tree(LabError)} == {1, 2, 3, 4}
    assert TooBusy.exit_code == Verdict.UNKNOWN.exit_code


def test_the_drawing_at_the_top_names_every_error_of_its_module() -> None:
    drawn = errors.__doc__ or ""
    for each in tree(LabError):
        if each.__module__ == errors.__name__:
            assert each.__name__ in drawn


def test_a_command_that_failed_names_node_command_code_and_the_end_of_its_output() -> None:
    error = CommandFailed("east.db1", "pg_ctl promote", 1, "\n".join(map(str, range(20))))
    text = str(error)
    for part in ("east.db1", "pg_ctl promote", "code 1", "19", "lab logs east.db1"):
        assert part in text
    assert "\n    5\n" not in text


def test_an_unknown_name_without_a_near_one_lists_what_there_is() -> None:
    assert "known: region-loss, zone-loss" in str(
        UnknownName("drill", "qqq", ["zone-loss", "region-loss"])
    )


@pytest.mark.parametrize(
    ("typed", "known", "hint"),
    [
        ("PARTITION", ("partition", "partition-silent", "slow"), "did you mean partition?"),
        ("FIVE-STEPS", ("five-steps-as-listed", "drain"), "did you mean five-steps-as-listed?"),
        ("East.DB1", ("east.db1", "east.db2"), "did you mean east.db1?"),
        ("east", ("East", "West"), "did you mean East?"),
    ],
)
def test_the_nearest_name_is_found_in_any_letter_case(
    typed: str, known: tuple[str, ...], hint: str
) -> None:
    assert UnknownName("name", typed, known).next_step.startswith(hint)


def test_of_two_names_as_near_the_one_that_begins_alike_comes_first() -> None:
    assert UnknownName("region", "est", ["west", "east"]).next_step == "did you mean east or west?"
    assert UnknownName("region", "wast", ["east", "west"]).nearest == ["west", "east"]
