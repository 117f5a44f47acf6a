"""Where users went after the fault: who had to move, how soon they did, what went to the dead.

Pure, over columns. Times are CLOCK_MONOTONIC seconds, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.columns import Codes, Flags, Floats, Operations

SHARES: Final = (50, 80, 99)
"""Percent of the users that had to move."""


@dataclass(frozen=True, slots=True)
class Movement:
    """How one group of users came to another region.

    `users` had to move: the last operation that they started before the fault went to an address
    that died. `times` are seconds after the fault until 50, 80 and 99 % of them had moved, None
    where the record ends before that.
    """

    population: str
    honours_ttl: bool
    users: int
    moved: int
    times: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class Misdirected:
    """Operations started after the fault that one group sent to an address that had died.

    `last` is when the last one was started, seconds after the fault; None without any.
    """

    population: str
    honours_ttl: bool
    operations: int
    last: float | None


def movements(operations: Operations, fault: float, dead: AbstractSet[str]) -> tuple[Movement, ...]:
    """When each user's first acknowledged operation through an address that lives ended.

    Counted are operations of every kind that were started after the fault. The time of q % is the
    nearest rank: the moment at which at least q % of those who had to move had moved. An
    operation's address is that of its last attempt. Groups of which nobody had to move are listed
    with 0 users and no times.
    """
    gone = _gone(operations, dead)
    return tuple(
        _movement(name, honours, operations.group(name, honours), fault, gone)
        for name, honours in _groups(operations)
    )


def _movement(
    name: str, honours: bool, group: Operations, fault: float, gone: list[int]
) -> Movement:
    order = group.by_start()
    known = group.take(order[group.address[order] >= 0])
    at_gone = np.isin(known.address, gone)
    before = known.start <= fault
    last = _last_of_each(known.user, before)
    had_to = known.user[last[at_gone[last]]]
    arrived = known.take(~before & known.ok & ~at_gone & np.isin(known.user, had_to))
    times = _first_ends(arrived) - fault
    reached = tuple(_reached(times, len(had_to), share) for share in SHARES)
    return Movement(name, honours, len(had_to), len(times), reached)


def _last_of_each(users: Codes, which: Flags) -> NDArray[np.intp]:
    """Places of each user's last entry among those of the mask."""
    places = np.flatnonzero(which)[::-1]
    _, first = np.unique(users[places], return_index=True)
    return places[first]


def _first_ends(operations: Operations) -> Floats:
    """The earliest end of each user's operations, sorted."""
    ordered = operations.take(np.argsort(operations.end, kind="stable"))
    _, first = np.unique(ordered.user, return_index=True)
    return np.sort(ordered.end[first])


def _reached(times: Floats, users: int, share: int) -> float | None:
    rank = -(-share * users // 100)
    return float(times[rank - 1]) if 0 < rank <= len(times) else None


def misdirected(
    operations: Operations, fault: float, dead: AbstractSet[str]
) -> tuple[Misdirected, ...]:
    """Operations of every kind, started after the fault, whose last attempt went to the dead."""
    gone = _gone(operations, dead)
    found = []
    for name, honours in _groups(operations):
        mine = operations.members(name, honours) & (operations.start > fault)
        wrong = operations.start[mine & np.isin(operations.address, gone)]
        last = float(wrong.max()) - fault if len(wrong) else None
        found.append(Misdirected(name, honours, len(wrong), last))
    return tuple(found)


def _groups(operations: Operations) -> Iterable[tuple[str, bool]]:
    """Populations, their users that honour TTLs first; those that ignore them if there are any."""
    for name in operations.names.populations:
        yield name, True
        if operations.members(name, honours_ttl=False).any():
            yield name, False


def _gone(operations: Operations, dead: AbstractSet[str]) -> list[int]:
    return [n for n, address in enumerate(operations.names.addresses) if address in dead]
