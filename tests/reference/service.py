"""How well users were served: latencies, whole seconds, budgets."""

from __future__ import annotations

from fractions import Fraction

from lab.records.history import Operation
from reference.case import Case, acknowledged, nearest_rank, served
from reference.returns import rto

MONTH = 30 * 86400
INFINITE = float("inf")


Stretch = tuple[float | None, ...]
"""Seconds, writes started and acknowledged per second, p50, p95, p99 and p99.9."""

PERCENTS = (50, 95, 99, Fraction(999, 10))


def stretch(writes: list[Operation], begin: float, end: float) -> Stretch:
    """Writes started in (begin, end], those acknowledged in it, and the latencies of both."""
    seconds = max(0.0, end - begin)
    started = [item for item in writes if begin < item.start <= end]
    acks = [item for item in writes if acknowledged(item) and begin < item.end <= end]
    both = [item.end - item.start for item in acks if begin < item.start]
    rates = (len(each) / seconds if seconds > 0 else None for each in (started, acks))
    return seconds, *rates, *(nearest_rank(both, percent) for percent in PERCENTS)


def stretches(case: Case, population: str) -> dict[str, Stretch | None]:
    """Before the fault, from it to the population's return, and after the return."""
    writes = case.writes_of(population)
    if case.acted is None:
        return {"before": stretch(writes, case.steady, case.ended), "during": None, "after": None}
    back = rto(case, (population, True))
    held = back.seconds if back else None
    until = case.ended if held is None else case.acted + held
    return {
        "before": stretch(writes, case.steady, case.acted),
        "during": stretch(writes, case.acted, until),
        "after": None if held is None else stretch(writes, until, case.ended),
    }


def latency_limit(case: Case) -> float | None:
    """Twice the slowest population's p99 before the fault."""
    if case.acted is None:
        return None
    found = [stretch(case.writes_of(name), case.steady, case.acted) for name in case.names]
    known = [p99 for *_, p99, _ in found if p99 is not None]
    return 2 * max(known) if known else None


def whole_seconds(case: Case) -> int:
    """How many whole seconds of record follow the fault."""
    return max(0, int(case.ended - case.acted)) if case.acted is not None else 0


def started_in(case: Case, writes: list[Operation], second: int) -> list[Operation]:
    begin = (case.acted or 0.0) + second
    return [item for item in writes if begin <= item.start < begin + 1]


def seconds_over_limit(case: Case) -> int | None:
    limit = latency_limit(case)
    if limit is None:
        return None
    over = 0
    for second in range(whole_seconds(case)):
        for name in case.names:
            inside = started_in(case, case.writes_of(name), second)
            took = [item.end - item.start if acknowledged(item) else INFINITE for item in inside]
            p99 = nearest_rank(took, 99)
            if p99 is not None and p99 > limit:
                over += 1
                break
    return over


def full_recovery(case: Case) -> tuple[float | None, float | None]:
    """Seconds until every later second was good, and a bound if the record does not show it."""
    if case.acted is None:
        return None, None
    before = [item for item in case.writes if case.steady < item.start <= case.acted]
    length, done = Fraction(case.acted) - Fraction(case.steady), sum(map(served, before))
    if not done or length <= 0:
        return None, None
    last = 0
    for second in range(whole_seconds(case)):
        inside = started_in(case, case.writes, second)
        good = sum(map(served, inside))
        if 100 * good < 99 * len(inside) or 10 * good * length < 9 * done:
            last = second + 1
    if case.ended - case.acted - last < 5:
        return None, float(last)
    return float(last), float(last)


def spent_seconds(case: Case) -> float | None:
    """Writes that were not served after the fault, in seconds of the load before it."""
    if case.acted is None or case.acted <= case.steady:
        return None
    before = [item for item in case.writes if case.steady < item.start <= case.acted]
    if not before:
        return None
    after = [item for item in case.writes if case.acted < item.start <= case.ended]
    missed = sum(not served(item) for item in after)
    return missed / (len(before) / (case.acted - case.steady))


def budget(target: float) -> float:
    return (1 - target) * MONTH
