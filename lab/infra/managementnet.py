"""The management network, and which machines it does not reach for now.

The lab's way to do something to a machine past the gateways is the engine's API. In a real outage
that way may be lost as well, so a fault can cut it: until it is healed, the steps of a runbook are
refused there. The file says so to every process; healing removes it.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lab.core.errors import LabError
from lab.core.paths import lab_file, write_whole
from lab.core.topology import Place


class OutOfBandLost(LabError):
    """The machine cannot be reached past the gateways now."""

    def __init__(self, place: Place) -> None:
        super().__init__(
            f"{place} is out of reach: the management network does not lead there now",
            "a step that needs it must wait, or do without: lab fault heal --all ends it",
        )


def file_of(lab_name: str) -> Path:
    """Where it stands."""
    return lab_file(f"{lab_name}.cut")


def cut(lab_name: str) -> frozenset[Place]:
    """Machines out of reach now."""
    try:
        lines = file_of(lab_name).read_text().split()
    except OSError:
        return frozenset()
    return frozenset(Place.parse(line) for line in lines)


def lose(lab_name: str, places: Iterable[Place]) -> None:
    """Cut the way to more machines."""
    _write(lab_name, cut(lab_name) | set(places))


def regain(lab_name: str, places: Iterable[Place] | None = None) -> None:
    """Open the way again, to some machines or to all."""
    left = cut(lab_name) - set(places) if places is not None else set()
    if left:
        _write(lab_name, left)
    else:
        file_of(lab_name).unlink(missing_ok=True)


def _write(lab_name: str, places: Iterable[Place]) -> None:
    write_whole(file_of(lab_name), "\n".join(sorted(map(str, places))) + "\n")
