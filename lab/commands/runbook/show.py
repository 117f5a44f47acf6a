"""The command `lab runbook show`: a runbook, and which of its steps needs which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.commands.parsing.options import Json
from lab.commands.runbook.arguments import Book, Picture, Scenario
from lab.commands.runbook.list import plain
from lab.commands.terminal import out, print_json, say

if TYPE_CHECKING:
    from lab.runbooks.runbook import Runbook


def show(
    book: Book,
    scenario: Scenario = None,
    svg: Picture = None,
    as_json: Json = False,
) -> None:
    """Show a runbook: why each step is done, and which step needs which."""
    from lab.commands.runbook import files
    from lab.runbooks import runbookfile, shipped, stepgraph
    from lab.steps import catalogue, runbooktext

    specs = catalogue.vocabulary()
    path = shipped.find(book)
    read = runbookfile.read(path, specs)
    files.refuse_outputs([path], {files.SVG: svg})
    names = [scenario] if scenario is not None else read.scenarios[:1]
    [chosen] = files.situations(read, names)
    graph = stepgraph.graph(read, specs, chosen)
    if svg is not None:
        files.draw(graph, svg)
    if as_json:
        steps = [_step(read, number) for number in range(len(read.steps))]
        shown = None if read.flaw else graph.as_json()
        print_json({**plain(read), "steps": steps, "graph": shown})
        return
    riddle = runbooktext.riddle(say().typed(f"lab runbook check {book}"))
    out().print(runbooktext.whole(read, {row.name: row for row in specs}))
    out().print()
    out().print(riddle if read.flaw else runbooktext.graph(graph))


def _step(book: Runbook, number: int) -> dict[str, object]:
    from lab.steps import catalogue, listing

    call = book.steps[number]
    row = catalogue.step(call.step)
    return {
        "line": call.line,
        "options": row.chosen(call.options),
        **{key: value for key, value in listing.as_json(row).items() if key != "options"},
    }
