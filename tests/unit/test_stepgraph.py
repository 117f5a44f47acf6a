"""A runbook as a graph: edges lead from who makes something true to who needs it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_runbooks import CAREFUL, RUNBOOKS, SPECS, ordered, runbook

from lab.runbooks.checkup import Word
from lab.runbooks.predict import predict
from lab.runbooks.runbook import Call, Runbook
from lab.runbooks.scenarios import SCENARIOS, Scenario, scenario
from lab.runbooks.stepgraph import BEGINNING, Edge, Graph, Node, graph


def drawn(book: Runbook, name: str = "partition") -> Graph:
    return graph(book, SPECS, scenario(name))


def step(found: Graph, name: str) -> Node:
    return next(each for each in found.nodes if each.went.call.step == name)


def need(found: Graph, name: str, says: str) -> Edge:
    return next(each for each in step(found, name).edges if says in each.says)


CANNOT_COMMIT = "east.db1 can no longer commit"
CAREFULLY = runbook(*CAREFUL)


def test_a_need_leads_to_the_step_that_makes_it_true() -> None:
    found = drawn(CAREFULLY)
    edge = need(found, "promote", CANNOT_COMMIT)
    assert edge == Edge(CANNOT_COMMIT, step(found, "fence").number)
    assert edge.origin == "made true by step 6"
    assert step(found, "promote").word is Word.DONE


def test_what_was_so_before_the_first_step_is_made_by_no_step() -> None:
    edge = need(drawn(CAREFULLY, "region-dead"), "promote", CANNOT_COMMIT)
    assert edge.maker == BEGINNING
    assert edge.origin == "true from the beginning"


def test_an_edge_against_the_order_is_a_violation_with_its_consequence() -> None:
    edge = need(drawn(ordered("PSWTR")), "promote", CANNOT_COMMIT)
    assert (edge.maker, edge.violated, edge.unsafe) == (4, True, True)
    assert edge.origin == "made true by step 4: too late"
    assert edge.consequence == "two primaries take orders, and the orders of one of them are lost"


def test_what_no_step_makes_true_is_said_to_be_so() -> None:
    edge = need(drawn(ordered("SPWTR")), "promote", "the failover was decided")
    assert (edge.maker, edge.violated, edge.unsafe) == (None, True, False)
    assert edge.origin == "nothing makes it true in time"


def test_who_comes_when_it_has_come_true_by_itself_would_still_have_made_it() -> None:
    """Users who find a cold cache warm it."""
    found = drawn(ordered("SPTWR"))
    assert need(found, "shift-traffic", "west's cache holds").maker == 6
    assert step(found, "warm-caches").word is Word.NOT_NEEDED


def test_of_several_makers_the_last_one_before_counts() -> None:
    calls = (
        Call("warm-caches"), Call("shift-traffic"), Call("stop-writes"), Call("fence"),
        Call("promote"), Call("repoint"), Call("shift-traffic", {"to": "lost"}),
        Call("shift-traffic"), Call("resume-writes"),
    )  # fmt: skip
    edge = need(drawn(runbook(*calls)), "resume-writes", "users are sent to west")
    assert edge.maker == 8


def test_a_step_that_is_not_needed_needs_nothing_that_is_not_so() -> None:
    found = drawn(runbook(Call("fence"), Call("promote"), Call("promote")))
    assert [each.word for each in found.nodes] == [Word.DONE, Word.EARLY, Word.NOT_NEEDED]
    assert not any(each.violated for each in found.nodes[2].edges)


def test_what_is_behind_a_step_that_cannot_be_done_is_not_reached() -> None:
    found = drawn(CAREFULLY, "unreachable")
    assert step(found, "confirm").word is Word.CANNOT
    assert step(found, "confirm").unsafe
    assert step(found, "promote").word is Word.NOT_REACHED
    assert step(found, "promote").edges == ()
    assert found.lacking == (
        "the runbook stops at confirm: users of west cannot order; users of east order at east.db1,"
        " but should order at west.db1; east.db1 is primary",
    )


def test_what_is_missing_in_the_end_is_no_steps() -> None:
    found = drawn(runbook(Call("fence"), Call("promote"), Call("repoint")))
    assert found.lacking == (
        "at the end it is still not true that users are sent to west, so users are still sent to"
        " east. The step `shift-traffic` is missing",
        "at the end: users of east cannot order",
    )


def test_it_can_be_read_aloud() -> None:
    text = str(drawn(ordered("PSWTR")))
    assert (
        "1 promote: too early; needs that east.db1 can no longer commit, made true by step 4:"
        in text
    )
    assert text.endswith("The end: right.")


@given(RUNBOOKS, st.sampled_from(SCENARIOS))
def test_edges_that_are_violated_are_the_violations_of_the_play(
    book: Runbook, situation: Scenario
) -> None:
    found = graph(book, SPECS, situation)
    played = predict(book, SPECS, situation).played
    for node, each in zip(found.nodes, played, strict=False):
        told = [edge.consequence for edge in node.edges if edge.violated]
        early = each.violations[: len(each.violations) - bool(each.stuck)]
        assert [violation.sentence.rpartition(". Otherwise ")[2] for violation in early] == told


@given(RUNBOOKS, st.sampled_from(SCENARIOS))
def test_edges_run_with_the_order_unless_they_are_violated(
    book: Runbook, situation: Scenario
) -> None:
    found = graph(book, SPECS, situation)
    for node in found.nodes:
        for edge in node.edges:
            assert edge.violated or edge.maker is not None
            assert edge.maker is None or edge.violated == (edge.maker > node.number)
            assert edge.violated == bool(edge.consequence)


@pytest.mark.parametrize("name", [each.name for each in SCENARIOS])
def test_an_empty_runbook_has_no_edges(name: str) -> None:
    assert drawn(runbook(), name).nodes == ()
