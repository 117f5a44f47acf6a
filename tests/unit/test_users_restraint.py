"""When users hold back: the throttle and the budget for retries, with time passed in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from users.restraint import (
    AT_MOST,
    FEW,
    MOST,
    REFILL,
    RESERVE,
    SHARE,
    SPAN,
    SURPLUS,
    RetryBudget,
    Throttle,
)


def test_an_outage_without_refusals_throttles_no_user() -> None:
    throttle = Throttle()
    for _ in range(1000):
        throttle.taken(0.1)
    assert throttle.share(0.1) == 0
    assert not throttle.holds_back(0.1, 0.0)


def test_a_few_refusals_say_nothing() -> None:
    throttle = Throttle()
    for _ in range(FEW):
        throttle.refused(0.1)
    assert throttle.share(0.1) == 0
    throttle.refused(0.1)
    assert throttle.share(0.1) == AT_MOST


def test_what_is_sent_settles_a_little_above_what_is_taken() -> None:
    throttle, sent, capacity = Throttle(), 0, 25  # of 100 that are due in a tenth of a second
    for tenth in range(60):
        now, taken = tenth / 10, 0
        for number in range(100):
            if throttle.holds_back(now, number * 37 % 100 / 100):
                continue
            sent += tenth >= 20
            taken += 1
            (throttle.taken if taken <= capacity else throttle.refused)(now)
    assert sent / 40 == pytest.approx(capacity * SURPLUS, rel=0.3)


def test_no_user_is_held_back_two_spans_after_the_last_refusal() -> None:
    throttle = Throttle()
    for _ in range(100):
        throttle.refused(10.0)
    assert throttle.share(10.0) == AT_MOST
    for step in range(1, 100):
        throttle.holds_back(10.0 + step * SPAN / 50, 0.0)
    assert throttle.share(10.0 + 2 * SPAN) == 0


def test_more_attempts_than_a_shop_can_hold_are_not_sent() -> None:
    throttle = Throttle()
    throttle.under_way = MOST - 1
    assert not throttle.holds_back(0.0, 0.99)
    throttle.under_way = MOST
    assert throttle.holds_back(0.0, 0.99)


@given(st.lists(st.tuples(st.sampled_from(["taken", "refused"]), st.floats(0, 1)), max_size=200))
def test_a_share_is_always_held_back_that_lets_some_attempts_through(
    heard: list[tuple[str, float]],
) -> None:
    throttle, now = Throttle(), 0.0
    for what, later in heard:
        now += later
        getattr(throttle, what)(now)
        assert 0 <= throttle.share(now) <= AT_MOST


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 2)), max_size=300))
def test_retries_stay_within_what_was_paid(events: list[tuple[bool, float]]) -> None:
    budget, now, operations, retries = RetryBudget(0.0), 0.0, 0, 0
    for is_retry, later in events:
        now += later
        if is_retry:
            retries += budget.spend(now)
        else:
            operations += 1
            budget.earn()
    assert retries <= RESERVE + SHARE * operations + REFILL * now + 1e-6


def test_a_budget_that_was_spent_is_there_again_after_a_while() -> None:
    budget = RetryBudget(0.0)
    assert sum(budget.spend(0.0) for _ in range(1000)) == RESERVE
    assert not budget.spend(0.0)
    assert budget.spend(1 / REFILL)
