"""Databases that stay down because another one was promoted in their place, and the way back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2, Place

if TYPE_CHECKING:
    from lab.postgres.succession import Succession

BACK: Final[Mapping[tuple[Place, Place], str]] = {
    (WEST_DB1, EAST_DB1): "failback",
    (WEST_DB1, EAST_DB2): "failback",
    (EAST_DB1, EAST_DB2): "failback",
    (EAST_DB2, EAST_DB1): "zone-failback",
    (EAST_DB1, WEST_DB1): "return-west",
    (EAST_DB1, WEST_DB2): "return-west",
}
"""The runbook that makes the second node follow again, however it left the first one, the primary.

It saves what that node alone has, and rewinds or rebuilds it. Where it had been primary, it takes
over again.
"""


def left_down(found: Succession) -> tuple[str, ...]:
    """A line for each: why it stays down, what becomes of its orders, and what leads out."""
    return tuple(f"{found.told(place)}{_what_leads_out(found, place)}" for place in found.left_down)


def _what_leads_out(found: Succession, place: Place) -> str:
    if place not in found.replaced:
        return ". The runbook that began it ends it: run it again"
    return f"; orders that exist only there stay on its disk. {way(found.replaced[place], place)}"


def way(primary: Place, down: Place) -> str:
    """The shipped runbook that leads from one to the other; without one, what to write it after."""
    if book := BACK.get((primary, down)):
        return f"The failback: lab runbook run {book}"
    return (
        f"No shipped runbook makes {down} follow {primary} again: write one with the steps of"
        " failback (lab runbook show failback)"
    )
