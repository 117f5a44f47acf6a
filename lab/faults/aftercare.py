"""After a healing: whether users are served, and what else is not in order."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from lab import succession
from lab.errors import WaitExpired
from lab.faults.machines import ready
from lab.faults.row import Aimed
from lab.topology import REGIONS, Region
from lab.wait import wait_until

if TYPE_CHECKING:
    from lab.cluster import Lab

_SOON_SECONDS, _SERVICE_SECONDS = 3.0, 20.0
"""How long a healed region may take to serve users: beside another fault, and with none."""


def await_service(lab: Lab, regions: Collection[Region], broken: Callable[[], bool]) -> None:
    """Wait until regions take orders; not for long while something else is broken."""

    def served() -> bool:
        return all(ready(lab, each)[0] for each in regions)

    with suppress(WaitExpired):
        wait_until("the regions to take orders", served, _SOON_SECONDS)
        return
    if not broken():
        with suppress(WaitExpired):
            wait_until("the regions to take orders", served, _SERVICE_SECONDS)


def with_service(lab: Lab, evidence: str, aimed: Aimed) -> str:
    """The evidence of a healing, and whether users are served who should be by now."""
    return "; ".join([evidence, *(_service(lab, each) for each in aimed.serves())])


def _service(lab: Lab, region: Region) -> str:
    yes, reason = ready(lab, region)
    return f"{region.name} takes orders" if yes else f"{region.name} takes no orders: {reason}"


def rest(lab: Lab, healed: Iterable[Aimed], broken: Iterable[Aimed]) -> tuple[str, ...]:
    """What is not in order although something was healed, a line each."""
    from lab.wayback import left_down  # steps of runbooks stand on faults

    told = {region for each in healed for region in each.serves()}
    faults = ", ".join(map(str, broken))
    regions = [each for each in REGIONS if each not in told and not ready(lab, each)[0]]
    return (
        *([f"still in force: {faults}; to heal it: lab fault heal --all"] if faults else []),
        *(_service(lab, each) for each in regions),
        *left_down(succession.read(lab.engine, lab.databases)),
    )
