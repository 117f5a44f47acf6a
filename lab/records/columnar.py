"""The fast reader: history files into arrays, block by block, no object per line.

Lines that fit a layout (`lab.records.lineformats`) are read together as matrices of bytes. Every
other line goes to the strict reader (`historyreader`), in the order of the file: what it
accepts is entered in the same arrays, and what it refuses is refused. Only what figures need is
kept, as small codes; of a client key two hashes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.core.errors import UsageError
from lab.records.blocks import NO_OPERATION, Block, Codes, Part, blocks, part_of
from lab.records.columns import NONE, Names, Operations, Places, Small
from lab.records.history import CutLine, Header, Operation
from lab.records.historyreader import Reader
from lab.records.keyhashes import Prints
from lab.records.lines import Lines

Arrays: TypeAlias = dict[str, NDArray[Any]]

_AHEAD: Final = 2
"""Blocks that are read while another one is looked through; each is held in memory."""

_SHORT: Final = 64
"""Bytes; no line of an operation is shorter. Blank ones do not tell how many lines a file has."""


@dataclass(frozen=True, slots=True, eq=False)
class Columns:
    """What was read: `operations` in the order of their end; `headers` as they stand.

    `texts` has operations that are not a line of their own, by their row.
    """

    operations: Operations
    prints: Prints
    headers: tuple[Header, ...]
    files: tuple[Lines, ...] = ()
    cuts: tuple[CutLine, ...] = ()
    texts: Mapping[int, bytes] = field(default_factory=dict)


def read(sources: Sequence[tuple[str, Path]]) -> Columns:
    """Read whole files, each with the name that it has in messages, one after the other.

    Raises what `historyreader.Reader` raises, UsageError for a file that cannot be read, and
    when there are more names than a record can have.
    """
    walk = _Walk(sources)
    for name, path in sources:
        try:
            walk.file(name, path)
        except OSError as error:
            raise UsageError(
                f"{path} cannot be read: {error.strerror}", "is it the folder of a whole run?"
            ) from error
    walk.reader.refuse_nothing()
    arrays = walk.columns()
    found = Prints(arrays.pop("high"), arrays.pop("low"))
    operations = _operations(arrays, walk.codes)
    return Columns(
        operations,
        found,
        tuple(walk.reader.headers),
        tuple(walk.files),
        tuple(walk.reader.cuts),
        walk.texts,
    )


class _Walk:
    """Goes through the blocks in the order of the files, with the strict reader at hand."""

    def __init__(self, sources: Sequence[tuple[str, Path]]) -> None:
        self._paths = [path for _, path in sources]
        self.reader = Reader(lambda text, item: self._kept.append((text, item)))
        self.codes = Codes()
        self.files: list[Lines] = []
        self._arrays: Arrays = {}
        self.texts: dict[int, bytes] = {}
        self._kept: list[tuple[bytes, Operation]] = []
        self._entered: dict[int, str] = {}
        self._row = 0

    def file(self, name: str, path: Path) -> None:
        """Take in one file."""
        first = self._row
        lines = Lines(path)
        self.files.append(lines)
        self.reader.begin(name)
        for block, part in _ahead(path, lines, self.codes):
            self._block(block, part, self._row - first)
            self._put(block, part)
        self.reader.end()

    def columns(self) -> Arrays:
        """The columns of all lines."""
        return {column: array[: self._row] for column, array in self._arrays.items()}

    def _put(self, block: Block, part: Part) -> None:
        """Enter a block behind the ones before. Memory that is set aside costs nothing yet."""
        end = self._row + len(block.starts)
        if not self._arrays or end > len(self._arrays["end"]):
            size = sum(path.stat().st_size for path in self._paths)
            usual = max(_SHORT, int(block.lengths.sum()) / len(block.starts))
            room = end + int(1.1 * size / usual)
            for column, values in part.arrays.items():
                anew = np.empty(room, values.dtype)
                if self._row:
                    anew[: self._row] = self._arrays[column][: self._row]
                self._arrays[column] = anew
        for column, values in part.arrays.items():
            self._arrays[column][self._row : end] = values
        self._row = end

    def _block(self, block: Block, part: Part, before: int) -> None:
        """`before` lines of the same file came earlier."""
        strict = np.flatnonzero(~part.fine).tolist()
        done = 0
        self._entered.clear()
        for place in [*strict, len(block.starts)]:
            self._vouched(block, part, range(done, place), before)
            if place < len(block.starts):
                self._strictly(block, part, place, before)
            done = place + 1
        if self._entered:
            part.print_keys(self._entered)

    def _vouched(self, block: Block, part: Part, run: range, before: int) -> None:
        """Lines that fit a layout: their population is what is left to compare."""
        if not run:
            return
        code = self.codes.known("population", self.reader.population)
        foreign = np.flatnonzero(part.arrays["population"][run.start : run.stop] != code).tolist()
        self.reader.vouched(block.line(run.start))
        for place in foreign:
            self._strictly(block, part, run.start + place, before)

    def _strictly(self, block: Block, part: Part, place: int, before: int) -> None:
        """Hand a line to the strict reader, and enter what it takes for an operation."""
        self._kept.clear()
        line = block.line(place)
        self.reader.line(line, before + place + 1)
        for text, item in self._kept:
            part.enter(place, item, self.codes)
            self._entered[place] = item.key
            if text != line.strip():
                self.texts[self._row + place] = text


def _ahead(path: Path, lines: Lines, codes: Codes) -> Iterator[tuple[Block, Part]]:
    """The blocks of a file in their order, read by threads while others are looked through."""
    waiting: deque[tuple[Block, Future[Part]]] = deque()
    with ThreadPoolExecutor(max_workers=_AHEAD) as pool:
        for block in blocks(path, lines):
            waiting.append((block, pool.submit(part_of, block, codes)))
            if len(waiting) > _AHEAD:
                earliest, part = waiting.popleft()
                yield earliest, part.result()
        for earliest, part in waiting:
            yield earliest, part.result()


def _operations(arrays: Arrays, codes: Codes) -> Operations:
    """The columns that figures are made from, in the order of `end`."""
    order = np.argsort(arrays["end"], kind="stable")
    order = order[arrays["kind"][order] != NO_OPERATION]

    def sort(column: str) -> None:
        arrays[column] = arrays[column].take(order)

    with ThreadPoolExecutor(max_workers=2) as pool:  # two by two: two whole copies are too much
        list(pool.map(sort, list(arrays)))
    known = [_in_order(arrays, column, names) for column, names in codes.by_column()]
    return Operations(Names(*known), {"row": order.astype(np.int32), **arrays})


def _in_order(arrays: Arrays, column: str, names: Sequence[str]) -> tuple[str, ...]:
    """The names, sorted; their codes are counted anew."""
    codes: Small = arrays[column]
    places: Places = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.intp)
    anew = np.full(len(names) + 1, NONE, dtype=np.int8)
    anew[places - NONE] = np.arange(len(names))
    arrays[column] = anew.take(codes - NONE)
    return tuple(names[place] for place in places)
