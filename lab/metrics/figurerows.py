"""The rows of result.json, each from what was measured. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from lab.core.verdict import Judgement
from lab.metrics.classify import Classification, Fate
from lab.metrics.figures import PopulationFigures, Stretch
from lab.metrics.incidents import Incident
from lab.metrics.recovery import Recovery
from lab.metrics.seenthengone import SeenThenGone
from lab.metrics.stalereads import StaleRead
from lab.records.history import Location, Outcome
from lab.records.journalfile import StepRecord
from lab.records.readrows import SeenThenGoneRow, StaleReadRow
from lab.records.resultrows import (
    PERCENTILES,
    IncidentRow,
    LostWrite,
    ObjectiveRow,
    OutcomeRow,
    PopulationRow,
    RecoveryRow,
    StepRow,
    StretchRow,
)


def stale_read(row: StaleRead, zero: float) -> StaleReadRow:
    """A read that did not find its order."""
    item = row.read
    return StaleReadRow(
        key=item.key,
        at=item.start - zero,
        population=item.population,
        region=item.region,
        node=item.node,
        age=row.age,
        lost=row.lost,
    )


def seen_then_gone(row: SeenThenGone, zero: float) -> SeenThenGoneRow:
    """An order that was read and is gone."""
    return SeenThenGoneRow(
        key=row.write.key,
        outcome=row.write.outcome,
        told_at=row.write.end - zero,
        population=row.write.population,
        first_read_at=row.first_read - zero,
        reads=row.reads,
    )


def rto(recoveries: Iterable[Recovery]) -> dict[str, float | None]:
    """RTO of each population that honours TTLs, and the longest of them as `max`."""
    honouring = {item.population: item.seconds for item in recoveries if item.honours_ttl}
    seconds = [each for each in honouring.values() if each is not None]
    every = len(seconds) == len(honouring)
    return {**honouring, "max": max(seconds, default=None) if every else None}


def incident(found: Incident, zero: float) -> IncidentRow:
    """What happened, on the time axis that begins at `zero`."""
    return IncidentRow(
        what=found.what,
        started=found.started - zero,
        ended=found.until - zero,
        rto_seconds=rto(found.recoveries),
        gap_seconds=found.gap.seconds if found.gap else None,
    )


def step(step: StepRecord, zero: float) -> StepRow:
    """A step on the time axis that begins at `zero`."""
    return StepRow(
        name=step.name,
        path=step.path,
        started=step.started - zero,
        ended=step.ended - zero,
        outcome=step.outcome,
        evidence=step.evidence,
        why=step.why,
        phase=step.phase,
    )


def objective(item: Judgement) -> ObjectiveRow:
    """An objective with what was found."""
    return ObjectiveRow(
        name=item.objective.name,
        limit=item.objective.limit,
        unit=item.objective.unit,
        comparison=item.objective.comparison,
        why=item.objective.why,
        found=item.found,
        verdict=item.verdict,
        detail=item.detail,
        baseline=item.objective.baseline,
    )


def outcome(outcome: Outcome, found: Classification) -> OutcomeRow:
    """Where the writes are that were told one thing."""
    return OutcomeRow(
        outcome=outcome,
        winner=found.counts.get((outcome, Location.WINNER), 0),
        loser_only=found.counts.get((outcome, Location.LOSER_ONLY), 0),
        nowhere=found.counts.get((outcome, Location.NOWHERE), 0),
    )


def recovery(item: Recovery) -> RecoveryRow:
    """A return."""
    return RecoveryRow(
        population=item.population,
        honours_ttl=item.honours_ttl,
        seconds=item.seconds,
        interrupted=item.interrupted,
        why=item.why,
        started=item.started,
        served=item.served,
        relapsed=item.relapsed,
        at_least=item.at_least if item.interrupted else None,
    )


def population(item: PopulationFigures, zero: float) -> PopulationRow:
    """How one population fared."""
    return PopulationRow(
        population=item.population,
        before=stretch(item.before),
        during=stretch(item.during) if item.during else None,
        after=stretch(item.after) if item.after else None,
        longest_gap_seconds=item.gap.seconds if item.gap else None,
        longest_gap_started=item.gap.started - zero if item.gap else None,
        longest_read_gap_seconds=item.read_gap.seconds if item.read_gap else None,
        longest_read_gap_started=item.read_gap.started - zero if item.read_gap else None,
        load_pause_seconds=item.pause.seconds,
    )


def stretch(item: Stretch) -> StretchRow:
    """Load and latency of one part of a run."""
    return StretchRow(
        seconds=item.rate.seconds,
        started_per_second=item.rate.started_per_second,
        acknowledged_per_second=item.rate.acknowledged_per_second,
        **{name: item.latency.percentiles.get(name) for name in PERCENTILES},
    )


def lost_write(fate: Fate, zero: float) -> LostWrite:
    """A lost write."""
    item = fate.operation
    return LostWrite(
        key=item.key,
        acknowledged_at=item.end - zero,
        population=item.population,
        region=item.region,
        node=item.node,
        timeline=item.timeline,
        xid=item.xid,
        lsn=item.lsn,
        location=fate.location,
        found_on=fate.losers,
    )
