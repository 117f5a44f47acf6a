"""What faults of machines have in common: killed, seen dead, booted again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import APP_NAME, DATABASES, DEFAULT_REPLICATION, MACHINES, Place, Region
from lab.core.wait import wait_until
from lab.faults.row import Aim, Strike
from lab.infra.probe import ask_from_within
from lab.postgres import succession
from lab.testbed.fences import may_wake_as_primary

if TYPE_CHECKING:
    from lab.faults.sight import Sight
    from lab.testbed.lab import Lab

_BOOT_SECONDS = 15.0


def machines_of(region: Region) -> tuple[Place, ...]:
    """Every machine that stands in a region, its gateway among them."""
    return tuple(Place(region.name, each.service) for each in MACHINES)


def both(service: str) -> tuple[Place, ...]:
    """That machine of either region."""
    return (Place("east", service), Place("west", service))


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


def bring_back(lab: Lab, places: Iterable[Place]) -> None:
    """Boot machines and everything on them: links, names, databases. May be repeated.

    A database that was primary is started only if it is known that no other one was promoted in its
    place. If one was, it stays down: what it alone has must be looked at first.
    """
    wanted = tuple(places)
    lab.boot(wanted)
    for place in wanted:
        wait_until(f"{place} to boot", lambda p=place: lab.engine.running(p), _BOOT_SECONDS)  # type: ignore[misc]
    if any(place.service in ("gateway", "dns") for place in wanted):
        lab.reopen(current_primary(lab))
    for place in wanted:
        if place in DATABASES:
            start_server(lab, place)


def start_server(lab: Lab, place: Place) -> None:
    """Start a database where that is safe; one that was replaced, or is not whole, stays down.

    Raises LabError while it cannot be told whether it was.
    """
    node = lab.databases[place]
    if node.disk().follows:
        node.start_patiently()
        return
    found = succession.read(lab.engine, lab.databases)
    if place in found.left_down:
        return
    if found.heir != place:
        raise LabError(
            found.problem,
            "heal all faults first: lab fault heal --all; if it stays so: lab status",
        )
    node.start()


def current_primary(lab: Lab) -> Place:
    """The primary that answers; while none does, the one that was promoted last."""
    for place in lab.databases.primaries():
        return place
    newest = succession.read(lab.engine, lab.databases).newest
    frozen = (place for place in DATABASES if may_wake_as_primary(lab, place))
    return next(iter((*newest, *frozen)), DEFAULT_REPLICATION.primary)


def ready(lab: Lab, region: Region) -> tuple[bool, str]:
    """Can a region take orders, and what it says if not; no answer counts as no."""
    try:
        return lab.guests[region].ready()
    except LabError as error:
        return False, error.message


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


def answers_itself(lab: Lab, place: Place) -> bool:
    """True when what runs on a machine answers. Raises LabError if the machine cannot be asked."""
    return _ANSWERS[place.service](lab, place)


_ANSWERS: Mapping[str, Callable[[Lab, Place], bool]] = {
    "db1": lambda lab, place: lab.databases[place].answers(),
    "db2": lambda lab, place: lab.databases[place].answers(),
    "app": lambda lab, place: not ask_from_within(lab.engine, lab.settings, place).error,
    "cache": lambda lab, place: "PONG" in lab.engine.run(place, ["/cli", "PING"]),
    "dns": lambda lab, place: bool(lab.names.ask(place.region, APP_NAME)),
    "steering": lambda lab, place: bool(lab.steerings[place.region].state().view),
    "gateway": lambda lab, place: all(each.exists for each in lab.links.states(place.region)),
}


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
