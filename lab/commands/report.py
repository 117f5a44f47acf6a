"""The command `lab report`: a run's page or post-mortem, or two runs side by side."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from lab.commands.parsing.options import Json, Name, completing, runs
from lab.commands.terminal import chosen_name, out, put, say
from lab.core.errors import UsageError
from lab.core.paths import real

if TYPE_CHECKING:
    from lab.records.liverun import LiveRun
    from lab.records.result import Result
    from lab.records.spread import Series


LIVE: Final = "--live"


def report(
    run: Annotated[
        str | None,
        typer.Argument(
            help="A run's or a series' folder; if left out, the newest of them.",
            autocompletion=completing(runs),
            show_default=False,
        ),
    ] = None,
    compare: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Two runs or series side by side, by name or folder.",
            metavar="A B",
            show_default=False,
        ),
    ] = None,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Compute the run's figures again from its raw record, and show what differs."
            " The exit code is 1 if anything differs.",
        ),
    ] = False,
    live: Annotated[
        bool,
        typer.Option(
            LIVE, help="Measure the users who are at work now (lab load), while they go on."
        ),
    ] = False,
    post_mortem: Annotated[
        bool,
        typer.Option(
            "--post-mortem",
            help="Write what happened as Markdown for a post-mortem, which people complete.",
        ),
    ] = False,
    to: Annotated[
        Path | None,
        typer.Option(
            "--out",
            "-o",
            help="Where a comparison's page or a post-mortem goes; if left out, into the folder of"
            " B or of the run.",
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Write a page or post-mortem, recompute, or compare two runs.

    A run's page is report.html, a series' page is spread.html, a post-mortem is post-mortem.md. The
    path is printed on stdout.
    """
    flags = {"--compare": compare is not None, "--recompute": recompute}
    flags |= {"--post-mortem": post_mortem, LIVE: live}
    given = [flag for flag, wanted in flags.items() if wanted]
    _refuse_together(given, run, to=to is not None, as_json=as_json)
    if live:
        raise typer.Exit(_live(name, as_json))
    if compare is not None:
        _compare(*compare, to)
        return
    folder = _meant(run)
    if recompute:
        raise typer.Exit(_recompute(folder))
    from lab.report import folders

    found = folders.load(str(folder))
    path = _post_mortem(*found, to) if post_mortem else folders.write_page(*found)
    put(f"{path}\n")


def _refuse_together(given: Sequence[str], run: str | None, *, to: bool, as_json: bool) -> None:
    """Raise UsageError for options that mean nothing together."""
    if "--compare" in given and run is not None:
        raise UsageError(f"--compare takes two runs, and {run} is a third", "name two runs")
    if len(given) > 1:
        raise UsageError(f"{given[0]} and {given[1]} are both given", "give one of them")
    if LIVE in given and run is not None:
        raise UsageError(f"{LIVE} is about users at work, and {run} is a run", "leave one out")
    if LIVE not in given and as_json:
        raise UsageError(f"--json is for {LIVE} alone", "a run's figures are in its result.json")
    if to and given not in (["--compare"], ["--post-mortem"]):
        raise UsageError("--out is for --compare and --post-mortem alone", "leave it out")


def _live(name: str | None, as_json: bool) -> int:
    """What has happened so far to users at work; the exit code."""
    from lab.commands.onerun import tell
    from lab.drills import loadrun
    from lab.testbed import underway
    from lab.testbed.lab import Lab

    lab_name = chosen_name(name)
    found = underway.need(lab_name)
    with (
        Lab.attached(lab_name, dark=True) as lab,
        say().step("reading every record and every database while users go on"),
    ):
        result, folder = loadrun.look(lab, found)
    return tell(result, folder, as_json=as_json)


def _meant(name: str | None) -> Path:
    """The folder that a name means. Without a name, newer runs that did not finish are named."""
    from lab.records import runfolders

    folder = runfolders.find_run(name)
    for each in runfolders.unfinished_after(folder) if name is None else ():
        say().note(f"{each} is newer, but has no result: it was cut, or it is still running")
    return folder


def _post_mortem(folder: Path, found: Result | Series | LiveRun, to: Path | None) -> Path:
    from lab.core import outputfiles
    from lab.report import folders, postmortem

    if to is not None:
        outputfiles.prove_writable(to, "--out")
    return folders.write_once(to or folder / postmortem.FILE, folders.post_mortem(folder, found))


def _recompute(folder: Path) -> int:
    """0 if all figures are the same and all files those that the drill wrote, 1 if not."""
    from lab.metrics.recompute import recompute
    from lab.report import folders, runtables

    found = recompute(folder, folders.run_of(folder))
    out().print(runtables.recomputed(found))
    return int(bool(found.differences))


def _compare(first: str, second: str, to: Path | None) -> None:
    from lab.core import outputfiles
    from lab.records import compare
    from lab.report import folders, runtables, seriespages

    if to is not None:
        outputfiles.prove_writable(to, "--out")
    (a_folder, a), (b_folder, b) = folders.side(first), folders.side(second)
    found = compare.compare(a, b)
    page = to or b_folder / "compare.html"
    ways = (_way(page, a_folder / a.page), _way(page, b_folder / b.page))
    folders.write(page, seriespages.compare(found, ways))
    out().print(runtables.compare(found))
    out().print(f"\n  page  {page}", markup=False)


def _way(page: Path, target: Path) -> str:
    """How a link on one page leads to another, whatever is in their places."""
    return os.path.relpath(real(target.parent) / target.name, real(page.parent))
