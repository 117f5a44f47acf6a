"""Where users went after the fault: who had to move, how soon they did, what went to the dead.

Pure, over columns. Times are CLOCK_MONOTONIC seconds, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np

from lab.metrics.traffic import nearest_rank
from lab.records.columns import Flags, Floats, Operations, Places, distinct
from lab.records.resultrows import MOVED


@dataclass(frozen=True, slots=True)
class Movement:
    """How one group of users came to another region.

    `users` had to move: the last operation that they started before the fault went to an address
    that died. `times` are seconds after the fault until each share of MOVED had moved, None where
    the record ends before that.
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
    operation's address is that of its last attempt. Groups of which no user had to move are listed
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
    known = group.take(group.address >= 0)
    names, user = distinct(known.user)
    at_gone, before = np.isin(known.address, gone), known.start <= fault
    last = _last_started(known, user, before, len(names))
    had_to = np.zeros(len(names), dtype=np.bool_)
    had_to[user[last[at_gone[last]]]] = True
    arrived = np.flatnonzero(~before & known.ok & ~at_gone & had_to[user])
    times = _first_ends(known.end[arrived], user[arrived], len(names)) - fault
    users = int(np.count_nonzero(had_to))
    reached = tuple(_reached(times, users, each.share) for each in MOVED.values())
    return Movement(name, honours, users, len(times), reached)


def _last_started(operations: Operations, user: Places, which: Flags, users: int) -> Places:
    """The place of each user's operation that was started last; of equal ones, that ended last."""
    places = np.flatnonzero(which)
    starts, mine = operations.start[places], user[places]
    latest = np.full(users, -np.inf)
    np.maximum.at(latest, mine, starts)
    of_those = starts == latest[mine]
    last = np.full(users, -1, dtype=np.intp)
    np.maximum.at(last, mine[of_those], places[of_those])
    return last[last >= 0]


def _first_ends(ends: Floats, user: Places, users: int) -> Floats:
    """The earliest end of each user that has any, sorted."""
    first = np.full(users, np.inf)
    np.minimum.at(first, user, ends)
    return np.sort(first[np.isfinite(first)])


def _reached(times: Floats, users: int, share: float) -> float | None:
    rank = nearest_rank(share, users)
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
