"""Databases that stay down because another one was promoted in their place, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import shelf

if TYPE_CHECKING:
    from lab.succession import Succession
    from lab.topology import Place

_RETURNED = "returned"
"""The scenario of a runbook that leads back."""


def left_down(found: Succession) -> tuple[str, ...]:
    """A line for each: why it stays down, what becomes of its orders, and what leads out."""
    return tuple(f"{found.told(place)}{_what_leads_out(found, place)}" for place in found.left_down)


def _what_leads_out(found: Succession, place: Place) -> str:
    if place not in found.replaced:
        return ". The runbook that began it ends it: run it again"
    return f"; what it alone has stays on its disk. {way(found.replaced[place], place)}"


def way(primary: Place, down: Place) -> str:
    """The shipped runbook that leads from one to the other; without one, what to write it after."""
    # Not above: steps stand on faults, which use this.
    from lab.moves.catalogue import specs
    from lab.runbookfile import read

    for book in (read(path, specs()) for path in shelf.shipped()):
        leads = (book.plan.old, book.plan.new) == (primary, down)
        if leads and _RETURNED in book.scenarios:
            return f"The way back: lab runbook run {book.name}"
    return (
        f"No shipped runbook leads back from {primary} to {down}: write one with the steps of"
        " failback (lab runbook show failback)"
    )
