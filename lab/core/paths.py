"""Where things are: the project itself, and what the lab remembers between commands."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from lab.core.errors import MachineError, UsageError, quoted

PROJECT = Path(__file__).resolve().parent.parent.parent


def real(path: Path) -> Path:
    """Where a path leads. `Path.resolve` raises RuntimeError at a loop of links, up to 3.12."""
    return Path(os.path.realpath(path))


def is_folder(path: Path) -> bool:
    """False also for a name that no file system takes."""
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def is_file(path: Path) -> bool:
    """False also for a name that no file system takes, and in a folder that may not be read."""
    try:
        return path.is_file()
    except (OSError, ValueError):
        return False


def is_pattern(named: str) -> bool:
    """True for what stands for files by `*`, `?` or `[…]`, and is no file itself."""
    return glob.has_magic(named) and not is_file(Path(named))


def fitting(pattern: str) -> list[Path]:
    """The files that fit a pattern, in order; `**` stands for folders. Raises UsageError."""
    found = sorted(glob.glob(pattern, recursive=True))  # noqa: PTH207 - it may be absolute
    files = [path for each in found if is_file(path := Path(each))]
    if not files:
        raise UsageError(f"no file fits {quoted(pattern)}", "name a file")
    return files


def is_path(named: str, *suffixes: str) -> bool:
    """True for what names a file by its ending or folder, also when nothing is there."""
    return named.endswith(suffixes) or os.sep in named


def is_script(named: str) -> bool:
    """True for what names a drill's own file and no installed drill."""
    return is_path(named, ".py")


def state_dir() -> Path:
    """The folder for locks, logs, downloads and secrets of this user; made when missing.

    $LAB_STATE, or failover-lab under $XDG_STATE_HOME, or ~/.local/state/failover-lab.
    """
    chosen = os.environ.get("LAB_STATE")
    if chosen:
        folder = Path(chosen).expanduser()
    else:
        parent = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(parent).expanduser() / "failover-lab"
    return _made(folder)


def state_folder(name: str) -> Path:
    """A folder called `name` inside the state folder; made when missing."""
    return _made(state_dir() / name)


def lab_file(name: str) -> Path:
    """A file that the lab of that name keeps between commands, such as `lab.json`."""
    return state_dir() / "labs" / name


def write_whole(path: Path, text: str, *, mode: int = 0o666) -> None:
    """Write a file whole or not at all: a process that is killed leaves what was there.

    Its folder is made when missing. Raises OSError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.new")
    new.touch(mode=mode)
    new.write_text(text, encoding="utf-8")
    new.replace(path)


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise MachineError(
            f"cannot write {folder}: {error.strerror}",
            "choose a place that can be written: LAB_STATE=/some/folder",
        ) from error
    return folder
