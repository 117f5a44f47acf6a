"""What commands share to talk: progress on stderr, results on stdout."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import IO, TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from rich.console import Console, OverflowMethod
    from rich.text import Text

    from lab.core.console import Say

_CONTAINERS = (
    "the lab's containers are still there: `lab up` repairs them,"
    " `lab down` removes them with all orders"
)
_LEAST_CELLS = 6
"""With less room for its last column a list is not shortened."""


@cache
def say() -> Say:
    """Progress and errors, on stderr."""
    from lab.core.console import Say

    return Say()


@cache
def out() -> Console:
    """Results, on stdout."""
    from lab.core.console import Terminal

    if sys.stdout.isatty():
        return Terminal(highlight=False, emoji=False)
    return Terminal(
        highlight=False, emoji=False, width=_width_of_a_pipe(), file=cast("IO[str]", _Piped())
    )


def _width_of_a_pipe() -> int:
    """How wide a pipe is: COLUMNS, or as wide as a file or a CI log is looked at."""
    columns = os.environ.get("COLUMNS", "")
    width = int(columns) if re.fullmatch("[0-9]{1,4}", columns) else 0
    return width or 120


class _Piped:
    """Standard output, without the spaces that fill the last column of a table."""

    def write(self, text: str) -> int:
        return sys.stdout.write(re.sub(r" +$", "", text, flags=re.MULTILINE))

    def __getattr__(self, name: str) -> Any:
        return getattr(sys.stdout, name)


def print_list(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Rows in aligned columns, each on one line. The first column is the name.

    The last one may be shortened at the right edge of a terminal. Elsewhere it is written in full,
    and so is everything in a terminal that is too narrow for the other columns.
    """
    from rich.cells import cell_len
    from rich.text import Text

    table = [columns, *rows]
    columns_of_cells = zip(*table, strict=True)
    widths = [max(cell_len(str(cell)) for cell in cells) + 2 for cells in columns_of_cells][:-1]
    short = out().is_terminal and out().width >= sum(widths) + _LEAST_CELLS
    overflow: OverflowMethod = "ellipsis" if short else "ignore"
    for number, row in enumerate(table):
        line = Text(style="" if number else "dim")
        for width, cell in zip(widths, row, strict=False):
            line.append(str(cell), "bold" if number and not line else "")
            line.append(" " * (width - cell_len(str(cell))))
        out().print(line.append(row[-1]), no_wrap=True, overflow=overflow, crop=short)


def print_json(document: object) -> None:
    """One document and nothing else; models as their fields, anything else as text."""

    def plain(value: Any) -> Any:
        return value.model_dump() if hasattr(value, "model_dump") else str(value)

    put(json.dumps(document, default=plain, indent=2) + "\n")


def put(text: str) -> None:
    """Text on stdout as it is; only what could steer a terminal is written out."""
    from lab.core.words import visible

    sys.stdout.write(visible(text))


def chosen_name(given: str | None) -> str:
    """The lab that a command is about; all that it says from now on names that lab.

    Raises UsageError for a name that cannot be.
    """
    from lab.infra import settings

    name = settings.chosen_name(given)
    say().flag = "" if name == settings.DEFAULT_NAME else f" --name {name}"
    return name


@contextmanager
def told_when_interrupted(left: str = _CONTAINERS) -> Iterator[None]:
    """Say what a Ctrl-C leaves."""
    try:
        yield
    except KeyboardInterrupt:
        say().warn(f"interrupted; {left}")
        raise
