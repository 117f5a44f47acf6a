"""Orders that a read found, and that the winner does not have."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up import complete
from pure_builders import loaded, write

from lab.metrics.classify import classify
from lab.metrics.placing import Row
from lab.metrics.seenthengone import SeenThenGone
from lab.records import metricrows
from lab.records.history import Kind, Operation, Outcome
from lab.records.result import Result
from lab.report.sentences import seen_then_gone as sentence

WINNER, LOSER = "west_db1", "east_db1"


def read(key: str, start: float, *, found: bool | None = True, user: int = 1) -> Operation:
    return write(key, kind=Kind.READ, start=start, found=found, user=user)


def gone(items: Iterable[Operation], *kept: str) -> tuple[SeenThenGone, ...]:
    """Of these operations, when the winner has only these keys."""
    with loaded(items) as record:
        reads = {WINNER: {key: Row() for key in kept}, LOSER: {}}
        return classify(record, reads, WINNER, {LOSER}).seen_then_gone


@pytest.mark.parametrize("outcome", Outcome)
def test_an_order_that_a_read_found_and_the_winner_lacks_counts_whatever_was_told(
    outcome: Outcome,
) -> None:
    [found] = gone([write("a", outcome, start=1.0), read("a", 2.0)])
    assert (found.write.key, found.write.outcome, found.reads) == ("a", outcome, 1)
    assert found.first_read == pytest.approx(2.01)


def test_an_order_counts_once_with_the_end_of_its_first_read_and_the_number_of_all() -> None:
    items = [write("a"), read("a", 5.0), read("a", 3.0), read("a", 4.0, found=False)]
    [found] = gone(items)
    assert (found.first_read, found.reads) == (pytest.approx(3.01), 2)


def test_a_read_of_another_user_or_before_the_answer_counts() -> None:
    [found] = gone([write("a", end=9.0), read("a", 2.0, user=7)])
    assert found.reads == 1


def test_orders_stand_in_the_order_of_their_first_reads() -> None:
    items = [write("a"), write("b"), read("a", 4.0), read("b", 3.0), read("b", 5.0)]
    assert [(each.write.key, each.reads) for each in gone(items)] == [("b", 2), ("a", 1)]


@pytest.mark.parametrize(
    "items",
    [
        [write("kept"), read("kept", 2.0)],
        [write("a"), read("a", 2.0, found=False)],
        [write("a"), read("a", 2.0, found=None)],
        [write("a"), read("b", 2.0)],
        [read("a", 2.0)],  # an order of an earlier run: no write of this one
        [write("a")],
    ],
)
def test_everything_else_is_not_seen_then_gone(items: list[Operation]) -> None:
    assert gone(items, "kept") == ()


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.sampled_from(Outcome), st.booleans()), max_size=12),
    st.lists(st.tuples(st.integers(0, 14), st.integers(0, 9), st.booleans()), max_size=30),
)
def test_any_orders_and_reads_give_exactly_those_that_a_read_found_and_no_winner_has(
    orders: list[tuple[Outcome, bool]], looks: list[tuple[int, int, bool]]
) -> None:
    writes = [write(f"k{n}", told) for n, (told, _) in enumerate(orders)]
    # Two lines that are equal in all fields are refused: a user of its own for each read.
    reads = [read(f"k{of}", float(at), found=hit, user=n) for n, (of, at, hit) in enumerate(looks)]
    kept = [f"k{n}" for n, (_, there) in enumerate(orders) if there]
    expected = {}
    for item in writes:
        ends = [each.end for each in reads if each.key == item.key and each.found]
        if ends and item.key not in kept:
            expected[item.key] = (min(ends), len(ends))
    found = gone([*writes, *reads], *kept)
    assert {each.write.key: (each.first_read, each.reads) for each in found} == expected
    assert len(found) == len(expected)


# --- In the document and in words ----------------------------------------------------------------


def test_the_sentence_counts_orders_by_what_their_users_were_told() -> None:
    told = "2 orders that users had read are missing from west_db1: 1 answered ok and 1 answered"
    assert sentence(complete()) == f"{told} local."


def test_without_such_orders_there_is_no_sentence() -> None:
    for rows in ((), None):
        assert sentence(complete().model_copy(update={"seen_then_gone": rows})) == ""


def test_a_result_of_before_the_figure_is_read_and_has_no_value() -> None:
    document = complete().model_dump(mode="json")
    assert metricrows.find("seen_then_gone", Result.model_validate(document)).value == 2
    del document["seen_then_gone"]
    found = metricrows.find("seen_then_gone", Result.model_validate(document))
    assert (found.value, found.detail) == (None, "the run is older than this figure")


def test_a_row_that_was_answered_ok_and_is_not_lost_is_damage() -> None:
    document = complete().model_dump(mode="json")
    document["seen_then_gone"][0]["key"] = "east-other"
    with pytest.raises(ValueError, match="seen_then_gone told ok"):
        Result.model_validate(document)
