"""Replication alone made slow: too little bandwidth for the WAL, or held for a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, Place, Region, link
from lab.core.wait import pause
from lab.faults.linked import cured, is_by_default, poisoned_with, poisoning
from lab.faults.row import Aim, Amount, Fault, Takes
from lab.infra.linkstates import Toxic

if TYPE_CHECKING:
    from lab.postgres.node import Node
    from lab.testbed.lab import Lab

_KIB: Final = 1024
_PROBE_SECONDS: Final = 1.0
_PROMPT_SECONDS: Final = 0.6
"""A fresh record that is there within this time was not held: half a round trip is 40 ms."""


@dataclass(frozen=True, slots=True)
class _Ends:
    """Who sends WAL through a replication link, and who receives it."""

    sender: Node
    receiver: Node


def _ends(lab: Lab, aim: Aim) -> _Ends:
    """Raises LabError when no standby streams through the link now."""
    entered, origin = aim.links[0].entered, aim.links[0].entered.other
    for place in DATABASES:
        if place.region is origin and _gateway(lab, entered, origin) in _receiver(lab, place):
            return _Ends(_head(lab, entered), lab.databases[place])
    raise LabError(f"no standby streams through {aim.links[0].name} now", "see: lab status")


def _gateway(lab: Lab, entered: Region, origin: Region) -> str:
    return lab.settings.addresses.gateway_as_seen_from(entered, origin)


def _receiver(lab: Lab, place: Place) -> str:
    """The address that a node streams from; empty if it does not answer."""
    try:
        return lab.databases[place].state().receiver
    except LabError:
        return ""


def _head(lab: Lab, of: Region) -> Node:
    for place in DATABASES:
        if place.region is of and lab.databases[place].answers():
            return lab.databases[place]
    raise LabError(f"no database of {of.name} answers", "see: lab status")


def _whole_after(aim: Aim) -> float:
    """What is held for 15 s is 15 s behind after 15 s; the probe sees the hold sooner."""
    return (aim.amount or 0) + 1


def _narrow(aim: Aim) -> tuple[Toxic, ...]:
    return (Toxic("bandwidth", "bandwidth", "downstream", {"rate": round(aim.amount or 1)}),)


def _is_narrow(lab: Lab, aim: Aim) -> str | None:
    """More WAL than fits is written; what arrives must be no more than the link lets through.

    Twice as much counts as too much: a second is short, and what was buffered arrives at once.
    """
    ends, rate = _ends(lab, aim), (aim.amount or 1) * _KIB
    ends.sender.write_wal(round(rate * 4 * _PROBE_SECONDS))
    before = ends.receiver.lsn()
    pause(_PROBE_SECONDS)
    arrived, waiting = ends.receiver.lsn() - before, ends.sender.lsn() - ends.receiver.lsn()
    if waiting <= 0 or arrived > rate * _PROBE_SECONDS * 2:
        return None
    return f"{ends.receiver} is {waiting} B behind and got {arrived} B in {_PROBE_SECONDS:g} s"


def _hold(aim: Aim) -> tuple[Toxic, ...]:
    held = round((aim.amount or 0) * 1000)
    return (Toxic("lag-hold", "latency", "downstream", {"latency": held}),)


def _is_held(lab: Lab, aim: Aim) -> str | None:
    ends = _ends(lab, aim)
    mark = ends.sender.mark()
    pause(_PROMPT_SECONDS)
    behind = mark - ends.receiver.lsn()
    if behind <= 0:
        return None
    return f"{ends.receiver} has not received what {ends.sender} wrote {_PROMPT_SECONDS:g} s ago"


def _flows(lab: Lab, aim: Aim) -> str | None:
    """Gone: a fresh record arrives promptly, so all that was held back has arrived before it."""
    return _arrives(lab, aim, lambda sender: None)


def _is_wide(lab: Lab, aim: Aim) -> str | None:
    """Gone: as much WAL as did not fit arrives promptly."""
    size = round((aim.amount or 1) * _KIB * 4)
    return _arrives(lab, aim, lambda sender: sender.write_wal(size))


def _arrives(lab: Lab, aim: Aim, write: Callable[[Node], None]) -> str | None:
    """A link that no standby streams through is held back by nothing but its gateway."""
    if not is_by_default(lab, aim.links[0]):
        return None
    try:
        ends = _ends(lab, aim)
    except LabError as error:
        return f"the gateway has its default settings; {error.message}"
    write(ends.sender)
    mark = ends.sender.mark()
    pause(_PROMPT_SECONDS)
    if ends.receiver.lsn() < mark:
        return None
    return f"fresh WAL of {ends.sender} reaches {ends.receiver} within {_PROMPT_SECONDS:g} s"


FAULTS = (
    Fault(
        name="bandwidth",
        why="the link carries fewer bytes than the primary writes",
        teaches="if the link carries fewer bytes than the WAL rate, the lag grows without limit",
        how="the gateway lets only so many bytes per second of WAL through",
        noticed="by monitoring of the lag; by no time-out",
        cuts=(),
        takes=Takes.LINKS,
        default=Aim(links=(link("west:east:replication"),)),
        arm=poisoning(_narrow),
        seen=_is_narrow,
        heal=cured,
        gone=_is_wide,
        present=poisoned_with("bandwidth", "rate"),
        amount=Amount("bytes that pass per second", "KiB/s", 32, 8, 100_000),
        purposes=("replication",),
    ),
    Fault(
        name="lag-hold",
        why="replication across regions is held back; nothing else is slower",
        teaches="an asynchronous standby loses what it has not received; that can be more than the"
        " mean lag",
        how="the gateway delays only WAL; statements, answers and DNS pass as usual",
        noticed="by monitoring of the lag; by no user, until the region is lost",
        cuts=(),
        takes=Takes.LINKS,
        default=Aim(links=(link("west:east:replication"),)),
        arm=poisoning(_hold),
        seen=_is_held,
        heal=cured,
        gone=_flows,
        present=poisoned_with("lag-hold", "latency", 0.001),
        amount=Amount("WAL arrives late by", "s", 15, 1, 50),
        purposes=("replication",),
        heal_seconds=90,
        grows=_whole_after,
    ),
)
