"""Faults as rows: what is done, which paths it cuts, and the probe that must see its effect."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lab.cluster import Lab
from lab.errors import LabError
from lab.record import Via
from lab.topology import EAST, EAST_DB1, MACHINES, WEST_DB1, Place, Region


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault.

    `arm` does what takes time beforehand and returns what strikes at once: the lab's own work
    must not slow users down in the very moment whose losses are counted. `proof` says what was
    seen once the effect is there, and None until then.
    """

    name: str
    why: str
    cuts: tuple[Via, ...]
    machines: tuple[Place, ...]
    arm: Callable[[Lab], Callable[[], None]]
    proof: Callable[[Lab], str | None]
    proof_seconds: float = 15.0


def machines_of(region: Region) -> tuple[Place, ...]:
    """Every machine that stands in a region, its gateway among them."""
    return tuple(Place(region.name, each.service) for each in MACHINES)


def _lose_region(region: Region) -> Callable[[Lab], Callable[[], None]]:
    def arm(lab: Lab) -> Callable[[], None]:
        close = lab.links.armed_to_close(region)
        kill = lab.engine.armed_to_kill(machines_of(region))

        def strike() -> None:
            # Border first, then everything at once. Killed one after the other, the region would
            # go on acknowledging for most of a second; and what waits in a gateway's delay would
            # still arrive after the primary is dead.
            close()
            kill()

        return strike

    return arm


def _region_is_gone(region: Region, witness: Place) -> Callable[[Lab], str | None]:
    def proof(lab: Lab) -> str | None:
        alive = [each for each in machines_of(region) if lab.engine.running(each)]
        if alive:
            return None
        receiver = lab.databases[witness].state().receiver
        if receiver:
            return None
        return f"none of {region.name}'s machines runs; {witness} has lost its upstream"

    return proof


def _lose_machine(place: Place) -> Callable[[Lab], Callable[[], None]]:
    return lambda lab: lab.engine.armed_to_kill([place])


def _machine_is_gone(place: Place) -> Callable[[Lab], str | None]:
    def proof(lab: Lab) -> str | None:
        if lab.engine.running(place):
            return None
        ready, answer = _ready(lab, place.region)
        if ready:
            return None
        return f"{place} does not run; {place.region.name}'s shop can take no order: {answer}"

    return proof


def _ready(lab: Lab, region: Region) -> tuple[bool, str]:
    try:
        return lab.guests[region].ready()
    except LabError as error:
        return False, error.message


REGION_LOSS = Fault(
    name="region-loss",
    why="power or network of a whole region is gone: nothing in it answers any more",
    cuts=(Via.IN_BAND, Via.OUT_OF_BAND),
    machines=machines_of(EAST),
    arm=_lose_region(EAST),
    proof=_region_is_gone(EAST, WEST_DB1),
)

ZONE_LOSS = Fault(
    name="zone-loss",
    why="the primary's building is gone, the rest of the region is not",
    cuts=(Via.IN_BAND, Via.OUT_OF_BAND),
    machines=(EAST_DB1,),
    arm=_lose_machine(EAST_DB1),
    proof=_machine_is_gone(EAST_DB1),
)

FAULTS = (REGION_LOSS, ZONE_LOSS)
