"""One JSON object per line on stdout: state changes and errors, never one line per request."""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable

Value = str | int | float | bool | None | list[str]


class Log:
    """Writes events with the fields that every line of this program carries."""

    def __init__(self, program: str, **fields: Value) -> None:
        self._fields = {"program": program, **fields}
        self._next_at: dict[str, float] = {}
        self._skipped: dict[str, int] = {}

    def event(self, what: str, **fields: Value) -> None:
        """Write one line now."""
        line = {"at": round(time.time(), 3), "monotonic": round(time.monotonic(), 4)}
        print(json.dumps({**line, **self._fields, "event": what, **fields}), flush=True)  # noqa: T201

    def seldom(self, what: str, **fields: Value) -> None:
        """Write at most one line a second of this event; the next one says how many were left out.

        An outage makes hundreds of equal errors a second, and writing them costs the CPU that
        the recovery needs.
        """
        now = time.monotonic()
        if now < self._next_at.get(what, 0.0):
            self._skipped[what] = self._skipped.get(what, 0) + 1
            return
        self._next_at[what] = now + 1.0
        self.event(what, **fields, left_out=self._skipped.pop(what, 0))


class _Forward(logging.Handler):
    """Hands what libraries log to `Log`, so that stdout holds one format."""

    def __init__(self, write: Callable[[logging.LogRecord], None]) -> None:
        super().__init__()
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        self._write(record)


def capture_libraries(log: Log) -> None:
    """Send the warnings of libraries through `log`.

    The connection pool's own warnings are left out: `shop.follow` reports the same changes once
    instead of once per connection.
    """

    def write(record: logging.LogRecord) -> None:
        text = record.getMessage()
        if record.exc_info:
            text += "\n" + logging.Formatter().formatException(record.exc_info)
        log.seldom("library", logger=record.name, level=record.levelname, message=text)

    logging.basicConfig(handlers=[_Forward(write)], level=logging.WARNING, force=True)
    logging.getLogger("psycopg.pool").setLevel(logging.ERROR)


def to_stderr(message: str) -> None:
    """The last words of a program that cannot start."""
    print(message, file=sys.stderr, flush=True)  # noqa: T201
