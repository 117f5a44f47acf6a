"""After a healing: whether users are served, and what else is not in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError, WaitExpired
from lab.core.topology import REGIONS, WRITER_NAME, Region
from lab.core.wait import wait_until
from lab.faults.row import Aimed
from lab.postgres import succession
from lab.testbed.health import ready

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_SOON_SECONDS, _SERVICE_SECONDS = 3.0, 20.0
"""How long a healed region may take to serve users: beside another fault, and with none."""


def await_service(lab: Lab, regions: Collection[Region], broken: Callable[[], bool]) -> None:
    """Wait until regions take orders.

    Not for long while something else is broken, or where only a person can bring service back.
    """
    if _served(lab, regions, _SOON_SECONDS) or broken():
        return
    if awaited := [each for each in regions if not _in_vain(lab, each)]:
        _served(lab, awaited, _SERVICE_SECONDS)


def _served(lab: Lab, regions: Collection[Region], within: float) -> bool:
    """True when the regions take orders within so many seconds."""
    try:
        return wait_until(
            "the regions to take orders", lambda: all(ready(lab, r)[0] for r in regions), within
        )
    except WaitExpired:
        return False


def _in_vain(lab: Lab, region: Region) -> bool:
    """True where the shop was told to refuse, or its writer's name leads to what stays down."""
    with suppress(LabError):
        if lab.guests[region].mode().read_only:
            return True
        down = succession.read(lab.engine, lab.databases).left_down
        addresses = {lab.settings.addresses.inside(each) for each in down}
        return not addresses.isdisjoint(lab.names.ask(region, WRITER_NAME))
    return False


def with_service(lab: Lab, evidence: str, aimed: Aimed) -> str:
    """The evidence of a healing, and whether users are served who should be by now."""
    return "; ".join([evidence, *(_service(lab, each) for each in aimed.serves())])


def _service(lab: Lab, region: Region) -> str:
    yes, reason = ready(lab, region)
    return f"{region.name} takes orders" if yes else f"{region.name} takes no orders: {reason}"


def rest(lab: Lab, healed: Iterable[Aimed], broken: Iterable[Aimed]) -> tuple[str, ...]:
    """What is not in order although something was healed, a line each."""
    from lab.testbed.wayback import left_down  # steps of runbooks stand on faults

    told = {region for each in healed for region in each.serves()}
    faults = ", ".join(map(str, broken))
    regions = [each for each in REGIONS if each not in told and not ready(lab, each)[0]]
    return (
        *([f"still in force: {faults}; to heal it: lab fault heal --all"] if faults else []),
        *(_service(lab, each) for each in regions),
        *left_down(succession.read(lab.engine, lab.databases)),
    )
