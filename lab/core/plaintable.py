"""Tables without lines: how every table of the lab looks in a terminal and in a file."""

from __future__ import annotations

from rich.table import Table


def plain_table(title: str, *columns: str, between: int = 4) -> Table:
    """A table without lines, with so many spaces between columns.

    A column called `>x` is right-aligned; `x*` may be broken over lines, others never are. There is
    no head if no column has a name.
    """
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
        padding=(0, between, 0, 0), header_style="dim",
        show_header=any(each.strip(">*") for each in columns),
    )  # fmt: skip
    for column in columns:
        table.add_column(
            column.strip(">*"),
            justify="right" if column.startswith(">") else "left",
            overflow="fold",
            no_wrap=not column.endswith("*"),
        )
    return table
