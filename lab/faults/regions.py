"""A whole region is gone: with its resolver, or but for it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    EAST,
    REGIONS,
    Place,
    Region,
    links_into,
    machines_of,
)
from lab.faults.machines import all_work, region_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.records.journalfile import Via
from lab.testbed.bringback import bring_back

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_BOTH_WAYS = (Via.IN_BAND, Via.OUT_OF_BAND)


def _but_the_resolver(region: Region) -> tuple[Place, ...]:
    return tuple(each for each in machines_of(region) if each.service != "dns")


def _losing(machines: Callable[[Region], tuple[Place, ...]]) -> Callable[[Lab, Aim], Strike]:
    """Arm: these machines of a region lose power, and its border with them."""
    return lambda lab, aim: _lose(lab, region_of(aim), machines(region_of(aim)))


def _lose(lab: Lab, region: Region, machines: tuple[Place, ...]) -> Strike:
    close = lab.links.armed_to_close(links_into(region))
    kill_databases = lab.engine.armed_to_kill([each for each in machines if each in DATABASES])
    kill_others = lab.engine.armed_to_kill([each for each in machines if each not in DATABASES])

    def strike() -> None:
        # Border first: what waits in a gateway's delay would still arrive after the primary is
        # dead. Then the databases: nothing is acknowledged any more. With all machines at once the
        # primary, which has most processes, was the last to be dead, after most of a second.
        close()
        kill_databases()
        kill_others()

    return strike


def _blacked_out(lab: Lab, aim: Aim) -> str | None:
    region = region_of(aim)
    gone = _gone(lab, region, _but_the_resolver(region))
    told = lab.names.ask(region, APP_NAME) if gone else ()
    return f"{gone}; its resolver still answers {APP_NAME} with {', '.join(told)}" if told else None


def _region_is_gone(lab: Lab, aim: Aim) -> str | None:
    return _gone(lab, region_of(aim), machines_of(region_of(aim)))


def _gone(lab: Lab, region: Region, machines: tuple[Place, ...]) -> str | None:
    if lab.engine.alive(machines):
        return None
    streams = [p for p in DATABASES if p.region is not region and _streams_from(lab, p, region)]
    if streams:
        return None
    return (
        f"none of {len(machines)} machines in {region.name} runs; no database in"
        f" {region.other.name} streams from {region.name}"
    )


def _streams_from(lab: Lab, place: Place, region: Region) -> bool:
    gateway = lab.settings.addresses.gateway_as_seen_from(region, region.other)
    try:
        return gateway in lab.databases[place].state().receiver
    except LabError:
        return False


def _region_back(lab: Lab, aim: Aim) -> None:
    bring_back(lab, machines_of(region_of(aim)))


def _region_works(lab: Lab, aim: Aim) -> str | None:
    machines = machines_of(region_of(aim))
    if not all_work(lab, machines):
        return None
    return f"all {len(machines)} machines of {region_of(aim).name} run"


def _itself(aim: Aim) -> tuple[Region, ...]:
    return (region_of(aim),)


def _lost_regions(sight: Sight) -> tuple[Aim, ...]:
    return tuple(
        Aim(region=region) for region in REGIONS if all(map(sight.dead, machines_of(region)))
    )


def _blacked_out_regions(sight: Sight) -> tuple[Aim, ...]:
    return tuple(
        Aim(region=region)
        for region in REGIONS
        if all(map(sight.dead, _but_the_resolver(region)))
        and not sight.dead(Place(region.name, "dns"))
    )


FAULTS = (
    Fault(
        name="region-loss",
        why="power or network of a whole region is gone: nothing in it answers any more",
        teaches="the main case of the lab: orders that were not yet replicated to the other region"
        " are lost",
        how="all links into the region are closed, replication first; then its machines are killed,"
        " databases first",
        noticed="by the other region's health check after half a second of failed checks",
        cuts=_BOTH_WAYS,
        takes=Takes.REGION,
        default=Aim(region=EAST),
        arm=_losing(machines_of),
        seen=_region_is_gone,
        heal=_region_back,
        gone=_region_works,
        serves=_itself,
        present=_lost_regions,
        touches=lambda aim: (*links_into(region_of(aim)), *machines_of(region_of(aim))),
        heal_seconds=60,
    ),
    Fault(
        name="blackout",
        why="every machine of the region is dead except its resolver, which is at another site",
        teaches="a DNS name that nobody updates sends users to a dead address",
        how="as region-loss, but the resolver, which is also on the users' network, keeps running",
        noticed="by the other region's health check after half a second of failed checks",
        cuts=_BOTH_WAYS,
        takes=Takes.REGION,
        default=Aim(region=EAST),
        arm=_losing(_but_the_resolver),
        seen=_blacked_out,
        heal=_region_back,
        gone=_region_works,
        serves=_itself,
        present=_blacked_out_regions,
        touches=lambda aim: (*links_into(region_of(aim)), *_but_the_resolver(region_of(aim))),
        heal_seconds=60,
    ),
)
