"""Run folders: `runs/<time>-<drill>/`, one per run, never reused.

A series of runs has a folder beside theirs: `runs/<time>-<drill>-x<N>/`.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from lab.core.errors import MachineError, UsageError, quoted
from lab.core.nearest import nearest
from lab.core.paths import is_folder, real
from lab.records.runfiles import JOURNAL, MATRIX, RESULT, RUNBOOK, SPREAD, TUNE

_MAKE_ONE: Final = "make one: lab drill region-loss"
_KINDS: Final = (RESULT, SPREAD, RUNBOOK)
"""A folder with one of these can be shown: a drill's run, a series, a runbook's run."""

_PAGES: Final = {MATRIX: "a matrix", TUNE: "a comparison of patiences"}
"""A folder with one of these has a page of its own."""

_BEGAN: Final = (JOURNAL, RUNBOOK)
"""A run whose folder has one of these has begun."""

_TIME: Final = "%Y-%m-%dT%H-%M-%SZ"
_TIMED: Final = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ-")


def runs_dir() -> Path:
    """Where runs are kept: $LAB_RUNS, or `runs` in the current folder."""
    return Path(os.environ.get("LAB_RUNS") or "runs")


def new_run(drill: str, parent: Path | None = None) -> Path:
    """A fresh, writable run folder. Raises MachineError, before anything was broken."""
    folder = _fresh(drill, parent or runs_dir())
    (folder / "logs").mkdir()
    return folder


def new_series(drill: str, repeat: int, parent: Path | None = None) -> Path:
    """A fresh, writable folder for a series of `repeat` runs. Raises MachineError."""
    return _fresh(f"{drill}-x{repeat}", parent or runs_dir())


def new_folder(name: str) -> Path:
    """A fresh, writable folder for something that is no run. Raises MachineError."""
    return _fresh(name, runs_dir())


def _fresh(name: str, base: Path) -> Path:
    stamp = datetime.now(UTC).strftime(_TIME)
    for attempt in range(1, 100):
        folder = base / (f"{stamp}-{name}" if attempt == 1 else f"{stamp}-{name}-{attempt}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            if not base.is_dir():
                raise _unwritable(base, "it is no folder") from None
            continue
        except OSError as error:
            raise _unwritable(base, error.strerror or str(error)) from error
        return folder
    raise _unwritable(base, "too many runs in one second")


@contextmanager
def dropped_if_empty(folder: Path) -> Iterator[None]:
    """Remove the folder of a run that never began."""
    try:
        yield
    finally:
        if not any((folder / file).exists() for file in _BEGAN):
            shutil.rmtree(folder, ignore_errors=True)


def _unwritable(base: Path, reason: str) -> MachineError:
    return MachineError(
        f"cannot write a run folder under {real(base)}: {reason}",
        "choose another place: LAB_RUNS=/some/folder lab drill …",
    )


def find_run(name: str | None) -> Path:
    """A run or a series by its folder's name or path; without a name the newest of any kind.

    Raises UsageError if there is none, or if it never came to its end.
    """
    if name is None:
        return _newest()
    there = [path for path in (Path(name), runs_dir() / name) if is_folder(path)]
    for candidate in there:
        if _holds(candidate, *_KINDS):
            return candidate
    for file in _PAGES:
        if there and _holds(there[0], file):
            raise UsageError(
                f"{quoted(name)} is {_PAGES[file]} and no run",
                f"open its page: {(there[0] / file).with_suffix('.html')}",
            )
    if there and _holds(there[0], JOURNAL):
        raise UsageError(
            f"the run {quoted(name)} did not finish: it has a journal, but no {RESULT}",
            f"its {JOURNAL} says how far it came; choose a run that ended",
        )
    raise UsageError(f"there is no finished run {quoted(name)}", _instead_of(name))


def _holds(folder: Path, *files: str) -> bool:
    return any(os.path.lexists(folder / file) for file in files)


def _instead_of(name: str) -> str:
    known = names()
    if not known:
        return _MAKE_ONE
    near = nearest(Path(name).name, known, most=1, least=0.6)
    return f"did you mean {near[0]}?" if near else f"see: ls {runs_dir()}"


def _newest() -> Path:
    found = names()
    if not found:
        raise UsageError(f"there is no finished run under {runs_dir()}", _MAKE_ONE)
    return runs_dir() / found[-1]


def names() -> list[str]:
    """Folders of finished runs, of runbooks' runs and of series, the oldest first."""
    return _with(*_KINDS)


def unfinished_after(folder: Path) -> list[str]:
    """Folders of drills that began after this run, and that have no result: cut, or under way."""
    finished = {*names()}
    later = (name for name in _with(JOURNAL) if _age(name) > _age(folder.name))
    return [name for name in later if name not in finished]


def _with(*files: str) -> list[str]:
    return sorted(
        {path.parent.name for file in files for path in runs_dir().glob(f"*/{file}")}, key=_age
    )


def _age(name: str) -> tuple[bool, str]:
    """What sorts folders by age. A copy under a name without a time is older than every run."""
    return bool(_TIMED.match(name)), name
