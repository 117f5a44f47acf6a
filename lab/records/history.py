"""The record of what users asked for and what they were answered: reading history.jsonl.

A file is a row of segments, one per start of a population's process: a header line, then one line
per operation in the order of completion. Files of several populations may be given one by one or
joined end to end; a later header may name another population.

What a crash of the writer can leave behind is survived: the last line of a segment may be cut
anywhere. It is reported as a `CutLine`. Any other damage is an error, also a line that is no
beginning of a record, because a figure computed from a record that was quietly repaired would not
be a measurement.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, NoReturn, TypeAlias

from pydantic import AfterValidator, Field, JsonValue, TypeAdapter, ValidationError
from pydantic_core import from_json

from lab.core import jsondocuments
from lab.core.errors import DamagedFile, UsageError

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


def operation(line: bytes) -> Operation:
    """The operation of a line that is known to be one. Raises ValueError."""
    return _OPERATION.validate_json(line, strict=True)


_HEADER: Final = TypeAdapter(Header)
_OPERATION: Final = TypeAdapter(Operation)
_OPERATION_MARK: Final = b'"record":"op"'
_BEGINS: Final = (b'{"schema":', b'{"record":')
"""How the lines of a record begin: a header's, and an operation's."""


class Reader:
    """Reads sources line by line. A broken line is held back until the next one is seen.

    Every whole line of an operation is handed to `keep`.
    """

    def __init__(self, keep: Callable[[bytes, Operation], None] = lambda text, item: None) -> None:
        self._keep = keep
        self.headers: list[Header] = []
        self.cuts: list[CutLine] = []
        self._source, self._number = "", 0
        self._population: str | None = None
        self._held: tuple[int, bytes, str] | None = None

    @property
    def population(self) -> str | None:
        """The population of the last header of this source, None before any."""
        return self._population

    def consume_all(self, sources: Iterable[Source]) -> None:
        """Read every source; raises DamagedHistory, and UsageError when there is none."""
        for number, source in enumerate(sources, start=1):
            self.begin(name_of(source, number))
            for place, line in enumerate(lines_of(source), start=1):
                self.line(line, place)
            self.end()
        self.refuse_nothing()

    def begin(self, source: str) -> None:
        """The lines of another source follow."""
        self._source, self._number, self._population = source, 0, None

    def line(self, line: bytes, number: int) -> None:
        """Read one line, with its number; raises DamagedHistory."""
        self._number = number
        text = line.strip()
        if text:
            self._settle(text)
            self._line(text, whole=line.endswith(b"\n"))

    def vouched(self, line: bytes) -> None:
        """This line and some after it were found to be operations."""
        self._settle(line)

    def end(self) -> None:
        """The source has no more lines; raises DamagedHistory when none of them is a header."""
        self._accept_cut()
        if self._population is None:
            self._damaged("no header: no users' process finished writing its first line")

    def refuse_nothing(self) -> None:
        """Raise UsageError when there was no source."""
        if not self.headers:
            raise UsageError("no history was given")

    def _settle(self, text: bytes) -> None:
        """Decide about a held line, now that the one after it is known."""
        if self._held and not _is_header(text):
            self._damaged(self._held[2], self._held[0])
        self._accept_cut()

    def _line(self, text: bytes, *, whole: bool) -> None:
        """Take in one line that is not blank; `whole` says that it has its newline."""
        try:
            if _OPERATION_MARK in text:
                self._add(text)
            else:
                self._record(text)
        except ValueError as error:
            self._unreadable(text, reason(error), whole=whole)

    def _record(self, text: bytes) -> None:
        """Take in a line that lacks the usual spelling of an operation; raises ValueError."""
        document = from_json(text)
        record = document.get("record") if isinstance(document, dict) else None
        if record == "header":
            if (found := document.get("schema")) != SCHEMA:
                self._damaged(
                    f"schema {jsondocuments.shown(found)}, but this lab reads schema {SCHEMA}"
                )
            self._add_header(text)
        elif record == "op":
            self._add(text)
        else:
            self._damaged(
                f"neither a header nor an operation: record is {jsondocuments.shown(record)}"
            )

    def _unreadable(self, text: bytes, reason: str, *, whole: bool) -> None:
        """A line that failed: two records run together, the end of a segment, or damage."""
        before, header = _split_at_header(text)
        if header:
            self._line(before, whole=False)  # a whole record without its newline, or a cut one
            self._accept_cut()
            self._line(header, whole=whole)
        elif _document(text) is not None or (whole and text.endswith(b"}")):
            self._damaged(reason)  # a line that a crash cut short has lost its end
        elif not self._begins_a_record(text):
            begin = text[:40].decode(errors="replace")
            self._damaged(f"neither a record nor the beginning of one: {begin!r}")
        else:
            self._held = (self._number, text, reason)

    def _begins_a_record(self, text: bytes) -> bool:
        """True for what a crash may leave of a line that users write: before a header, of that."""
        begins = _BEGINS if self._population is not None else _BEGINS[:1]
        return any(text.startswith(each) or each.startswith(text) for each in begins)

    def _accept_cut(self) -> None:
        if self._held:
            number, text, _ = self._held
            told = text.decode(errors="replace")
            self.cuts.append(CutLine(self._source, number, told, self._population or ""))
            self._held = None

    def _add_header(self, text: bytes) -> None:
        header = _HEADER.validate_json(text, strict=True)
        expected = self.headers[0].boot_id if self.headers else header.boot_id
        if header.boot_id != expected:
            self._damaged(f"boot id {header.boot_id} where the record began with {expected}")
        self._population = header.population
        self.headers.append(header)
        self.cuts = [
            replace(cut, followed=True) if cut.population == header.population else cut
            for cut in self.cuts
        ]

    def _add(self, text: bytes) -> None:
        item = _OPERATION.validate_json(text, strict=True)
        if item.population != self._population:
            under = f"the header of {self._population!r}" if self._population else "no header"
            self._damaged(f"an operation of population {item.population!r} under {under}")
        if item.end < item.start:
            self._damaged("the operation ends before it starts")
        if item.tried is not None and not item.start <= item.tried <= item.end:
            self._damaged("its last attempt was started outside of the operation")
        self._keep(text, item)

    def _damaged(self, reason: str, line: int | None = None) -> NoReturn:
        raise DamagedHistory(self._source, self._number if line is None else line, reason)


def name_of(source: Source, number: int) -> str:
    """What messages call a source, the first of which has number 1."""
    return str(source) if isinstance(source, Path) else f"<history {number}>"


def lines_of(source: Source) -> Iterator[bytes]:
    """The lines of a source; only a line feed ends a line."""
    if isinstance(source, Path):
        with source.open("rb") as file:
            yield from file
    elif isinstance(source, bytes):
        yield from io.BytesIO(source)
    else:
        yield from source


def _document(text: bytes) -> object:
    """The JSON value of a line, or None when it is not JSON."""
    try:
        return from_json(text)
    except ValueError:
        return None


def _is_header(text: bytes) -> bool:
    document = _document(text)
    return isinstance(document, dict) and document.get("record") == "header"


def reason(error: ValueError) -> str:
    """One line of what is wrong with a record."""
    if isinstance(error, ValidationError):
        return jsondocuments.reason(error)
    return str(error)


def _split_at_header(text: bytes) -> tuple[bytes, bytes]:
    """Cut a line in front of the header that it ends with: (before, header), else (text, b"").

    A process that died left no newline, so the next one's header continues the line.
    """
    at = text.find(b"{", 1)
    while at > 0:
        if _is_header(text[at:]):
            return text[:at], text[at:]
        at = text.find(b"{", at + 1)
    return text, b""
