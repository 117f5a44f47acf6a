"""Commits in a write-ahead log, from the text of PostgreSQL's own `pg_waldump -r Transaction`.

Strict on purpose: a line that is not understood, or a text without its end, is an error. A list of
commits that silently lacks some would not be a second opinion.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from lab.core.errors import LabError
from lab.core.lsn import parse_lsn

XID_BITS: Final = 0xFFFFFFFF
"""WAL and rows hold 32 bits of a transaction id; `pg_current_xact_id()` has an epoch above."""


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit record: timeline, 32-bit transaction id, its LSN in bytes, and when (UTC)."""

    timeline: int
    xid: int
    lsn: int
    at: datetime


def short_xid(text: str) -> int:
    """The 32 bits by which WAL knows a transaction that an acknowledgement names in 64."""
    return int(text) & XID_BITS


_LSN: Final = r"[0-9A-F]+/[0-9A-F]+"
_RECORD: Final = re.compile(
    rf"rmgr: Transaction +len \(rec/tot\): +\d+/ *\d+, tx: +(?P<xid>\d+), lsn: (?P<lsn>{_LSN}),"
    rf" prev {_LSN}, desc: (?P<kind>[A-Z_]+)(?: (?P<rest>.*))?"
)
_COMMITTED: Final = re.compile(r"(?P<at>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{6}) UTC(?:;.*)?")
_NO_COMMITS: Final = frozenset({"ABORT", "ASSIGNMENT", "INVALIDATION"})
# Where the start lies inside a record or a page header, the first record is a little later.
_SKIPPED: Final = re.compile(r"(?:pg_waldump: )?(?:info: )?first record is after .*")
# WAL has no end mark: it ends at the first record that is none. The second form is an end that
# was reached at once.
_END: Final = re.compile(
    rf"pg_waldump: error: (?:error in WAL record at {_LSN}: .*"
    rf"|could not find a valid record after {_LSN})"
)


def parse(text: str, timeline: int) -> tuple[Commit, ...]:
    """The commits of one timeline, in the order of their records. Raises LabError."""
    lines = [line for line in text.splitlines() if line.strip()]
    ends = sum(_END.fullmatch(line) is not None for line in lines)
    if ends != 1:
        last = lines[-1] if lines else "nothing"
        raise LabError(f"pg_waldump did not come to the end of the WAL; it said last: {last[:200]}")
    return tuple(_commits(lines, timeline))


def end(text: str) -> int:
    """Where the log ends: the last position that is named, in bytes. Raises LabError."""
    found = re.findall(rf"(?:at|after|LSN) ({_LSN})", text)
    if not found:
        raise LabError("pg_waldump did not say where the WAL ends")
    return parse_lsn(found[-1])


def _commits(lines: list[str], timeline: int) -> Iterator[Commit]:
    for line in lines:
        found = _RECORD.fullmatch(line)
        if found is None:
            if not (_END.fullmatch(line) or _SKIPPED.fullmatch(line)):
                raise _strange(line)
        elif found["kind"] == "COMMIT":
            yield _commit(found, line, timeline)
        elif found["kind"] not in _NO_COMMITS:
            raise _strange(line)


def _commit(found: re.Match[str], line: str, timeline: int) -> Commit:
    when = _COMMITTED.fullmatch(found["rest"] or "")
    if when is None:
        raise _strange(line)
    at = datetime.strptime(when["at"], "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=UTC)
    return Commit(timeline, int(found["xid"]), parse_lsn(found["lsn"]), at)


def _strange(line: str) -> LabError:
    return LabError(f"pg_waldump said something that is not understood: {line[:200]}")
