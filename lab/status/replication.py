"""Standbys that lack what their primary writes, or do not show that they have it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from lab.core.lsn import format_lsn
from lab.core.topology import DATABASES, Place
from lab.core.words import count, listed, seconds, size
from lab.postgres.serverprofile import Slot
from lab.status.look import Status
from lab.status.row import Next, Situation, Told, Turn, back, heal, logs
from lab.testbed.nodelook import NodeReport

_LONG: Final = 1.0
"""Seconds that a session may wait for a standby before that is worth a word."""

_LITTLE: Final = 0.25
"""The share of what a slot may keep that is so little that it may soon be lost."""


def _commits_wait(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        if not each.primary or each.profile is None:
            continue
        waited = list(each.waits_for)
        silent = [place for place in waited if not found.node(place).fed]
        long = (each.profile.longest or 0.0) > _LONG
        if long or (waited and silent == waited):
            yield (
                f"Commits at {each.place} wait for {_whom(found, silent or waited)}: no order is"
                f" confirmed. {_sessions(each)}.",
                heal(found) or tuple(map(logs, silent or waited)),
            )


def _whom(found: Status, waited: Iterable[Place]) -> str:
    return listed([f"{place} ({_trouble(found.node(place))})" for place in waited])


def _trouble(node: NodeReport) -> str:
    return node.reason or ("it is slow" if node.fed else "fresh WAL does not arrive")


def _sessions(node: NodeReport) -> str:
    waiting = node.profile.waiting if node.profile else 0
    longest = node.profile.longest if node.profile else None
    told = f"{count(waiting, 'session')} wait{'s' if waiting == 1 else ''} now"
    return told[0].upper() + told[1:] + (f", the longest for {seconds(longest)}" if longest else "")


def _paused(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        if each.profile and each.profile.paused and each.state:
            waits = max(0, each.state.received - each.state.replayed)
            yield (
                f"WAL arrives at {each.place} and is not replayed: replay is paused. {size(waits)}"
                " wait there, and reads show old data.",
                (
                    *heal(found),
                    Next(
                        f'lab psql {each.place} -c "SELECT pg_wal_replay_resume()"',
                        "replays what waits",
                        Turn.FOLLOW,
                    ),
                ),
            )


def _parted(node: NodeReport) -> bool:
    """True for a standby on another timeline than its source's."""
    way = node.following
    return way is not None and way.proof is None and (way.left is not None or way.lag_bytes is None)


def _another_way(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        way = each.following
        if not each.standby or way is None or not _parted(each):
            continue
        left = f"; {way.source} left that timeline at {format_lsn(way.left)}" if way.left else ""
        where = "after that point" if way.left else "on that timeline"
        has = f"the {size(each.alone_bytes)} of WAL" if each.alone_bytes else ""
        told = f"Only {each.place} has {has} {where}" if has else f"It has no WAL {where}"
        yield (
            f"{each.place} is on timeline {each.timeline}{left}. {told}.",
            _follows_again(found, each) or (logs(each.place),),
        )


def _cut_off(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        if each.state is None or each.state.receiver or not _lacks_wal(found, each):
            continue
        if each.upstream is not None and found.node(each.upstream).state is None:
            continue  # what is wrong is said of the upstream
        yield (
            f"{each.place} receives nothing: it has no connection to"
            f" {_upstream(each)}{_slotless(found, each)}{_lag(each)}.",
            (*_follows_again(found, each), logs(each.place)),
        )


def _slotless(found: Status, node: NodeReport) -> str:
    """Without its slot an upstream turns a standby away."""
    said = found.node(node.upstream).profile if node.upstream else None
    if said is None or node.place.server_name in {slot.name for slot in said.slots}:
        return ""
    return f", which has no slot for {node.place}"


def _late(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        if each.state is None or not each.state.receiver or not _lacks_wal(found, each):
            continue
        if each.upstream is not None and _lacks_wal(found, found.node(each.upstream)):
            continue  # what is wrong is said of the upstream
        age = each.state.replay_age
        old = f" Its last transaction is {seconds(age)} old." if age else ""
        yield (
            f"Fresh WAL does not arrive at {each.place} within 2 s, although it is connected to"
            f" {_upstream(each)}{_lag(each)}.{old}",
            heal(found) or (logs(each.place),),
        )


def _lacks_wal(found: Status, node: NodeReport) -> bool:
    """True for a standby on its primary's timeline that fresh WAL does not reach."""
    way = node.following
    return (
        node.standby
        and way is not None
        and way.source in found.primaries
        and way.arrived is None
        and not _parted(node)
    )


def _upstream(node: NodeReport) -> str:
    if node.upstream is None:
        return f"a node through {node.through}" if node.through else "any node"
    return f"{node.upstream} through {node.through}" if node.through else str(node.upstream)


def _lag(node: NodeReport) -> str:
    if node.following is None or not node.following.lag_bytes:
        return ""
    return f"; it lacks {size(node.following.lag_bytes)}"


def _follows_again(found: Status, node: NodeReport) -> tuple[Next, ...]:
    has = f"first saves to a file the orders that only {node.place} has, then "
    does = f"{has if node.alone_bytes else ''}makes {node.place} follow"
    return (*heal(found), *back(found, node.place, does))


def _slots(found: Status) -> Iterator[tuple[NodeReport, Slot, Place]]:
    """Each slot of a server that answers, and the standby that it is for."""
    known = {place.server_name: place for place in DATABASES}
    for each in found.nodes:
        for slot in each.profile.slots if each.profile else ():
            if slot.name in known:
                yield each, slot, known[slot.name]


def _slot_lost(found: Status) -> Iterator[Told]:
    for each, slot, standby in _slots(found):
        if slot.lost:
            yield (
                f"The slot of {standby} at {each.place} is lost: {each.place} no longer has the WAL"
                f" that {standby} needs, and {standby} must be rebuilt.",
                (*heal(found), *(back(found, standby, f"rebuilds {standby}") or (logs(standby),))),
            )


def _slot_fills(found: Status) -> Iterator[Told]:
    for each, slot, standby in _slots(found):
        if slot.lost or slot.active or slot.left is None or slot.retained is None:
            continue
        if slot.left <= (slot.left + slot.retained) * _LITTLE:
            yield (
                f"{each.place} keeps {size(slot.retained)} of WAL for {standby}, which does not"
                f" fetch it. {_until_lost(slot.left)} {standby} must be rebuilt.",
                heal(found) or (logs(standby),),
            )


def _until_lost(left: int) -> str:
    """A server gives WAL up at a checkpoint, not in the moment in which it may."""
    if left <= 0:
        return "The limit is reached: the next checkpoint may invalidate the slot, and then"
    return f"After {size(left)} more the slot is lost, and"


COMMITS_WAIT = Situation("commits-wait", _commits_wait)
PAUSED = Situation("replay-paused", _paused)
SLOT_LOST = Situation("slot-lost", _slot_lost)
ANOTHER_WAY = Situation("another-way", _another_way)
CUT_OFF = Situation("cut-off", _cut_off)
LATE = Situation("late", _late)
SLOT_FILLS = Situation("slot-fills", _slot_fills)
