"""The command `lab dig`: what both resolvers answer to a name of the lab."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.parsing.options import Json, Name, completing
from lab.commands.terminal import chosen_name, out, print_json
from lab.core.errors import LabError


def dig(
    dns_name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="app, writer, head.east or head.west.",
            autocompletion=completing(lambda: ["app", "writer", "head.east", "head.west"]),
        ),
    ],
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Ask both resolvers for a name of the lab."""
    from lab.core.topology import REGIONS
    from lab.infra import dnsnames
    from lab.testbed.lab import Lab

    whole = dnsnames.full_name(dns_name)
    answers: dict[str, list[str] | None] = {}
    with Lab.attached(chosen_name(name)) as lab:
        for region in REGIONS:
            try:
                answers[region.name] = list(lab.names.ask(region, whole))
            except LabError:
                answers[region.name] = None
    if as_json:
        print_json({"name": whole, "answers": answers})
        return
    for viewer, found in answers.items():
        words = "no answer" if found is None else ", ".join(found) or "no such name"
        out().print(f"{viewer:5} {whole} → {words}")
