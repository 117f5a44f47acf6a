"""result.json: the figures of one run in a form that people, scripts and reports read.

The document only: `lab.records.resultrows` has its parts, and `lab.metrics.assemble` fills them.
Times are seconds after the fault (`time_zero` names another moment if there was none), durations
are seconds, null means "not measured".
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from lab.core import jsondocuments
from lab.core.verdict import HOLDS, Verdict, worst
from lab.records.history import Location, Outcome
from lab.records.readrows import SeenThenGoneRow, StaleReadRow
from lab.records.resultrows import (
    AddressRow,
    BudgetRow,
    Count,
    Duration,
    IncidentRow,
    LatencyRow,
    LostWrite,
    Machine,
    MisdirectedRow,
    Model,
    Moment,
    MovementRow,
    NodeView,
    ObjectiveRow,
    Opinion,
    OutcomeRow,
    PhaseRow,
    PopulationRow,
    RecoveryRow,
    Scalar,
    StepRow,
    TrafficRow,
    Versions,
    Whole,
)
from lab.records.samples import Sample

SCHEMA: Final[Literal[2]] = 2
"""The version of result.json. Added fields do not change it, a changed meaning does."""


_TOLD: Final = {"acknowledged": Outcome.OK, "local": Outcome.LOCAL, "unknown": Outcome.UNKNOWN}


class Result(Model):
    """All of result.json."""

    schema_version: Literal[2] = SCHEMA
    drill: str
    title: str
    pattern: str
    seed: Whole | None
    verdict: Verdict
    started: str
    command: str
    boot_id: str
    time_zero: Annotated[str, Field(description="the moment that all times are relative to")]
    duration: Duration
    acknowledged: Count
    lost: Count
    lost_ids: tuple[str, ...]
    lost_earlier: Count = 0
    lost_earlier_ids: tuple[str, ...] = ()
    orphaned: Count
    unaccounted: Count
    recovered: Count
    unexpected: Count
    duplicated: Count
    unknown: Count
    local: Count
    local_lost: Count
    unrecorded: Count
    rpo_seconds: Duration | None
    rpo_wal_bytes: Count | None
    rto_seconds: dict[str, Duration | None]
    rto_first_seconds: dict[str, Duration | None] = Field(default_factory=dict)
    rto_window: Duration
    rto_patience: Duration
    rto_phases: tuple[PhaseRow, ...]
    recoveries: tuple[RecoveryRow, ...]
    incidents: tuple[IncidentRow, ...] = ()
    split_brain_writes: Count | None
    split_brain_seconds: Duration | None
    split_brain_certain: Count
    split_brain_untraced: Count = 0
    split_brain_writes_at_least: Count | None = None
    split_brain_seconds_at_least: Duration | None = None
    split_brain_timelines: tuple[Count, ...] = ()
    split_brain_branches: tuple[str, ...] = ()
    full_recovery_seconds: Duration | None = None
    full_recovery_at_least: Duration | None = None
    latency_limit: Duration | None = None
    seconds_over_limit: Count | None = None
    budgets: tuple[BudgetRow, ...] = ()
    movements: tuple[MovementRow, ...] = ()
    misdirected: tuple[MisdirectedRow, ...] = ()
    stale_reads: tuple[StaleReadRow, ...] = ()
    seen_then_gone: tuple[SeenThenGoneRow, ...] | None = None
    opinions: tuple[Opinion, ...] = ()
    latencies: tuple[LatencyRow, ...] = ()
    addresses: tuple[AddressRow, ...] = ()
    samples: tuple[Sample, ...] = ()
    orphans_file: str | None = None
    winner: str
    unread: tuple[str, ...]
    marks: dict[str, Moment]
    steps: tuple[StepRow, ...]
    objectives: tuple[ObjectiveRow, ...]
    outcomes: tuple[OutcomeRow, ...]
    populations: tuple[PopulationRow, ...]
    traffic: tuple[TrafficRow, ...]
    lost_writes: tuple[LostWrite, ...]
    cut_lines: Count
    unheard: tuple[str, ...] = ()
    record_gaps: Count | None = None
    record_gap_reasons: tuple[str, ...] = ()
    before: tuple[NodeView, ...]
    after: tuple[NodeView, ...]
    versions: Versions
    machine: Machine
    settings: dict[str, Scalar]

    @property
    def doubt(self) -> str:
        """What makes the verdict unknown, in words; empty if it is not."""
        if self.verdict is not Verdict.UNKNOWN:
            return ""
        rows = (row for row in self.objectives if row.verdict is Verdict.UNKNOWN)
        told = (f"{row.name}: {row.detail or row.why}" for row in rows)
        return "; ".join(told) or "nothing was judged"

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        """Figures that say the same in two ways must agree: where they do not, one is damaged."""
        for name, figure, of, other in self._twice():
            if figure != other:
                raise ValueError(f"{name} is {figure}, but {of} {other}")
        return self

    def _twice(self) -> Iterator[tuple[str, object, str, object]]:
        """A figure by its name, and what the other place is called that says it, too."""
        yield "lost", self.lost, "the number of lost_ids is", len(self.lost_ids)
        yield "lost_earlier", self.lost_earlier, "keys of them", len(self.lost_earlier_ids)
        keys = tuple(row.key for row in self.lost_writes)
        for named, listed in zip_longest(self.lost_ids, keys, fillvalue="nothing"):
            yield "an entry of lost_ids", named, "lost_writes has there", listed
        nowhere = sum(row.location is Location.NOWHERE for row in self.lost_writes)
        yield "unaccounted", self.unaccounted, "lost_writes that are nowhere:", nowhere
        yield "orphaned", self.orphaned, "lost writes that a loser has:", self.lost - nowhere
        told = {row.outcome: row for row in self.outcomes}
        for name, outcome in _TOLD.items():
            if row := told.get(outcome):
                total = row.winner + row.loser_only + row.nowhere
                yield name, getattr(self, name), f"outcomes told {outcome}:", total
        if row := told.get(Outcome.OK):
            elsewhere = row.loser_only + row.nowhere - self.lost_earlier
            yield "lost", self.lost, "outcomes told ok that the winner lacks:", elsewhere
        gone = {row.key for row in self.seen_then_gone or () if row.outcome is Outcome.OK}
        unlisted = sorted(gone.difference(self.lost_ids))
        yield "seen_then_gone told ok, without lost_ids,", unlisted, "it must be", []
        if row := told.get(Outcome.UNKNOWN):
            yield "recovered", self.recovered, "outcomes told unknown on the winner:", row.winner
        if row := told.get(Outcome.FAIL):
            yield "unexpected", self.unexpected, "outcomes told fail on the winner:", row.winner
        yield from self._judged()
        yield from self._witnessed()
        rows = {row.population for row in self.populations}
        both = rows.union(row.population for row in self.recoveries)
        yield "populations", sorted(rows), "with those of recoveries they are", sorted(both)
        judged = worst(row.verdict for row in self.objectives)
        yield "verdict", self.verdict.value, "the worst of the objectives is", judged.value

    def _judged(self) -> Iterator[tuple[str, object, str, object]]:
        """Objectives say what the figure says that they name, and pass only if it holds."""
        for row in self.objectives:
            if row.found is None:
                continue
            if row.verdict is Verdict.PASS and not HOLDS[row.comparison](row.found, row.limit):
                yield f"the objective {row.name}", "pass", f"it found {row.found:g}:", "no pass"
            figure = self._figure(row.name)
            if figure is not None:
                yield f"the objective {row.name}", row.found, "the figure is", figure

    def _figure(self, name: str) -> float | None:
        """A figure of the document by the name that objectives have for it; None: not in it."""
        if name.partition(".")[0] == "rto_seconds":
            return self.rto_seconds.get(name.partition(".")[2] or "max")
        found = getattr(self, name, None)
        return found if isinstance(found, int | float) else None

    def _witnessed(self) -> Iterator[tuple[str, object, str, object]]:
        """No witness is missing that an objective was judged by."""
        said = {each.name: each.verdict.value for each in self.opinions}
        for row in self.objectives:
            name, _, agrees = row.name.rpartition("_")
            if agrees == "agrees":
                told = said.get(name, "missing")
                yield f"the objective {row.name}", row.verdict.value, "its opinion is", told
            if row.name == "record_gaps" and self.unheard and not row.found:
                yield "record_gaps", "none", "populations without a record:", len(self.unheard)


def to_json(result: Result) -> str:
    """The text of result.json."""
    return result.model_dump_json(indent=2) + "\n"


def from_file(path: Path) -> Result:
    """Read result.json; raises UsageError when it is none, or of another schema version."""
    hint = "its figures mean something else; run the drill again with this lab"
    return jsondocuments.versioned(path, Result, ("result", "result"), hint)
