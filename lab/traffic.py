"""What the load looked like: counts per second, latencies, rates and silences.

Pure. Times are CLOCK_MONOTONIC seconds, durations are seconds.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.history import Operation, Outcome


@dataclass(frozen=True, slots=True)
class Second:
    """How many operations ended in one second with one outcome, answered by one region.

    `at` counts whole seconds from the origin: 0 is [origin, origin + 1). `region` is None where no
    server answered.
    """

    at: int
    region: str | None
    outcome: Outcome
    count: int


def per_second(operations: Iterable[Operation], origin: float) -> tuple[Second, ...]:
    """Count operations by the second in which they ended, sorted; seconds of none are left out."""
    counts = Counter(
        (math.floor(item.end - origin), item.region or "", item.outcome) for item in operations
    )
    ordered = sorted(counts.items())
    return tuple(Second(at, region or None, told, n) for (at, region, told), n in ordered)


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles of the latency of acknowledged writes; None when there were none."""

    count: int
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None


def latency(writes: Iterable[Operation], after: float, to: float) -> Latency:
    """Latency (first attempt's start to final answer) of writes acknowledged within (after, to].

    Writes that were started before `after` are left out, so that one second of failover does not
    show up in the figures of the time after it.
    """
    values = sorted(
        item.latency
        for item in writes
        if item.outcome is Outcome.OK and item.start > after and item.end <= to
    )
    if not values:
        return Latency(0)
    return Latency(len(values), *(percentile(values, share) for share in (50, 95, 99)))


def percentile(ordered: Sequence[float], share: int) -> float:
    """Nearest-rank percentile: the smallest value that `share` % of the values do not exceed.

    `ordered` is sorted and not empty, `share` is 1..100. No value is invented by interpolation.
    """
    return ordered[-(-share * len(ordered) // 100) - 1]


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch of `seconds` from `started` on in which something did not happen."""

    started: float
    seconds: float


def longest_gap(writes: Iterable[Operation], since: float, until: float) -> Gap:
    """The longest time within [since, until] without an acknowledged (`ok`) write.

    Both borders end a silence, so without any acknowledgement the whole stretch is one.
    """
    return _widest([w.end for w in writes if w.outcome is Outcome.OK], since, until)


def longest_pause(writes: Iterable[Operation], since: float, until: float) -> Gap:
    """The longest time within [since, until] in which no write was started.

    Load runs on its own clock, so a pause is a fault of the measurement: nobody tried.
    """
    return _widest([w.start for w in writes], since, until)


def _widest(moments: Iterable[float], since: float, until: float) -> Gap:
    points = [since, *sorted(at for at in moments if since < at < until), until]
    start, end = max(pairwise(points), key=lambda pair: pair[1] - pair[0])
    return Gap(start, end - start)


@dataclass(frozen=True, slots=True)
class Rate:
    """Writes started and writes acknowledged in a stretch of `seconds`."""

    started: int
    acknowledged: int
    seconds: float

    @property
    def started_per_second(self) -> float | None:
        """Offered load; None for an empty stretch."""
        return self.started / self.seconds if self.seconds > 0 else None

    @property
    def acknowledged_per_second(self) -> float | None:
        """Goodput; None for an empty stretch."""
        return self.acknowledged / self.seconds if self.seconds > 0 else None


def rate(writes: Iterable[Operation], since: float, until: float) -> Rate:
    """Count by start (offered) and by end (acknowledged `ok`) within (since, until]."""
    started = acknowledged = 0
    for item in writes:
        started += since < item.start <= until
        acknowledged += item.outcome is Outcome.OK and since < item.end <= until
    return Rate(started, acknowledged, max(0.0, until - since))
