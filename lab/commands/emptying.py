"""Which orders go when the lab is emptied, and whether a person agrees to that."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from lab.commands.terminal import say
from lab.core.errors import LabError, UsageError
from lab.core.words import count

if TYPE_CHECKING:
    from lab.core.topology import Place
    from lab.testbed.lab import Lab


def told_orders(lab: Lab) -> str:
    """How many orders that no drill placed the lab has, and where; empty for none."""
    orders = _orders(lab)
    return most_of(orders, lab.databases.primaries()) if any(orders.values()) else ""


def _orders(lab: Lab) -> Mapping[Place, int]:
    """How many orders that no drill placed each database has, of those that answer."""
    from lab.core.load import of_drill
    from lab.core.topology import DATABASES
    from lab.postgres.databases import DATABASE

    def counted(place: Place) -> int:
        try:
            found = lab.databases[place].query("SELECT key FROM orders", database=DATABASE)
        except LabError:
            return 0
        return sum(not of_drill(key) for (key,) in found)

    return dict(zip(DATABASES, lab.engine.each(DATABASES, counted), strict=True))


def agree(command: str, lost: str) -> None:
    """Raise UsageError unless nothing is lost, or a person agrees to it."""
    if not lost:
        return
    if not say().interactive:
        raise UsageError(f"{command} empties the lab: {lost}", "add --yes to confirm")
    if not say().agrees(f"This empties the lab: {lost}. Continue?"):
        raise UsageError("nothing was done", "lab status shows what the lab is")


def most_of(orders: Mapping[Place, int], primaries: Collection[Place] = ()) -> str:
    """How many orders there are: on the primary that has most, else where most are; empty for none.

    A standby that is asked a moment later counts a few more.
    """
    most = max(orders, key=lambda place: (place in primaries and orders[place] > 0, orders[place]))
    return f"{count(orders[most], 'order')} on {most}" if orders[most] else ""
