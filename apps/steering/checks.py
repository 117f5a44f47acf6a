"""What each check saw, in order: the record that decisions are made from and tuned on."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

_KEPT = 20_000


class Kind(StrEnum):
    """The kinds of evidence that one check can give."""

    READY = "ready"  # the region proved that it can take an order
    UNREADY = "unready"  # something answered over HTTP, and it was not 200
    CUT_OFF = "cut-off"  # the same, and its primary refuses it or leaves it without an answer
    REFUSED = "refused"  # the connection was refused
    CLOSED = "closed"  # the connection was taken, and ended without an answer
    LATE = "late"  # the connection was taken, and no answer came in time
    SILENT = "silent"  # nothing took the connection: a kernel that runs does so even when busy


@dataclass(frozen=True)
class Check:
    """One check of a region: when it began and ended (monotonic seconds), and what it saw."""

    region: str
    began: float
    ended: float
    kind: Kind
    error: str = ""


class Checks:
    """The latest twenty thousand checks, numbered from 1 since the start of the process."""

    def __init__(self) -> None:
        self._checks: deque[Check] = deque(maxlen=_KEPT)
        self._seq = 0

    def add(self, check: Check) -> None:
        """Keep a check that has ended."""
        self._seq += 1
        self._checks.append(check)

    def after(self, seq: int) -> list[dict[str, Any]]:
        """The checks with a number above `seq`, in the order of their end."""
        first = self._seq - len(self._checks) + 1
        numbered: Iterable[tuple[int, Check]] = enumerate(self._checks, first)
        return [{"seq": number, **asdict(check)} for number, check in numbered if number > seq]
