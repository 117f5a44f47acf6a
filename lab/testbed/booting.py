"""A lab's machines while they are made and started."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import suppress

from lab.core.errors import EngineGone, LabError
from lab.core.topology import REGIONS, STOPWATCH, USERS, Place
from lab.core.wait import wait_until
from lab.infra import compose
from lab.testbed.lab import Lab

_BOOT_SECONDS = 60.0
_STARTS_AT_ONCE = 3
"""Starting a container costs a third of a second of a core: all at once, all would come late."""
_BOOT_ORDER = tuple(
    Place(r.name, service)
    for services, regions in (
        (("db1", "dns", "gateway"), REGIONS[:1]),  # the primary, and the way to it
        (("db1", "dns", "gateway"), REGIONS[1:]),
        (("db2",), REGIONS[:1]),  # each commit waits for it
        (("app", "steering"), REGIONS),  # a steering looks several times before it believes
        (("db2",), REGIONS[1:]),
        (("cache",), REGIONS),
    )
    for r in regions
    for service in services
)
"""A region's machines as a new lab needs them: what others wait for comes first."""


class Machines:
    """A lab's machines while Compose makes them and the tool starts them, in other threads."""

    def __init__(self, lab: Lab, images: Mapping[str, str], pool: Executor) -> None:
        self._lab, self._images = lab, images
        self._created = pool.submit(compose.create_regions, lab.settings, images)
        self._started = pool.submit(self._start)

    def _start(self) -> None:
        """Start them in the order in which they are needed."""
        engine = self._lab.engine
        try:
            self._created.result()
            with ThreadPoolExecutor() as pool:
                world = pool.submit(compose.create_world, self._lab.settings, self._images)
                engine.start_in_order(_BOOT_ORDER, _STARTS_AT_ONCE)
                world.result()
            engine.start_in_order((*USERS, STOPWATCH), _STARTS_AT_ONCE)
        except EngineGone:
            raise
        except LabError as error:
            raise compose.explained("the machines could not be started", error.message) from error

    def await_all(self) -> None:
        """Wait until all machines run. Raises LabError."""
        self._started.result()

    def await_one(self, place: Place) -> None:
        """Wait until a region's machine runs. Raises LabError, also if another could not be made.

        Compose replaces a container whose image has changed: one that runs before Compose is done
        may be about to go.
        """
        with suppress(LabError):
            self._created.result()
        wait_until(
            f"{place} to boot",
            lambda: self._failed() or self._lab.engine.running(place),
            _BOOT_SECONDS,
        )

    def _failed(self) -> bool:
        if self._started.done():
            self._started.result()
        return False
