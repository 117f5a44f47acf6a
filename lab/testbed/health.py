"""Which single parts of the lab work at this moment: regions, links, programs, the primary."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    DEFAULT_REPLICATION,
    PROBER,
    Link,
    Place,
    Region,
)
from lab.infra.probe import ask_machine, ping
from lab.postgres import succession
from lab.postgres.processes import STATUS
from lab.testbed.fences import may_wake_as_primary

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


_NO_SERVER: Final = 3
"""What `STATUS` ends with where no server runs."""


def ready(lab: Lab, region: Region) -> tuple[bool, str]:
    """Can a region take orders, and what it says if not; no answer counts as no."""
    try:
        return lab.guests[region].ready()
    except LabError as error:
        return False, error.message


def reachable(lab: Lab, link: Link) -> bool:
    """True when a program that uses the link is answered."""
    try:
        return not ping(lab.engine, lab.settings, link).error
    except LabError:
        return False


def server_is_stopped(lab: Lab, place: Place) -> bool:
    """True where a machine runs and no database server does. Raises LabError if it is not told."""
    return lab.engine.run_code(place, STATUS)[0] == _NO_SERVER


def answers_itself(lab: Lab, place: Place) -> bool:
    """True when what runs on a machine answers. Raises LabError if the machine cannot be asked."""
    return _ANSWERS[place.service](lab, place)


def _shop_answers(lab: Lab, place: Place) -> bool:
    """Asked from next door; where nothing runs there, by the guests' link."""
    if lab.engine.running(Place(place.site, PROBER)):
        return not ask_machine(lab.engine, lab.settings, place).error
    return lab.guests[place.region].live()


_ANSWERS: Final[Mapping[str, Callable[[Lab, Place], bool]]] = {
    "db1": lambda lab, place: lab.databases[place].answers(),
    "db2": lambda lab, place: lab.databases[place].answers(),
    "app": _shop_answers,
    "cache": lambda lab, place: "PONG" in lab.engine.run(place, ["/cli", "PING"]),
    "dns": lambda lab, place: bool(lab.names.ask(place.region, APP_NAME)),
    "steering": lambda lab, place: bool(lab.steerings[place.region].state().view),
    "gateway": lambda lab, place: all(each.exists for each in lab.links.states(place.region)),
}


def current_primary(lab: Lab) -> Place:
    """The primary that answers; while none does, the one that was promoted last."""
    for place in lab.databases.primaries():
        return place
    newest = succession.read(lab.engine, lab.databases).newest
    frozen = (place for place in DATABASES if may_wake_as_primary(lab, place))
    return next(iter((*newest, *frozen)), DEFAULT_REPLICATION.primary)
