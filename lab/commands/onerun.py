"""One run of a drill or a rehearsal: tried, written for CI, and printed; its exit code."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab.commands.terminal import out, put, say, told_when_interrupted
from lab.core.errors import LabError
from lab.drills import execution
from lab.drills.baseline import Baseline
from lab.drills.execution import Attempt, Held, Played
from lab.records import result
from lab.records.result import Result
from lab.report import folders, junit, resulttext
from lab.testbed import turns
from lab.testbed.turns import Turn

Run = Callable[[Held, Path, Turn], Played]
"""Runs it once on the lab, and leaves what it measured in a folder. In its turn it may rest."""


@dataclass(frozen=True, slots=True)
class OneRun:
    """What a command line asks for. `does` is what the lab does meanwhile, for other commands."""

    name: str
    does: str
    lab: str
    seed: int
    retries: int = 0
    junit: Path | None = None
    as_json: bool = False
    baseline: Baseline = field(default_factory=Baseline)


def carry_out(wanted: OneRun, run: Run) -> int:
    """Run it until there is a verdict, report it; the exit code. Raises the last try's error."""
    report = folders.suites_to(wanted.junit)
    started = datetime.now(UTC).isoformat(timespec="seconds")
    try:
        made = _tried(wanted, run)
    except LabError as error:
        report([junit.of_error(wanted.name, wanted.seed, None, started, str(error))])
        raise
    report([execution.suite(made, wanted.name, wanted.seed)])
    last = made[-1]
    if last.played is None:
        raise last.error or LabError(f"{wanted.name} was not run")
    code = tell(last.played.result, last.folder, as_json=wanted.as_json)
    for doubt in wanted.baseline.doubts(last.played.result):
        say().warn(doubt)
    refuse_unhealed(last.played.unhealed)
    return code


def _tried(wanted: OneRun, run: Run) -> list[Attempt]:
    with (
        turns.exclusive(wanted.lab, wanted.does) as turn,
        told_when_interrupted(),
        execution.held(wanted.lab, say()) as lab,
    ):
        return execution.attempts(
            wanted.name, wanted.retries, lab, lambda folder: run(lab, folder, turn), say()
        )


def tell(found: Result, folder: Path, *, as_json: bool) -> int:
    """Print what was measured, and where it is; the exit code of its verdict."""
    near = folder.relative_to(here) if folder.is_relative_to(here := Path.cwd()) else folder
    if as_json:
        put(result.to_json(found))
    else:
        out().print(resulttext.summary(found, str(near), say().typed))
    return found.verdict.exit_code


def refuse_unhealed(reason: str) -> None:
    """Raise LabError if a run has left the lab broken."""
    if reason:
        raise LabError(f"the lab could not be healed: {reason}", "run: lab up")
