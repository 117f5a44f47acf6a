"""The command `lab fault inject`: break one thing, and see it broken."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.fault.effects import tell
from lab.commands.fault.target import Links, Node, Region, aimed
from lab.commands.parsing.options import Json, Name, completing, fault_names
from lab.commands.terminal import chosen_name, say, told_when_interrupted
from lab.core.errors import UsageError, quoted

if TYPE_CHECKING:
    from lab.faults.acting import Effect
    from lab.faults.row import Aimed

_TICK_SECONDS = 0.2


def inject(
    fault: Annotated[
        str,
        typer.Argument(
            metavar="FAULT", help="Which fault; see: lab fault list", show_default=False,
            autocompletion=completing(fault_names),
        ),
    ],
    link: Links = None,
    node: Node = None,
    region: Region = None,
    amount: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE", show_default=False, help="How strong: 200ms, 15s or 32KiB per second."
        ),
    ] = None,
    lasting: Annotated[
        str | None,
        typer.Option(
            "--for", metavar="DURATION", show_default=False,
            help="Heal it after this time. Ctrl-C heals it at once.",
        ),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Break one thing, and wait until a probe has seen its effect."""
    _inject(aimed(fault, link or [], node, region, amount), seconds_of(lasting), name, as_json)


def seconds_of(text: str | None) -> float | None:
    """Seconds of `--for`. Raises UsageError."""
    from lab.core import quantity

    if text is None:
        return None
    seconds = quantity.wait(text, "--for")
    if seconds == 0:
        raise UsageError(f"--for {quoted(text)} is no time", "write more than 0 s, such as 30s")
    return seconds


def _inject(chosen: Aimed, seconds: float | None, name: str | None, as_json: bool) -> None:
    """Break it; with a duration, wait and heal it whatever happens.

    The lab is locked while something is done to it, and not while the fault lasts.
    """
    from lab.core.interrupts import ended
    from lab.faults import acting
    from lab.records.journalfile import MarkName
    from lab.testbed import turns, underway
    from lab.testbed.lab import Lab

    lab_name = chosen_name(name)
    effects: list[Effect] = []

    def break_it() -> None:
        with turns.amid(lab_name, f"inject {chosen.name}"), Lab.attached(lab_name) as lab:
            journal = underway.recorder(lab)
            strikes = partial(journal.mark, MarkName.FAULT_STARTED, note=str(chosen))
            with say().step(f"{chosen}: inject it and wait until its effect is seen"):
                effects.append(acting.inject(lab, chosen, strikes=strikes))
            if not effects[0].already:
                journal.mark(MarkName.FAULT_PROVEN, note=effects[0].evidence)
        if seconds is not None:
            _last(chosen, seconds)

    def put_right() -> None:
        if not effects or seconds is None:
            return
        what = f"heal {chosen.name}"
        with (
            turns.amid(lab_name, what, wait=say()),
            Lab.attached(lab_name, dark=True) as lab,
            say().step(f"{chosen}: healing"),
        ):
            journal = underway.recorder(lab)
            effects.extend(underway.healed(journal, lambda: (acting.heal(lab, chosen),)))

    with told_when_interrupted():
        ended(break_it, put_right, f"wait: {chosen} is being healed, and the command then ends")
    tell(effects, as_json)
    if seconds is None and not as_json:
        say().note("end it with: lab fault heal --all")


def _last(chosen: Aimed, seconds: float) -> None:
    from lab.core.wait import pause

    with say().step(f"{chosen}: in force for {seconds:g} s"):
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            pause(min(left, _TICK_SECONDS))
