"""Runbooks that come with the lab, and how one is named on the command line."""

from __future__ import annotations

import os
from pathlib import Path

from lab.core.errors import UnknownName
from lab.core.paths import PROJECT

_SUFFIXES = (".yaml", ".yml")


def shipped() -> tuple[Path, ...]:
    """The files of those that come with the lab, by name."""
    files = (PROJECT / "chaos" / "runbooks").glob("*.yaml")
    return tuple(sorted(files, key=lambda path: path.stem))


def find(name_or_path: str) -> Path:
    """A file as it was named, or a shipped one by its name. Raises UnknownName with the nearest.

    What looks like a path is taken for one, also when nothing is there: reading it says so.
    """
    path = Path(name_or_path)
    if path.suffix in _SUFFIXES or os.sep in name_or_path or _is_file(path):
        return path
    known = {each.stem: each for each in shipped()}
    if name_or_path not in known:
        raise UnknownName("runbook", name_or_path, known)
    return known[name_or_path]


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # a name that is too long, a folder that may not be looked into
        return False
