"""What happened, in order, for later questions."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import Any, Literal

_KEPT = 10_000

What = Literal["view", "answer", "pin", "route", "line"]


@dataclass(frozen=True)
class Event:
    """A change of view about a region, of the answer that users get, of an operator's pin,
    or of the route.

    A `line` is the connection of the latest good check to a region, which broke.
    """

    seq: int
    monotonic: float
    what: What
    region: str
    before: str | None
    after: str | None
    detail: str


class Events:
    """The latest ten thousand events, numbered from 1 since the start of the process."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_KEPT)
        self._seq = 0

    def add(
        self,
        what: What,
        region: str,
        before: str | None,
        after: str | None,
        detail: str,
    ) -> Event:
        """Note a change that happens now."""
        self._seq += 1
        event = Event(self._seq, time.monotonic(), what, region, before, after, detail)
        self._events.append(event)
        return event

    def after(self, seq: int) -> list[dict[str, Any]]:
        """The events with a number above `seq`."""
        return [asdict(event) for event in self._events if event.seq > seq]
