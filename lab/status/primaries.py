"""Situations with no primary, with two, or with a name that does not lead to the primary."""

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
    choice,
    heal,
    run,
)
from lab.testbed.nodelook import NodeReport

_LIST = Next(LIST, "lists the runbooks", Turn.ORDERS)
_WRITER = WRITER_NAME.partition(".")[0]


def _two(found: Status) -> Iterator[Told]:
    primaries = [each for each in found.nodes if each.primary]
    if len(primaries) < 2:
        return
    each = listed([f"{node.place} (timeline {node.timeline})" for node in primaries])
    yield (
        f"Two primaries: {each}. Orders that one of them takes are not on the"
        f" other{_alone(primaries)}. {_leads(found)}.",
        choice(*(_stopped(node, primaries) for node in sorted(primaries, key=_loss))),
    )


def _loss(node: NodeReport) -> tuple[bool, int, int]:
    """Less goes out of service with a node that alone has less; of two alike, with the older."""
    return node.alone_bytes is None, node.alone_bytes or 0, node.timeline


def _stopped(node: NodeReport, primaries: Iterable[NodeReport]) -> Next:
    """One of two is given up. What follows depends on which one, and is told after that."""
    kept = listed([each.place for each in primaries if each is not node])
    alone = f" in the {size(node.alone_bytes)} of WAL" if node.alone_bytes else ""
    return Next(
        f"lab fault inject stop-immediate --node {node.place}",
        f"keeps {kept}; orders{alone} that exist only on {node.place} are no longer visible: they"
        " stay on its disk, and the failback saves them to a file",
        Turn.STOP,
    )


def _leads(found: Status) -> str:
    leads = [f"to {place or 'no node'} in {region}" for region, place in found.writers.items()]
    return f"The name {_WRITER} resolves {listed(leads)}"


def _alone(primaries: Iterable[NodeReport]) -> str:
    has = [f"only {each.place} has {size(each.alone_bytes)}" for each in primaries
           if each.alone_bytes]  # fmt: skip
    return f": {listed(has)} of WAL" if has else ""


def _none(found: Status) -> Iterator[Told]:
    if found.primaries:
        return
    old, candidates = _old_primaries(found), _candidates(found)
    newer = _newer(found, old)
    told = f"No database takes orders: {_gone(found, old)}."
    most = _most(candidates) if candidates else "No standby answers."
    if newer and candidates:
        most = f"Of those that answer, {most}"
    takeovers = [
        run(book, _takes_over(place, each.place), Turn.ORDERS)
        for place in old
        for each in candidates
        if (book := FAILOVERS.get((place, each.place)))
    ]
    ways = (*heal(found), *takeovers) or (_LIST,)
    yield f"{told} {most}{newer}", choice(*ways)


def _newer(found: Status, old: tuple[Place, ...]) -> str:
    """Databases that do not answer and may have been promoted: what they have is on no other."""
    silent = [each.place for each in found.nodes if each.state is None]
    promoted = {new for _, new in FAILOVERS}
    may = (
        [place for place in silent if place not in found.replaced]
        if found.replaced
        else [place for place in silent if place in promoted and place not in old]
    )
    if not may:
        return ""
    verb = "does" if len(may) == 1 else "do"
    them = "it" if len(may) == 1 else "them"
    return (
        f" {listed(may)} {verb} not answer, and may have newer orders than every database that"
        f" answers: heal {them} first."
    )


def _takes_over(old: Place, new: Place) -> str:
    lost = "" if new.site == old.site else f", loses what {new} has not received"
    return f"{new} takes over: fences {old} first{lost}{_sends(old, new)}"


def _sends(old: Place, new: Place) -> str:
    """A failover to another region leaves no user where they were."""
    return "" if new.site == old.site else f"; sends all users to {new.site}"


def _old_primaries(found: Status) -> tuple[Place, ...]:
    """Nodes that do not answer, and of which one was primary.

    The writer leads to it, or standbys follow it. With the resolver of its region gone, no name
    tells more than the gateway that they follow it through. One that was replaced is none of them.
    """
    silent = [e.place for e in found.nodes if e.state is None and e.place not in found.replaced]
    standbys = [each for each in found.nodes if each.standby]
    sites = {each.through.site for each in standbys if each.through and not each.upstream}
    for known in (set(found.writers.values()), {each.upstream for each in standbys}):
        if led := tuple(place for place in silent if place in known):
            return led
    return tuple(place for place in silent if place.site in sites or found.replaced)


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
    if wrong := found.astray:
        leads = listed([f"to {place} in {region}" for region, place in wrong.items()])
        pairs = [(place, primary) for place in dict.fromkeys(wrong.values())]
        ways = [
            run(FAILOVERS[old, new], f"points it to {new}{_sends(old, new)}", Turn.ORDERS)
            for old, new in pairs
            if (old, new) in FAILOVERS
        ]
        yield (
            f"The name {_WRITER} resolves {leads}, but {primary} is primary: shops of"
            f" {listed([*wrong])} can take no order.",
            tuple(ways) or (_LIST,),
        )


TWO = Situation("two-primaries", _two)
NONE = Situation("no-primary", _none)
ASTRAY = Situation("writer-astray", _astray)
