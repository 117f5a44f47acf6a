"""result.json: the figures of one run in a form that people, scripts and reports read.

The document only: `lab.rows` has its parts, and `lab.assemble` fills them. Times are seconds after
the fault (`time_zero` names another moment if there was none), durations are seconds, null means
"not measured".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, TypeVar

from pydantic import BaseModel, Field, ValidationError

from lab.errors import UsageError
from lab.rows import (
    AddressRow,
    BudgetRow,
    LatencyRow,
    LostWrite,
    Machine,
    MisdirectedRow,
    Model,
    MovementRow,
    NodeView,
    ObjectiveRow,
    Opinion,
    OutcomeRow,
    PhaseRow,
    PopulationRow,
    RecoveryRow,
    Sample,
    Scalar,
    StaleReadRow,
    StepRow,
    TrafficRow,
    Versions,
)  # fmt: skip
from lab.verdict import Verdict

Document = TypeVar("Document", bound=BaseModel)

SCHEMA: Final[Literal[2]] = 2
"""The version of result.json. Added fields do not change it, a changed meaning does."""


class _Version(Model):
    schema_version: int


class Result(Model):
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
