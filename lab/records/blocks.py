"""Blocks of a history file as columns: lines of one layout are read together.

A line that fits no layout has no values yet, and is not `fine`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from lab.core.errors import UsageError
from lab.records import keyhashes
from lab.records.columns import KINDS, NONE, OUTCOMES, Flags, Places, Small
from lab.records.history import Operation
from lab.records.lineformats import Bytes, Layout, layout, padded
from lab.records.lines import Lines

SIZE: Final = 8 << 20
"""Bytes of a block, give or take a line."""

NO_OPERATION: Final = -1
"""The code of the kind of a line that is none: a header, a blank, a cut one."""

CODED: Final = ("population", "region", "address", "node")
_MOST: Final = 127
_FEW: Final = 3
"""Fewer lines than these are read one by one sooner than together."""

_MOST_LAYOUTS: Final = 64
"""Of lines of one length in a block."""

_LONGEST: Final = 4096
"""Bytes of the longest line that is read together with others."""

_SLICE: Final = 512
_SCAN: Final = 1 << 18
"""Rows, and bytes, that are looked at together: they stay in the processor's cache."""

_LINE_FEED: Final = 10
_WORD: Final = 8
_SPARE: Final = _LONGEST + _WORD

_TYPES: Final = {
    "start": np.float64,
    "tried": np.float64,
    "end": np.float64,
    "kind": np.int8,
    "outcome": np.int8,
    "population": np.int8,
    "region": np.int8,
    "address": np.int8,
    "node": np.int8,
    "honours_ttl": np.bool_,
    "timeline": np.int32,
    "user": np.int32,
    "found": np.int8,
    "high": np.uint64,
    "low": np.uint64,
}
Arrays: TypeAlias = dict[str, NDArray[Any]]


class Codes:
    """Small codes of names, by column, in the order in which they are met. Threads share it."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, int]] = {column: {} for column in CODED}
        self._lock = Lock()

    def of(self, column: str, name: str) -> int:
        """The code of a name. Raises UsageError for more names than a record can have."""
        known = self._known[column]
        with self._lock:
            code = known.setdefault(name, len(known))
        if code >= _MOST:
            raise UsageError(
                f"{code + 1} different values of {column} in one history",
                "a run has few of them: the history was damaged, or is not that of one run",
            )
        return code

    def known(self, column: str, name: str | None) -> int:
        """The code of a name that was met before; NONE for any other."""
        return NONE if name is None else self._known[column].get(name, NONE)

    def by_column(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        """Each column and its names in the order of their codes."""
        return ((column, tuple(names)) for column, names in self._known.items())


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Whole lines of a file, and where each begins and how long it is without its line feed.

    `raw` goes on behind the last line for as long as a row of the longest line.
    """

    raw: bytearray
    starts: Places
    lengths: Places

    def line(self, place: int) -> bytes:
        """One line, with its line feed if it has one."""
        end = int(self.starts[place] + self.lengths[place])
        return bytes(self.raw[self.starts[place] : end + (self.raw[end] == _LINE_FEED)])

    @property
    def content(self) -> Bytes:
        """The bytes as an array."""
        return np.frombuffer(self.raw, np.uint8)


def blocks(path: Path, lines: Lines) -> Iterator[Block]:
    """The blocks of a file, entered into `lines` as they are read. Raises OSError."""
    rest, at = b"", 0
    with path.open("rb", buffering=0) as file:
        while True:
            raw = bytearray(len(rest) + SIZE + _SPARE)
            raw[: len(rest)] = rest
            filled = len(rest) + file.readinto(memoryview(raw)[len(rest) : -_SPARE])
            if filled == len(rest):
                break
            feeds = _feeds(np.frombuffer(raw, np.uint8, filled))
            lines.add(feeds + at)
            whole = int(feeds[-1]) + 1 if len(feeds) else 0
            if whole:
                yield _block(raw, feeds)
            rest, at = bytes(raw[whole:filled]), at + whole
    if rest:
        lines.add_last()
        yield _block(bytearray(rest) + bytes(_SPARE), np.array([len(rest)]))


def _feeds(content: Bytes) -> Places:
    """Where line feeds are."""
    return np.concatenate(
        [at + _feeds_of_a_slice(content[at : at + _SCAN]) for at in range(0, len(content), _SCAN)]
    )


def _feeds_of_a_slice(content: Bytes) -> Places:
    """The same; words of eight bytes are looked through first, since few have a line feed."""
    is_feed = content == _LINE_FEED
    tail = len(is_feed) // _WORD * _WORD
    words = is_feed[:tail].view(np.uint64)
    some = np.flatnonzero(words != 0)  # of booleans: ten times as fast
    if (words[some] & (words[some] - np.uint64(1))).any():  # several in one word
        return np.flatnonzero(is_feed)
    inside = (np.log2(words[some].astype(np.float64)) / _WORD).astype(np.intp)
    return np.concatenate((some * _WORD + inside, tail + np.flatnonzero(is_feed[tail:])))


