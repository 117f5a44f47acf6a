"""Regions cut from each other while users reach both: the split-brain maker."""

from lab.faults.linked import (
    WAN,
    all_closed,
    closing,
    cured,
    pinged,
    poisoning,
    refuses,
    says_nothing,
    usable,
)
from lab.faults.row import Aim, Fault, Takes
from lab.faults.sight import Sight
from lab.infra.linkstates import Toxic
from lab.records.journalfile import Via

_NAME = "partition-silent"


def _swallow(_aim: Aim) -> tuple[Toxic, ...]:
    return tuple(Toxic(_NAME, "timeout", way, {"timeout": 0}) for way in ("upstream", "downstream"))


def _present(sight: Sight) -> tuple[Aim, ...]:
    poisoned = [
        link
        for link in WAN
        if link in sight.links and any(t.name == _NAME for t in sight.links[link].toxics)
    ]
    return (Aim(links=tuple(poisoned)),) if poisoned else ()


FAULTS = (
    Fault(
        name="partition",
        why="the regions cannot reach each other; users reach both",
        teaches="each side sees the other as dead, and both may have reason to continue: this is"
        " why a promotion needs a fence",
        how="every link between the regions is closed; users' links and health checks stay",
        noticed="at once by standby and shop; by no health check, because health checks use the"
        " users' network",
        cuts=(Via.IN_BAND,),
        takes=Takes.NOTHING,
        default=Aim(links=WAN),
        arm=closing,
        seen=pinged(refuses),
        heal=cured,
        gone=usable,
        present=all_closed(WAN),
    ),
    Fault(
        name=_NAME,
        why="the regions hear nothing of each other any more; no connection ends",
        teaches="the same partition, noticed a minute later: there are no errors, only time-outs",
        how="every link between the regions drops all bytes and stays open",
        noticed="by the standby after wal_receiver_timeout (60 s), by the far shop after 1 s",
        cuts=(Via.IN_BAND,),
        takes=Takes.NOTHING,
        default=Aim(links=WAN),
        arm=poisoning(_swallow),
        seen=pinged(says_nothing),
        heal=cured,
        gone=usable,
        present=_present,
        proof_seconds=30,
    ),
)
