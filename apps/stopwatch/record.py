"""What the stopwatch saw: a header, then one JSON object per attempt in the order of their end.

Kept in memory, most of it compressed: a disk that is slow for a moment would stop the watch.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from stopwatch.settings import Settings
from stopwatch.shop import Told

SCHEMA = 1
BLOCK = 1000  # attempts that are compressed together, in about a millisecond


class Record:
    """The attempts of the newest run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.clear()

    def clear(self) -> None:
        """Forget everything and begin again with a header."""
        self.attempts = 0  # that have ended
        self._blocks = list[bytes]()
        self._lines = [_line(_header(self._settings))]

    def add(self, key: str, gateway: str, start: float, end: float, told: Told) -> None:
        """One attempt; `start` and `end` in monotonic seconds."""
        attempt = {
            "record": "attempt",
            "key": key,
            "start": round(start, 6),
            "end": round(end, 6),
            "gateway": gateway,
            "outcome": "ok" if told.ok else "not",
            "timeline": told.timeline,
            "why": told.why,
        }
        self._lines.append(_line(attempt))
        self.attempts += 1
        if len(self._lines) >= BLOCK:
            self._blocks.append(zlib.compress(b"".join(self._lines), level=1))
            self._lines = []

    def parts(self) -> Iterator[bytes]:
        """All lines that there are at the time of the call."""
        blocks, last = tuple(self._blocks), b"".join(self._lines)
        return chain(map(zlib.decompress, blocks), (last,))


def _header(settings: Settings) -> dict[str, Any]:
    return {
        "record": "header",
        "schema": SCHEMA,
        "boot_id": Path("/proc/sys/kernel/random/boot_id").read_text().strip(),
        "started": round(time.monotonic(), 6),
        "interval": settings.interval,
        "deadline": settings.deadline,
        "gateways": {door.name: f"{door.host}:{door.port}" for door in settings.doors},
    }


def _line(record: dict[str, Any]) -> bytes:
    return (json.dumps(record, separators=(",", ":")) + "\n").encode()
