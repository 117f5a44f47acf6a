"""What a steering sees of outages that are made up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from apps.steering.checks import Check, Kind
from lab.patience import recorded

CONNECT, TIMEOUT, END = 0.3, 0.8, 12.0
SECONDS = {Kind.SILENT: CONNECT, Kind.LATE: TIMEOUT}

Outage = tuple[float, float, Kind]


def seen(
    outages: Mapping[str, Sequence[Outage]],
    slow: float = 0.01,
    viewer: str = "east",
    every: float = 0.02,
    **more: object,
) -> recorded.Sequence:
    """Checks of both regions, of which the pace takes those that are due."""
    checks = [
        _check(region, number * every, hits, slow)
        for region, hits in outages.items()
        for number in range(round(END / every))
    ]
    return recorded.Sequence("made up", viewer, (), 0.0, tuple(checks), **more)  # type: ignore[arg-type]


def _check(region: str, began: float, outages: Sequence[Outage], slow: float) -> Check:
    for start, end, kind in outages:
        if start <= began < end:
            return Check(region, began, began + SECONDS.get(kind, 0.005), kind)
    return Check(region, began, began + slow, Kind.READY)
