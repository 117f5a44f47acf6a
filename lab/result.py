"""result.json: the figures of one run in a form that people, scripts and reports read.

The models only; `lab.assemble` fills them. Times are seconds after the fault (`time_zero` names
another moment if there was none), durations are seconds, null means "not measured".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from lab.classify import Location
from lab.errors import UsageError
from lab.history import Outcome
from lab.record import Journal, Mark, MarkName, Phase, StepRecord, Via
from lab.verdict import Comparison, Verdict

__all__ = [
    "Journal",
    "Machine",
    "Mark",
    "MarkName",
    "NodeView",
    "Phase",
    "Result",
    "Run",
    "StepRecord",
    "Versions",
    "Via",
    "from_file",
    "to_json",
]

Scalar = str | int | float | bool | None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Versions(_Model):
    """What ran."""

    lab: str
    engine: str
    postgresql: str


class Machine(_Model):
    """Where it ran, as the engine sees it."""

    cpus: int
    memory_bytes: int
    kernel: str
    architecture: str
    system: str = ""


class NodeView(_Model):
    """One database node at one moment, as asked of the server.

    `role` is a word such as primary, standby, dead, fenced. `follows` names the node that it
    streams from, `sync` says that commits wait for it.
    """

    node: str
    role: str
    follows: str | None = None
    sync: bool = False
    timeline: int | None = None


class Run(_Model):
    """What the drill runner knows without measuring. `started` is wall time, ISO 8601 in UTC."""

    drill: str
    title: str
    pattern: str
    seed: int | None
    started: str
    command: str
    versions: Versions
    machine: Machine
    settings: dict[str, Scalar] = Field(default_factory=dict)
    before: tuple[NodeView, ...] = ()
    after: tuple[NodeView, ...] = ()


class LostWrite(_Model):
    """One lost write, as its user saw it, and where it was found."""

    key: str
    acknowledged_at: float
    population: str
    region: str | None
    node: str | None
    timeline: int | None
    xid: str | None
    lsn: str | None
    location: Location
    found_on: tuple[str, ...]


class StepRow(_Model):
    """One runbook step, times relative to the fault."""

    name: str
    path: Via
    started: float
    ended: float
    outcome: str
    evidence: str
    why: str
    phase: Phase | None


class ObjectiveRow(_Model):
    """One objective and its judgement."""

    name: str
    limit: float
    unit: str
    comparison: Comparison
    why: str
    found: float | None
    verdict: Verdict
    detail: str


class PhaseRow(_Model):
    """Seconds of one phase and its stretches after the fault."""

    phase: Phase
    seconds: float | None
    spans: tuple[tuple[float, float], ...]


class RecoveryRow(_Model):
    """How long one group of users could not write (see lab.recovery)."""

    population: str
    honours_ttl: bool
    seconds: float | None
    interrupted: bool | None
    why: str
    started: int
    served: int
    relapsed: float | None


class StretchRow(_Model):
    """Writes per second and latency percentiles (s) in one part of the run."""

    seconds: float
    started_per_second: float | None
    acknowledged_per_second: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class PopulationRow(_Model):
    """How one population fared before the fault and after it was back."""

    population: str
    before: StretchRow
    after: StretchRow | None
    longest_gap_seconds: float | None
    longest_gap_started: float | None


class TrafficRow(_Model):
    """Writes that ended in second `at` (from `at` to `at` + 1 after the fault)."""

    at: int
    region: str | None
    outcome: Outcome
    count: int


class OutcomeRow(_Model):
    """One row of outcome × location: how many writes were told this, and where they are."""

    outcome: Outcome
    winner: int
    loser_only: int
    nowhere: int


class Result(_Model):
    """All of result.json. Added fields keep the schema version, a changed meaning does not."""

    schema_version: Literal[1] = 1
    drill: str
    title: str
    pattern: str
    seed: int | None
    verdict: Verdict
    started: str
    command: str
    boot_id: str
    time_zero: Annotated[str, Field(description="the moment that all times are relative to")]
    duration: float
    acknowledged: int
    lost: int
    lost_ids: tuple[str, ...]
    orphaned: int
    unaccounted: int
    recovered: int
    unexpected: int
    duplicated: int
    unknown: int
    local: int
    local_lost: int
    unrecorded: int
    rpo_seconds: float | None
    rpo_wal_bytes: int | None
    rto_seconds: dict[str, float | None]
    rto_window: float
    rto_patience: float
    rto_phases: tuple[PhaseRow, ...]
    recoveries: tuple[RecoveryRow, ...]
    split_brain_writes: int | None
    split_brain_seconds: float | None
    split_brain_certain: int
    winner: str
    unread: tuple[str, ...]
    marks: dict[str, float]
    steps: tuple[StepRow, ...]
    objectives: tuple[ObjectiveRow, ...]
    outcomes: tuple[OutcomeRow, ...]
    populations: tuple[PopulationRow, ...]
    traffic: tuple[TrafficRow, ...]
    lost_writes: tuple[LostWrite, ...]
    cut_lines: int
    before: tuple[NodeView, ...]
    after: tuple[NodeView, ...]
    versions: Versions
    machine: Machine
    settings: dict[str, Scalar]


def to_json(result: Result) -> str:
    """The text of result.json."""
    return result.model_dump_json(indent=2) + "\n"


def from_file(path: Path) -> Result:
    """Read result.json; raises UsageError when it is none, or of another schema version."""
    try:
        return Result.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = ": ".join([*map(str, first["loc"]), first["msg"]])
        raise UsageError(f"{path} is no result of this lab: {reason}") from error
