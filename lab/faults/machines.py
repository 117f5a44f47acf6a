"""What faults of machines have in common: killed, seen dead, booted again."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults.row import Aim, Strike
from lab.fences import may_wake_as_primary
from lab.topology import DATABASES, DEFAULT_REPLICATION, MACHINES, Place, Region
from lab.wait import wait_until

if TYPE_CHECKING:
    from lab.cluster import Lab
    from lab.faults.sight import Sight

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

    A database that was primary is started only if no other node is, or may be, primary now: it may
    have been replaced while it was away. Raises LabError then; `lab reset` puts everything back.
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
    """Start a database where that is safe. Raises LabError when another one may be primary.

    A primary must be the newest on any disk: who was promoted in its place may be down as well.
    """
    node = lab.databases[place]
    own = node.primary_on_disk()
    if own is None:
        node.start_patiently()
        return
    for other in DATABASES:
        if other != place:
            _refuse_beside(lab, place, own, other)
    node.start()


def _refuse_beside(lab: Lab, place: Place, timeline: int, other: Place) -> None:
    """Raise LabError if another node was, or may have been, promoted in place of this one."""
    machine = lab.engine.state(other)
    if not machine.running:
        raise LabError(
            f"{place} was primary and is not started: the lab cannot ask {other}, whose machine"
            f" is {machine.status}, whether it was promoted meanwhile",
            "heal that first, or everything: lab fault heal --all",
        )
    found = lab.databases[other].primary_on_disk()
    if found is not None and found >= timeline:
        raise LabError(
            f"{place} was primary and {other} is now, on timeline {found}: it is not started",
            "lab reset puts the default topology back",
        )


def current_primary(lab: Lab) -> Place:
    """The primary that answers; while none does, the one that was promoted last."""
    for place in lab.databases.primaries():
        return place
    there = [place for place in DATABASES if lab.engine.running(place)]
    found = {place: lab.databases[place].primary_on_disk() or 0 for place in there}
    newest = max(found, key=lambda place: found[place], default=DEFAULT_REPLICATION.primary)
    if found.get(newest):
        return newest
    frozen = (place for place in DATABASES if may_wake_as_primary(lab, place))
    return next(frozen, DEFAULT_REPLICATION.primary)


def ready(lab: Lab, region: Region) -> tuple[bool, str]:
    """Can a region take orders, and what it says if not; no answer counts as no."""
    try:
        return lab.guests[region].ready()
    except LabError as error:
        return False, error.message


def serving(lab: Lab, aim: Aim) -> str | None:
    """Gone: the machine runs, and its region takes orders."""
    place = node_of(aim)
    if not lab.engine.running(place):
        return None
    yes, _ = ready(lab, place.region)
    if not yes:
        return None
    if place in DATABASES and not lab.databases[place].answers():
        return None
    return f"{place} runs, and {place.region.name}'s shop can take orders"
