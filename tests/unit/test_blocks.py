"""Blocks of a history: which lines are read together, and that they say what each alone says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final
from unittest.mock import patch

import numpy as np
import pytest
from pure_builders import header, line, write

from lab.core.errors import UsageError
from lab.records import blocks
from lab.records.blocks import CODED, Block, Codes, Part, part_of
from lab.records.history import Kind, Operation, Outcome
from lab.records.lines import Lines

LONGEST: Final = 4096


def of(path: Path, *lines: bytes, size: int = 1 << 20) -> list[Block]:
    """The blocks of a file with such lines."""
    file = path / "history.jsonl"
    file.write_bytes(b"".join(lines))
    with patch.object(blocks, "SIZE", size):
        return list(blocks.blocks(file, Lines(file)))


def sized(length: int, number: int = 0) -> bytes:
    """A line of so many bytes, without its line feed."""
    item = write(f"k{number}", error="x")
    return line(replace(item, error="x" * (length + 2 - len(line(item))))).rstrip()


def operations(**changes: object) -> list[Operation]:
    """Five that have one layout, and nothing else in common."""
    return [
        write(f"east-{n}", start=n + 1.5, **{"user": n, "timeline": n + 3, **changes})
        for n in range(5)
    ]


def entered(items: list[Operation], codes: Codes) -> Part:
    """The same, one by one."""
    arrays = {column: np.zeros(len(items), kind) for column, kind in blocks._TYPES.items()}
    part = Part(arrays, np.ones(len(items), np.bool_))
    for place, item in enumerate(items):
        part.enter(place, item, codes)
    part.print_keys({place: item.key for place, item in enumerate(items)})
    return part


@pytest.mark.parametrize(
    "changes",
    [
        {}, {"timeline": None}, {"honours_ttl": False}, {"kind": Kind.READ},
        {"found": None}, {"found": True}, {"found": False}, {"outcome": Outcome.LOCAL},
        {"region": None}, {"region": "west", "address": "10.91.0.11"},
        {"population": "west", "node": None}, {"xid": None, "lsn": None},
    ],
)  # fmt: skip
@pytest.mark.parametrize("after", [None, 0.0, 2.25, 4.0])
def test_lines_that_are_read_together_say_what_each_of_them_says(
    tmp_path: Path, changes: dict[str, object], after: float | None
) -> None:
    items = [
        replace(each, end=each.start + 4.0, tried=None if after is None else each.start + after)
        for each in operations(**changes)
    ]
    [block] = of(tmp_path, *map(line, items))
    codes = Codes()
    codes.of("region", "another")
    part = part_of(block, codes)
    assert part.fine.tolist() == [True] * 5
    alone = entered(items, codes)
    for column, values in part.arrays.items():
        assert values.tolist() == alone.arrays[column].tolist(), column


def test_an_operation_without_a_value_has_the_start_no_code_or_no_timeline() -> None:
    codes = Codes()
    codes.of("region", "east")
    bare = write("k", Outcome.UNKNOWN, start=2.5)
    whole = write("k", start=2.5, end=4.0, tried=3.0, found=True, region="west", address="a")
    told = {
        column: values.tolist() for column, values in entered([bare, whole], codes).arrays.items()
    }
    assert told["tried"] == [2.5, 3.0]
    assert told["timeline"] == [0, 1]
    assert told["found"] == [-1, 1]
    assert [told[column] for column in CODED] == [[0, 0], [-1, 1], [-1, 0], [-1, 0]]


def test_what_fits_no_layout_is_left_out_and_holds_up_no_line_of_its_length(
    tmp_path: Path,
) -> None:
    alike = [line(item) for item in operations()]
    odd = alike[0].replace(b'"kind"', b'"king"')
    escaped = alike[0].replace(b"east-0", b"\\u0061")
    late = [line(write(f"east-{n}", start=2.0, end=1.25)) for n in range(4)]
    [block] = of(
        tmp_path, odd, alike[0], escaped, b"\n", alike[1], odd, alike[2], header(), *late, b"x\n",
        alike[3], line(write("another-1")), line(write("another-2")), alike[4], odd,
    )  # fmt: skip
    part = part_of(block, Codes())
    fine = [block.line(place) for place in np.flatnonzero(part.fine)]
    assert fine == alike
    assert part.arrays["start"][part.fine].tolist() == [1.5, 2.5, 3.5, 4.5, 5.5]


@pytest.mark.parametrize("place", range(5))
def test_a_line_with_an_escape_is_left_to_the_strict_reader(tmp_path: Path, place: int) -> None:
    lines = [line(item) for item in operations()]
    lines[place] = lines[place].replace(b"east-", b"eas\\n")
    [block] = of(tmp_path, *lines)
    assert part_of(block, Codes()).fine.tolist() == [n != place for n in range(5)]


def test_lines_are_read_together_up_to_a_length(tmp_path: Path) -> None:
    for length, fine in ((LONGEST, True), (LONGEST + 1, False), (LONGEST + 2, False)):
        lines = [sized(length, number) + b"\n" for number in range(4)]
        [block] = of(tmp_path, *lines, *map(line, operations()))  # fmt: skip
        assert part_of(block, Codes()).fine.tolist() == [fine] * 4 + [True] * 5


def test_a_last_line_of_any_length_is_read_together_with_others(tmp_path: Path) -> None:
    for length in range(300, 317):
        lines = [sized(length, number) for number in range(4)]
        for ended in (b"", b"\n"):
            found = of(tmp_path, b"\n".join(lines) + ended)
            fine = [part_of(block, Codes()).fine.tolist() for block in found]
            assert fine == ([[True] * 4] if ended else [[True] * 3, [False]])
            assert (
                b"".join(block.line(place) for block in found for place in range(len(block.starts)))
                == b"\n".join(lines) + ended
            )


@pytest.mark.parametrize("slice_", [8, 1 << 18])
def test_line_feeds_are_found_wherever_they_are(slice_: int) -> None:
    for length in (1, 7, 8, 9, 21):
        for one in range(length):
            for two in range(one, length):
                content = np.full(length, 11, np.uint8)
                content[[one, two]] = 10
                with patch.object(blocks, "_SCAN", slice_):
                    assert blocks._feeds(content).tolist() == sorted({one, two})


def test_more_names_than_a_column_has_codes_for_are_refused() -> None:
    codes = Codes()
    assert [codes.of("node", f"n{number}") for number in range(127)] == [*range(127)]
    assert codes.known("node", "n126") == 126
    assert codes.known("node", None) == codes.known("node", "x") == blocks.NONE
    with pytest.raises(UsageError, match=r"^128 different values of node"):
        codes.of("node", "x")


def test_lines_of_one_length_and_two_layouts_keep_their_own_values(tmp_path: Path) -> None:
    few = [write(f"k{n}", user=n, attempts=22, region=f"r{n}") for n in range(4)]
    many = [write(f"k{n}", user=10 + n, attempts=2, region=f"r{n}") for n in range(4, 9)]
    mixed = [*few[:2], *many[:3], *few[2:], *many[3:]]
    [block] = of(tmp_path, *map(line, mixed))
    codes = Codes()
    part = part_of(block, codes)
    assert part.fine.all()
    assert part.arrays["user"].tolist() == [each.user for each in mixed]
    names = dict(codes.by_column())["region"]
    assert [names[code] for code in part.arrays["region"]] == [each.region for each in mixed]


def test_a_line_that_is_no_operation_has_no_kind_that_one_can_have(tmp_path: Path) -> None:
    [block] = of(tmp_path, header())
    assert part_of(block, Codes()).arrays["kind"][0] not in range(len(Kind))
