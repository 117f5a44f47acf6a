"""Machines that come back after a loss: booted, with their links, names and databases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, Place
from lab.core.wait import wait_until
from lab.postgres import succession
from lab.testbed.health import current_primary

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_BOOT_SECONDS: Final = 15.0


def bring_back(lab: Lab, places: Iterable[Place]) -> None:
    """Boot machines and everything on them: links, names, databases. May be repeated.

    A database that was primary is started only if it is known that no other one was promoted in its
    place. If one was, it stays down: what it alone has must be looked at first.
    """
    wanted = tuple(places)
    lab.boot(wanted)
    for place in wanted:
        wait_until(f"{place} to boot", lambda p=place: lab.engine.running(p), _BOOT_SECONDS)  # type: ignore[misc]
    if any(place.service in ("gateway", "dns") for place in wanted):
        lab.reopen(current_primary(lab))
    for place in wanted:
        if place in DATABASES:
            start_server(lab, place)


def start_server(lab: Lab, place: Place) -> None:
    """Start a database where that is safe; one that was replaced, or is not whole, stays down.

    Raises LabError while it cannot be told whether it was.
    """
    node = lab.databases[place]
    if node.disk().follows:
        node.start_patiently()
        return
    found = succession.read(lab.engine, lab.databases)
    if place in found.left_down:
        return
    if found.heir != place:
        raise LabError(
            found.problem,
            "heal all faults first: lab fault heal --all; if it stays so: lab status",
        )
    node.start()
