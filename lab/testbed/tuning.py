"""Interval and thresholds of both steerings: set, proven to be in force, and put back.

Their route, the routing policy with its options, is put back with them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.steering import Steering, differing
from lab.core.topology import REGIONS, Region
from lab.core.wait import wait_until

if TYPE_CHECKING:
    from lab.infra import clients
    from lab.testbed.lab import Lab

_TOLD_SECONDS: Final = 20.0


def tune(lab: Lab, wanted: Steering) -> None:
    """Set them on both steerings, and wait until both say that they use them."""
    for each in REGIONS:
        wait_until(
            f"{each.name}'s steering to use the drill's thresholds",
            partial(_uses, lab.steerings[each], wanted),
            _TOLD_SECONDS,
            ignoring=(LabError,),
        )


def _uses(steering: clients.Steering, wanted: Steering) -> bool:
    steering.tune(wanted)
    return steering.state().thresholds == asdict(wanted)


def restore(lab: Lab) -> tuple[Region, ...]:
    """The default again on each steering that answers; those that had others."""
    restored = list[Region]()
    for each in REGIONS:
        with suppress(LabError):  # one that does not run has the default when it starts
            if to_default(lab.steerings[each]):
                restored.append(each)
    return tuple(restored)


def to_default(steering: clients.Steering) -> bool:
    """The default again; True if it had another route or thresholds. Raises LabError."""
    state = steering.state()
    other = differing(state.thresholds)
    if state.other_route:
        steering.follow({"policy": None})
    if other:
        steering.tune(Steering())
    return bool(other or state.other_route)
