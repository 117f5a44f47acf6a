"""Where a node stands in the history of timelines, and what it has beyond another one. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.core.lsn import parse_lsn


@dataclass(frozen=True, slots=True)
class Position:
    """The end of a node's WAL, in bytes, and the timeline that it is on.

    `forks` says where its history left each earlier timeline: timeline → LSN in bytes. LSNs grow
    along a history, so that two ends on one history can be compared.
    """

    timeline: int
    end: int
    forks: Mapping[int, int] = field(default_factory=dict)

    def parting(self, other: Position) -> tuple[int, int]:
        """The last that both have: timeline and LSN.

        Two histories are one up to the first timeline that they do not share or left in different
        places. An LSN alone proves nothing: behind a fork the same number means other records.
        """
        last = (0, 0)
        for (mine, end), (others, their_end) in zip(self._ends(), other._ends(), strict=False):
            if mine != others:
                break
            last = (mine, min(end, their_end))
            if end != their_end:
                break
        return last

    def alone(self, other: Position) -> int:
        """Bytes of WAL that this node has, and the other one has not."""
        return max(0, self.end - self.parting(other)[1])

    def was_left_by(self, other: Position) -> bool:
        """True when the other one's history has left the timeline that this node is on.

        What this node has beyond that point was given up then, and is no lead.
        """
        return self.timeline in other.forks

    def begin(self, file_size: int) -> tuple[str, int] | None:
        """Where its timeline begins in the log: file and offset. None for the first timeline.

        `file_size` is how many bytes a file of the log has.

        What stands there is the record of a promotion with its moment. Two standbys that were
        promoted at the same position begin two timelines of one number: there they differ.
        """
        if not self.forks:
            return None
        number, offset = divmod(max(self.forks.values()), file_size)
        high, low = divmod(number, 2**32 // file_size)
        return f"pg_wal/{self.timeline:08X}{high:08X}{low:08X}", offset

    def _ends(self) -> list[tuple[int, int]]:
        """Each timeline of its history, and where the history or the node ends on it."""
        return [*sorted(self.forks.items()), (self.timeline, self.end)]


def forks_of(history: str) -> dict[int, int]:
    """A timeline's history file: each earlier timeline → the LSN in bytes at which it was left."""
    lines = (line.split() for line in history.splitlines() if line.strip())
    return {int(timeline): parse_lsn(lsn) for timeline, lsn, *_ in lines}
