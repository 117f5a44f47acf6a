"""The command `lab reset`: default topology, empty shop."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.emptying import agree, told_orders
from lab.commands.parsing.options import Name, Yes
from lab.commands.terminal import chosen_name, say, told_when_interrupted


def reset(
    name: Name = None,
    yes: Yes = False,
    unread: Annotated[
        bool, typer.Option("--unread", help="Reset even if a database cannot be read.")
    ] = False,
) -> None:
    """Put the default topology and an empty shop back. Containers stay.

    Orders that no drill placed are written to a file before they go. If there are any, it asks
    first; without a terminal, --yes is required.
    """
    from lab.postgres.salvage import Keep
    from lab.testbed import lifecycle
    from lab.testbed.lab import Lab

    chosen = chosen_name(name)
    with (
        lifecycle.exclusive(chosen, "reset the lab"),
        told_when_interrupted(),
        Lab.attached(chosen) as lab,
    ):
        if not yes and (told := told_orders(lab)):
            agree("lab reset", f"{told} would remain only in a file")
        with say().step("default topology, empty shop, all links open"):
            kept = lab.reset(Keep(unread=unread))
        if kept:
            say().note(kept)
