"""What came of a fault that was injected or healed, as a person or a program reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lab.commands.terminal import out, print_json

if TYPE_CHECKING:
    from lab.faults.acting import Effect


def tell(effects: Sequence[Effect], as_json: bool) -> None:
    """Print effects."""
    if as_json:
        print_json([_effect(each) for each in effects])
        return
    for each in effects:
        out().print(str(each), markup=False)
    if not effects:
        out().print("no fault is in force")


def _effect(each: Effect) -> dict[str, object]:
    return {
        "fault": each.aimed.name,
        "target": str(each.aimed.aim),
        "amount": each.aimed.aim.amount,
        "already": each.already,
        "seconds": round(each.seconds, 3),
        "evidence": each.evidence,
    }
