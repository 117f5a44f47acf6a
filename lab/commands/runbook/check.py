"""The command `lab runbook check`: what runbooks would do to users; nothing is run."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from lab.commands.parsing.options import Json, Name, completing, runbooks, scenarios
from lab.commands.runbook.arguments import Picture
from lab.commands.terminal import chosen_name, out, print_json, say
from lab.core.errors import UsageError

if TYPE_CHECKING:
    from lab.runbooks.checkup import Checkup
    from lab.runbooks.runbook import Step
    from lab.runbooks.scenarios import Scenario
    from lab.runbooks.stepgraph import Graph

_Scenarios = Annotated[
    list[str] | None,
    typer.Option(
        "--scenario", metavar="SCENARIO", show_default=False,
        help="A situation such as region-dead; if left out, all that the runbook is written"
        " for. May be repeated.",
        autocompletion=completing(scenarios),
    ),
]  # fmt: skip


def check(
    books: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME|FILE", help="Shipped runbooks or files.", show_default=False,
            autocompletion=runbooks,
        ),
    ],
    scenario: _Scenarios = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write it as JUnit XML, for CI.", metavar="FILE", show_default=False),
    ] = None,
    svg: Picture = None,
    here: Annotated[
        bool,
        typer.Option("--here", help="Begin at the state that the lab is in now; change nothing."),
    ] = False,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Predict what a runbook does to users; run nothing.

    The exit code is 1 if a runbook is unsafe in a situation: orders may be lost, or it ends badly.
    """
    if svg is not None and len(books) > 1:
        raise UsageError("--svg shows one runbook, and several are named", "name one")
    if here and scenario:
        raise UsageError("--here and --scenario are both given", "give one of them")
    lab_name = chosen_name(name) if here or name is not None else ""
    situations = _here(lab_name) if here else None
    raise typer.Exit(_check(books, situations or scenario or [], junit, svg, as_json))


def _here(lab_name: str) -> list[Scenario]:
    """The lab as it stands, as the one situation to check in."""
    from lab.infra import managementnet
    from lab.status import look, worldnow
    from lab.testbed.lab import Lab

    with Lab.attached(lab_name, dark=True) as lab, say().step("looking at the lab"):
        seen = look.look(lab, rate_seconds=0.2)
    return [worldnow.situation(seen, managementnet.cut(lab_name))]


class _Found(NamedTuple):
    """What was found about the runbook in a file; the file as it is shown."""

    file: str
    checkup: Checkup


def _check(
    names: Sequence[str],
    chosen: Sequence[str | Scenario],
    junit_file: Path | None,
    svg: Path | None,
    as_json: bool,
) -> int:
    """Check runbooks, print what was found; the exit code of the worst."""
    from lab.commands.runbook import files

    files.refuse_outputs(names, {"--junit": junit_file, files.SVG: svg})
    found = [_checked(name, chosen) for name in names]
    if junit_file is not None:
        _report(found, junit_file)
    if svg is not None:
        files.draw(_worst_graph(found[0].checkup), svg)
    if as_json:
        print_json(_all(found))
    else:
        _print(found)
    return max(each.checkup.exit_code for each in found)


def _checked(name: str, chosen: Sequence[str | Scenario]) -> _Found:
    from lab.commands.runbook import files
    from lab.runbooks import checkup, runbookfile, shipped
    from lab.steps import catalogue

    specs, path = catalogue.vocabulary(), shipped.find(name)
    book = runbookfile.read(path, specs)
    situations = files.situations(book, chosen or book.scenarios)
    return _Found(_shown(path), checkup.check(book, specs, situations))


def _shown(path: Path) -> str:
    """A path as it was named, or as short as it can be from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def _report(found: Iterable[_Found], path: Path) -> None:
    from lab.core import outputfiles
    from lab.report import checksuites, junit

    now = datetime.now(UTC).isoformat(timespec="seconds")
    suites = (checksuites.suites(each.checkup, each.file, now) for each in found)
    listed = [suite for several in suites for suite in several]
    outputfiles.write(path, junit.document(listed), junit.FLAG)


def _worst_graph(found: Checkup) -> Graph:
    from lab.runbooks import stepgraph
    from lab.steps import catalogue

    return stepgraph.graph(found.runbook, catalogue.vocabulary(), found.worst.prediction.scenario)


def _all(found: Sequence[_Found]) -> dict[str, object]:
    from lab.runbooks import checkup

    return {
        "level": checkup.worst(each.checkup.level for each in found),
        "runbooks": [
            {"file": each.file, **each.checkup.as_json(), "notes": _notes(each.checkup)}
            for each in found
        ],
    }


def _notes(found: Checkup) -> list[dict[str, object]]:
    from lab.steps import runbooktext

    said = runbooktext.notes(found.runbook, _rows())
    return [{"line": line, "says": text} for line, text in said]


def _rows() -> dict[str, Step]:
    from lab.steps import catalogue

    return {each.name: each for each in catalogue.vocabulary()}


def _print(found: Iterable[_Found]) -> None:
    from lab.steps import runbooktext

    for number, each in enumerate(found):
        if number:
            out().print()
        out().print(runbooktext.predicted(each.checkup))
        out().print()
        noted = runbooktext.noted(each.checkup, _rows(), each.file)
        for text in (*noted, *runbooktext.told(each.checkup, each.file)):
            # A line for each in files and CI logs, however long.
            out().print(text, soft_wrap=not out().is_terminal)
