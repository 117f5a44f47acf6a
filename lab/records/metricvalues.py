"""How metrics are read from a result: each function gives all values of one. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lab.core.verdict import Found
from lab.records.metric import MOST, WHOLE, Values, worst
from lab.records.result import Result
from lab.records.resultrows import PopulationRow, RecoveryRow


def whole(value: float | None, detail: str = "", at_least: float | None = None) -> Values:
    """One value, of the whole run."""
    return {WHOLE: Found(value, detail, at_least)}


def field(name: str) -> Callable[[Result], Values]:
    """A field of the document."""
    return lambda result: whole(getattr(result, name))


def wal_bytes(result: Result) -> Values:
    """Without a fault there is nothing to measure from."""
    no_fault = "there was no fault to measure from" if result.rpo_seconds is None else ""
    return whole(result.rpo_wal_bytes, no_fault)


def bounded(name: str) -> Callable[[Result], Values]:
    """A field of split brain: acknowledgements that name no timeline leave a lower bound."""

    def find(result: Result) -> Values:
        if getattr(result, name) is not None:
            return whole(getattr(result, name))
        many = result.split_brain_untraced or "some"
        detail = f"{many} acknowledgements name no timeline"
        return whole(None, detail, getattr(result, f"{name}_at_least"))

    return find


def of_users(pick: Callable[[PopulationRow], float | None]) -> Callable[[Result], Values]:
    """A value of each population."""

    def find(result: Result) -> Values:
        picked = {row.population: pick(row) for row in result.populations}
        return {
            name: Found(value, "" if value is None else f"users {name}")
            for name, value in picked.items()
        }

    return find


def of_latency(percentile: str) -> Callable[[Result], Values]:
    """A percentile of each population's latency before anything was done to it."""
    return of_users(lambda row: getattr(row.before, percentile))


def returns(result: Result) -> Values:
    """RTO of each population and of the slowest; those that ignore TTLs are left out."""
    rows = [row for row in result.recoveries if row.honours_ttl]
    told = {row.population: _back(row) for row in rows} | {MOST: worst([*map(_back, rows)])}
    return {
        whom: replace(told.get(whom, Found(None)), value=seconds)
        for whom, seconds in result.rto_seconds.items()
    }


def _back(row: RecoveryRow) -> Found:
    return Found(row.seconds, f"users {row.population}: {row.why}", row.at_least)


def relapses(result: Result) -> Values:
    """Populations that honour TTLs and were interrupted again."""
    if not result.recoveries:
        return {}
    return whole(sum(r.relapsed is not None for r in result.recoveries if r.honours_ttl))


def phases(result: Result) -> Values:
    """Seconds of each phase."""
    told = {True: "", False: " has neither a mark nor a step"}
    return {
        row.phase.value: Found(row.seconds, f"phase {row.phase}{told[row.seconds is not None]}")
        for row in result.rto_phases
    }


def moved(result: Result) -> Values:
    """Of each population that had to move: until nearly all who honour TTLs had moved."""
    told = {True: "", False: ": had not moved before the record ended"}
    return {
        row.population: Found(row.t99, f"users {row.population}{told[row.t99 is not None]}")
        for row in result.movements
        if row.honours_ttl and row.users
    }


def full_recovery(result: Result) -> Values:
    """Its bound is known where it was not seen."""
    found, least = result.full_recovery_seconds, result.full_recovery_at_least
    if found is not None:
        return whole(found)
    return whole(None, "" if least is None else "not within the record", least)


def over_limit(result: Result) -> Values:
    """With the limit."""
    limit = result.latency_limit
    return whole(result.seconds_over_limit, "" if limit is None else f"limit {limit * 1000:.0f} ms")


def stale(result: Result) -> Values:
    """Stale reads of orders that were not lost."""
    return whole(sum(not row.lost for row in result.stale_reads))


def seen_then_gone(result: Result) -> Values:
    """Its rows; an older run has no list of them."""
    rows = result.seen_then_gone
    return whole(None if rows is None else len(rows))


def unaccounted(result: Result) -> Values:
    """With the databases that were not read."""
    unread = result.unread
    return whole(result.unaccounted, f"could not be read: {', '.join(unread)}" if unread else "")


def record_gaps(result: Result) -> Values:
    """With each gap in words."""
    return whole(result.record_gaps, "; ".join(result.record_gap_reasons))


def before_fault(result: Result) -> Values:
    """Of the population that had least."""
    each = [
        round((row.before.acknowledged_per_second or 0.0) * row.before.seconds)
        for row in result.populations
    ]
    return whole(
        min(each, default=0), "acknowledged writes of the population with the fewest writes"
    )


def load_pause(result: Result) -> Values:
    """Of the population that paused longest."""
    each = [row.load_pause_seconds for row in result.populations]
    return whole(max((value for value in each if value is not None), default=None))
