"""The command `lab matrix`: its options. What it does is in `lab.commands.measuring`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.options import Json, Name, completing


def _scenarios() -> list[str]:
    from lab.runbooks.permutations import SCENARIOS

    return list(SCENARIOS)


def matrix(
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this one. May be repeated.", show_default=False,
            autocompletion=completing(_scenarios),
        ),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORDER", help="Only this order, such as SPWTR. May be repeated.",
            show_default=False,
        ),
    ] = None,
    covering: Annotated[
        bool, typer.Option("--covering", help="A few that have every pair in both orders.")
    ] = False,
    labs: Annotated[int, typer.Option(help="How many labs to use at once.", min=1, max=6)] = 4,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Do a failover's five steps in every order, for real.

    What users see is compared with what was predicted. S stop writes, P promote, W warm caches,
    T shift traffic, R resume writes: 120 orders, with the old primary alive behind a partition and
    with its region dead. Brings its labs up if they are not: lab-m1, lab-m2 and so on.
    """
    from lab.commands import measuring

    raise typer.Exit(
        measuring.run(scenario or [], order or [], covering=covering, labs=labs, name=name,
                      as_json=as_json)
    )  # fmt: skip
