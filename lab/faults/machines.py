"""What faults of machines have in common: killed, seen dead, booted again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import DATABASES, Place, Region
from lab.faults.row import Aim, Strike
from lab.postgres import succession
from lab.testbed.bringback import bring_back
from lab.testbed.health import answers_itself

if TYPE_CHECKING:
    from lab.faults.sight import Sight
    from lab.testbed.lab import Lab


def node_of(aim: Aim) -> Place:
    """The machine that an aim names. Raises LabError if it names none."""
    if aim.node is None:
        raise LabError("the fault needs a machine", "name one: --node east.db1")
    return aim.node


def region_of(aim: Aim) -> Region:
    """The region that an aim names. Raises LabError if it names none."""
    if aim.region is None:
        raise LabError("the fault needs a region", "name one: --region east")
    return aim.region


def killing(lab: Lab, aim: Aim) -> Strike:
    """Arm: the machine loses power."""
    return lab.engine.armed_to_kill([node_of(aim)])


def dead_nodes(among: Iterable[Place]) -> Callable[[Sight], tuple[Aim, ...]]:
    """Present: those of these machines that have no process."""
    chosen = tuple(among)
    return lambda sight: tuple(Aim(node=place) for place in chosen if sight.dead(place))


def booted(lab: Lab, aim: Aim) -> None:
    """Heal: the machine boots, and what ran on it runs again."""
    bring_back(lab, [node_of(aim)])


def works(lab: Lab, aim: Aim) -> str | None:
    """Gone: the machine runs, and what is on it answers or stays down for a good reason.

    Nothing but the machine itself is asked: what is broken elsewhere is no part of this.
    """
    place = node_of(aim)
    if not lab.engine.running(place):
        return None
    if answers_itself(lab, place):
        return f"{place} runs and answers"
    return _left_down(lab, place) if place in DATABASES else None


def _left_down(lab: Lab, place: Place) -> str | None:
    """Why a database stays down, if that is meant to be so."""
    if lab.databases[place].disk().follows:
        return None
    found = succession.read(lab.engine, lab.databases)
    return found.told(place) if place in found.left_down else None


def all_work(lab: Lab, places: Iterable[Place]) -> bool:
    """True when these machines run, and so do databases and gateways on them."""
    wanted = tuple(places)
    if not all(lab.engine.each(wanted, lab.engine.running)):
        return False
    asked = [each for each in wanted if each in DATABASES or each.service == "gateway"]
    return all(lab.engine.each(asked, lambda place: works(lab, Aim(node=place))))


def around(aim: Aim) -> tuple[Region, ...]:
    """Serves: the region that the machine stands in."""
    return (node_of(aim).region,)
