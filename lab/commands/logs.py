"""The command `lab logs`: the log of one machine, or of all."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from lab.commands.parsing.options import AnyPlace, Name
from lab.commands.terminal import chosen_name, out, put
from lab.core.errors import UsageError


def logs(
    place: AnyPlace = None,
    name: Name = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines.")
    ] = False,
    tail: Annotated[int, typer.Option(help="How many lines back.", min=0, max=10**9)] = 100,
) -> None:
    """Print the log of one machine, or the last lines of all."""
    from lab.core.topology import PLACES, Place
    from lab.testbed.lab import Lab

    chosen = [Place.parse(place)] if place is not None else list(PLACES)
    if follow and place is None:
        raise UsageError("--follow needs a machine", "name one: lab logs -f west.app")
    with Lab.attached(chosen_name(name)) as lab:
        if follow:
            for line in lab.engine.follow_logs(chosen[0], tail):
                put(f"{line}\n")
                sys.stdout.flush()
            return
        for each in chosen:
            if place is None:
                out().print(f"── {each}", style="bold")
            put(lab.engine.logs(each, tail if place is not None else min(tail, 5)))
