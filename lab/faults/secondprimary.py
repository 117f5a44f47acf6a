"""An old primary that is started by hand, after another one was promoted in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.topology import DATABASES, EAST_DB1
from lab.faults.machines import node_of
from lab.faults.missingwal import replaced_by
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.postgres import plights
from lab.postgres.plights import second_primaries

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


def _start(lab: Lab, aim: Aim) -> Strike:
    place = node_of(aim)
    lab.engine.start([place])
    replaced_by(lab, place)
    node = lab.databases[place]
    return node.start


def _takes_writes(lab: Lab, aim: Aim) -> str | None:
    """It commits, and so does another one."""
    place = node_of(aim)
    if place not in second_primaries(plights.read(lab.databases)):
        return None
    mine = lab.databases[place].sign()
    beside = [each for each in lab.databases.primaries() if each != place]
    theirs = [f"{each} on timeline {lab.databases[each].sign().timeline}" for each in beside]
    return f"{place} commits on timeline {mine.timeline}, beside {', '.join(theirs)}"


def _stop(lab: Lab, aim: Aim) -> None:
    """Only the one that was replaced, and never the newest primary."""
    place = node_of(aim)
    if place in second_primaries(plights.read(lab.databases)):
        lab.databases[place].stop("immediate")


def _is_stopped(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if lab.engine.state(place).frozen or place in second_primaries(plights.read(lab.databases)):
        return None
    return f"{place} takes no order beside another primary"


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(node=each) for each in second_primaries(sight.plights))


FAULTS = (
    Fault(
        name="second-primary",
        why="the old primary was started by hand after a failover, and takes orders again",
        teaches="the most natural repair makes two primaries: an old primary must not be started,"
        " but rewound; only a fence keeps clients that know its address away",
        how="pg_ctl start on a primary that was replaced, as a person does who sees it stopped",
        noticed="by no health check at first: it works; names lead elsewhere, clients that keep its"
        " address are acknowledged",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=_start,
        seen=_takes_writes,
        heal=_stop,
        gone=_is_stopped,
        present=_present,
        nodes=DATABASES,
        after_failover=True,
    ),
)
