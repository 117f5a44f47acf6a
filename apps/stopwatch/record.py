"""What the stopwatch saw: a header, then one JSON object per attempt in the order of their end.

Kept in memory: a disk that is slow for a moment would stop the watch.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from stopwatch.settings import Settings
from stopwatch.shop import Told

SCHEMA = 1


class Record:
    """The attempts of the newest run."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.clear()

    def clear(self) -> None:
        """Forget everything and begin again with a header."""
        self._lines: list[bytes] = [_line(_header(self._settings))]

    @property
    def attempts(self) -> int:
        """How many attempts have ended."""
        return len(self._lines) - 1

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

    def text(self) -> bytes:
        """All lines so far."""
        return b"".join(self._lines)


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
