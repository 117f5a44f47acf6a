"""The command `lab runbook steps`: the catalogue of steps, or one row of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from lab.commands.parsing.options import Json, completing, step_names
from lab.commands.terminal import out, print_json, print_list

if TYPE_CHECKING:
    from lab.runbooks.runbook import Step

COLUMNS: Final = ("step", "path", "what it is", "what it changes")


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

    rows = [catalogue.step(step)] if step is not None else catalogue.vocabulary()
    if as_json:
        print_json([listing.as_json(each) for each in rows])
    elif step is not None:
        out().print(runbooktext.step(rows[0]))
    else:
        print_list(COLUMNS, map(row, rows))


def row(spec: Step) -> tuple[str, ...]:
    """A step in the list."""
    from lab.steps import listing

    return spec.name, str(spec.via), listing.of_any(spec.title), listing.of_any(spec.changes)
