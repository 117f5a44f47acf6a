"""Runbooks that come with the lab, and how one is named on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.core.errors import UnknownName
from lab.core.paths import PROJECT, fitting, is_file, is_path, is_pattern, real

_SUFFIXES = (".yaml", ".yml")


def shipped() -> tuple[Path, ...]:
    """The files of those that come with the lab, by name."""
    files = (PROJECT / "chaos" / "runbooks").glob("*.yaml")
    return tuple(sorted(files, key=lambda path: path.stem))


def find(name_or_path: str, folder: Path = Path()) -> Path:
    """A file as it was named, or a shipped one by its name. Raises UnknownName with the nearest.

    What looks like a path is taken for one, also when nothing is there: reading it says so. A
    relative path starts at `folder`.
    """
    path = Path(name_or_path)
    if is_path(name_or_path, *_SUFFIXES) or is_file(folder / path):
        return folder / path
    known = {each.stem: each for each in shipped()}
    if name_or_path not in known:
        raise UnknownName("runbook", name_or_path, known)
    return known[name_or_path]


def find_all(named: Iterable[str]) -> tuple[Path, ...]:
    """Each runbook that is named, once, in that order. `*`, `?`, `[…]` and `**` stand for files.

    Raises UsageError for a pattern that no file fits, UnknownName as `find` does.
    """
    found: dict[Path, Path] = {}
    for each in named:
        for path in _meant(each):
            found.setdefault(real(path), path)
    return tuple(found.values())


def _meant(named: str) -> list[Path]:
    return fitting(named) if is_pattern(named) else [find(named)]
