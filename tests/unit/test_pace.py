"""A slow machine gets less load and more time; a usual one gets what it always got."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core import wait
from lab.core.errors import LabError, WaitExpired
from lab.core.load import Load
from lab.infra.machinespeed import measured, patience, shares

PACES = st.floats(min_value=0, max_value=100, allow_nan=False)


@pytest.fixture(autouse=True)
def _usual_patience() -> Iterator[None]:
    yield
    wait.be_patient(1.0)


@given(PACES)
def test_patience_lies_between_one_and_four(pace: float) -> None:
    assert 1.0 <= patience(pace) <= 4.0


@given(PACES, PACES)
def test_a_slower_machine_gets_no_less_time_and_no_more_load(one: float, other: float) -> None:
    slow, fast = sorted((one, other))
    assert patience(slow) >= patience(fast)
    assert shares(slow)[0] <= shares(fast)[0]


@given(PACES)
def test_a_quarter_of_the_load_is_always_tried(pace: float) -> None:
    assert shares(pace)[-1] == 0.25
    assert list(shares(pace)) == sorted(shares(pace), reverse=True)


@pytest.mark.parametrize(
    ("pace", "first", "times"),
    [(1.5, 1.0, 1.0), (1.0, 1.0, 1.0), (0.5, 1.0, 2.0), (0.3, 0.5, 10 / 3)],
)
def test_what_some_machines_get(pace: float, first: float, times: float) -> None:
    assert shares(pace)[0] == first
    assert patience(pace) == pytest.approx(times)


def test_a_wait_lasts_as_many_times_as_long_as_its_caller_said() -> None:
    wait.be_patient(3.0)
    with pytest.raises(WaitExpired) as expired:
        wait.wait_until("nothing", lambda: None, 0.01, every=0.005)
    assert expired.value.timeout == pytest.approx(0.03)


class _Machines:
    def __init__(self, said: str) -> None:
        self.said = said

    def each(self, places: object, ask: object) -> list[str]:
        return [self.said, self.said]


def test_the_pace_is_that_of_both_populations_together() -> None:
    assert measured(_Machines("200000\n")) == pytest.approx(1.0)  # type: ignore[arg-type]


def test_machines_that_say_nothing_of_their_speed_are_an_error() -> None:
    with pytest.raises(LabError, match="how fast"):
        measured(_Machines("no such module"))  # type: ignore[arg-type]


def test_users_are_as_many_and_as_busy_as_the_docs_say() -> None:
    docs = (Path(__file__).parent.parent.parent / "docs/figures.md").read_text()
    usual = Load()
    told = f"{2 * usual.writes_per_second:g} writes/s and {2 * usual.reads_per_second:g} reads/s"
    assert f"two populations of {usual.users} users, {told} together; one user in ten" in docs
    assert (usual.ignore_ttl_share, usual.resolvers, usual.protected) == (0.1, 2, True)
    assert usual.operations_per_second == 60.0


def test_a_share_of_the_load_is_as_many_users_who_do_less_of_everything() -> None:
    half = Load().times(0.5)
    assert (half.writes_per_second, half.reads_per_second) == (25.0, 5.0)
    assert replace(half, writes_per_second=50.0, reads_per_second=10.0) == Load()
