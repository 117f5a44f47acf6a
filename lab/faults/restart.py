"""The engine under the lab restarts, and everything that ran on it has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import PLACES, REGIONS, Region, links
from lab.faults.machines import all_work
from lab.faults.row import Aim, Fault, Strike, Takes, Touched
from lab.faults.sight import Sight
from lab.records.journalfile import Via
from lab.testbed.bringback import bring_back

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


def _restarting(lab: Lab, _aim: Aim) -> Strike:
    """Arm, where that harms no other containers. Raises LabError."""
    from lab.core.console import Say
    from lab.host.dockerd import why_not_to_restart
    from lab.host.engine import restart_engine

    if problem := why_not_to_restart():
        raise LabError(problem, "restart it yourself; lab up brings the lab back")
    if others := lab.engine.strangers():
        raise LabError(
            f"the engine also runs other containers: {', '.join(others[:4])}",
            "stop them first: a restart of the engine ends every container",
        )
    return lambda: restart_engine(Say(quiet=True))


def _nothing_runs(lab: Lab, _aim: Aim) -> str | None:
    if lab.engine.alive(PLACES):
        return None
    return f"the engine answers again, and none of the lab's {len(PLACES)} machines runs"


def _booted(lab: Lab, _aim: Aim) -> None:
    bring_back(lab, PLACES)


def _all_work(lab: Lab, _aim: Aim) -> str | None:
    return f"all {len(PLACES)} machines run" if all_work(lab, PLACES) else None


def _both(_aim: Aim) -> tuple[Region, ...]:
    return REGIONS


def _everywhere(_aim: Aim) -> tuple[Touched, ...]:
    return (*PLACES, *links())


def _dark(sight: Sight) -> tuple[Aim, ...]:
    return (Aim(),) if all(map(sight.dead, PLACES)) else ()


FAULTS = (
    Fault(
        name="engine-restart",
        why="the container engine has restarted: no machine runs, and none starts by itself",
        teaches="a lab, like a data centre, must be able to start when everything is off (a black"
        " start), in the right order",
        how="the engine's daemon is stopped and started; refused if the engine runs containers of"
        " others",
        noticed="by all users at once; nothing inside a region can repair it",
        cuts=(Via.IN_BAND, Via.OUT_OF_BAND),
        takes=Takes.NOTHING,
        default=Aim(),
        arm=_restarting,
        seen=_nothing_runs,
        heal=_booted,
        gone=_all_work,
        serves=_both,
        present=_dark,
        touches=_everywhere,
        heal_seconds=60,
        unfit="it ends the users and the stopwatch too, and nothing would be measured",
    ),
)
