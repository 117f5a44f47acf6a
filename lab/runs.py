"""Run folders: `runs/<time>-<drill>/`, one per run, never reused."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from lab.errors import MachineError, UsageError


def runs_dir() -> Path:
    """Where runs are kept: $LAB_RUNS, or `runs` in the current folder."""
    return Path(os.environ.get("LAB_RUNS") or "runs")


def new_run(drill: str, parent: Path | None = None) -> Path:
    """A fresh, writable run folder. Raises MachineError, before anything was broken."""
    base = parent or runs_dir()
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ")
    for attempt in range(1, 100):
        folder = base / (f"{stamp}-{drill}" if attempt == 1 else f"{stamp}-{drill}-{attempt}")
        try:
            (folder / "logs").mkdir(parents=True)
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
    """Remove the folder of a run that never began: no journal was written in it."""
    try:
        yield
    finally:
        if not (folder / "journal.json").exists():
            shutil.rmtree(folder, ignore_errors=True)


def _unwritable(base: Path, reason: str) -> MachineError:
    return MachineError(
        f"cannot write a run folder under {base.resolve()}: {reason}",
        "choose another place: LAB_RUNS=/some/folder lab drill …",
    )


def find_run(name: str | None) -> Path:
    """A run by its folder's name or path; the newest without a name. Raises UsageError."""
    if name is not None:
        for candidate in (Path(name), runs_dir() / name):
            if (candidate / "result.json").is_file():
                return candidate
        raise UsageError(f"there is no finished run {name!r}", f"see: ls {runs_dir()}")
    found = sorted(path.parent for path in runs_dir().glob("*/result.json"))
    if not found:
        raise UsageError(
            f"there is no finished run under {runs_dir()}", "make one: lab drill region-loss"
        )
    return found[-1]
