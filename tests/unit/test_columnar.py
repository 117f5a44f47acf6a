"""Blocks joined: what is read of a file is the same wherever its blocks end."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from unittest.mock import patch

import pytest
from pure_builders import header, line, lines, write

from lab.core.errors import UsageError
from lab.records import blocks, keyhashes, ledger

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
        keys = keyhashes.of_texts([each.key for each in every])
        assert found.prints(found.operations)["high"].tolist() == keys.high.tolist()
        assert found.prints(found.operations)["low"].tolist() == keys.low.tolist()


def test_each_file_has_a_name_lines_and_a_header_of_its_own(tmp_path: Path) -> None:
    first, second = tmp_path / "first.jsonl", tmp_path / "second.jsonl"
    first.write_bytes(header() + b"".join(OURS))
    for content, said in (
        (b"".join(OURS), "second.jsonl, line 1: an operation of population 'east' under no header"),
        (b"", "second.jsonl, line 0: no header"),
        (header() + OURS[0] + THEIRS, "second.jsonl, line 3: an operation of population 'west'"),
    ):
        second.write_bytes(content)
        with pytest.raises(UsageError, match=said):
            ledger.load(first, second)


def test_codes_follow_the_names_whatever_order_they_are_met_in() -> None:
    with ledger.load(header("west") + THEIRS * 4 + header() + b"".join(OURS)) as found:
        assert found.operations.names.populations == ("east", "west")
        assert sorted(found.operations.population.tolist()) == [0] * 8 + [1] * 4
        assert found.operations.population.tolist()[-7:] == [0] * 7


@pytest.mark.parametrize("size", SIZES)
def test_what_a_crash_left_of_a_line_is_told_and_a_whole_record_is_read(size: int) -> None:
    """A record that lacks its newline has no line of its own."""
    content = header() + b"".join(OURS[:5]) + OURS[5].rstrip() + header() + OURS[6] + OURS[7][:50]
    with patch.object(blocks, "SIZE", size), ledger.load(content) as found:
        assert [each.key for each in found.lines(found.operations.row)] == [
            f"east-{n}" for n in range(7)
        ]
        assert [each.line for each in found.cut_lines] == [9]
