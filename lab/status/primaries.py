"""No primary, two of them, or a name that leads past the one that there is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lab.core.lsn import format_lsn
from lab.core.topology import WRITER_NAME, Place
from lab.core.words import either, listed, size
from lab.status.look import Status
from lab.status.row import (
    FAILOVERS,
    LIST,
    Next,
    Situation,
    Told,
    Turn,
    brings_back,
    choice,
    heal,
    run,
    way_back,
)
from lab.testbed.nodelook import NodeReport

_LIST = Next(LIST, "shows what there is to choose from", Turn.ORDERS)
_WRITER = WRITER_NAME.partition(".")[0]


def _two(found: Status) -> Iterator[Told]:
    primaries = [each for each in found.nodes if each.primary]
    if len(primaries) < 2:
        return
    kept = max(primaries, key=lambda each: each.timeline)
    others = [each for each in primaries if each is not kept]
    each = listed([f"{node.place} (timeline {node.timeline})" for node in primaries])
    yield (
        f"Two primaries: {each}. What one of them takes is not on the other{_alone(primaries)}."
        f" {_leads(found)}.",
        (
            *(
                Next(
                    f"lab fault inject stop-immediate --node {node.place}",
                    f"keeps {kept.place}; {node.place} takes no more orders, its data stays",
                    Turn.STOP,
                )
                for node in others
            ),
            *_taken_over(others, kept),
            *(
                way
                for node in others
                for way in way_back(kept.place, node.place, brings_back(node.place))
            ),
        ),
    )


def _leads(found: Status) -> str:
    leads = [f"to {place or 'no node'} in {region}" for region, place in found.writers.items()]
    return f"The name {_WRITER} leads {listed(leads)}"


def _alone(primaries: Iterable[NodeReport]) -> str:
    has = [f"{each.place} alone has {size(each.alone_bytes)}" for each in primaries
           if each.alone_bytes]  # fmt: skip
    return f": {listed(has)} of WAL" if has else ""


def _taken_over(others: Iterable[NodeReport], kept: NodeReport) -> Iterator[Next]:
    for node in others:
        if book := FAILOVERS.get((node.place, kept.place)):
            does = f"names and users follow {kept.place}{_sends(node.place, kept.place)}"
            yield run(book, does, Turn.ORDERS)


def _none(found: Status) -> Iterator[Told]:
    if found.primaries:
        return
    old, candidates = _old_primaries(found), _candidates(found)
    told = f"No database takes orders: {_gone(found, old)}."
    most = _most(candidates) if candidates else "No standby answers."
    takeovers = [
        run(book, _takes_over(place, each.place), Turn.ORDERS)
        for place in old
        for each in candidates
        if (book := FAILOVERS.get((place, each.place)))
    ]
    ways = (*heal(found), *takeovers) or (_LIST,)
    yield f"{told} {most}", choice(*ways)


def _takes_over(old: Place, new: Place) -> str:
    lost = "" if new.site == old.site else f", loses what {new} has not received"
    return f"{new} takes over: fences {old} first{lost}{_sends(old, new)}"


def _sends(old: Place, new: Place) -> str:
    """A failover to another region leaves no user where they were."""
    return "" if new.site == old.site else f"; sends all users to {new.site}"


def _old_primaries(found: Status) -> tuple[Place, ...]:
    """Nodes that do not answer, and of which one was primary.

    The writer leads to it, or standbys follow it. With the resolver of its region gone, no name
    tells more than the gateway that they follow it through.
    """
    silent = [each.place for each in found.nodes if each.state is None]
    standbys = [each for each in found.nodes if each.standby]
    sites = {each.through.site for each in standbys if each.through and not each.upstream}
    for known in (set(found.writers.values()), {each.upstream for each in standbys}):
        if led := tuple(place for place in silent if place in known):
            return led
    return tuple(place for place in silent if place.site in sites)


def _gone(found: Status, old: tuple[Place, ...]) -> str:
    """What became of the primary, in half a sentence."""
    if not old:
        return "none of those that answer is primary"
    if len(old) == 1:
        return f"{old[0]} was primary, and {found.node(old[0]).reason}"
    return f"{either(old)} was primary, and none of them answers"


def _candidates(found: Status) -> list[NodeReport]:
    """Standbys that answer, the one with most WAL first."""
    return sorted((each for each in found.nodes if each.standby), key=_position, reverse=True)


def _position(node: NodeReport) -> tuple[int, int]:
    return node.timeline, node.state.received if node.state else 0


def _most(candidates: list[NodeReport]) -> str:
    """Who has most WAL, and what the others lack of it."""
    best, *others = candidates
    timeline, end = _position(best)
    same = [str(each.place) for each in candidates if _position(each) == (timeline, end)]
    lacks = [_lacks(each, timeline, end) for each in others if str(each.place) not in same]
    verb = "has" if len(same) == 1 else "have"
    told = f"{listed(same)} {verb} most WAL: up to {format_lsn(end)} on timeline {timeline}"
    return "; ".join([told, *lacks]) + "."


def _lacks(node: NodeReport, timeline: int, end: int) -> str:
    """LSNs of two timelines cannot be compared."""
    own, received = _position(node)
    if own != timeline:
        return f"{node.place} is on timeline {own}"
    return f"{node.place} lacks {size(end - received)} of it"


def _astray(found: Status) -> Iterator[Told]:
    if len(found.primaries) != 1:
        return
    primary = found.primaries[0]
    wrong = {
        region: place for region, place in found.writers.items() if place not in (primary, None)
    }
    if wrong:
        leads = listed([f"to {place} in {region}" for region, place in wrong.items()])
        pairs = [(place, primary) for place in dict.fromkeys(wrong.values()) if place]
        ways = [
            run(FAILOVERS[old, new], f"points it to {new}{_sends(old, new)}", Turn.ORDERS)
            for old, new in pairs
            if (old, new) in FAILOVERS
        ]
        yield (
            f"The name {_WRITER} leads {leads}, but {primary} is primary: shops there can take no"
            " order.",
            tuple(ways) or (_LIST,),
        )


TWO = Situation("two-primaries", _two)
NONE = Situation("no-primary", _none)
ASTRAY = Situation("writer-astray", _astray)
