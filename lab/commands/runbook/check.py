"""The command `lab runbook check`: what runbooks would do to users; nothing is run."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from lab.commands.parsing.options import Json, Name, completing, runbooks, scenarios
from lab.commands.runbook.arguments import Picture
from lab.commands.terminal import chosen_name, out, print_json, say
from lab.core.errors import BadRunbook, UsageError

if TYPE_CHECKING:
    from lab.report.annotations import Annotation
    from lab.report.junit import Suite
    from lab.runbooks.checkup import Checkup
    from lab.runbooks.runbook import Step
    from lab.runbooks.scenarios import Scenario
    from lab.runbooks.stepgraph import Graph

CODE_QUALITY: Final = "--code-quality"
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
            metavar="NAME|FILE", show_default=False,
            help="Shipped runbooks, files, or patterns in quotes: 'runbooks/**/*.yaml'.",
            autocompletion=runbooks,
        ),
    ],
    scenario: _Scenarios = None,
    junit: Annotated[
        Path | None,
        typer.Option(help="Write it as JUnit XML, for CI.", metavar="FILE", show_default=False),
    ] = None,
    code_quality: Annotated[
        Path | None,
        typer.Option(
            CODE_QUALITY, metavar="FILE", show_default=False,
            help="Write it as a report of code quality, for GitLab.",
        ),
    ] = None,
    annotations: Annotated[
        bool | None,
        typer.Option(
            "--annotations/--no-annotations", show_default=False,
            help="Mark lines for GitHub, on stderr; in GitHub Actions it does so by itself.",
        ),
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
    It is 2 if a file is no runbook; the others are checked all the same.
    """
    from lab.commands.runbook import files
    from lab.runbooks import shipped

    paths = shipped.find_all(books)
    if svg is not None and len(paths) > 1:
        raise UsageError("--svg shows one runbook, and several are named", "name one")
    if here and scenario:
        raise UsageError("--here and --scenario are both given", "give one of them")
    files.refuse_outputs(paths, {"--junit": junit, CODE_QUALITY: code_quality, files.SVG: svg})
    lab_name = chosen_name(name) if here or name is not None else ""
    situations = _here(lab_name) if here else None
    found = _all_checked(paths, situations or scenario or [])
    _write(found, junit, code_quality, svg)
    if os.environ.get("GITHUB_ACTIONS") == "true" if annotations is None else annotations:
        _annotate(found)
    if as_json:
        print_json(found.as_json())
    else:
        _print(found)
    raise typer.Exit(found.exit_code)


def _here(lab_name: str) -> list[Scenario]:
    """The lab as it stands, as the one situation to check in."""
    from lab.infra import managementnet
    from lab.status import look, worldnow
    from lab.testbed.lab import Lab

    with Lab.attached(lab_name, dark=True) as lab, say().step("looking at the lab"):
        seen = look.look(lab, rate_seconds=0.2)
    return [worldnow.situation(seen, managementnet.cut(lab_name))]


# ── what was found ───────────────────────────────────────────────────────────────────────────


class _Found(NamedTuple):
    """What was found about the runbook in a file; the file as it is shown."""

    file: str
    checkup: Checkup


class _Unreadable(NamedTuple):
    """A file that is no runbook, and why."""

    file: str
    error: BadRunbook


@dataclass(frozen=True, slots=True)
class _All:
    """What was found in all files."""

    found: tuple[_Found, ...]
    unreadable: tuple[_Unreadable, ...]

    @property
    def exit_code(self) -> int:
        """The worst of all."""
        codes = (each.checkup.exit_code for each in self.found)
        return max([0, *codes, *(each.error.exit_code for each in self.unreadable)])

    def as_json(self) -> dict[str, object]:
        """All of it as data."""
        from lab.runbooks import checkup

        return {
            "level": checkup.worst(each.checkup.level for each in self.found),
            "runbooks": [
                {"file": each.file, **each.checkup.as_json(), "notes": _notes(each.checkup)}
                for each in self.found
            ],
            "unreadable": [
                {"file": each.file, "line": each.error.line, "reason": each.error.reason}
                for each in self.unreadable
            ],
        }


def _all_checked(paths: Iterable[Path], chosen: Sequence[str | Scenario]) -> _All:
    found: list[_Found] = []
    unreadable: list[_Unreadable] = []
    for path in paths:
        try:
            found.append(_checked(path, chosen))
        except BadRunbook as error:
            unreadable.append(_Unreadable(_shown(path), error))
    return _All(tuple(found), tuple(unreadable))


def _checked(path: Path, chosen: Sequence[str | Scenario]) -> _Found:
    from lab.commands.runbook import files

    return _Found(_shown(path), files.checked(path, chosen))


def _shown(path: Path) -> str:
    """A path as it was named, or as short as it can be from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


# ── files and marks for CI ───────────────────────────────────────────────────────────────────


def _write(found: _All, junit_file: Path | None, quality: Path | None, svg: Path | None) -> None:
    from lab.commands.runbook import files
    from lab.core import outputfiles

    if junit_file is not None:
        from lab.report import junit

        outputfiles.write(junit_file, junit.document(_suites(found)), junit.FLAG)
    if quality is not None:
        from lab.report import annotations

        outputfiles.write(quality, annotations.code_quality(_marks(found)), CODE_QUALITY)
    if svg is not None and found.found:
        files.draw(_worst_graph(found.found[0].checkup), svg)


def _suites(found: _All) -> Iterator[Suite]:
    from lab.report import checksuites

    now = datetime.now(UTC).isoformat(timespec="seconds")
    for each in found.unreadable:
        yield checksuites.unreadable(each.error, each.file, now)
    for one in found.found:
        yield from checksuites.suites(one.checkup, one.file, now)


def _marks(found: _All) -> Iterator[Annotation]:
    from lab.report import annotations
    from lab.steps import runbooktext

    for each in found.unreadable:
        yield annotations.of_error(each.error, each.file)
    for one in found.found:
        notes = runbooktext.notes(one.checkup.runbook, _rows())
        yield from annotations.of_checkup(one.checkup, one.file, notes)


def _annotate(found: _All) -> None:
    """On stderr, which GitHub's runner reads as well: stdout carries results alone."""
    from lab.core.words import visible
    from lab.report import annotations

    sys.stderr.write(visible(annotations.github(_marks(found))))


def _worst_graph(found: Checkup) -> Graph:
    from lab.runbooks import stepgraph
    from lab.steps import catalogue

    return stepgraph.graph(found.runbook, catalogue.vocabulary(), found.worst.prediction.scenario)


# ── in words ─────────────────────────────────────────────────────────────────────────────────


def _notes(found: Checkup) -> list[dict[str, object]]:
    from lab.steps import runbooktext

    said = runbooktext.notes(found.runbook, _rows())
    return [{"line": line, "says": text} for line, text in said]


def _rows() -> dict[str, Step]:
    from lab.steps import catalogue

    return {each.name: each for each in catalogue.vocabulary()}


def _print(found: _All) -> None:
    from lab.steps import runbooktext

    for number, each in enumerate(found.found):
        if number:
            out().print()
        out().print(runbooktext.predicted(each.checkup))
        out().print()
        noted = runbooktext.noted(each.checkup, _rows(), each.file)
        for text in (*noted, *runbooktext.told(each.checkup, each.file)):
            # A line for each in files and CI logs, however long.
            out().print(text, soft_wrap=not out().is_terminal)
    for wrong in found.unreadable:
        say().error(str(wrong.error))
