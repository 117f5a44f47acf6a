"""Connections that are torn down in the middle."""

from lab.core.topology import Link, link
from lab.faults.linked import cured, pinged, poisoned_with, poisoning, usable
from lab.faults.row import Aim, Fault, Takes
from lab.infra.linkstates import Toxic
from lab.infra.probe import Pinged
from lab.records.journalfile import Via


def _reset(_aim: Aim) -> tuple[Toxic, ...]:
    return (Toxic("resets", "reset_peer", "downstream", {"timeout": 0}),)


def _is_torn(_where: Link, answer: Pinged, _aim: Aim) -> bool:
    return answer.error in ("reset", "closed")


FAULTS = (
    Fault(
        name="resets",
        why="connections are accepted and then reset",
        teaches="an open connection proves nothing; if the answer breaks off, the result of the"
        " request is unknown",
        how="the gateway resets every connection as soon as something comes back",
        noticed="by every user at the first answer",
        cuts=(Via.IN_BAND,),
        takes=Takes.LINKS,
        default=Aim(links=(link("users-east:east:app"),)),
        arm=poisoning(_reset),
        seen=pinged(_is_torn),
        heal=cured,
        gone=usable,
        present=poisoned_with("resets"),
    ),
)
