"""Runbooks as the commands read and draw them, and the files that they write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.commands.terminal import say
from lab.core import outputfiles
from lab.core.errors import UsageError
from lab.core.paths import real
from lab.runbooks import scenarios
from lab.runbooks.runbook import Runbook
from lab.runbooks.scenarios import Scenario
from lab.runbooks.stepgraph import Graph

if TYPE_CHECKING:
    from lab.runbooks.checkup import Checkup

SVG: Final = "--svg"


def situations(book: Runbook, names: Iterable[str | Scenario]) -> list[Scenario]:
    """Situations, by name or as they are. Raises UnknownName, and UsageError if there are none."""
    found = [
        scenarios.scenario(each) if isinstance(each, str) else each for each in dict.fromkeys(names)
    ]
    if not found:
        raise UsageError(f"{book.name} is written for no situation", "name one with --scenario")
    return found


def checked(path: Path, chosen: Sequence[str | Scenario]) -> Checkup:
    """A runbook in the situations that were chosen, or in those that it is written for.

    Raises BadRunbook, and as `situations` does.
    """
    from lab.runbooks import checkup, runbookfile
    from lab.steps import catalogue

    specs = catalogue.vocabulary()
    book = runbookfile.read(path, specs)
    return checkup.check(book, specs, situations(book, chosen or book.scenarios))


def refuse_outputs(books: Iterable[Path], wanted: Mapping[str, Path | None]) -> None:
    """Raise UsageError for files that cannot be written.

    A file that is read is not written over, and two results do not go into one file.
    """
    taken = {real(path): "it is the runbook" for path in books}
    for flag, path in wanted.items():
        if path is None:
            continue
        if real(path) in taken:
            raise UsageError(f"{flag} {path}: {taken[real(path)]}", "name another file")
        outputfiles.prove_writable(path, flag)
        taken[real(path)] = f"{flag} goes there"


def draw(graph: Graph, path: Path) -> None:
    """Write the picture of a runbook in a situation."""
    from lab.charts import steppicture

    outputfiles.write(path, steppicture.svg(graph), SVG)
    say().note(f"{path}: {graph.runbook.name} in {graph.scenario.name}")
