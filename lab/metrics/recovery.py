"""RTO from single writes: from which moment on could users write again?

Pure, over columns. Times are CLOCK_MONOTONIC seconds, durations are seconds. A write is
*acknowledged* when its outcome is `ok`: `local` (the wait for replication was cancelled) is a
warning, not service.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from lab.metrics.traffic import widest
from lab.records.columns import Flags, Floats, Operations
from lab.records.thresholds import PATIENCE, SHARE, WINDOW

_CHUNK: Final = 4096


@dataclass(frozen=True, slots=True)
class Recovery:
    """How long one group of users could not write.

    `seconds` is the RTO, None when no return was proven; it is then more than `at_least`.
    `first_write` is the time to the first acknowledged write after the interruption, whether or
    not service held from then on; None when none was seen. `interrupted` is None when nothing was
    recorded. `started` and `served` count the writes of the window that proves the figure, `row`
    is the write that begins it. `relapsed`: seconds after the fault at which the first write was
    started that was not served in a later window below the share.
    """

    population: str
    honours_ttl: bool
    seconds: float | None
    why: str
    interrupted: bool | None = None
    at_least: float = 0.0
    first_write: float | None = None
    row: int | None = None
    started: int = 0
    served: int = 0
    relapsed: float | None = None


def recovery(
    writes: Operations,
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

    The first write is the one that ends the group's longest silence (time without an
    acknowledgement) among those that begin after the fault and before the return, of equal ones
    the first; 0 when never interrupted. Without a return all silences up to the end of the record
    are looked at, and the first write is None when the longest of them lasts until that end.
    """
    end = min(until, float(writes.start.max())) if len(writes) else until
    group = _Group(writes.group(population, honours_ttl), fault_started, end, window, patience)
    return group.verdict(population, honours_ttl, until)


def recoveries(
    writes: Operations,
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
    groups = {(population, False) for population in populations}
    for name in writes.names.populations:
        for honours in (True, False):
            if writes.members(name, honours).any():
                groups.add((name, not honours))
    return tuple(
        recovery(
            writes,
            fault_started,
            until,
            population=population,
            honours_ttl=not ignores,
            window=window,
            patience=patience,
        )
        for population, ignores in sorted(groups)
    )


class _Group:
    """The search for the moment from which on one group's writes are served.

    Writes are held in the order of their start with running sums, so that any number of windows
    costs two bisections each.
    """

    def __init__(
        self, writes: Operations, fault: float, end: float, window: float, patience: float
    ) -> None:
        self._recorded = len(writes)
        # Every window begins with the fault or later, and so does what is started in it.
        self._writes = writes = writes.ended(fault)
        order = writes.by_start()
        served = writes.served(patience)[order]
        self._starts = writes.start[order]
        self._unserved = np.flatnonzero(~served)
        self._sums = np.concatenate(([0], np.cumsum(served)))
        self._fault, self._end, self._window = fault, end, window

    def verdict(self, population: str, honours_ttl: bool, until: float) -> Recovery:
        """The recovery of the group; a silence without a return ends with `until` at the latest."""
        if not self._recorded:
            return Recovery(population, honours_ttl, None, "no write was recorded")
        if self._holds(np.array([self._fault]))[0]:
            why = "never interrupted: writes were served from the fault on"
            return self._found(population, honours_ttl, self._fault, why, None)
        place = self._first_that_holds()
        if place is not None:
            why = (
                "service counts as back from this acknowledgement on: the writes after it were"
                " served"
            )
            at = float(self._writes.end[place])
            return self._found(population, honours_ttl, at, why, int(self._writes.row[place]))
        bound = max(0.0, self._end - self._window - self._fault)
        why = f"no return within the record, watched for {bound:.1f} s after the fault"
        first = self._first_write(until)
        return Recovery(population, honours_ttl, None, why, True, bound, first)

    def _first_that_holds(self) -> int | None:
        """Place of the earliest acknowledgement after the fault that holds, looked for in parts."""
        candidates = np.flatnonzero(self._writes.ok)
        for begin in range(0, len(candidates), _CHUNK):
            part = candidates[begin : begin + _CHUNK]
            holding = self._holds(self._writes.end[part])
            if holding.any():
                return int(part[np.argmax(holding)])
        return None

    def _found(
        self, population: str, honours_ttl: bool, at: float, why: str, row: int | None
    ) -> Recovery:
        started, served = self._count(np.array([at]))
        return Recovery(
            population=population,
            honours_ttl=honours_ttl,
            seconds=at - self._fault,
            why=why,
            interrupted=row is not None,
            first_write=0.0 if row is None else self._first_write(at),
            row=row,
            started=int(started[0]),
            served=int(served[0]),
            relapsed=self._relapse(at),
        )

    def _count(self, moments: Floats) -> tuple[Floats, Floats]:
        """(started, served) of the writes started in (moment, moment + window], per moment."""
        low = np.searchsorted(self._starts, moments, side="right")
        high = np.searchsorted(self._starts, moments + self._window, side="right")
        return (high - low).astype(np.float64), (self._sums[high] - self._sums[low]).astype(
            np.float64
        )

    def _holds(self, moments: Floats) -> Flags:
        started, served = self._count(moments)
        inside = moments + self._window <= self._end
        found: Flags = inside & (started > 0) & (100 * served >= SHARE * started)
        return found

    def _first_write(self, back: float) -> float | None:
        """Seconds from the fault to what ended the longest silence that begins before `back`."""
        ends = self._writes.end[self._writes.ok]
        silence = widest(ends, self._fault, back)
        after = ends[(ends > silence.started) & (ends <= back)]
        return float(after.min()) - self._fault if len(after) else None

    def _relapse(self, moment: float) -> float | None:
        """The later windows, one after the other, that lie inside the record."""
        whole = int((self._end - moment) / self._window)
        moments = moment + self._window * np.arange(1, whole, dtype=np.float64)
        started, served = self._count(moments)
        bad = np.flatnonzero(100 * served < SHARE * started)
        if not len(bad):
            return None
        low = np.searchsorted(self._starts, moments[bad[0]], side="right")
        first = self._unserved[np.searchsorted(self._unserved, low)]
        return float(self._starts[first]) - self._fault
