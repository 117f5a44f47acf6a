"""Reading history.jsonl line by line, strictly: a cut line is reported, other damage is refused."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final, NoReturn

from pydantic import TypeAdapter, ValidationError
from pydantic_core import from_json

from lab.core import jsondocuments
from lab.core.errors import UsageError
from lab.records.history import (
    OPERATION,
    SCHEMA,
    CutLine,
    DamagedHistory,
    Header,
    Operation,
    Source,
)

_HEADER: Final = TypeAdapter(Header)
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
        item = OPERATION.validate_json(text, strict=True)
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
