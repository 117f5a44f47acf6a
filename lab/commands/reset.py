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

    If users are at work (`lab load start`), their record is measured first, and they begin a new
    one afterwards: what a reset throws away is no loss.
    """
    from lab.drills import loadrun
    from lab.postgres.salvage import Keep
    from lab.records import runfolders
    from lab.testbed import turns, underway
    from lab.testbed.lab import Lab

    chosen = chosen_name(name)
    with (
        turns.exclusive(chosen, "reset the lab"),
        told_when_interrupted(),
        Lab.attached(chosen) as lab,
    ):
        if not yes and (told := told_orders(lab)):
            agree("lab reset", f"{told} would remain only in a file")
        under = underway.kept(chosen)
        loadrun.end_first(chosen, say())
        with say().step("default topology, empty shop, all links open"):
            kept = lab.reset(Keep(unread=unread))
        if kept:
            say().note(kept)
        if under is not None:
            with say().step("the same users begin again, with a new record"):
                loadrun.begin(lab, under.load, under.seed, runfolders.new_run(loadrun.NAME))
