"""What a node has beyond another one, from timelines and positions in the log."""

from __future__ import annotations

import pytest

from lab.core.lineage import Position, forks_of

FIRST = Position(1, 100)
SECOND = Position(2, 150, {1: 120})


@pytest.mark.parametrize(
    ("one", "other", "shared", "alone"),
    [
        (FIRST, SECOND, (1, 100), 0),  # it has not come to the fork
        (SECOND, FIRST, (1, 100), 50),
        (Position(1, 120), SECOND, (1, 120), 0),  # to the byte
        (Position(1, 121), SECOND, (1, 120), 1),
        (Position(1, 900), Position(1, 1000), (1, 900), 0),
        (Position(1, 1000), Position(1, 900), (1, 900), 100),
        # One history further on than the other.
        (Position(3, 200, {1: 120, 2: 180}), SECOND, (2, 150), 50),
        (SECOND, Position(3, 200, {1: 120, 2: 180}), (2, 150), 0),
        (Position(2, 190, {1: 120}), Position(3, 200, {1: 120, 2: 180}), (2, 180), 10),
        # Two promotions gave their timelines the same number, at different places.
        (Position(2, 130, {1: 110}), Position(2, 150, {1: 120}), (1, 110), 20),
        # One of them left the first timeline, and so did the other, for another one.
        (Position(2, 130, {1: 110}), Position(3, 150, {1: 110}), (1, 110), 20),
        (Position(3, 160, {1: 110, 2: 140}), Position(3, 150, {1: 110}), (1, 110), 50),
        (Position(4, 200, {1: 110, 2: 140}), Position(4, 190, {1: 110, 3: 150}), (1, 110), 90),
    ],
)
def test_a_node_has_alone_what_lies_behind_the_last_that_both_share(
    one: Position, other: Position, shared: tuple[int, int], alone: int
) -> None:
    assert one.parting(other) == shared == other.parting(one)
    assert one.alone(other) == alone


def test_a_timeline_is_left_by_those_whose_history_goes_on_from_it() -> None:
    old, restored = Position(1, 500), Position(3, 700, {1: 400, 2: 600})
    assert old.was_left_by(restored)
    assert not restored.was_left_by(old)
    assert not restored.was_left_by(restored)


def test_nodes_that_share_no_timeline_share_nothing() -> None:
    assert Position(1, 50).parting(Position(2, 80)) == (0, 0)
    assert Position(1, 50).alone(Position(2, 80)) == 50


def test_a_history_file_says_where_each_timeline_was_left() -> None:
    text = "1\t0/20A6948\tno recovery target specified\n\n2\t0/3000000\tbefore x\n"
    assert forks_of(text) == {1: 0x20A6948, 2: 0x3000000}
    assert forks_of("") == {}


def test_a_timeline_begins_in_a_file_of_its_own_where_the_one_before_was_left() -> None:
    size = 16 << 20
    assert FIRST.begin(size) is None
    assert SECOND.begin(size) == ("pg_wal/000000020000000000000000", 120)
    third = Position(3, 1 << 40, {1: 120, 2: (1 << 32) + (17 << 24) + 5})
    assert third.begin(size) == ("pg_wal/000000030000000100000011", 5)
    assert third.begin(4 << 20) == ("pg_wal/000000030000000100000044", 5)
