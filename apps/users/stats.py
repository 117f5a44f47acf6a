"""Running totals, for a live view; figures of a drill come from the history alone."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from users.names import Memory
from users.outcome import Kind

OUTCOMES = ("ok", "local", "fail", "unknown")
KINDS: tuple[Kind, ...] = ("write", "read", "login")


class Stats:
    """Counts operations by kind and outcome and by address, acknowledged writes by region."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start from nothing."""
        self._totals = {kind: dict.fromkeys(OUTCOMES, 0) for kind in KINDS}
        self._regions: Counter[str] = Counter()
        self._served: dict[str, dict[str, int]] = {}
        self._last_ok_write: float | None = None
        self._recording_seconds = 0.0

    def count(self, kind: Kind, record: Mapping[str, Any]) -> None:
        """One operation has ended, which is written down so."""
        outcome, address = record["outcome"], record.get("address")
        self._totals[kind][outcome] += 1
        if address is not None:
            served = self._served.setdefault(address, {"ok": 0, "failed": 0})
            served["ok" if outcome == "ok" else "failed"] += 1
        if kind == "write" and outcome == "ok":
            self._last_ok_write = record["end"]
            self._regions[record.get("region", "?")] += 1

    def recorded(self, seconds: float) -> None:
        """Writing one operation down took so much CPU time, away from the users' own work."""
        self._recording_seconds += seconds

    def describe(self) -> dict[str, Any]:
        """The totals as JSON; `cpu_seconds` are the whole process's since it began.

        So are `waited_seconds`, in which its main thread could run and had no processor.
        """
        regions = {"east": 0, "west": 0, **self._regions}
        return {
            "totals": self._totals,
            "acknowledged_by_region": regions,
            "served_by_address": self._served,
            "last_ok_write": self._last_ok_write,
            "recording_seconds": self._recording_seconds,
            "cpu_seconds": time.process_time(),
            "waited_seconds": waited(),
        }


def waited(told: Path = Path("/proc/self/schedstat")) -> float | None:
    """Seconds in which this program waited for a processor; None where the kernel does not say."""
    try:
        _, nanoseconds, _ = told.read_text().split()
        return int(nanoseconds) / 1e9
    except (OSError, ValueError):
        return None


def answers(memories: Iterable[Memory], now: float) -> dict[str, int]:
    """For each address, how many users hold it in their cache at `now`."""
    return dict(Counter(held[0] for memory in memories if (held := memory.recall(now))))
