"""The command `lab fault list`: the catalogue of faults, or one row of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.parsing.options import Json, completing, fault_names
from lab.commands.terminal import out, print_json, print_list
from lab.core.words import listed

if TYPE_CHECKING:
    from rich.table import Table

    from lab.faults.row import Fault


def list_faults(
    fault: Annotated[
        str | None,
        typer.Argument(
            metavar="FAULT", help="Everything about this one.", show_default=False,
            autocompletion=completing(fault_names),
        ),
    ] = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """List the faults: what each does, teaches and cuts, who notices it, and when."""
    from lab.faults import catalogue

    rows = [catalogue.fault(fault)] if fault is not None else catalogue.faults()
    if as_json:
        print_json([_plain(row) for row in rows])
    elif fault is not None:
        out().print(_whole(rows[0]))
    else:
        columns = ("fault", "default target", "what happens")
        print_list(columns, ((row.name, _target(row), row.why) for row in rows))


def _plain(row: Fault) -> dict[str, object]:
    return {
        "name": row.name,
        "why": row.why,
        "teaches": row.teaches,
        "how": row.how,
        "cuts": [str(via) for via in row.cuts],
        "noticed": row.noticed,
        "takes": str(row.takes),
        "default": str(row.default),
        "amount": None
        if row.amount is None
        else {"unit": row.amount.unit, "default": row.amount.default, "what": row.amount.what},
    }


def _target(row: Fault) -> str:
    return f"{row.takes.flag} {row.default}" if row.takes.flag else ""


def _whole(row: Fault) -> Table:
    from rich.text import Text

    from lab.core.plaintable import plain_table

    table = plain_table("", "", "*")
    strength = row.amount
    for title, text in (
        ("fault", row.name),
        ("what happens", row.why),
        ("teaches", row.teaches),
        ("how it is done", row.how),
        ("noticed", row.noticed),
        ("cuts", listed(row.cuts) or "nothing"),
        ("default target", _target(row)),
        ("strength", f"--amount: {strength.what}, default {strength.default:g} {strength.unit}"
                     f" ({strength.least:g} to {strength.most:g})" if strength else ""),
    ):  # fmt: skip
        if text:
            table.add_row(Text(title, style="dim"), Text(text))
    return table
