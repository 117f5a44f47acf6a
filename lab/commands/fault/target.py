"""What the commands about faults are told: which fault, where, and how strong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import completing, links, places, regions

if TYPE_CHECKING:
    from lab.faults.row import Aimed

Links = Annotated[
    list[str] | None,
    typer.Option(
        "--link", metavar="FROM:TO:PURPOSE", show_default=False,
        help="A link such as west:east:replication. May be repeated.",
        autocompletion=completing(links),
    ),
]  # fmt: skip
Node = Annotated[
    str | None,
    typer.Option(
        "--node", metavar="NODE", show_default=False, help="A machine such as east.db1.",
        autocompletion=completing(places),
    ),
]  # fmt: skip
Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="REGION", show_default=False, help="east or west.",
        autocompletion=completing(regions),
    ),
]  # fmt: skip


def aimed(
    name: str, links: Iterable[str], node: str | None, region: str | None, amount: str | None
) -> Aimed:
    """What the command line names. Raises UsageError."""
    from lab.faults import catalogue

    return catalogue.typed(name, links, node, region, amount)
