"""The rows of result.json: one model for each kind of figure that a run has many of, or parts of.

Times are seconds after the fault, durations are seconds, null means "not measured".
"""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from lab.core.verdict import Comparison, Verdict
from lab.records.history import Location, Outcome
from lab.records.journalfile import LONGEST_RUN, Phase, Via
from lab.records.percentiles import Percent, percentiles

Moment = Annotated[float, Field(ge=-LONGEST_RUN, le=LONGEST_RUN)]
Duration = Annotated[float, Field(ge=0, le=LONGEST_RUN)]
Second = Annotated[int, Field(ge=-LONGEST_RUN, le=LONGEST_RUN)]
Count = Annotated[int, Field(ge=0, lt=2**53)]
"""Up to where every reader of JSON has whole numbers."""

Rate = Annotated[float, Field(ge=0, lt=2**53)]
Whole = Annotated[int, Field(gt=-(2**53), lt=2**53)]
Number = Annotated[float, Field(gt=-(2**53), lt=2**53)]
Scalar = str | Whole | Number | bool | None


class Model(BaseModel):
    """A part of a document: never changed, and fields that are not known here are left alone.

    No number in it is infinite or none at all.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class Versions(Model):
    """What ran."""

    lab: str
    engine: str
    postgresql: str


class Machine(Model):
    """Where it ran, as the engine sees it."""

    cpus: Count
    memory_bytes: Count
    kernel: str
    architecture: str
    system: str = ""


class NodeView(Model):
    """One database node at one moment, as asked of the server.

    `role` is a word such as primary, standby, dead, fenced. `follows` names the node that it
    streams from, `sync` says that commits wait for it.
    """

    node: str
    role: str
    follows: str | None = None
    sync: bool = False
    timeline: Count | None = None


class Run(Model):
    """What the drill runner knows without measuring. `started` is wall time, ISO 8601 in UTC."""

    drill: str
    title: str
    pattern: str
    seed: Whole | None
    started: str
    command: str
    versions: Versions
    machine: Machine
    settings: dict[str, Scalar] = Field(default_factory=dict)
    before: tuple[NodeView, ...] = ()
    after: tuple[NodeView, ...] = ()


class LostWrite(Model):
    """One lost write, as its user saw it, and where it was found."""

    key: str
    acknowledged_at: Moment
    population: str
    region: str | None
    node: str | None
    timeline: Count | None
    xid: str | None
    lsn: str | None
    location: Location
    found_on: tuple[str, ...]


class StepRow(Model):
    """One runbook step, times relative to the fault."""

    name: str
    path: Via
    started: Moment
    ended: Moment
    outcome: str
    evidence: str
    why: str
    phase: Phase | None


class ObjectiveRow(Model):
    """One objective and its judgement; `baseline` is the value of the run that is compared."""

    name: str
    limit: Number
    unit: str
    comparison: Comparison
    why: str
    found: Number | None
    verdict: Verdict
    detail: str
    baseline: Number | None = None


class PhaseRow(Model):
    """Seconds of one phase and its stretches after the fault."""

    phase: Phase
    seconds: Duration | None
    spans: tuple[tuple[Moment, Moment], ...]


class RecoveryRow(Model):
    """How long one group of users could not write (see lab.metrics.recovery).

    It was `at_least` seconds where no return was seen; null if nothing was interrupted.
    """

    population: str
    honours_ttl: bool
    seconds: Duration | None
    interrupted: bool | None
    why: str
    started: Count
    served: Count
    relapsed: Moment | None
    at_least: Duration | None = None


class IncidentRow(Model):
    """What happened in a run by hand: a fault, or a runbook that was no answer to one.

    It lasted from `started` to `ended`. `rto_seconds` are counted from `started`, as those of the
    whole run are; `gap_seconds` is the longest time in which no order of any user went through.
    """

    what: str
    started: Moment
    ended: Moment
    rto_seconds: dict[str, Duration | None]
    gap_seconds: Duration | None


class MovementRow(Model):
    """How fast one group of users came to the region that took over.

    `users` had to move: their last operation before the fault went to a gateway that died. A user
    has moved with the first operation after the fault that is acknowledged through another one.
    `t50`, `t80`, `t99` are seconds until that share of them had, null if the record ended before.
    """

    population: str
    honours_ttl: bool
    users: Count
    moved: Count
    t50: Annotated[Duration | None, Percent(50)]
    t80: Annotated[Duration | None, Percent(80)]
    t99: Annotated[Duration | None, Percent(99)]


class MisdirectedRow(Model):
    """Operations that one group of users started after the fault and sent to a dead gateway."""

    population: str
    honours_ttl: bool
    operations: Count
    last: Duration | None


class BudgetRow(Model):
    """What the outage spent of an error budget: `target` is a share such as 0.999.

    `budget_seconds` are those that the target allows in `period_days`; `spent` is a share of them.
    """

    target: Rate
    period_days: Count
    budget_seconds: Rate
    spent_seconds: Rate
    spent: Rate


class LatencyRow(Model):
    """Latency (s) of one population's writes that were started in second `at`, acknowledged or not.

    A write that never was acknowledged counts as endless: its percentile is null.
    """

    at: Second
    population: str
    started: Count
    p50: Duration | None
    p99: Duration | None


class AddressRow(Model):
    """Operations of one population started in second `at` that went to one address."""

    at: Second
    population: str
    address: str | None
    count: Count


class Opinion(Model):
    """A second way of measuring the same thing, and whether both agree.

    `values` are its figures by name; `verdict` is unknown where they disagree by more than
    `tolerance` (in `unit`), or where the second opinion itself is missing.
    """

    name: str
    question: str
    answer: str
    verdict: Verdict
    tolerance: Rate
    unit: str
    values: dict[str, Scalar] = Field(default_factory=dict)


class StretchRow(Model):
    """Writes per second and latency percentiles (s) in one part of the run.

    A percentile is a field here and nothing else: formula, tables and metrics follow.
    """

    seconds: Duration
    started_per_second: Rate | None
    acknowledged_per_second: Rate | None
    p50: Annotated[Duration | None, Percent(50)]
    p95: Annotated[Duration | None, Percent(95)]
    p99: Annotated[Duration | None, Percent(99)]
    p99_9: Annotated[Duration | None, Percent(99.9)] = None


PERCENTILES: Final = percentiles(StretchRow)
"""Of latency, by their fields."""

MOVED: Final = percentiles(MovementRow)
"""Shares of the users that had to move, by their fields."""


class PopulationRow(Model):
    """How one population fared before the fault and after it was back.

    `load_pause_seconds` is the longest time in which it started no write.
    """

    population: str
    before: StretchRow
    during: StretchRow | None = None
    after: StretchRow | None
    longest_gap_seconds: Duration | None
    longest_gap_started: Moment | None
    longest_read_gap_seconds: Duration | None = None
    longest_read_gap_started: Moment | None = None
    load_pause_seconds: Duration | None = None


class TrafficRow(Model):
    """Writes that ended in second `at` (from `at` to `at` + 1 after the fault)."""

    at: Second
    region: str | None
    outcome: Outcome
    count: Count


class OutcomeRow(Model):
    """One row of outcome × location: how many writes were told this, and where they are."""

    outcome: Outcome
    winner: Count
    loser_only: Count
    nowhere: Count
