"""The stopwatch's record: a header line, and one line for each attempt to write.

Pure. Times are CLOCK_MONOTONIC seconds of the engine's kernel, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, NoReturn

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from lab.core import jsondocuments
from lab.core.errors import DamagedFile
from lab.core.load import WATCH_PREFIX
from lab.records.history import Instant

SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try to write: `ok` is an acknowledged order, `not` is anything else, `why` says what."""

    __pydantic_config__ = ConfigDict(extra="ignore")

    key: Annotated[str, Field(pattern=f"^{WATCH_PREFIX}")]
    start: Instant
    end: Instant
    gateway: str
    outcome: Literal["ok", "not"]
    timeline: int | None = None
    why: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """The first line: on which boot's clock the record is, how often and where it was tried."""

    __pydantic_config__ = ConfigDict(extra="ignore")

    schema: int
    boot_id: str
    interval: float
    deadline: float
    gateways: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class WatchRecord:
    """Everything one run of the stopwatch wrote; `cut` says that its last line was not whole."""

    header: Header
    attempts: tuple[Attempt, ...]
    cut: bool


class DamagedRecord(DamagedFile):
    """A stopwatch's record that cannot be trusted."""

    consequence = "nothing is compared with a damaged record"


def read(source: Path | bytes) -> WatchRecord:
    """Read a record. Raises DamagedRecord for anything but a cut last line.

    A file that cannot be read is a UsageError.
    """
    name = str(source) if isinstance(source, Path) else "<record>"
    text = jsondocuments.content(source) if isinstance(source, Path) else source
    *whole, rest = text.split(b"\n")
    if not whole:
        raise DamagedRecord(name, 1, "no header: not one line is whole")
    header = _header(name, whole[0])
    attempts = [_attempt(name, number, line) for number, line in enumerate(whole[1:], start=2)]
    _refuse_twice(name, attempts)
    return WatchRecord(header, tuple(attempts), cut=bool(rest))


def _refuse_twice(source: str, attempts: list[Attempt]) -> None:
    """Each attempt has a key of its own."""
    lines: dict[str, int] = {}
    for number, each in enumerate(attempts, start=2):
        if (first := lines.setdefault(each.key, number)) != number:
            raise DamagedRecord(source, number, f"the attempt of line {first} once more")


_HEADER: Final = TypeAdapter(Header)
_ATTEMPT: Final = TypeAdapter(Attempt)
_KIND: Final = TypeAdapter(dict[str, object])


def _header(source: str, line: bytes) -> Header:
    document = _record(source, 1, line, "header")
    if (found := document.get("schema")) != SCHEMA:
        raise DamagedRecord(
            source, 1, f"schema {jsondocuments.shown(found)}, but this lab reads schema {SCHEMA}"
        )
    try:
        return _HEADER.validate_json(line, strict=True)
    except ValidationError as error:
        _damaged(source, 1, error)


def _attempt(source: str, number: int, line: bytes) -> Attempt:
    _record(source, number, line, "attempt")
    try:
        item = _ATTEMPT.validate_json(line, strict=True)
    except ValidationError as error:
        _damaged(source, number, error)
    if item.end < item.start:
        raise DamagedRecord(source, number, "the attempt ends before it starts")
    return item


def _record(source: str, number: int, line: bytes, wanted: str) -> dict[str, object]:
    """The JSON object of a line, which must call itself `wanted`."""
    try:
        document = _KIND.validate_json(line)
    except ValidationError as error:
        _damaged(source, number, error)
    if document.get("record") != wanted:
        raise DamagedRecord(
            source, number, f"no {wanted}: record is {jsondocuments.shown(document.get('record'))}"
        )
    return document


def _damaged(source: str, number: int, error: ValidationError) -> NoReturn:
    raise DamagedRecord(source, number, jsondocuments.reason(error)) from error
