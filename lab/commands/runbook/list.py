"""The command `lab runbook list`: the runbooks that come with the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.commands.parsing.options import Json
from lab.commands.terminal import print_json, print_list

if TYPE_CHECKING:
    from rich.text import Text

    from lab.runbooks.runbook import Runbook

COLUMNS: Final = ("runbook", "for", "what happens")


def list_runbooks(as_json: Json = False) -> None:
    """List the runbooks that come with the lab."""
    from lab.runbooks import runbookfile, shipped
    from lab.steps import catalogue

    specs = catalogue.vocabulary()
    books = [runbookfile.read(path, specs) for path in shipped.shipped()]
    if as_json:
        print_json([plain(book) for book in books])
    else:
        print_list(COLUMNS, map(row, books))


def plain(book: Runbook) -> dict[str, object]:
    """What is told of a runbook as JSON."""
    return {
        "name": book.name,
        "title": book.title,
        "why": book.why,
        "from": str(book.plan.old),
        "to": str(book.plan.new),
        "scenarios": book.scenarios,
        "printed_as_found": book.flaw,
    }


def row(book: Runbook) -> tuple[str, str, Text]:
    """A runbook in the list."""
    from rich.text import Text

    from lab.steps import runbooktext

    told = Text(f"{book.title}; {runbooktext.way(book)}")
    if book.flaw:
        told.append("; ").append(runbooktext.AS_FOUND, "yellow")
    return book.name, ", ".join(book.scenarios), told
