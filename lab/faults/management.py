"""The way past the gateways: a machine that the management network does not reach."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import EAST, REGIONS, machines_of
from lab.faults.machines import region_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.infra import managementnet
from lab.infra.managementnet import OutOfBandLost
from lab.records.journalfile import Via

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


def _cut(lab: Lab, aim: Aim) -> Strike:
    return lambda: managementnet.lose(lab.name, machines_of(region_of(aim)))


def _refused(lab: Lab, aim: Aim) -> str | None:
    """A runbook's own way is tried, on each machine."""
    limited = lab.obeying_cuts()
    for place in machines_of(region_of(aim)):
        try:
            limited.engine.running(place)
        except OutOfBandLost as error:
            said = error.message
            continue
        return None
    return said


def _regain(lab: Lab, aim: Aim) -> None:
    managementnet.regain(lab.name, machines_of(region_of(aim)))


def _reached(lab: Lab, aim: Aim) -> str | None:
    limited = lab.obeying_cuts()
    try:
        for place in machines_of(region_of(aim)):
            limited.engine.running(place)
    except LabError:
        return None
    return f"a runbook reaches every machine of {region_of(aim).name}"


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(
        Aim(region=region) for region in REGIONS if set(machines_of(region)) <= sight.cut_off
    )


FAULTS = (
    Fault(
        name="management-cut",
        why="the management network does not reach the region: no machine there can be stopped",
        teaches="shows what is safe when the old primary cannot be fenced",
        how="steps of a runbook that use the engine on those machines are refused",
        noticed="by the first step that needs it",
        cuts=(Via.OUT_OF_BAND,),
        takes=Takes.REGION,
        default=Aim(region=EAST),
        arm=_cut,
        seen=_refused,
        heal=_regain,
        gone=_reached,
        present=_present,
    ),
)
