"""The loopback ports that lead into a lab's machines: asked of the engine, and remembered."""

from __future__ import annotations

import time
from typing import Protocol

from lab.core.errors import LabError
from lab.core.topology import Place

_PATIENCE_SECONDS = 2.0


class Doors(Protocol):
    """Who knows the loopback port that leads to a machine's port."""

    def port(self, place: Place, inside: int) -> int:
        """The port. Raises LabError when the machine does not run."""


class RememberedDoors:
    """Ports asked once. Forget a machine's when it stops answering: a restart changes them.

    Of a machine that does not run it asks again after `_PATIENCE_SECONDS` only: in a drill the
    engine has more urgent things to do.
    """

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._known: dict[tuple[Place, int], int] = {}
        self._refused: dict[tuple[Place, int], tuple[float, LabError]] = {}

    def port(self, place: Place, inside: int) -> int:
        """The port, from memory if it was asked before. Raises LabError."""
        key = place, inside
        if key not in self._known:
            self._known[key] = self._ask(key)
        return self._known[key]

    def _ask(self, key: tuple[Place, int]) -> int:
        again, refusal = self._refused.get(key, (0.0, None))
        if refusal is not None and time.monotonic() < again:
            raise refusal
        try:
            return self._doors.port(*key)
        except LabError as error:
            self._refused[key] = time.monotonic() + _PATIENCE_SECONDS, error
            raise

    def forget(self, place: Place, inside: int) -> None:
        """Ask again next time."""
        self._known.pop((place, inside), None)
