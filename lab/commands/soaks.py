"""The command `lab soak`: its options. What it does is in `lab.commands.soaking`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.options import Json, Name, any_seed
from lab.core.errors import UsageError

_MINUTES = 10


def soak(
    minutes: Annotated[
        float | None,
        typer.Option(
            help=f"For how long new episodes begin; {_MINUTES} without.", min=0.1, max=10_080,
            metavar="MINUTES", show_default=False,
        ),
    ] = None,
    seed: Annotated[int, any_seed("What is made up from it can be made again.")] = 1,
    episode: Annotated[
        int | None,
        typer.Option(
            help="Only this one of the seed's.", metavar="N", min=1, max=2**53 - 1,
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Break things at random, and check what must always hold.

    Brings the lab up if it is not, and empties it.
    """
    if episode is not None and minutes is not None:
        raise UsageError(
            "--episode plays one episode, however long it takes", "leave --minutes out"
        )
    from lab.commands import soaking

    raise typer.Exit(soaking.run(minutes or _MINUTES, seed, episode, name, as_json))
