"""What a row is made of: a situation that can be recognised, and the next commands in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Final

from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, Place
from lab.status.look import Status
from lab.testbed.wayback import BACK

FAILOVERS: Final[Mapping[tuple[Place, Place], str]] = {
    (EAST_DB1, EAST_DB2): "zone-failover",
    (EAST_DB1, WEST_DB1): "region-failover",
    (WEST_DB1, EAST_DB1): "region-failover-west",
}
"""The runbook that makes the second node primary in place of the first one."""

HOME: Final = EAST_DB1
"""The node that is primary as long as nothing happens."""

HEAL: Final = "lab fault heal --all"
LIST: Final = "lab runbook list"
_RUN: Final = "lab runbook run "
_FRESH: Final = " --fresh"


class Turn(IntEnum):
    """When a command is to be run, over all findings: what must come first comes first."""

    LOOK = 0
    """Before a command changes what is to be seen."""
    STOP = 1
    """A second primary takes orders that are to be given up: each moment makes them more."""
    HEAL = 2
    """Faults that are in force stand in the way of what follows."""
    ORDERS = 3
    """One primary takes orders, and names lead to it."""
    FOLLOW = 4
    """Databases follow that primary again."""
    OPEN = 5
    """What was set by hand is ended: customers may order, and steerings steer."""
    EXPLAIN = 6
    """For what is still wrong then."""


@dataclass(frozen=True, slots=True)
class Next:
    """A command, what it does, and when its turn is.

    With `instead_of` it is an alternative: either that command is run, or this one.
    """

    command: str
    does: str
    turn: Turn
    instead_of: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """One situation that was recognised: a sentence or two, and the next commands.

    `wrong` is False for what is no fault and good to know.
    """

    name: str
    says: str
    next: tuple[Next, ...] = ()
    wrong: bool = True

    def as_typed(self, typed: Callable[[str], str]) -> Finding:
        """The same, with its commands as they are typed for one lab."""
        ways = (
            replace(way, command=typed(way.command), instead_of=typed(way.instead_of))
            for way in self.next
        )
        return replace(self, next=tuple(ways))


Told = tuple[str, tuple[Next, ...]]


@dataclass(frozen=True, slots=True)
class Situation:
    """One row. `sees` gives a sentence and the next commands for each place where it is so."""

    name: str
    sees: Callable[[Status], Iterable[Told]]
    wrong: bool = True


def heal(found: Status) -> tuple[Next, ...]:
    """Where faults are in force, or machines do not run: the command that ends that."""
    broken = found.faults or not all(each.running for each in found.machines)
    return (healing(found),) if broken else ()


def healing(found: Status) -> Next:
    """The command that ends faults. A database that was replaced stays down then."""
    promoted = any(each.primary and each.timeline > 1 for each in found.nodes)
    safe = promoted and any(each.state is None for each in found.nodes)
    also = "; it starts no second primary" if safe else ""
    return Next(HEAL, f"heals what is broken{also}", Turn.HEAL)


def run(book: str, does: str, turn: Turn) -> Next:
    """The command that runs a runbook."""
    return Next(f"{_RUN}{book}", does, turn)


def beside(cut: str, way: Next) -> Next:
    """The command as it is to be typed after a run that was cut: another runbook gives that up."""
    command, head = (_typed(cut, each) for each in (way.command, way.instead_of))
    gives_up = bool(cut) and command.endswith(_FRESH)
    does = f"{way.does}; abandons {cut}" if gives_up else way.does
    return replace(way, command=command, does=does, instead_of=head)


def _typed(cut: str, command: str) -> str:
    book = command.removeprefix(_RUN)
    is_another = bool(cut) and book not in (command, cut) and " " not in book
    return f"{command}{_FRESH}" if is_another else command


def choice(*ways: Next) -> tuple[Next, ...]:
    """The same commands, of which one is to be run: the others stand in place of the first."""
    first, *others = ways
    return first, *(replace(each, instead_of=first.command) for each in others)


def logs(place: Place) -> Next:
    """The command that shows why a machine does what it does."""
    return Next(f"lab logs {place}", "shows the cause, while the problem lasts", Turn.EXPLAIN)


def back(found: Status, place: Place, does: str) -> tuple[Next, ...]:
    """The way back of a node to the present primary, if a runbook leads there."""
    return tuple(each for primary in found.primaries for each in way_back(primary, place, does))


def way_back(primary: Place, place: Place, does: str) -> tuple[Next, ...]:
    """The way back of a node to a primary, if a runbook leads there."""
    book = BACK.get((primary, place))
    return (run(book, f"{does}{_moves(primary)}", Turn.FOLLOW),) if book else ()


def brings_back(place: Place) -> str:
    """What the way back does to a node that another one has replaced."""
    return f"first saves to a file the orders that only {place} has, then brings {place} back"


def _moves(primary: Place) -> str:
    """A way back from another node than the usual primary ends with a switchover."""
    return "" if primary == HOME else f"; at the end, makes {HOME} primary again"
