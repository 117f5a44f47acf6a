"""A machine that stops in the middle of what it does, and goes on later as if nothing were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.topology import DATABASES, EAST_DB1, REGIONS, Place, both, machines_of
from lab.faults.machines import around, node_of, works
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.infra.probe import ask_machine
from lab.records.journalfile import Via
from lab.testbed.bringback import bring_back

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_NODES = (*DATABASES, *both("app"))


def _freeze(lab: Lab, aim: Aim) -> Strike:
    return lambda: lab.engine.freeze([node_of(aim)])


def _does_nothing(lab: Lab, aim: Aim) -> str | None:
    """Its neighbour can still connect, which the kernel does; no process ever answers."""
    place = node_of(aim)
    state = lab.engine.state(place)
    answer = ask_machine(lab.engine, lab.settings, place)
    if not state.frozen or answer.error != "silent":
        return None
    return f"{place} is frozen: it answers no question"


def _thaw(lab: Lab, aim: Aim) -> None:
    """It goes on where it was. A primary that may have been replaced comes back as after a crash.

    Its machine is killed then and boots, and its server starts only if that is safe.
    """
    place = node_of(aim)
    if place not in DATABASES or _may_go_on(lab, place):
        lab.engine.thaw([place])
    else:
        bring_back(lab, [place])


def _may_go_on(lab: Lab, place: Place) -> bool:
    """True when no other database can be primary beside this one.

    The disks say so: an answer of a server would leave out those that do not answer now.
    """
    if not lab.engine.state(place).frozen:
        return lab.databases[place].answers()
    others = (each for each in DATABASES if each != place)
    standby = lab.databases[place].is_standby_on_disk()
    return standby or all(lab.databases[each].is_standby_on_disk() for each in others)


def _present(sight: Sight) -> tuple[Aim, ...]:
    """Also of machines that this fault is never pointed at: a person may have frozen them."""
    places = (place for region in REGIONS for place in machines_of(region))
    return tuple(Aim(node=place) for place in places if sight.machines[place].frozen)


FAULTS = (
    Fault(
        name="freeze",
        why="a machine stands still: connections stay, nothing answers, nothing is lost",
        teaches="the worst kind of failure: it looks like a network failure, and later the machine"
        " resumes in its old role, even as primary",
        how="the engine freezes every process of the machine; healing resumes it, or kills it if"
        " it was primary and another database may be primary now",
        noticed="after each client's own time-out: the shop 1 s, a standby 60 s",
        cuts=(Via.IN_BAND, Via.OUT_OF_BAND),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=_freeze,
        seen=_does_nothing,
        heal=_thaw,
        gone=works,
        serves=around,
        present=_present,
        nodes=_NODES,
    ),
)
