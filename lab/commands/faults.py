"""The commands `lab fault list | inject | heal`: their options. What they do is in `faulting`."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.options import Json, Name, completing, fault_names, links, places, regions
from lab.core.errors import UsageError

_Fault = Annotated[
    str,
    typer.Argument(
        metavar="FAULT", help="Which fault; see: lab fault list", show_default=False,
        autocompletion=completing(fault_names),
    ),
]  # fmt: skip
_Links = Annotated[
    list[str] | None,
    typer.Option(
        "--link", metavar="FROM:TO:PURPOSE", show_default=False,
        help="A link such as west:east:replication. May be repeated.",
        autocompletion=completing(links),
    ),
]  # fmt: skip
_Node = Annotated[
    str | None,
    typer.Option(
        "--node", metavar="NODE", show_default=False, help="A machine such as east.db1.",
        autocompletion=completing(places),
    ),
]  # fmt: skip
_Region = Annotated[
    str | None,
    typer.Option(
        "--region", metavar="REGION", show_default=False, help="east or west.",
        autocompletion=completing(regions),
    ),
]  # fmt: skip


def listed(
    fault: Annotated[
        str | None,
        typer.Argument(
            metavar="FAULT", help="Everything about this one.", show_default=False,
            autocompletion=completing(fault_names),
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the faults: what each does, teaches and cuts, and who notices it when."""
    from lab.commands import faulting

    faulting.show(fault, as_json)


def inject(
    fault: _Fault,
    link: _Links = None,
    node: _Node = None,
    region: _Region = None,
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
            help="Heal it after so long. Ctrl-C heals it at once.",
        ),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Break one thing, and wait until a probe has seen its effect."""
    from lab.commands import faulting

    aimed = faulting.aimed(fault, link or [], node, region, amount)
    faulting.inject(aimed, faulting.lasting(lasting), name, as_json)


def heal(
    fault: Annotated[
        str | None,
        typer.Argument(
            metavar="FAULT", help="Which fault.", show_default=False,
            autocompletion=completing(fault_names),
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are in force.")] = False,
    link: _Links = None,
    node: _Node = None,
    region: _Region = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Put right what faults have broken, and wait until a probe has seen it work."""
    from lab.commands import faulting

    if (fault is None) != everything:
        chosen = "a fault and --all are both given" if everything else "no fault is named"
        raise UsageError(chosen, "give one of them: lab fault heal FAULT, or lab fault heal --all")
    if everything and (link or node or region):
        raise UsageError(
            "--all heals every fault, wherever it is", "leave --link, --node and --region out"
        )
    aimed = None if fault is None else faulting.aimed(fault, link or [], node, region, None)
    faulting.heal(aimed, name, as_json)