def _block(raw: bytearray, ends: Places) -> Block:
    starts = np.concatenate(([0], ends[:-1] + 1))
    return Block(raw, starts, ends - starts)


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """The columns of a block's lines; those that are `fine` have their values."""

    arrays: Arrays
    fine: Flags

    def enter(self, place: int, item: Operation, codes: Codes) -> None:
        """Write down an operation that was read by itself, but for the prints of its key."""
        values = {
            "start": item.start,
            "tried": item.start if item.tried is None else item.tried,
            "end": item.end,
            "kind": KINDS.index(item.kind),
            "outcome": OUTCOMES.index(item.outcome),
            "honours_ttl": item.honours_ttl,
            "timeline": item.timeline or 0,
            "user": item.user,
            "found": NONE if item.found is None else item.found,
        }
        for column in CODED:
            name = getattr(item, column)
            values[column] = NONE if name is None else codes.of(column, name)
        for column, value in values.items():
            self.arrays[column][place] = value

    def print_keys(self, keys: Mapping[int, str]) -> None:
        """Write down the prints of such keys, by the place of their line."""
        found = keyhashes.of_texts(list(keys.values()))
        self.arrays["high"][list(keys)] = found.high
        self.arrays["low"][list(keys)] = found.low


def part_of(block: Block, codes: Codes) -> Part:
    """Read all lines that fit a layout."""
    count = len(block.starts)
    arrays: Arrays = {column: np.zeros(count, kind) for column, kind in _TYPES.items()}
    arrays["kind"][:] = NO_OPERATION
    part = Part(arrays, np.zeros(count, np.bool_))
    lengths = np.minimum(block.lengths, _LONGEST + 1).astype(np.uint16)
    lengths[_with_backslash(block)] = 0
    order = np.argsort(lengths, kind="stable")
    counts = np.bincount(lengths)
    for places in np.split(order, np.cumsum(counts[counts > 0])[:-1]):
        length = int(lengths[places[0]])
        if 0 < length <= _LONGEST:
            _alike(block, places, length, part, codes)
    return part


def _with_backslash(block: Block) -> Places:
    """Lines that have an escape somewhere."""
    last = int(block.starts[-1] + block.lengths[-1])
    if block.raw.find(b"\\", 0, last) < 0:
        return np.zeros(0, np.intp)
    at = np.flatnonzero(block.content[:last] == ord("\\"))
    return np.unique(np.searchsorted(block.starts, at, side="right") - 1)


def _alike(block: Block, places: Places, length: int, part: Part, codes: Codes) -> None:
    """Read lines of one length, layout by layout: that of the first line that is left."""
    wide = padded(length)
    window = f"V{wide}"
    windows = np.ndarray((len(block.raw) - wide + 1,), window, block.raw, strides=(1,))
    rows = windows[block.starts[places]]
    known = 0
    while len(places) >= _FEW and known < _MOST_LAYOUTS:
        found = layout(rows[0].tobytes()[:length])
        if found is None:
            places, rows = places[1:], rows[1:]
            continue
        fits = _fitting(found, rows.view(np.uint8).reshape(-1, wide))
        chosen = rows[fits].view(np.uint8).reshape(-1, wide)
        _enter(found, chosen, places[fits], part, codes)
        places, rows = places[~fits], rows[~fits]
        known += 1


def _fitting(found: Layout, rows: Bytes) -> Flags:
    return np.concatenate(
        [found.fits(rows[at : at + _SLICE]) for at in range(0, len(rows), _SLICE)]
    )


def _enter(found: Layout, rows: Bytes, places: Places, part: Part, codes: Codes) -> None:
    """Write down what lines of one layout say."""
    key = keyhashes.of_bytes(found.text("key", rows))
    start, end = found.number("start", rows), found.number("end", rows)
    tried = found.number("tried", rows) if "tried" in found.at else start
    flag = found.fixed.get("found")
    values: dict[str, Any] = {
        "start": start,
        "tried": tried,
        "end": end,
        "kind": _CODES[found.fixed["kind"]],
        "outcome": _CODES[found.fixed["outcome"]],
        "honours_ttl": found.fixed["honours_ttl"] == b"true",
        "timeline": found.number("timeline", rows) if "timeline" in found.at else 0,
        "user": found.number("user", rows),
        "found": NONE if flag is None else flag == b"true",
        "high": key.high,
        "low": key.low,
    }
    for column in CODED:
        values[column] = (
            _coded(found.text(column, rows), column, codes) if column in found.at else NONE
        )
    for column, value in values.items():
        part.arrays[column][places] = value
    part.fine[places] = (start <= tried) & (tried <= end)


_CODES: Final = {
    name.encode(): code for names in (KINDS, OUTCOMES) for code, name in enumerate(names)
}


def _coded(texts: Bytes, column: str, codes: Codes) -> Small:
    """The code of each row's text."""
    values = np.ascontiguousarray(texts).view(f"S{texts.shape[1]}")[:, 0]
    found = np.full(len(values), NONE, np.int8)
    left = np.arange(len(values))
    while len(left):
        name = values[left[0]]
        same = values[left] == name
        found[left[same]] = codes.of(column, name.decode())
        left = left[~same]
    return found
