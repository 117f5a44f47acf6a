"""How long it was worse than before: budget spent, seconds over the limit, full recovery.

Pure, over columns. Times are CLOCK_MONOTONIC seconds, durations are seconds. A write is served
when it was acknowledged within the users' patience (see lab.metrics.recovery).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from lab.metrics.traffic import SecondLatency
from lab.records.columns import Operations
from lab.records.thresholds import CAPACITY, DAYS, SHARE, SPIKE, TARGETS


@dataclass(frozen=True, slots=True)
class Budget:
    """An error budget, and what this outage spent of it (`spent` is a share: 0.5 is half)."""

    target: float
    seconds: float
    spent_seconds: float

    @property
    def spent(self) -> float:
        """Share of the budget."""
        return self.spent_seconds / self.seconds


def budgets(
    writes: Operations, since: float, fault: float, until: float, patience: float
) -> tuple[Budget, ...]:
    """What the outage cost of the budgets of TARGETS over DAYS.

    Budget = (1 - target) * DAYS * 86,400 s. Spent seconds = writes started in (fault, until] that
    were not served / writes started per second in (since, fault]: half of the users out for ten
    seconds costs five. Empty when nothing was started before the fault.
    """
    before = np.count_nonzero((writes.start > since) & (writes.start <= fault))
    if not before:
        return ()
    after = (writes.start > fault) & (writes.start <= until)
    unserved = np.count_nonzero(after & ~writes.served(patience))
    spent = float(unserved) * (fault - since) / float(before)
    return tuple(Budget(each, (1 - each) * DAYS * 86_400, spent) for each in TARGETS)


@dataclass(frozen=True, slots=True)
class FullRecovery:
    """Seconds from the fault until everything was as before; None: later than `at_least`."""

    seconds: float | None
    at_least: float


def full_recovery(
    writes: Operations, since: float, fault: float, until: float, window: float, patience: float
) -> FullRecovery | None:
    """Back to a steady error rate and capacity, all users together, also those that ignore TTLs.

    The time after the fault is cut into whole seconds (by start). A second is good when at least
    99 % of its writes were served and these are at least 90 % of what was served per second in
    (since, fault]. Full recovery is the end of the last second that is not good, 0 if all are;
    it counts when at least `window` seconds of the record follow. None without any load before.
    """
    served = writes.served(patience)
    before = np.count_nonzero(served & (writes.start > since) & (writes.start <= fault))
    if not before:
        return None
    least = CAPACITY / 100 * float(before) / (fault - since)
    whole = int(until - fault)
    seconds = np.floor(writes.start - fault).astype(np.int64)
    inside = (seconds >= 0) & (seconds < whole)
    started = np.bincount(seconds[inside], minlength=whole)
    done = np.bincount(seconds[inside & served], minlength=whole)
    bad = np.flatnonzero((100 * done < SHARE * started) | (done < least))
    back = float(bad[-1] + 1) if len(bad) else 0.0
    return FullRecovery(back if until - fault - back >= window else None, max(0.0, back))


@dataclass(frozen=True, slots=True)
class Spike:
    """Seconds after the fault in which a population's p99 was above `limit` (seconds)."""

    limit: float
    seconds: int


def spike(
    per_second: Iterable[SecondLatency], p99_before: Iterable[float | None], last: int
) -> Spike | None:
    """Seconds 0..`last` after the fault (by start) with any population's p99 over the limit.

    The limit is SPIKE times the highest p99 before the fault. Writes that were never acknowledged
    count as endless. None when nothing was acknowledged before the fault.
    """
    known = [value for value in p99_before if value is not None]
    if not known:
        return None
    limit = SPIKE * max(known)
    over = {
        row.at for row in per_second if 0 <= row.at <= last and (row.p99 is None or row.p99 > limit)
    }
    return Spike(limit, len(over))
