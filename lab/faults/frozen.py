"""A machine that stops in the middle of what it does, and goes on later as if nothing were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.faults.machines import both, node_of, serving
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.probe import ask_machine
from lab.record import Via
from lab.topology import DATABASES, EAST_DB1

if TYPE_CHECKING:
    from lab.cluster import Lab

_NODES = (*DATABASES, *both("app"))


def _freeze(lab: Lab, aim: Aim) -> Strike:
    return lambda: lab.engine.freeze([node_of(aim)])


def _does_nothing(lab: Lab, aim: Aim) -> str | None:
    """Its neighbour can still connect, which the kernel does; no process ever answers."""
    place = node_of(aim)
    state = lab.engine.state(place).status
    answer = ask_machine(lab.engine, lab.settings, place)
    if state != "paused" or answer.error != "silent":
        return None
    return f"{place} is {state}: it answers no question"


def _thaw(lab: Lab, aim: Aim) -> None:
    lab.engine.start([node_of(aim)])


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(node=place) for place in _NODES if sight.machines[place].status == "paused")


FAULTS = (
    Fault(
        name="freeze",
        why="a machine stands still: connections stay, nothing answers, nothing is lost",
        teaches="the worst kind of failure: it looks like the network, and it comes back and goes"
        " on where it was, primary or not",
        how="the engine freezes every process of the machine",
        noticed="after each client's own time-out: the shop 1 s, a standby 60 s",
        cuts=(Via.IN_BAND, Via.OUT_OF_BAND),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=_freeze,
        seen=_does_nothing,
        heal=_thaw,
        gone=serving,
        present=_present,
        nodes=_NODES,
    ),
)
