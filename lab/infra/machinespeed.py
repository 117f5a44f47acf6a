"""How fast this machine is beside everything else that it does: measured when a lab is made.

Load, patience and time-outs of the lab follow it, so that a slow or busy machine gets a drill that
it can carry and the time that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import USERS

if TYPE_CHECKING:
    from lab.infra.machines import Engine

_SECONDS: Final = 0.25
_USUAL: Final = 400_000.0
"""Orders a second that a machine handles on which the usual load and time-outs are right: both
populations together, two cores of a shared virtual machine with nothing else to do."""

_MOST_PATIENCE: Final = 4.0
_SHARES: Final = (1.0, 0.5, 0.25)


def measured(engine: Engine) -> float:
    """Pace of the users' machines, 1 for the usual one. Raises LabError when they do not say."""
    said = engine.each(
        USERS, lambda place: engine.run(place, ["python3", "-m", "appkit.pace", str(_SECONDS)])
    )
    try:
        return round(sum(map(float, said)) / _USUAL, 2)
    except ValueError:
        raise LabError(f"the users' machines do not say how fast they are: {said}") from None


def patience(pace: float) -> float:
    """How many times as long as usual the lab waits: 1 to 4."""
    return min(max(1 / max(pace, 1 / _MOST_PATIENCE), 1.0), _MOST_PATIENCE)


def shares(pace: float) -> tuple[float, ...]:
    """Shares of a drill's load to try one after the other, until the machine carries one.

    The first is the largest that a machine of this pace is likely to carry: half as fast is still
    fast enough for all of the usual load.
    """
    return tuple(share for share in _SHARES if share <= max(2 * pace, _SHARES[-1]))
