"""A runbook on the lab as it stands, as it lies in its folder: what it did, and how it ended.

It measured nothing, so it has no result. `runbook.json` is written when the run begins and again
when it ends; the steps are in the journal, and orders that only a lost machine has in files of
their own. A run that was cut and the one that went on with it are one: the later names the earlier.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

from lab.core import jsondocuments
from lab.core.errors import UsageError, brief
from lab.core.paths import write_whole
from lab.records import checksums, journalfile
from lab.records.journalfile import Journal
from lab.records.runfiles import JOURNAL, RESULT, RUNBOOK, script_output

SCHEMA: Final[Literal[1]] = 1
_ORPHANS: Final = "orphans*.csv"
_OUTPUTS: Final = script_output("*", "*")
_HINT: Final = "run the runbook again with this lab"


class LiveRun(BaseModel):
    """All of runbook.json.

    `steps` are the names of all that was to be done, `seen` is what the first of them saw in the
    run that began it, `earlier` are the folders beside this one of the runs that this one goes on
    with, the oldest first. `ended` is empty while it runs, and for good if it was killed. `stopped`
    says at which step it stopped and why; empty if it did not. `in_force` is what was still in
    force when it ended.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_version: Literal[1] = SCHEMA
    lab: str
    runbook: str
    title: str
    command: str
    started: str
    steps: tuple[str, ...]
    seen: str = ""
    earlier: tuple[str, ...] = ()
    ended: str = ""
    stopped: str = ""
    in_force: tuple[str, ...] = ()
    orphans: tuple[str, ...] = ()

    @property
    def outcome(self) -> str:
        """`done`, `stopped`, or `cut` if it never came to say."""
        if not self.ended:
            return "cut"
        return "stopped" if self.stopped else "done"


def is_one(folder: Path) -> bool:
    """True for the folder of such a run."""
    there = os.path.lexists(folder / RUNBOOK)
    return there and not os.path.lexists(folder / RESULT)


def keep(folder: Path, run: LiveRun) -> None:
    """Write it down, whole or not at all."""
    write_whole(folder / RUNBOOK, run.model_dump_json(indent=1) + "\n")


def seal(folder: Path, run: LiveRun) -> None:
    """Write down how it ended, and the sums of all that it wrote."""
    keep(folder, run)
    kept = (path.name for each in (_ORPHANS, _OUTPUTS) for path in folder.glob(each))
    own = (RUNBOOK, JOURNAL, *kept)
    checksums.write(folder, (name for name in own if (folder / name).is_file()))


def refuse_changed(folder: Path, run: LiveRun) -> None:
    """Raise UsageError when a file of a run that ended is not the one that was written."""
    if not run.ended:
        return
    own = (each for each in run.orphans if os.sep not in each)
    wanted = {RUNBOOK, *own, *checksums.listed(folder)}
    checksums.refuse_changed(folder, wanted, jsondocuments.CHANGED)
    if gone := sorted({*run.orphans} - {*orphan_files(folder, run)}):
        raise UsageError(f"{folder / gone[0]} is gone, and orders are in it", jsondocuments.CHANGED)


def load(folder: Path) -> LiveRun:
    """Read it back. Raises UsageError when it is none."""
    names = ("runbooks' runs", "record of a runbook's run")
    return jsondocuments.versioned(folder / RUNBOOK, LiveRun, names, _HINT)


def journal(folder: Path) -> Journal:
    """Its steps with their evidence; none if it was killed before the first one ended."""
    path = folder / JOURNAL
    return journalfile.from_file(path) if os.path.lexists(path) else Journal("")


def orphan_files(folder: Path, run: LiveRun) -> tuple[str, ...]:
    """Files of orders that only a lost machine has, as they are named from its folder.

    The run that went on did not write those that the run before it had written.
    """
    places = (*(Path("..", each) for each in run.earlier), Path())
    try:
        return tuple(
            str(place / found.name)
            for place in places
            for found in sorted((folder / place).glob(_ORPHANS))
        )
    except (OSError, ValueError) as error:
        told = brief(", ".join(run.earlier))
        raise UsageError(
            f"{folder / RUNBOOK} names a folder that cannot be read: {told}", jsondocuments.CHANGED
        ) from error
