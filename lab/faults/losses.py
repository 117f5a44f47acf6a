"""Machines that are gone: a region, a building, one program's machine."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    EAST_DB1,
    Region,
    both,
    link,
)
from lab.core.wait import wait_until
from lab.faults.linked import refuses
from lab.faults.machines import around, booted, dead_nodes, killing, node_of, works
from lab.faults.row import Aim, Fault, Strike, Takes, no_region
from lab.faults.sight import Sight
from lab.infra.probe import ask_machine, ping
from lab.records.journalfile import Via
from lab.testbed.health import ready

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_DEAD_SECONDS = 20.0
_BOTH_WAYS = (Via.IN_BAND, Via.OUT_OF_BAND)


def _database_is_gone(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if not lab.engine.state(place).stopped:
        return None
    yes, answer = ready(lab, place.region)
    # If another node is primary, this loss is no reason for the shop to stop.
    if yes and not any(other != place for other in lab.databases.primaries()):
        return None
    told = "still takes orders" if yes else f"can take no order: {answer}"
    return f"{place} does not run; {place.region.name}'s shop {told}"


def _shop_is_gone(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    yes, answer = ready(lab, place.region)
    dead = lab.engine.state(place).stopped and not yes
    return f"{place} does not run: {answer}" if dead else None


def _cache_is_gone(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if not lab.engine.state(place).stopped:
        return None
    if not ask_machine(lab.engine, lab.settings, place).error:
        return None
    yes, answer = ready(lab, place.region)
    return f"{place} gives no answer; {place.region.name}'s shop " + (
        "takes orders without it" if yes else f"takes none: {answer}"
    )


def _resolver_is_gone(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    try:
        lab.names.ask(place.region, APP_NAME)
    except LabError:
        return f"{place} gives no answer" if lab.engine.state(place).stopped else None
    return None


def _resolver_answers(lab: Lab, aim: Aim) -> str | None:
    region = node_of(aim).region
    answer = lab.names.ask(region, APP_NAME)
    return f"{region.name}'s resolver answers {APP_NAME} → {', '.join(answer)}" if answer else None


def _steering_is_gone(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    try:
        lab.steerings[place.region].state()
    except LabError:
        return f"{place} gives no answer" if lab.engine.state(place).stopped else None
    return None


def _steering_sees(lab: Lab, aim: Aim) -> str | None:
    region = node_of(aim).region
    view = lab.steerings[region].state().view
    return f"{region.name}'s steering looks at both regions" if len(view) == 2 else None


def _gateway_is_empty(lab: Lab, aim: Aim) -> str | None:
    """It came back by itself, closed and empty, until the lab configures it."""
    region = node_of(aim).region
    if any(state.exists for state in lab.links.states(region)):
        return None
    guest = link(f"guest:{region.name}:app")
    answer = ping(lab.engine, lab.settings, guest)
    if not refuses(guest, answer, aim):
        return None
    return f"{node_of(aim)} runs and has no listener: {answer.error}"


def _crash_gateway(lab: Lab, aim: Aim) -> Strike:
    kill = lab.engine.armed_to_kill([node_of(aim)])

    def strike() -> None:
        kill()
        wait_until(
            f"{node_of(aim)} to be dead",
            lambda: lab.engine.state(node_of(aim)).stopped,
            _DEAD_SECONDS,
        )
        lab.engine.start([node_of(aim)])

    return strike


def _empty_gateways(sight: Sight) -> tuple[Aim, ...]:
    """A gateway that has not got all of its listeners back, or has not come back at all."""
    lacking = {state.link.gateway for state in sight.links.values() if not state.exists}
    return tuple(Aim(node=place) for place in both("gateway")
                 if place in lacking or sight.dead(place))  # fmt: skip


def _mute_resolvers(sight: Sight) -> tuple[Aim, ...]:
    """A resolver that does not run, or that booted and was told nothing."""
    return tuple(Aim(node=place) for place in both("dns")
                 if sight.dead(place) or place in sight.nameless)  # fmt: skip


def _row(
    name: str, service: str, why: str, teaches: str, noticed: str,
    seen: Callable[[Lab, Aim], str | None], gone: Callable[[Lab, Aim], str | None],
    present: Callable[[Sight], tuple[Aim, ...]] | None = None,
    serves: Callable[[Aim], tuple[Region, ...]] = no_region,
) -> Fault:  # fmt: skip
    nodes = both(service)
    return Fault(
        name=name,
        why=why,
        teaches=teaches,
        how="the machine is killed: its address goes silent",
        noticed=noticed,
        cuts=_BOTH_WAYS,
        takes=Takes.NODE,
        default=Aim(node=nodes[0]),
        arm=killing,
        seen=seen,
        heal=booted,
        gone=gone,
        present=present or dead_nodes(nodes),
        serves=serves,
        nodes=nodes,
    )


FAULTS = (
    Fault(
        name="zone-loss",
        why="a database's machine is dead; the rest of its region works",
        teaches="a synchronous standby in the other zone loses nothing; what remains is to decide"
        " who promotes it, and how fast",
        how="one database's machine is killed",
        noticed="by its standby and its shop within about a second; by no shallow health check",
        cuts=_BOTH_WAYS,
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=killing,
        seen=_database_is_gone,
        heal=booted,
        gone=works,
        serves=around,
        present=dead_nodes(DATABASES),
        nodes=DATABASES,
    ),
    _row(
        "app-loss", "app", "the region's shop is dead; its databases run",
        "the stateless part fails most often, and is the cheapest to move away from",
        "by every health check of that region, after 1 to 2 s of failed checks",
        _shop_is_gone, works, serves=around,
    ),
    _row(
        "cache-loss", "cache", "the region's cache is gone",
        "a cache may make reads faster, but reads must work without it",
        "by the shop at its next read; by no health check",
        _cache_is_gone, works,
    ),
    _row(
        "resolver-down", "dns", "the region's resolver answers nothing",
        "DNS is a single point of failure for clients of one resolver",
        "by each client after its own patience (300 ms with two resolvers, for ever with one)",
        _resolver_is_gone, _resolver_answers, _mute_resolvers,
    ),
    _row(
        "steering-down", "steering", "no program checks health for the region's users any more",
        "the control plane may fail while everything works: DNS names stay as they are, even when"
        " they become wrong",
        "only at the next fault",
        _steering_is_gone, _steering_sees,
    ),
    Fault(
        name="gateway-crash",
        why="the gateway crashed and came back with no rules at all",
        teaches="a program that restarts by itself has lost the configuration that it got at run"
        " time",
        how="the gateway is killed and boots again without any rules, so it accepts no connection",
        noticed="by all users who enter the region, at once",
        cuts=(Via.IN_BAND,),
        takes=Takes.NODE,
        default=Aim(node=both("gateway")[0]),
        arm=_crash_gateway,
        seen=_gateway_is_empty,
        heal=booted,
        gone=works,
        serves=around,
        present=_empty_gateways,
        nodes=both("gateway"),
    ),
)  # fmt: skip
