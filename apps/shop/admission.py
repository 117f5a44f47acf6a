"""Whom the shop lets in, and in which order. Decisions alone: the caller passes the time in.

A shop that takes more work than it can finish answers callers who have given up. They try again,
and the shop stays busy with them long after the load has fallen: a metastable failure. Three rules
break the loop: a request whose caller has given up is not begun, of those that wait the newest one
is next, and health checks and operators wait behind nobody.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

LEARNING = 0.1  # share of the latest duration in the typical one
LONGEST = 0.5  # seconds: a request that took longer says nothing of the next one

Ticket = TypeVar("Ticket")


@dataclass(frozen=True)
class Policy:
    """How a shop meets more requests than it can serve; counts are for each connection."""

    name: str
    slots: int  # requests at work
    room: int  # requests that wait for a slot
    deadlines: bool  # a request whose caller has given up is not begun
    reserved: int  # connections more, which health checks and operators always find free
    why: str


POLICIES = (
    Policy(
        name="protected",
        slots=1,
        room=1,
        deadlines=True,
        reserved=2,
        why="the newest request is next, and what cannot be answered in time is refused at once",
    ),
    Policy(
        name="naive",
        slots=4,
        room=0,
        deadlines=False,
        reserved=0,
        why="one queue for all, the oldest first, and nobody looks at the caller's patience",
    ),
)


class Line(Generic[Ticket]):
    """The requests at work, and those that wait for a slot: the newest one is next.

    In an overload somebody is always too late. First come, first served makes everybody late by
    the same time, and each of them gives up just before it is served; newest first serves most of
    them at once. Without an overload nobody waits, and the order makes no difference.
    """

    def __init__(self) -> None:
        self.inside = 0
        self.typical = 0.0  # seconds that a request takes once it is begun
        self._waiting: deque[Ticket] = deque()

    def begins(self, slots: int) -> bool:
        """True when a request that has just come can begin; it has a slot then."""
        if self.inside >= slots:
            return False
        self.inside += 1
        return True

    def wait(self, ticket: Ticket, room: int) -> Ticket | None:
        """Let a request wait; the one that must be refused for it, if there is no room."""
        self._waiting.append(ticket)
        return self._waiting.popleft() if len(self._waiting) > room else None

    def withdraw(self, ticket: Ticket) -> None:
        """Its caller does not wait any more."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def learn(self, took: float) -> None:
        """A request ended so many seconds after it was begun."""
        self.typical += LEARNING * (min(took, LONGEST) - self.typical)

    def leave(self, slots: int) -> list[Ticket]:
        """A slot is given back; who is next, each with a slot."""
        self.inside -= 1
        following = []
        while self._waiting and self.begins(slots):
            following.append(self._waiting.pop())
        return following

    def in_time(self, deadline: float, now: float) -> bool:
        """True when a request that is begun now can typically be answered by its deadline."""
        return now + self.typical < deadline
