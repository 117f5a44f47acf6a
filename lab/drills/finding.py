"""Where drills are found: those that packages install, and a file that a user names."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from lab.core.errors import LabError, UnknownName
from lab.core.paths import is_script
from lab.drills.row import Drill

ENTRY_POINTS = "lab.drills"


def drills(unusable: Callable[[LabError], object] = lambda _error: None) -> tuple[Drill, ...]:
    """Every drill that is installed, by name. They are found as entry points.

    `unusable` is told of each one that cannot be loaded; it is left out.
    """
    found = list[Drill]()
    for each in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name):
        try:
            found.append(_loaded(each))
        except LabError as error:
            unusable(error)
    return tuple(found)


def drill(name: str) -> Drill:
    """The drill of that name, or in that file. Raises UnknownName with the nearest.

    Raises LabError when it cannot be loaded; drills of other packages do not matter.
    """
    if is_script(name):
        from lab.drills import script

        return script.load(Path(name))
    known = {each.name: each for each in entry_points(group=ENTRY_POINTS)}
    if name not in known:
        raise UnknownName("drill", name, known)
    return _loaded(known[name])


def _loaded(entry: EntryPoint) -> Drill:
    """The drill that an entry point names. Raises LabError with its package and the reason."""
    try:
        found = entry.load()
    except (Exception, SystemExit) as error:
        raise _unusable(entry, f"{type(error).__name__}: {error}") from error
    if not isinstance(found, Drill):
        raise _unusable(entry, f"{entry.value} is of type {type(found).__name__}, not Drill")
    if found.name != entry.name:
        raise _unusable(entry, f"in {entry.value} it is called {found.name!r}")
    return found


def _unusable(entry: EntryPoint, reason: str) -> LabError:
    package = entry.dist.name if entry.dist else "?"
    return LabError(
        f"drill {entry.name!r} of the package {package} cannot be used: {reason}",
        f"mend that package, or remove it: pip uninstall {package}",
    )
