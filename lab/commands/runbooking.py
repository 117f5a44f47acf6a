"""What `lab runbook` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lab.commands.terminal import out, print_json, say
from lab.core import outputfiles
from lab.core.errors import UsageError
from lab.core.paths import real
from lab.runbooks import checkup, runbookfile, scenarios, shipped, stepgraph
from lab.runbooks.checkup import Checkup
from lab.runbooks.runbook import Runbook
from lab.runbooks.scenarios import Scenario
from lab.runbooks.stepgraph import Graph
from lab.steps import catalogue, listing, runbooktext

SPECS: Final = catalogue.specs()
_SVG: Final = "--svg"


def list_shipped(as_json: bool) -> None:
    """Print what runbooks there are."""
    books = [runbookfile.read(path, SPECS) for path in shipped.shipped()]
    if as_json:
        print_json([_plain(book) for book in books])
    else:
        out().print(runbooktext.shelf(books))


def _plain(book: Runbook) -> dict[str, object]:
    return {
        "name": book.name,
        "title": book.title,
        "why": book.why,
        "from": str(book.plan.old),
        "to": str(book.plan.new),
        "scenarios": book.scenarios,
        "printed_as_found": book.flaw,
    }


def list_steps(name: str | None, as_json: bool) -> None:
    """Print the catalogue of steps, or one row of it. Raises UnknownName."""
    rows = [catalogue.move(name).spec] if name is not None else SPECS
    if as_json:
        print_json([listing.as_json(row) for row in rows])
    else:
        one = name is not None
        out().print(runbooktext.step(rows[0]) if one else runbooktext.steps(rows))


# ── show ─────────────────────────────────────────────────────────────────────────────────────


def show(name: str, scenario: str | None, svg: Path | None, as_json: bool) -> None:
    """Print a runbook, and its graph in a situation unless it is printed as found."""
    book = runbookfile.read(shipped.find(name), SPECS)
    _refuse_outputs([name], {_SVG: svg})
    [chosen] = _situations(book, [scenario] if scenario is not None else book.scenarios[:1])
    graph = stepgraph.graph(book, SPECS, chosen)
    if svg is not None:
        _draw(graph, svg)
    if as_json:
        steps = [_step(book, number) for number in range(len(book.steps))]
        shown = None if book.flaw else graph.as_json()
        print_json({**_plain(book), "steps": steps, "graph": shown})
        return
    riddle = runbooktext.riddle(say().typed(f"lab runbook check {name}"))
    out().print(runbooktext.whole(book, {row.name: row for row in SPECS}))
    out().print()
    out().print(riddle if book.flaw else runbooktext.graph(graph))


def _step(book: Runbook, number: int) -> dict[str, object]:
    call = book.steps[number]
    row = catalogue.move(call.step).spec
    return {
        "line": call.line,
        "options": row.chosen(call.options),
        **{key: value for key, value in listing.as_json(row).items() if key != "options"},
    }


def _situations(book: Runbook, names: Iterable[str]) -> list[Scenario]:
    """Situations by name. Raises UnknownName, and UsageError if there are none."""
    found = [scenarios.scenario(name) for name in dict.fromkeys(names)]
    if not found:
        raise UsageError(f"{book.name} is written for no situation", "name one with --scenario")
    return found


def _refuse_outputs(names: Iterable[str], wanted: Mapping[str, Path | None]) -> None:
    """Raise UsageError for files that cannot be written.

    A file that is read is not written over, and two results do not go into one file.
    """
    taken = {real(shipped.find(name)): "it is the runbook" for name in names}
    for flag, path in wanted.items():
        if path is None:
            continue
        if real(path) in taken:
            raise UsageError(f"{flag} {path}: {taken[real(path)]}", "name another file")
        outputfiles.prove_writable(path, flag)
        taken[real(path)] = f"{flag} goes there"


def _draw(graph: Graph, path: Path) -> None:
    from lab.charts import steppicture

    outputfiles.write(path, steppicture.svg(graph), _SVG)
    say().note(f"{path}: {graph.runbook.name} in {graph.scenario.name}")


# ── check ────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _Found:
    """What was found about the runbook in a file; the file as it is shown."""

    file: str
    checkup: Checkup


def check(
    names: Sequence[str],
    chosen: Sequence[str],
    junit_file: Path | None,
    svg: Path | None,
    as_json: bool,
) -> int:
    """Check runbooks, print what was found; the exit code of the worst."""
    _refuse_outputs(names, {"--junit": junit_file, _SVG: svg})
    found = [_checked(name, chosen) for name in names]
    if junit_file is not None:
        _report(found, junit_file)
    if svg is not None:
        _draw(_worst_graph(found[0].checkup), svg)
    if as_json:
        print_json(_all(found))
    else:
        _print(found)
    return max(each.checkup.exit_code for each in found)


def _checked(name: str, chosen: Sequence[str]) -> _Found:
    path = shipped.find(name)
    book = runbookfile.read(path, SPECS)
    situations = _situations(book, chosen or book.scenarios)
    return _Found(_shown(path), checkup.check(book, SPECS, situations))


def _shown(path: Path) -> str:
    """A path as it was named, or as short as it can be from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _report(found: Iterable[_Found], path: Path) -> None:
    from lab.report import checksuites, junit

    now = datetime.now(UTC).isoformat(timespec="seconds")
    suites = (checksuites.suites(each.checkup, each.file, now) for each in found)
    listed = [suite for several in suites for suite in several]
    outputfiles.write(path, junit.document(listed), junit.FLAG)


def _worst_graph(found: Checkup) -> Graph:
    return stepgraph.graph(found.runbook, SPECS, found.worst.prediction.scenario)


def _all(found: Sequence[_Found]) -> dict[str, object]:
    return {
        "level": checkup.worst(each.checkup.level for each in found),
        "runbooks": [{"file": each.file, **each.checkup.as_json()} for each in found],
    }


def _print(found: Iterable[_Found]) -> None:
    for number, each in enumerate(found):
        if number:
            out().print()
        out().print(runbooktext.predicted(each.checkup))
        out().print()
        for text in runbooktext.told(each.checkup, each.file):
            # A line for each in files and CI logs, however long.
            out().print(text, soft_wrap=not out().is_terminal)
