"""What stands between users and regions: cut off users, blind checkers, a resolver out of touch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from lab.core.topology import (
    EAST,
    REGIONS,
    WEST,
    Link,
    Place,
    Region,
    both,
    link,
    links_into,
)
from lab.faults.linked import broken_end, closing, cured, pinged, refuses, usable
from lab.faults.machines import node_of, region_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.records.journalfile import Via
from lab.testbed.health import current_primary

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


def _from_outside(region: Region) -> tuple[Link, ...]:
    """Every link that users, guests and health checks enter a region by."""
    return tuple(each for each in links_into(region) if each.origin not in ("east", "west"))


def _checks_of(region: Region) -> tuple[Link, ...]:
    return tuple(link(f"checks-{region.name}:{each.name}:app") for each in REGIONS)


LinksOf = Callable[[Region], tuple[Link, ...]]


def _closing(links_of: LinksOf) -> Callable[[Lab, Aim], Strike]:
    return lambda lab, aim: lab.links.armed_to_close(links_of(region_of(aim)))


def _curing(links_of: LinksOf) -> Callable[[Lab, Aim], None]:
    return lambda lab, aim: lab.links.heal(links_of(region_of(aim)))


def _closed(links_of: LinksOf) -> Callable[[Sight], tuple[Aim, ...]]:
    return lambda sight: tuple(
        Aim(region=region) for region in REGIONS if all(map(sight.closed, links_of(region)))
    )


def _no_user_gets_in(lab: Lab, aim: Aim) -> str | None:
    return pinged(refuses)(lab, Aim(links=_from_outside(region_of(aim))))


def _all_get_in(lab: Lab, aim: Aim) -> str | None:
    return usable(lab, Aim(links=_from_outside(region_of(aim))))


def _sees_nothing(lab: Lab, aim: Aim) -> str | None:
    state = lab.steerings[region_of(aim)].state()
    if any(view.state != "down" for view in state.view.values()):
        return None
    return (
        f"{region_of(aim).name}'s steering sees both regions as down, and answers"
        f" {', '.join(state.answer)}"
    )


def _sees_again(lab: Lab, aim: Aim) -> str | None:
    region = region_of(aim)
    if not lab.engine.running(Place(region.name, "steering")):
        return usable(lab, Aim(links=_checks_of(region)))
    view = lab.steerings[region].state().view
    blind = [each for each in _checks_of(region) if view[each.entered.name].state == "down"]
    reasons = [broken_end(lab, each) for each in blind]
    if not all(reasons):
        return None
    rest = f"; the other region is really down: {'; '.join(reasons)}" if reasons else ""
    return f"{region.name}'s steering sees {2 - len(blind)} of 2 regions{rest}"


_ONE_VIEW = (link("checks-west:east:app"),)


def _disagree(lab: Lab, aim: Aim) -> str | None:
    views = {region: lab.steerings[region].state().view["east"].state for region in REGIONS}
    if views[EAST] != "ready" or views[WEST] != "down":
        return None
    return "east's steering sees east as ready, west's sees it as down"


def _agree(lab: Lab, aim: Aim) -> str | None:
    there = [each for each in REGIONS if lab.engine.running(Place(each.name, "steering"))]
    views = {lab.steerings[each].state().view["east"].state for each in there}
    if len(there) < len(REGIONS):
        return usable(lab, aim)
    return f"both see east as {views.pop()}" if len(views) == 1 else None


def _one_view_closed(sight: Sight) -> tuple[Aim, ...]:
    if all(map(sight.closed, _ONE_VIEW)) and not any(map(sight.closed, _checks_of(EAST))):
        return (Aim(links=_ONE_VIEW),)
    return ()


def _pull_out(lab: Lab, aim: Aim) -> Strike:
    place = node_of(aim)
    return lambda: lab.engine.detach(place, place.site)


def _is_stale(lab: Lab, aim: Aim) -> str | None:
    """Users still reach it, its own region does not: no update comes any more."""
    place = node_of(aim)
    if place.site in lab.engine.state(place).networks:
        return None
    answer = lab.ask_as_user(place.region)
    if not answer:
        return None
    return f"users are still told {answer}; no update from {place.site} can arrive"


def _plug_in(lab: Lab, aim: Aim) -> None:
    lab.plug_in()
    lab.rename(current_primary(lab))


def _is_told(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if place.site not in lab.engine.state(place).networks:
        return None
    answer = lab.ask_as_user(place.region)
    return f"{place} is on its region's network again and answers {answer}" if answer else None


def _out_of_touch(sight: Sight) -> tuple[Aim, ...]:
    return tuple(
        Aim(node=place)
        for place in both("dns")
        if sight.machines[place].running and place.site not in sight.machines[place].networks
    )


FAULTS = (
    Fault(
        name="users-cut-off",
        why="users cannot reach the region; inside it, and between the regions, all is well",
        teaches="a region can be healthy and useless: only a check from the users' side can detect"
        " this",
        how="every link of users, guests and health checks into the region is closed",
        noticed="by users and both steerings; by no check from inside",
        cuts=(Via.IN_BAND,),
        takes=Takes.REGION,
        default=Aim(region=EAST),
        arm=_closing(_from_outside),
        seen=_no_user_gets_in,
        heal=_curing(_from_outside),
        gone=_all_get_in,
        present=_closed(_from_outside),
        touches=lambda aim: _from_outside(region_of(aim)),
    ),
    Fault(
        name="steering-blind",
        why="a health checker reaches neither region; users reach both",
        teaches="a checker that sees everything down is probably broken itself: fail open",
        how="the checker's links into both regions are closed",
        noticed="by the checker itself, if it doubts a view in which everything is down",
        cuts=(),
        takes=Takes.REGION,
        default=Aim(region=WEST),
        arm=_closing(_checks_of),
        seen=_sees_nothing,
        heal=_curing(_checks_of),
        gone=_sees_again,
        present=_closed(_checks_of),
        touches=lambda aim: _checks_of(region_of(aim)),
    ),
    Fault(
        name="steerings-disagree",
        why="one health checker sees east as down, the other one as healthy",
        teaches="two health checkers may see the same region differently",
        how="the link from west's checker into east is closed",
        noticed="not by looking at one checker alone",
        cuts=(),
        takes=Takes.NOTHING,
        default=Aim(links=_ONE_VIEW),
        arm=closing,
        seen=_disagree,
        heal=cured,
        gone=_agree,
        present=_one_view_closed,
    ),
    Fault(
        name="resolver-stale",
        why="users ask a resolver that gets no updates",
        teaches="a resolver that answers is worse than a dead one when its answers are old",
        how="the resolver is disconnected from its region's network, but stays on the users'"
        " network",
        noticed="only when a DNS record has to change",
        cuts=(Via.IN_BAND, Via.OUT_OF_BAND),
        takes=Takes.NODE,
        default=Aim(node=Place("east", "dns")),
        arm=_pull_out,
        seen=_is_stale,
        heal=_plug_in,
        gone=_is_told,
        present=_out_of_touch,
        nodes=both("dns"),
    ),
)
