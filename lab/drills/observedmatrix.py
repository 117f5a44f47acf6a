"""What users saw of a runbook, read from their own record: the observed half of a matrix. Pure.

The vector has the same parts as a predicted one (`lab.runbooks.predict`). Times are the engine's
CLOCK_MONOTONIC seconds.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from lab.metrics.measure import split_brain
from lab.records import columns
from lab.records.history import Kind, Operation, Outcome
from lab.runbooks.predict import End, Vector

PATIENCE: Final = 0.8
"""Seconds before the users' stop from which on operations may have been cut by it."""


FIRST: Final = 1.0
"""Seconds from the first read of a newcomer's catalogue on in which a miss is that of the first."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a run brought home.

    `struck` is when the fault began, `settled` when the last step was done and users had had time
    to follow it, `stopped` when they were asked to stop. `kept` are the keys of orders on the node
    that counts, `primary` its name on the server side; `primaries` are all that say they are one.
    """

    operations: Sequence[Operation]
    struck: float
    settled: float
    stopped: float
    kept: AbstractSet[str]
    primary: str
    primaries: Collection[str]
    failed: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """What one run did to users.

    `lost` are keys of acknowledged orders that the primary does not have, `doubled` counts orders
    acknowledged on an old timeline after one on a newer. `outage` is the time from the fault to
    the last moment before which an order of a user who honours TTLs was refused, None if that
    went on to the end. `stale` counts reads that did not find an order told to be there.
    """

    vector: Vector
    acknowledged: int
    lost: tuple[str, ...]
    doubled: int
    outage: float | None
    stale: int


def observe(found: Evidence) -> Observed:
    """The vector and its figures."""
    since = [each for each in found.operations if each.end > found.struck]
    steady = [each for each in since if each.honours_ttl and each.start < found.stopped - PATIENCE]
    writes = [each for each in since if each.kind is Kind.WRITE]
    double = split_brain(columns.of(writes))
    refused = [each for each in steady if _failed(each, Kind.WRITE)]
    vector = Vector(
        split_brain=double.writes > 0,
        write_errors=bool(refused),
        read_errors=any(_failed(each, Kind.READ) for each in steady),
        cold_reads=_cold(since),
        end=_end(found, steady),
    )
    lost = _lost(found)
    return Observed(
        vector=vector,
        acknowledged=sum(each.outcome is Outcome.OK for each in writes),
        lost=lost,
        doubled=double.writes,
        outage=_outage(refused, found),
        stale=_stale(found.operations, found.struck),
    )


def _failed(each: Operation, kind: Kind) -> bool:
    return each.kind is kind and each.outcome in (Outcome.FAIL, Outcome.UNKNOWN)


def _cold(operations: Iterable[Operation]) -> bool:
    """The first newcomers asked for the catalogue, and the database had to be asked for it.

    It may be one who ignores TTLs. Those who come later meet a miss each time that what the cache
    holds has expired: no step has to do with that.
    """
    first: dict[tuple[str | None, str], float] = {}
    misses: list[Operation] = []
    for each in operations:
        if each.kind is not Kind.READ or each.cache is None or each.region == each.population:
            continue
        where = (each.region, each.population)
        first[where] = min(each.end, first.get(where, each.end))
        misses += [each] if each.cache == "miss" else []
    return any(each.end - first[each.region, each.population] < FIRST for each in misses)


def _end(found: Evidence, steady: Iterable[Operation]) -> End:
    """How things stood once the last step had had its time."""
    last = [each for each in steady if each.kind is Kind.WRITE and each.start >= found.settled]
    taken = [each for each in last if each.outcome is Outcome.OK]
    if found.failed or not taken:
        return End.STUCK
    right = (
        len(taken) == len(last)
        and all(each.node == found.primary for each in taken)
        and set(found.primaries) == {found.primary}
    )
    return End.RIGHT if right else End.WRONG


def _lost(found: Evidence) -> tuple[str, ...]:
    return tuple(
        each.key
        for each in found.operations
        if each.kind is Kind.WRITE and each.outcome is Outcome.OK and each.key not in found.kept
    )


def _outage(refused: Sequence[Operation], found: Evidence) -> float | None:
    if not refused:
        return 0.0
    last = max(each.start for each in refused)
    return None if last >= found.settled else last - found.struck


def _stale(operations: Iterable[Operation], struck: float) -> int:
    acknowledged = {
        (each.key, each.population, each.user): each.end
        for each in operations
        if each.kind is Kind.WRITE and each.outcome is Outcome.OK
    }
    missed = [
        each
        for each in operations
        if each.kind is Kind.READ and each.end > struck and each.found is False
    ]
    told = [acknowledged.get((each.key, each.population, each.user)) for each in missed]
    return sum(at is not None and at <= each.start for at, each in zip(told, missed, strict=True))
