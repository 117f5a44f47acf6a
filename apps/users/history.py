"""The history: what users did and were told, one JSON object per line, in order of completion."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from users.outcome import Attempt, Kind, fold

_CHUNK = 256 * 1024
_encode = json.JSONEncoder(separators=(",", ":")).encode  # json.dumps would make one for each line


def boot_id() -> str:
    """The identity of this boot of the kernel: monotonic times mean something only within it."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class History:
    """An append-only file.

    Each line is one write to a descriptor in append mode, with no buffer in this process: what
    was recorded survives the death of the process, and a reader never sees half a line.

    `lines` counts the operations that were to be written down. It is full with `limit` of them, or
    when the disk takes no more: `full` then says why.
    """

    def __init__(
        self, path: str, population: str, settings: dict[str, Any], limit: int = 10**9
    ) -> None:
        self._limit, self.full = limit, ""
        self._header = {
            "schema": 1,
            "record": "header",
            "population": population,
            "boot_id": boot_id(),
            "pid_start": time.monotonic(),
            "settings": settings,
        }
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
        self.lines = 0
        self._mend()
        self._write(self._header)

    @property
    def size(self) -> int:
        """Bytes written so far, over all starts of the process."""
        return os.fstat(self._file).st_size

    def append(self, record: dict[str, Any]) -> None:
        """Add one operation."""
        self.lines += 1
        end = self.size
        try:
            self._write(record)
        except OSError as error:
            os.ftruncate(self._file, end)  # no half line
            self.full = f"the record cannot be written: {error.strerror}"
        if self.lines >= self._limit:
            self.full = self.full or f"the record has {self.lines:,} operations and takes no more"

    def clear(self) -> None:
        """Forget everything and begin again with a header."""
        os.ftruncate(self._file, 0)
        self.lines, self.full = 0, ""
        self._write(self._header)

    def flush(self) -> None:
        """Also survive the death of the machine."""
        os.fsync(self._file)

    async def read(self, offset: int) -> AsyncIterator[bytes]:
        """The bytes from `offset` up to what was complete at the time of the call."""
        end = self.size
        while offset < end:
            chunk = os.pread(self._file, min(_CHUNK, end - offset), offset)
            if not chunk:
                return
            offset += len(chunk)
            yield chunk

    def _mend(self) -> None:
        """End a line that a full disk had cut short, so that the next one stands alone."""
        if self.size and os.pread(self._file, 1, self.size - 1) != b"\n":
            os.write(self._file, b"\n")

    def _write(self, record: dict[str, Any]) -> None:
        line = (_encode(record) + "\n").encode()
        while line:
            line = line[os.write(self._file, line) :]


def operation(
    *,
    key: str,
    kind: Kind,
    start: float,
    tried: float,
    end: float,
    population: str,
    user: int,
    honours_ttl: bool,
    attempts: list[Attempt],
) -> dict[str, Any]:
    """The record of one operation; `start` and `end` in monotonic seconds.

    `tried` is when the last attempt was started.

    What the last attempt saw is what is recorded; an operation without one was never begun. What
    has no value is left out, and so are `tried` of a first attempt and a request id that
    follows from the key (`key.attempts`): fewer bytes cost the users less, and are read faster.
    """
    last = attempts[-1]
    usual = f"{key}.{len(attempts)}"
    fields = {
        "record": "op",
        "key": key,
        "kind": kind,
        "start": round(start, 6),
        "end": round(end, 6),
        "tried": None if tried == start else round(tried, 6),
        "population": population,
        "user": user,
        "honours_ttl": honours_ttl,
        "outcome": fold(attempts),
        "attempts": len(attempts),
        "status": last.status,
        "region": last.answer.get("region"),
        "node": last.answer.get("node"),
        "timeline": last.answer.get("timeline"),
        "xid": last.answer.get("xid"),
        "lsn": last.answer.get("lsn"),
        "address": last.address,
        "request_id": None if last.request_id == usual else last.request_id,
        "found": last.found,
        "cache": last.cache,
        "error": last.error,
    }
    return {name: value for name, value in fields.items() if value is not None}
