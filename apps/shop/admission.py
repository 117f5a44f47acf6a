"""Which requests the shop begins, and in which order. Decisions alone: the caller passes the time.

A shop that takes more work than it can finish answers callers who have given up. They try again,
and the shop stays busy with them long after the load has fallen: a metastable failure. Three rules
break the loop. The shop does not begin a request whose caller has given up. Of the requests that
wait, the newest is next. Health checks and operators do not wait.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Generic, TypeVar

LEARNING = 0.1  # share of the latest duration in the typical one
LONGEST = 0.5  # seconds: a request that took longer says nothing of the next one
LEAST = 2  # slots of a shop with any connection: a new pool begins with so many

Ticket = TypeVar("Ticket")


@dataclass(frozen=True)
class Policy:
    """How a shop meets more requests than it can serve; counts are for each connection."""

    name: str
    slots: int  # requests at work
    room: int  # requests at work or waiting for a slot
    deadlines: bool  # a request whose caller has given up is not begun
    reserved: int  # connections more, which health checks and operators always find free
    follows: bool  # orders have slots only for connections that are open
    why: str

    def order_slots(self, most: int, at_hand: int) -> int:
        """Orders at work at once, with `at_hand` of at most `most` + `reserved` connections open.

        A request beyond the open connections would wait in the pool, where the oldest is served
        first. While the primary is out of reach `at_hand` is 0, and the pool itself answers orders:
        such an answer does not blame the load.
        """
        if self.follows and at_hand:
            most = min(most, max(at_hand - self.reserved, LEAST))
        return self.slots * most


POLICIES = (
    Policy(
        name="protected",
        slots=1,
        room=2,
        deadlines=True,
        reserved=2,
        follows=True,
        why="the newest request is next, and what cannot be answered in time is refused at once",
    ),
    Policy(
        name="naive",
        slots=4,
        room=4,
        deadlines=False,
        reserved=0,
        follows=False,
        why="one queue for all, the oldest first, and the shop ignores the caller's patience",
    ),
)


class Line(Generic[Ticket]):
    """The requests at work, and those that wait for a slot: the newest one is next.

    In an overload some requests are too late in any order. First come, first served makes all of
    them late by the same time: each caller gives up just before the shop serves it. Newest first
    serves most of them at once. Without an overload no request waits, and the order makes no
    difference.
    """

    def __init__(self) -> None:
        self.inside = 0
        self.typical = 0.0  # seconds that a request takes once it is begun
        self._waiting: deque[Ticket] = deque()

    def begins(self, slots: int) -> bool:
        """True when a request that has just come gets a slot and can begin."""
        if self.inside >= slots:
            return False
        self.inside += 1
        return True

    def wait(self, ticket: Ticket, room: int) -> Ticket | None:
        """Let a request wait, with room for so many at work or waiting.

        Returns the one that the shop must refuse, if there is no room.
        """
        self._waiting.append(ticket)
        return self._waiting.popleft() if self.inside + len(self._waiting) > room else None

    def withdraw(self, ticket: Ticket) -> None:
        """Forget a request whose caller does not wait any more."""
        if ticket in self._waiting:
            self._waiting.remove(ticket)

    def learn(self, took: float) -> None:
        """A request ended so many seconds after it was begun."""
        self.typical += LEARNING * (min(took, LONGEST) - self.typical)

    def leave(self, slots: int) -> list[Ticket]:
        """A request gives its slot back. Returns the requests that are next, each with a slot."""
        self.inside -= 1
        following = []
        while self._waiting and self.begins(slots):
            following.append(self._waiting.pop())
        return following

    def in_time(self, deadline: float, now: float) -> bool:
        """True when the shop can typically answer a request that it begins now by its deadline."""
        return now + self.typical < deadline
