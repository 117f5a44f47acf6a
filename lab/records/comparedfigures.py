"""The figures of a result that are put beside those of other runs: rows that name and read them.

A figure has a name such as `lost` or `rto_seconds.east`; what stands after the first dot says of
whom it is. Pure.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from lab.core.errors import UnknownName
from lab.records.result import Result

Values = Mapping[str, float | None]


class Better(StrEnum):
    """Which of two values one would rather have."""

    LOWER = "lower"
    HIGHER = "higher"
    NEITHER = "neither"


@dataclass(frozen=True, slots=True)
class Reading:
    """One figure, or one figure of each of several (users, phases): then `title` has a gap.

    `find` gives values by whom they are of, "" for the whole run. `headline` figures are shown
    first and always, the others where there is room.
    """

    name: str
    title: str
    unit: str
    better: Better
    find: Callable[[Result], Values]
    headline: bool = False


def _field(name: str) -> Callable[[Result], Values]:
    return lambda result: {"": getattr(result, name)}


def _phases(result: Result) -> Values:
    return {item.phase.value: item.seconds for item in result.rto_phases}


def _before(quantile: str) -> Callable[[Result], Values]:
    return lambda result: {
        item.population: getattr(item.before, quantile) for item in result.populations
    }


def _of_users(name: str) -> Callable[[Result], Values]:
    return lambda result: {item.population: getattr(item, name) for item in result.populations}


def _stale(result: Result) -> Values:
    return {"": sum(not row.lost for row in result.stale_reads)}


def _moved(result: Result) -> Values:
    """Until nearly all users who honour TTLs had come to the region that took over."""
    return {item.population: item.t99 for item in result.movements if item.honours_ttl}


LOWER, NEITHER = Better.LOWER, Better.NEITHER

READINGS: Final = (
    Reading("acknowledged", "acknowledged", "writes", NEITHER, _field("acknowledged"), True),
    Reading("lost", "lost", "writes", LOWER, _field("lost"), True),
    Reading("rpo_seconds", "RPO", "s", LOWER, _field("rpo_seconds"), True),
    Reading("rto_seconds", "RTO, {}", "s", LOWER, lambda result: result.rto_seconds, True),
    Reading(
        "longest_gap_seconds", "longest pause, {}", "s", LOWER, _of_users("longest_gap_seconds")
    ),
    Reading(
        "longest_read_gap_seconds",
        "longest pause of reads, {}",
        "s",
        LOWER,
        _of_users("longest_read_gap_seconds"),
    ),
    Reading("split_brain_writes", "split brain", "writes", LOWER, _field("split_brain_writes")),
    Reading("split_brain_seconds", "split-brain time", "s", LOWER, _field("split_brain_seconds")),
    Reading("rpo_wal_bytes", "WAL of the lost", "bytes", LOWER, _field("rpo_wal_bytes")),
    Reading("orphaned", "lost, on an old machine", "writes", LOWER, _field("orphaned")),
    Reading("unaccounted", "lost, nowhere", "writes", LOWER, _field("unaccounted")),
    Reading("unexpected", "failed, but there", "writes", LOWER, _field("unexpected")),
    Reading("duplicated", "there twice", "writes", LOWER, _field("duplicated")),
    Reading("unknown", "no answer", "writes", LOWER, _field("unknown")),
    Reading("stale_reads", "stale reads", "reads", LOWER, _stale),
    Reading("phase_seconds", "phase: {}", "s", LOWER, _phases),
    Reading("full_recovery_seconds", "full recovery", "s", LOWER, _field("full_recovery_seconds")),
    Reading("seconds_over_limit", "too slow", "s", LOWER, _field("seconds_over_limit")),
    Reading("moved_seconds", "99 % moved, {}", "s", LOWER, _moved),
    Reading("p50_before", "p50 before, {}", "s", LOWER, _before("p50")),
    Reading("p99_before", "p99 before, {}", "s", LOWER, _before("p99")),
)
SLOWEST: Final = {"max": "slowest users"}


def read(result: Result) -> dict[str, float | None]:
    """Every figure of a result by its full name; null was not measured."""
    return {
        f"{row.name}.{whom}" if whom else row.name: value
        for row in READINGS
        for whom, value in row.find(result).items()
    }


def reading(name: str) -> Reading:
    """The row of a figure by its full name, its title filled. Raises UnknownName."""
    stem, _, whom = name.partition(".")
    for row in READINGS:
        if row.name == stem:
            return replace(row, name=name, title=row.title.format(SLOWEST.get(whom, whom)))
    raise UnknownName("figure", name, (row.name for row in READINGS))


def ordered(names: Mapping[str, object]) -> list[str]:
    """Names of figures in the order of the rows, unknown ones left out; others as they came."""
    place = {row.name: number for number, row in enumerate(READINGS)}
    known = [name for name in names if name.partition(".")[0] in place]
    return sorted(known, key=lambda name: place[name.partition(".")[0]])
