"""Lines of a large file by their number, without keeping them in memory.

While the file is read through once, the line feeds of each block are counted; a line is then found
by going to its block. Ten million lines take an index of 0.4 MB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

BLOCK: Final = 1 << 16
"""Bytes."""

Places = NDArray[np.intp]


class Lines:
    """The lines of a file, counted from 0; only a line feed ends a line.

    `count` has the last line in it, whether or not a line feed ends it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._in_blocks: list[int] = []

    def add(self, feeds: Places) -> None:
        """The next line feeds of the file are at these bytes."""
        if not len(feeds):
            return
        first = min(int(feeds[0]) // BLOCK, len(self._in_blocks))
        counts = np.bincount(feeds // BLOCK - first).tolist()
        for place, count in enumerate(counts, start=first):
            if place < len(self._in_blocks):
                self._in_blocks[place] += count
            else:
                self._in_blocks.append(count)
        self.count += len(feeds)

    def add_last(self) -> None:
        """The file goes on behind its last line feed."""
        self.count += 1

    @cached_property
    def _ended(self) -> Places:
        """How many lines end before each block."""
        return np.cumsum([0, *self._in_blocks])

    def pick(self, numbers: Iterable[int]) -> Iterator[bytes]:
        """These lines, each with its line feed; the numbers ascend and are below `count`."""
        with self.path.open("rb") as file:
            at = 0
            for number in numbers:
                block, ended = self._before(number)
                if ended > at:  # the block is ahead: what is in between need not be read
                    file.seek(block * BLOCK)
                    file.readline()
                    at = ended + 1
                for _ in range(at, number):
                    file.readline()
                yield file.readline()
                at = number + 1

    def _before(self, number: int) -> tuple[int, int]:
        """The block in which the line feed before a line is, and how many end in earlier ones."""
        block = max(0, int(np.searchsorted(self._ended, number)) - 1)
        return block, int(self._ended[block])
