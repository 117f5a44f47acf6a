"""The command `lab load mark`: something happens now that no command of the lab does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Name
from lab.commands.terminal import chosen_name, say
from lab.core.errors import UsageError, WaitExpired

if TYPE_CHECKING:
    from lab.faults.row import Aimed
    from lab.testbed.lab import Lab

_SEEN_SECONDS = 30.0


def mark(
    text: Annotated[
        str, typer.Argument(metavar="TEXT", help="What happens, in some words.", show_default=False)
    ],
    name: Name = None,
) -> None:
    """Write down that something breaks now, right before or after you break it by other means.

    Figures of it count from this moment. The lab looks for a fault in force, for up to 30 s: what
    it sees is the proof. Without one the verdict is unknown.
    """
    from lab.records.journalfile import MarkName
    from lab.testbed import underway
    from lab.testbed.lab import Lab

    if not text.strip():
        raise UsageError("TEXT is empty", "say what happens: lab load mark 'power of east is off'")
    lab_name = chosen_name(name)
    with Lab.attached(lab_name, dark=True) as lab:
        underway.need(lab_name)
        journal = underway.recorder(lab)
        journal.mark(MarkName.FAULT_STARTED, note=text.strip())
        with say().step("looking for what is broken"):
            seen = _seen(lab)
        if seen:
            journal.mark(MarkName.FAULT_PROVEN, note=", ".join(map(str, seen)))
            say().note(f"in force: {', '.join(map(str, seen))}")
        else:
            say().warn("no fault is in force that the lab knows: the verdict will be unknown")


def _seen(lab: Lab) -> tuple[Aimed, ...]:
    from lab.core.wait import wait_until
    from lab.faults import acting

    try:
        return wait_until(
            "a fault in force", lambda: acting.in_force(lab.as_seen_now()), _SEEN_SECONDS, every=1.0
        )
    except WaitExpired:
        return ()
