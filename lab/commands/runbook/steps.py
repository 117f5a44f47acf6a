"""The command `lab runbook steps`: the catalogue of steps, or one row of it."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.commands.parsing.options import Json, completing, step_names
from lab.commands.terminal import out, print_json, print_list


def steps(
    step: Annotated[
        str | None,
        typer.Argument(
            metavar="STEP", help="Everything about this one.", show_default=False,
            autocompletion=completing(step_names),
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the steps that runbooks are made of, and what each changes."""
    from lab.steps import catalogue, listing, runbooktext

    rows = [catalogue.move(step).spec] if step is not None else catalogue.specs()
    if as_json:
        print_json([listing.as_json(row) for row in rows])
    elif step is not None:
        out().print(runbooktext.step(rows[0]))
    else:
        told = ((row.name, str(row.via), listing.of_any(row.title), listing.of_any(row.changes))
                for row in rows)  # fmt: skip
        print_list(("step", "path", "what it is", "what it changes"), told)
