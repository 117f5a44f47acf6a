"""The record of what users asked for and what they were answered: the lines of history.jsonl.

A file is a row of segments, one per start of a population's process: a header line, then one line
per operation in the order of completion. Files of several populations may be given one by one or
joined end to end; a later header may name another population.

What a crash of the writer can leave behind is survived: the last line of a segment may be cut
anywhere. It is reported as a `CutLine`. Any other damage is an error, also a line that is no
beginning of a record, because a figure computed from a record that was quietly repaired would not
be a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, Field, JsonValue, TypeAdapter

from lab.core.errors import DamagedFile

SCHEMA: Final = 1
"""The version of the line format that this module reads. Added fields do not change it."""


def _in_64_bits(xid: str) -> str:
    if int(xid) >= 2**64:
        raise ValueError("no number of 64 bits")
    return xid


Source: TypeAlias = Path | bytes | Iterable[bytes]
"""A file, the bytes of one, or its lines (each with or without its newline)."""

Instant: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""CLOCK_MONOTONIC seconds of the engine's kernel, from its boot on."""

Xid: TypeAlias = Annotated[
    str, Field(pattern="^(0|[1-9][0-9]{0,19})$"), AfterValidator(_in_64_bits)
]
"""A transaction's id of 64 bits, in digits."""

Number: TypeAlias = Annotated[int, Field(gt=-(2**31), lt=2**31)]
"""A whole number that fits into 32 bits."""


class Kind(StrEnum):
    """What a user did."""

    WRITE = "write"
    READ = "read"
    LOGIN = "login"


class Outcome(StrEnum):
    """What the user was told."""

    OK = "ok"  # acknowledged
    LOCAL = "local"  # acknowledged, with the warning that the wait for replication was cancelled
    FAIL = "fail"  # definitely not done
    UNKNOWN = "unknown"  # no answer: it may have happened


class Location(StrEnum):
    """Where a write was found after the drill."""

    WINNER = "winner"
    LOSER_ONLY = "loser_only"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one user over all its attempts. `start` and `end` are `Instant`s.

    A write's identity is its client-generated `key`: after a failover the servers' ids and xids
    are issued again to other rows. Server-side fields are None where no server answered. `tried`
    is when the last attempt was started, None if that was the first. `cache` is what a read of the
    catalogue met in the region's cache: hit, miss or down.
    """

    key: Annotated[str, Field(min_length=1)]
    kind: Kind
    start: Instant
    end: Instant
    population: str
    user: Number
    honours_ttl: bool
    outcome: Outcome
    attempts: Annotated[int, Field(ge=0, lt=2**31)]
    status: Number | None = None
    region: str | None = None
    node: str | None = None
    timeline: Number | None = None
    xid: Xid | None = None
    lsn: str | None = None
    address: str | None = None
    request_id: str | None = None
    tried: Instant | None = None
    found: bool | None = None
    error: str | None = None
    cache: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a segment: who wrote it, on which boot's clock, with which settings."""

    schema: int
    population: str
    boot_id: str
    pid_start: Instant
    settings: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class CutLine:
    """The remains of a line that a crash of the writer cut short.

    `population` is whose line it was, empty before any header; `followed` says that this
    population's record goes on after it.
    """

    source: str
    line: int
    text: str
    population: str = ""
    followed: bool = False


class DamagedHistory(DamagedFile):
    """A history that cannot be trusted."""

    consequence = "nothing is measured from a damaged record"


OPERATION: Final = TypeAdapter(Operation)


def operation(line: bytes) -> Operation:
    """The operation of a line that is known to be one. Raises ValueError."""
    return OPERATION.validate_json(line, strict=True)
