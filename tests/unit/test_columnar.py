"""Blocks joined: what is read of a file is the same wherever its blocks end."""

from __future__ import annotations

from typing import Final
from unittest.mock import patch

import pytest
from pure_builders import header, line, lines, write

from lab import blocks, ledger, prints
from lab.errors import UsageError

OURS: Final = [line(write(f"east-{n}", start=float(n))) for n in range(8)]
THEIRS: Final = line(write("west-9", population="west"))
SIZES: Final = (300, 700, 1500, 1 << 20)
"""Bytes of a block: with one line, with lines that are too few to be read together, with all."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", range(8))
def test_an_operation_of_others_is_refused_at_its_line(size: int, place: int) -> None:
    content = header() + b"".join([*OURS[:place], THEIRS, *OURS[place:]])
    said = f"line {place + 2}: an operation of population 'west' under the header of 'east'"
    with patch.object(blocks, "SIZE", size), pytest.raises(UsageError, match=said):
        ledger.load(content)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("place", range(8))
def test_a_line_that_broke_off_amid_others_is_refused_at_its_line(size: int, place: int) -> None:
    content = header() + b"".join([*OURS[:place], OURS[0][:40] + b"\n", *OURS[place:]])
    with (
        patch.object(blocks, "SIZE", size),
        pytest.raises(UsageError, match=f"line {place + 2}: no JSON: EOF while parsing a string"),
    ):
        ledger.load(content)


@pytest.mark.parametrize("size", [300, 4000, 1 << 20])
def test_a_file_of_more_lines_than_its_beginning_lets_expect_is_read_whole(size: int) -> None:
    long = [write(f"long-{n}", start=float(n), error="x" * 3000) for n in range(3)]
    short = [write(f"east-{n:03}", start=float(n)) for n in range(3, 120)]
    west = [write(f"west-{n:03}", start=float(n), population="west") for n in range(120, 130)]
    odd = [line(each).replace(b"east-0", b"east\\u002d0") for each in short[::7]]
    told = [odd[n // 7] if n % 7 == 0 else line(each) for n, each in enumerate(short)]
    content = header() + lines(long) + b"".join(told) + header("west") + lines(west)
    with patch.object(blocks, "SIZE", size), ledger.load(content) as found:
        every = [*long, *short, *west]
        assert found.operations.start.tolist() == [float(n) for n in range(130)]
        assert found.operations.row.tolist() == [*range(1, 121), *range(122, 132)]
        assert found.operations.population.tolist() == [0] * 120 + [1] * 10
        assert found.lines(found.operations.row) == tuple(every)
        keys = prints.of_texts([each.key for each in every])
        assert found.prints(found.operations)["high"].tolist() == keys.high.tolist()
        assert found.prints(found.operations)["low"].tolist() == keys.low.tolist()
