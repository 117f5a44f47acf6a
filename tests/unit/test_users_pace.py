"""The open loop keeps its rate."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st
from users.pace import Pace

RATES = st.floats(0, 2000)
STEPS = st.lists(st.floats(0, 5), min_size=1, max_size=50)


@given(st.floats(0.1, 2000), st.floats(0, 1e6), STEPS)
def test_the_number_started_is_the_rate_times_the_time(
    rate: float, start: float, steps: list[float]
) -> None:
    pace, now, started = Pace(rate, start), start, 0
    for step in steps:
        now += step
        started += pace.due(now)
    assert abs(started - (now - start) * rate) < 1.01


@given(st.floats(0.1, 2000), STEPS)
def test_a_stall_is_caught_up_in_one_batch(rate: float, steps: list[float]) -> None:
    one_by_one, stalled, now, started = Pace(rate, 0.0), Pace(rate, 0.0), 0.0, 0
    for step in steps:
        now += step
        started += one_by_one.due(now)
    assert stalled.due(now) == started


@given(st.lists(st.tuples(RATES, st.floats(0.01, 3)), min_size=1, max_size=20))
def test_changing_the_rate_neither_loses_nor_adds_operations(
    pieces: list[tuple[float, float]],
) -> None:
    pace, now, started, wanted = Pace(0.0, 0.0), 0.0, 0, 0.0
    for rate, seconds in pieces:
        pace.change(rate, now)
        now += seconds
        started += pace.due(now)
        wanted += rate * seconds
    assert abs(started - wanted) <= len(pieces) + 1.01


@given(st.floats(0.1, 2000), STEPS)
def test_something_is_due_after_the_wait_and_nothing_before(
    rate: float, steps: list[float]
) -> None:
    pace, now = Pace(rate, 0.0), 0.0
    for step in steps:
        now += step
        pace.due(now)
        wait = pace.wait(now)
        assert 0 <= wait <= 1 / rate + 1e-6
        assert pace.due(now + wait * 0.99) == 0
        now += wait + 1e-6
        assert pace.due(now) >= 1


def test_a_rate_of_nothing_starts_nothing() -> None:
    pace = Pace(0.0, 0.0)
    assert pace.due(1000.0) == 0
    assert pace.wait(1000.0) == math.inf
    pace.change(10.0, 1000.0)
    assert pace.due(1001.0) == 10
