"""Users who are sent to another region in stages: what is predicted of it, and what a gate sees."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.effects import gate, shift
from lab.gates import between
from lab.model import IN_ORDER
from lab.moves.catalogue import specs
from lab.predict import End, predict
from lab.runbook import Call, Plan, Runbook, Stuck
from lab.scenarios import scenario
from lab.topology import EAST, EAST_DB1, WEST, WEST_DB1

PLAN = Plan(EAST_DB1, WEST_DB1)
TO_WEST = {"to": "target", "share": 10}


def staged(*steps: Call) -> Runbook:
    return Runbook("drain", "", PLAN, steps, ("healthy",), planned=True, promotes=False)


def test_a_share_of_users_meets_the_other_region_and_the_rest_stays() -> None:
    there, after = shift(IN_ORDER, PLAN, TO_WEST)
    assert set(there.traffic.values()) == {WEST}
    assert after == IN_ORDER


def test_all_of_them_are_no_share() -> None:
    (there,) = shift(IN_ORDER, PLAN, {"to": "target", "share": 100})
    assert set(there.traffic.values()) == {WEST}


def test_a_tenth_that_is_refused_is_a_write_error_and_the_gate_goes_no_further() -> None:
    """West is read-only: whoever is sent there cannot order."""
    runbook = staged(
        Call("stop-writes", {"where": "target"}),
        Call("shift-traffic", {"share": 10}),
        Call("gate"),
        Call("shift-traffic"),
    )
    found = predict(runbook, specs(), scenario("healthy"))
    assert found.vector.write_errors
    assert found.vector.end is End.STUCK
    assert found.played[-1].stuck == "those who were sent to west cannot order"
    assert found.last.traffic[EAST] is EAST


def test_the_first_stage_warms_the_cache_for_the_next() -> None:
    cold = staged(Call("shift-traffic", {"share": 10}))
    assert predict(cold, specs(), scenario("healthy")).vector.cold_reads
    _, after = shift(IN_ORDER, PLAN, TO_WEST)
    assert (WEST, EAST) not in after.warm  # the play adds what came, not the step


def test_a_gate_lets_pass_what_takes_orders() -> None:
    assert gate(IN_ORDER, PLAN, TO_WEST) == (IN_ORDER,)
    with pytest.raises(Stuck):
        gate(replace(IN_ORDER, read_only=frozenset({WEST})), PLAN, TO_WEST)


TOTALS = st.fixed_dictionaries({each: st.integers(0, 10**6) for each in ("all", "here", "failed")})


@given(TOTALS, TOTALS)
def test_what_was_met_is_the_difference_of_two_looks(
    first: dict[str, int], more: dict[str, int]
) -> None:
    before = Counter(first)
    met = between(before, before + Counter(more), 5.0)
    assert (met.everywhere, met.here, met.failed) == (more["all"], more["here"], more["failed"])


def test_where_nobody_was_met_nothing_is_served() -> None:
    met = between(Counter(), Counter({"all": 100}), 5.0)
    assert (met.share, met.failed_share) == (0.0, 1.0)
