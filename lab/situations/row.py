"""What makes up a row: a situation of the lab that is recognised, and the next commands in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from lab.status import Status
from lab.topology import EAST_DB1, EAST_DB2, WEST_DB1, Place
from lab.wayback import BACK

FAILOVERS: Final[Mapping[tuple[Place, Place], str]] = {
    (EAST_DB1, EAST_DB2): "zone-failover",
    (EAST_DB1, WEST_DB1): "region-failover",
    (WEST_DB1, EAST_DB1): "region-failover-west",
}
"""The runbook that makes the second node primary in place of the first one."""

HEAL: Final = "lab fault heal --all"
LIST: Final = "lab runbook list"


@dataclass(frozen=True, slots=True)
class Next:
    """A command, and what it does."""

    command: str
    does: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One situation that was recognised: a sentence or two, and the next commands.

    `wrong` is False for what is no fault and good to know.
    """

    name: str
    says: str
    next: tuple[Next, ...] = ()
    wrong: bool = True


Told = tuple[str, tuple[Next, ...]]


@dataclass(frozen=True, slots=True)
class Situation:
    """One row. `sees` gives a sentence and the next commands for each place where it is so."""

    name: str
    sees: Callable[[Status], Iterable[Told]]
    wrong: bool = True


def heal(found: Status) -> tuple[Next, ...]:
    """Where faults are in force: the command that ends them."""
    return (Next(HEAL, "puts right what is broken"),) if found.faults else ()


def run(book: str, does: str = "") -> Next:
    """The command that runs a runbook."""
    return Next(f"lab runbook run {book}", does)


def logs(place: Place) -> Next:
    """The command that shows why a machine does what it does."""
    return Next(f"lab logs {place}", "shows why")


def back(found: Status, place: Place, does: str) -> tuple[Next, ...]:
    """The way back of a node to the present primary, if a runbook leads there."""
    books = (BACK.get((primary, place)) for primary in found.primaries)
    return tuple(run(book, does) for book in books if book)
