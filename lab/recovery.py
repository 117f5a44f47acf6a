"""RTO from single writes: from which moment on could users write again?

Pure. Times are CLOCK_MONOTONIC seconds, durations are seconds. A write is *acknowledged* when its
outcome is `ok`: `local` (the wait for replication was cancelled) is a warning, not service.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from operator import attrgetter
from typing import Final

from lab.history import Operation, Outcome

WINDOW: Final = 5.0
"""Seconds over which a recovery must hold. Interruptions under 1 % of it (50 ms) are not seen."""

PATIENCE: Final = 1.5
"""Seconds after which a user gives up one attempt: a write that took longer was not served."""

SHARE: Final = 99
"""Percent of the writes started in the window that must be served."""


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long one group of users could not write.

    `seconds` is the RTO, None when no return was proven; it is then more than `at_least`.
    `interrupted` is None when nothing was recorded. `started` and `served` count the writes of the
    window that proves the figure. `relapsed`: seconds after the fault at which the first write
    was started that was not served in a later window below the share.
    """

    population: str
    honours_ttl: bool
    seconds: float | None
    why: str
    interrupted: bool | None = None
    at_least: float = 0.0
    first: Operation | None = None
    started: int = 0
    served: int = 0
    relapsed: float | None = None


def recovery(
    writes: Iterable[Operation],
    fault_started: float,
    until: float,
    *,
    population: str,
    honours_ttl: bool = True,
    window: float = WINDOW,
    patience: float = PATIENCE,
) -> Recovery:
    """RTO of one group: the writes of `population` whose users honour DNS TTLs or do not.

    A write is *served* when it is acknowledged within `patience` of its start: one that the user
    had to try again and again was not. A moment t *holds* when at least one write was started in
    (t, t + window] and at least 99 % of those were served.

    RTO = 0 exactly, "never interrupted", when the fault's own moment holds. Else it is t - fault
    for the earliest acknowledgement t after the fault that holds: a write started before the fault
    may be that one, and acknowledgements of the dying region are not, because what follows them is
    not served. None when no acknowledgement holds. A window must lie inside the record: it ends
    with `until` (users were asked to stop) or with the last start recorded, if that is earlier.
    """
    every = list(writes)
    group = _Started(
        [w for w in every if w.population == population and w.honours_ttl is honours_ttl], patience
    )
    end = min([until, max((w.start for w in every), default=until)])
    judge = _Judge(group, fault_started, end, window)
    return judge.verdict(population, honours_ttl)


def recoveries(
    writes: Iterable[Operation],
    fault_started: float,
    until: float,
    *,
    populations: Iterable[str] = (),
    window: float = WINDOW,
    patience: float = PATIENCE,
) -> tuple[Recovery, ...]:
    """`recovery` of every group: of users that honour TTLs, then of those that do not.

    `populations` names those that must appear even when they wrote nothing.
    """
    every = list(writes)
    silent = {(population, False) for population in populations}
    groups = sorted(silent | {(w.population, not w.honours_ttl) for w in every})
    return tuple(
        recovery(
            every,
            fault_started,
            until,
            population=population,
            honours_ttl=not ignores,
            window=window,
            patience=patience,
        )
        for population, ignores in groups
    )


class _Started:
    """Writes in the order of their start, with running sums: any window costs two bisections."""

    def __init__(self, writes: Sequence[Operation], patience: float) -> None:
        self.writes = sorted(writes, key=attrgetter("start"))
        self.starts = [w.start for w in self.writes]
        self.served = [w.outcome is Outcome.OK and w.latency <= patience for w in self.writes]
        self._sums = list(accumulate(self.served, initial=0))

    def window(self, after: float, to: float) -> tuple[int, int]:
        """(started, served) of the writes started in (after, to]."""
        low, high = bisect_right(self.starts, after), bisect_right(self.starts, to)
        return high - low, self._sums[high] - self._sums[low]

    def first_unserved(self, after: float) -> float:
        """Start of the first write after a moment that was not served."""
        low = bisect_right(self.starts, after)
        return self.starts[self.served.index(False, low)]


@dataclass(frozen=True, slots=True)
class _Judge:
    """The search for the moment from which on writes are served."""

    group: _Started
    fault: float
    end: float
    window: float

    def verdict(self, population: str, honours_ttl: bool) -> Recovery:
        if not self.group.writes:
            return Recovery(population, honours_ttl, None, "no write was recorded")
        if self._holds(self.fault):
            why = "never interrupted: writes were served from the fault on"
            return self._found(population, honours_ttl, self.fault, why, None)
        for item in sorted(self.group.writes, key=attrgetter("end")):
            if item.outcome is Outcome.OK and item.end > self.fault and self._holds(item.end):
                why = "first acknowledgement from which on writes were served"
                return self._found(population, honours_ttl, item.end, why, item)
        bound = max(0.0, self.end - self.window - self.fault)
        why = f"no return within the record, watched for {bound:.1f} s after the fault"
        return Recovery(population, honours_ttl, None, why, True, bound)

    def _found(
        self, population: str, honours_ttl: bool, at: float, why: str, first: Operation | None
    ) -> Recovery:
        started, served = self.group.window(at, at + self.window)
        return Recovery(
            population=population,
            honours_ttl=honours_ttl,
            seconds=at - self.fault,
            why=why,
            interrupted=first is not None,
            first=first,
            started=started,
            served=served,
            relapsed=self._relapse(at),
        )

    def _holds(self, moment: float) -> bool:
        started, served = self.group.window(moment, moment + self.window)
        return self._inside(moment) and started > 0 and 100 * served >= SHARE * started

    def _inside(self, moment: float) -> bool:
        return moment + self.window <= self.end

    def _relapse(self, moment: float) -> float | None:
        """The later windows, one after the other, that lie inside the record."""
        moment += self.window
        while self._inside(moment):
            started, served = self.group.window(moment, moment + self.window)
            if 100 * served < SHARE * started:
                return self.group.first_unserved(moment) - self.fault
            moment += self.window
        return None
