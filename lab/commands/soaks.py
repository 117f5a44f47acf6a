"""The command `lab soak`: its options. What it does is in `lab.commands.soaking`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.options import Json, Name, any_seed


def soak(
    minutes: Annotated[
        float, typer.Option(help="For how long new episodes begin.", min=0.1)
    ] = 10.0,
    seed: Annotated[int, any_seed("What is made up from it can be made again.")] = 1,
    episode: Annotated[
        int | None,
        typer.Option(help="Only this one of the seed's.", metavar="N", min=1, show_default=False),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Break things at random, and check what must always hold. The lab is emptied."""
    from lab.commands import soaking

    raise typer.Exit(soaking.run(minutes, seed, episode, name, as_json))
