"""How often steering checks a region, and how much evidence changes what it believes. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Final

from lab.core.fitting import Fit
from lab.core.words import listed

STREAM_LASTS_SECONDS: Final = 3.0
"""For how long a stream of WAL must have been broken before it alone is a loss: it is there again
a moment later, as long as nothing is wrong but the line."""

STREAM_ASKED_SECONDS: Final = 0.5
"""Where a break must last, the standby is asked only this often: health checks end most waits, and
each question delays the next look at them."""

MACHINE_ENDS_SECONDS: Final = 5.0
"""A second look waits so long for the end of a machine, where nothing of its region answers."""

_COUNT: Final = Fit(int, "checks", least=1, most=100, example=3)
_SPAN: Final = Fit(float, "s", most=60, example=2)
_PACE: Final = Fit(float, "s", least=0.05, most=60, example=1)
FIELDS: Final[Mapping[str, Fit]] = {
    "interval": _PACE,
    "urgent": _PACE,
    "fall": _COUNT,
    "rise": _COUNT,
    **dict.fromkeys(("together", "alone", "late", "unready", "recover", "away", "home"), _SPAN),
}
"""What the steering's program takes."""


@dataclass(frozen=True, slots=True)
class Steering:
    """Interval and thresholds of the health checks of both steerings. Times are seconds.

    A check begins each `interval`, and each `urgent` as long as a check contradicts a belief.
    `fall` checks in a row must fail before a region is believed worse, `rise` must succeed before
    it is believed better. They must span some time, too: `alone` if one region alone fails,
    `together` if both do, `late` if an answer is only late, `unready` if the shop answers that it
    takes no order, and `recover` for a region that works again. Users are sent to the other region
    once it has failed no check for `away`, and back to their own after `home`.
    """

    interval: float = 0.5
    urgent: float = 0.1
    fall: int = 3
    rise: int = 2
    together: float = 0.4
    alone: float = 1.0
    late: float = 1.5
    unready: float = 2.0
    recover: float = 0.5
    away: float = 1.2
    home: float = 3.0

    def __post_init__(self) -> None:
        """Raise Unfit for what the steering's program would not take."""
        for name, fit in FIELDS.items():
            fit.refuse(name, getattr(self, name))

    @property
    def changed(self) -> Mapping[str, float]:
        """What differs from the default, by field."""
        return differing(asdict(self))


def differing(found: Mapping[str, float]) -> Mapping[str, float]:
    """Those of a steering's thresholds that differ from the default."""
    usual = asdict(Steering())
    return {name: found[name] for name in usual if found.get(name, usual[name]) != usual[name]}


def told(found: Mapping[str, float]) -> str:
    """Thresholds beside their defaults: `interval 2 s (default 0.5 s) and fall 5 (default 3)`."""
    usual = asdict(Steering())
    units = {name: " s" if FIELDS[name].unit == "s" else "" for name in found}
    return listed(
        f"{name} {value:g}{units[name]} (default {usual[name]:g}{units[name]})"
        for name, value in found.items()
    )
