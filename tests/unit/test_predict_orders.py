"""Every order of the five steps, thought through: the rules that must come out of the rows."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_runbooks import runbook

from lab.core.errors import UsageError
from lab.runbooks import permutations
from lab.runbooks.effects import fence, promote, repoint
from lab.runbooks.model import IN_ORDER
from lab.runbooks.predict import End, Prediction, Vector, end_of, predict
from lab.runbooks.runbook import Call
from lab.runbooks.scenarios import scenario
from lab.steps.catalogue import vocabulary

ALL = tuple(permutations.orders())


def predicted(order: str, where: str) -> Prediction:
    return predict(permutations.runbook(order), vocabulary(), scenario(where))


def before(order: str, first: str, then: str) -> bool:
    return order.index(first) < order.index(then)


def test_there_are_120_orders_and_the_reference_is_the_first() -> None:
    assert len(set(ALL)) == 120
    assert ALL[0] == permutations.REFERENCE


def test_a_few_orders_have_every_pair_both_ways() -> None:
    pairs = {
        (a, b)
        for order in permutations.covering()
        for a in order
        for b in order
        if before(order, a, b)
    }
    assert len(pairs) == 20


@pytest.mark.parametrize("order", ALL)
def test_in_a_partition_the_order_decides_as_each_rule_says(order: str) -> None:
    vector = predicted(order, "partition").vector
    assert vector.split_brain == before(order, "P", "S")
    assert vector.cold_reads == before(order, "T", "W")
    assert vector.read_errors == before(order, "S", "T")
    assert (vector.end is End.RIGHT) == before(order, "S", "R")
    assert vector.write_errors


@pytest.mark.parametrize("order", ALL)
def test_with_the_region_dead_no_order_splits_the_brain(order: str) -> None:
    vector = predicted(order, "region-dead").vector
    assert not vector.split_brain
    assert vector.cold_reads == before(order, "T", "W")
    assert (vector.end is End.RIGHT) == before(order, "S", "R")


def test_a_fence_around_a_dead_region_is_not_needed_and_not_missing() -> None:
    found = predicted(permutations.REFERENCE, "region-dead")
    fence = next(step for step in found.played if step.call.step == "fence")
    assert not fence.needed
    assert not found.missing


def test_who_promotes_first_is_told_what_comes_of_it_and_where_it_stands() -> None:
    said = [each.sentence for each in predicted("PSWTR", "partition").violations if each.unsafe]
    assert said == [
        "promote comes too early. It needs: east.db1 can no longer commit. Otherwise two primaries"
        " take orders, and the orders of one of them are lost"
    ]


def test_an_unreachable_node_cannot_be_fenced_and_no_database_is_promoted() -> None:
    found = predicted(permutations.REFERENCE, "unreachable")
    assert found.vector.end is End.STUCK
    assert not found.vector.split_brain


def test_an_order_on_the_old_timeline_splits_the_brain_also_when_the_new_one_takes_none() -> None:
    """West takes orders, then none does, then east takes them on the timeline that west left."""
    steps = (
        Call("stop-writes", {"where": "lost"}), Call("promote", {"force": True}),
        Call("repoint", {"where": "near"}), Call("stop-writes", {"where": "target"}),
        Call("resume-writes", {"where": "lost"}),
    )  # fmt: skip
    for count, split in ((4, False), (5, True)):
        found = predict(runbook(*steps[:count]), vocabulary(), scenario("partition"))
        assert found.vector.split_brain is split


def test_a_prediction_reads_as_one_sentence() -> None:
    vector = Vector(True, False, True, False, End.WRONG)
    assert str(vector) == (
        "split brain some, write errors none, read errors some, cold reads none, end wrong"
    )


def test_no_user_who_can_order_is_stuck_and_a_second_primary_is_wrong() -> None:
    book = runbook(Call("fence"))
    (promoted,) = promote(IN_ORDER, book.plan, {})
    _, world = repoint(promoted, book.plan, {"where": "everywhere"})
    assert end_of(world, book) is End.WRONG  # all order at west.db1, and east.db1 is primary too
    (fenced,) = fence(world, book.plan, {})
    assert end_of(fenced, book) is End.RIGHT
    assert end_of(replace(fenced, alive=frozenset()), book) is End.STUCK


@pytest.mark.parametrize("text", ["", "SPWT", "SPWTRR", "SPWTX", "SSPWT"])
def test_what_is_no_order_is_refused_with_the_letters(text: str) -> None:
    with pytest.raises(UsageError, match="no order of the five steps"):
        permutations.parse(text)


def test_an_order_may_be_typed_in_small_letters() -> None:
    assert permutations.parse(" pswtr ") == "PSWTR"


def test_without_a_step_users_meet_what_the_situation_is() -> None:
    for where, errors in (("healthy", False), ("partition", True)):
        found = predict(runbook(), vocabulary(), scenario(where)).vector
        assert found == Vector(False, errors, False, False, End.WRONG)


@pytest.mark.parametrize(
    ("split", "end", "unsafe"),
    [
        (False, End.RIGHT, False), (True, End.RIGHT, True), (False, End.WRONG, True),
        (False, End.STUCK, True),
    ],
)  # fmt: skip
def test_two_primaries_and_any_end_but_the_right_one_are_unsafe(
    split: bool, end: End, unsafe: bool
) -> None:
    found = predicted(permutations.REFERENCE, "partition")
    assert replace(found, vector=Vector(split, True, True, True, end)).unsafe is unsafe


def test_a_step_that_cannot_be_done_ends_it_also_where_users_go_on_ordering() -> None:
    book = runbook(Call("refollow"), promotes=False)
    assert predict(book, vocabulary(), scenario("healthy")).vector.end is End.STUCK


def test_what_is_so_already_is_not_too_early_and_what_changes_in_the_end_is_needed() -> None:
    twice = predict(runbook(Call("confirm"), Call("confirm")), vocabulary(), scenario("partition"))
    assert [(each.needed, bool(each.violations)) for each in twice.played] == [
        (True, True), (False, False),
    ]  # fmt: skip
    wider = Call("promote"), Call("repoint", {"where": "near"}), Call("repoint")
    assert predict(runbook(*wider), vocabulary(), scenario("partition")).played[2].needed
