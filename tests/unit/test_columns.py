"""Some of a record's operations: the columns of the whole, cut when they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import write

from lab.records import columns
from lab.records.columns import COLUMNS, Operations

EVERY = columns.of(
    write(f"k{n}", start=float(n), user=n, address=f"10.0.0.{n % 3}") for n in range(20)
)


def same(part: Operations, places: list[int]) -> None:
    assert len(part) == len(places)
    for name in COLUMNS:
        assert np.array_equal(getattr(part, name), getattr(EVERY, name)[places]), name


@given(st.lists(st.booleans(), min_size=20, max_size=20), st.integers(-1, 20), st.integers(-1, 20))
def test_a_part_of_a_part_has_the_columns_of_the_whole(
    wanted: list[bool], after: int, to: int
) -> None:
    ended = [n for n in range(20) if after < n + 0.01 <= to]
    same(EVERY.ended(after, to), ended)
    chosen = [n for n in range(20) if wanted[n]]
    same(EVERY.take(np.array(wanted)), chosen)
    same(EVERY.take(np.array(wanted)).ended(after, to), [n for n in chosen if n in ended])


def test_a_part_copies_a_column_when_it_is_asked_for_and_once() -> None:
    part = EVERY.take(np.array([3, 1]))
    assert part.user is part.user
    assert part.user.tolist() == [3, 1]
    assert EVERY.ended(5.0).user.base is not None, "a stretch of time is a view"


def test_there_is_no_column_that_a_record_does_not_have() -> None:
    with pytest.raises(KeyError):
        EVERY.take(np.array([1])).column("colour")
