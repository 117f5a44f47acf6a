"""The command `lab runbook list`: the runbooks that come with the lab."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.commands.parsing.options import Json
from lab.commands.terminal import print_json, print_list

if TYPE_CHECKING:
    from lab.runbooks.runbook import Runbook


def list_runbooks(as_json: Json = False) -> None:
    """List the runbooks that come with the lab."""
    from lab.runbooks import runbookfile, shipped
    from lab.steps import catalogue

    specs = catalogue.specs()
    books = [runbookfile.read(path, specs) for path in shipped.shipped()]
    if as_json:
        print_json([plain(book) for book in books])
    else:
        columns = ("runbook", "for", "what happens")
        print_list(columns, ((book.name, ", ".join(book.scenarios), _told(book)) for book in books))


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


def _told(book: Runbook) -> str:
    from lab.steps import runbooktext

    found = f"; {runbooktext.AS_FOUND}" if book.flaw else ""
    return f"{book.title}; {runbooktext.way(book)}{found}"
