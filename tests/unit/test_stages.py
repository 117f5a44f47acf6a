"""Users who are sent to another region in stages: what is predicted of it, and what a gate sees."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.topology import EAST, EAST_DB1, WEST, WEST_DB1
from lab.runbooks.effects import gate, shift
from lab.runbooks.model import IN_ORDER
from lab.runbooks.predict import End, predict
from lab.runbooks.runbook import Call, Plan, Runbook, Stuck
from lab.runbooks.scenarios import scenario
from lab.steps.catalogue import vocabulary
from lab.steps.gates import between

PLAN = Plan(EAST_DB1, WEST_DB1)
TO_WEST = {"to": "target", "share": 10}


def staged(*steps: Call) -> Runbook:
    return Runbook("drain", "", PLAN, steps, ("healthy",), planned=True, promotes=False)


def test_a_share_of_users_is_sent_on_and_the_rest_stays() -> None:
    (after,) = shift(IN_ORDER, PLAN, TO_WEST)
    assert after.traffic == IN_ORDER.traffic
    assert set(after.sent()) == {(EAST, EAST), (WEST, WEST), (EAST, WEST)}


def test_all_of_them_are_no_share() -> None:
    (there,) = shift(IN_ORDER, PLAN, {"to": "target", "share": 100})
    assert set(there.traffic.values()) == {WEST}


def test_a_tenth_that_is_refused_is_a_write_error_and_the_gate_goes_no_further() -> None:
    """West is read-only: users who are sent there cannot order."""
    runbook = staged(
        Call("stop-writes", {"where": "target"}),
        Call("shift-traffic", {"share": 10}),
        Call("gate"),
        Call("shift-traffic"),
    )
    found = predict(runbook, vocabulary(), scenario("healthy"))
    assert found.vector.write_errors
    assert found.vector.end is End.STUCK
    stuck = found.played[-1].stuck
    assert stuck == "users who were sent to west cannot order: its shop refuses orders"
    assert found.last.traffic[EAST] is EAST


def test_those_who_are_sent_first_find_the_cold_cache() -> None:
    found = predict(staged(Call("shift-traffic", {"share": 10})), vocabulary(), scenario("healthy"))
    assert found.vector.cold_reads
    assert (WEST, EAST) in found.last.warm


def test_each_stage_is_needed_and_so_is_each_gate() -> None:
    steps = [Call("scale-up"), Call("warm-caches")]
    for share in (10, 50):
        steps += [Call("shift-traffic", {"share": share}), Call("gate")]
    found = predict(staged(*steps, Call("shift-traffic")), vocabulary(), scenario("healthy"))
    assert [each.needed for each in found.played] == [True] * 7
    assert found.violations == ()


@given(st.integers(1, 99))
def test_a_share_that_is_sent_where_no_user_can_order_is_no_good_end(share: int) -> None:
    """The last step sends a part of west's users to a region that is dead, and all of east's."""
    back = Call("shift-traffic", {"to": "lost", "share": share})
    steps = (Call("fence"), Call("promote"), Call("repoint"), Call("shift-traffic"), back)
    found = predict(staged(*steps), vocabulary(), scenario("region-dead"))
    assert found.vector.end is End.WRONG
    early = [each.sentence for each in found.violations if each.step == "shift-traffic"]
    assert any("east's shop reaches a primary" in each for each in early)


def test_only_one_region_that_is_told_to_take_orders_needs_no_move() -> None:
    told = Runbook("r", "", PLAN, (Call("resume-writes", {"where": "target"}),), ("healthy",))
    facts = [each.sentence for each in predict(told, vocabulary(), scenario("healthy")).violations]
    assert not any("still sent there" in each or "orders again as well" in each for each in facts)


def test_a_gate_lets_pass_what_takes_orders() -> None:
    (after,) = gate(IN_ORDER, PLAN, TO_WEST)
    assert replace(after, done=IN_ORDER.done) == IN_ORDER
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


def test_where_no_user_was_met_nothing_is_served() -> None:
    met = between(Counter(), Counter({"all": 100}), 5.0)
    assert (met.share, met.failed_share) == (0.0, 1.0)
