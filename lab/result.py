"""result.json: the figures of one run in a form that people, scripts and reports read.

The models only; `lab.assemble` fills them. Times are seconds after the fault (`time_zero` names
another moment if there was none), durations are seconds, null means "not measured".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

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

Document = TypeVar("Document", bound=BaseModel)

SCHEMA: Final[Literal[2]] = 2
"""The version of result.json. Added fields do not change it, a changed meaning does."""

Scalar = str | int | float | bool | None


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class _Version(_Model):
    schema_version: int


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


class MovementRow(_Model):
    """How fast one group of users came to the region that took over.

    `users` had to move: their last operation before the fault went to a gateway that died. A user
    has moved with the first operation after the fault that is acknowledged through another one.
    `t50`, `t80`, `t99` are seconds until that share of them had, null if the record ended before.
    """

    population: str
    honours_ttl: bool
    users: int
    moved: int
    t50: float | None
    t80: float | None
    t99: float | None


class MisdirectedRow(_Model):
    """Operations that one group of users started after the fault and sent to a dead gateway."""

    population: str
    honours_ttl: bool
    operations: int
    last: float | None


class BudgetRow(_Model):
    """What the outage spent of an error budget: `target` is a share such as 0.999.

    `budget_seconds` are those that the target allows in `period_days`; `spent` is a share of them.
    """

    target: float
    period_days: int
    budget_seconds: float
    spent_seconds: float
    spent: float


class StaleReadRow(_Model):
    """A read of an own order, acknowledged before the read began, that did not find it.

    `age` is seconds from that acknowledgement to the read. `lost` says that the order never came
    back: then the read told the truth about a loss.
    """

    key: str
    at: float
    population: str
    region: str | None
    node: str | None
    age: float
    lost: bool


class LatencyRow(_Model):
    """Latency (s) of one population's writes that were started in second `at`, acknowledged or not.

    A write that never was acknowledged counts as endless: its percentile is null.
    """

    at: int
    population: str
    started: int
    p50: float | None
    p99: float | None


class AddressRow(_Model):
    """Operations of one population started in second `at` that went to one address."""

    at: int
    population: str
    address: str | None
    count: int


class NodeSample(_Model):
    """One database at one moment; `lag_bytes` behind the primary's WAL, `lag_seconds` old."""

    node: str
    role: str
    timeline: int | None = None
    lag_bytes: int | None = None
    lag_seconds: float | None = None


class Sample(_Model):
    """What the tool saw at one moment while the drill ran.

    `answers` holds what each region's resolver says of the users' name; null: no answer.
    """

    at: float
    nodes: tuple[NodeSample, ...]
    answers: dict[str, tuple[str, ...] | None]


class Opinion(_Model):
    """A second way of measuring the same thing, and whether both agree.

    `values` are its figures by name; `verdict` is unknown where they disagree by more than
    `tolerance` (in `unit`), or where the second opinion itself is missing.
    """

    name: str
    question: str
    answer: str
    verdict: Verdict
    tolerance: float
    unit: str
    values: dict[str, Scalar] = Field(default_factory=dict)


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
    during: StretchRow | None = None
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
    """All of result.json."""

    schema_version: Literal[2] = SCHEMA
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
    rto_first_seconds: dict[str, float | None] = Field(default_factory=dict)
    rto_window: float
    rto_patience: float
    rto_phases: tuple[PhaseRow, ...]
    recoveries: tuple[RecoveryRow, ...]
    split_brain_writes: int | None
    split_brain_seconds: float | None
    split_brain_certain: int
    split_brain_timelines: tuple[int, ...] = ()
    full_recovery_seconds: float | None = None
    full_recovery_at_least: float | None = None
    latency_limit: float | None = None
    seconds_over_limit: int | None = None
    budgets: tuple[BudgetRow, ...] = ()
    movements: tuple[MovementRow, ...] = ()
    misdirected: tuple[MisdirectedRow, ...] = ()
    stale_reads: tuple[StaleReadRow, ...] = ()
    opinions: tuple[Opinion, ...] = ()
    latencies: tuple[LatencyRow, ...] = ()
    addresses: tuple[AddressRow, ...] = ()
    samples: tuple[Sample, ...] = ()
    orphans_file: str | None = None
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
    hint = "its figures mean something else; run the drill again with this lab"
    return read_document(path, Result, ("result", "result"), SCHEMA, hint)


def read_document(
    path: Path, model: type[Document], names: tuple[str, str], schema: int, hint: str
) -> Document:
    """Read one of the lab's own JSON documents, which says of which `schema` version it is.

    `names` are those of the schema and of what it describes. Raises UsageError when it is none of
    this lab, or of another version; then with `hint`.
    """
    kind, what = names
    try:
        text = path.read_bytes()
        found = _Version.model_validate_json(text).schema_version
        if found != schema:
            raise UsageError(
                f"{path} is of {kind} schema {found}, but this lab reads schema {schema}", hint
            )
        return model.model_validate_json(text)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        reason = ": ".join([*map(str, first["loc"]), first["msg"]])
        raise UsageError(f"{path} is no {what} of this lab: {reason}") from error
