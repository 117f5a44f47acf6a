"""What both steerings note and see from a moment on, and whether WAL is streamed meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import Final

from lab.core.errors import LabError
from lab.core.steering import Steering
from lab.core.topology import REGIONS, Place, Region
from lab.core.wait import wait_until
from lab.patience.recorded import Sequence, check
from lab.testbed.journalwriter import EngineClock
from lab.testbed.lab import Lab

_STREAM_EVERY: Final = 0.2
_CALM_SECONDS: Final = 30.0


class Sightings:
    """What is seen while one watches, by the engine's clock. `standby` is the stream's end."""

    def __init__(self, lab: Lab, standby: Place) -> None:
        self._lab, self._standby = lab, standby
        self.clock = EngineClock.calibrate(lab.users[standby.site].clock)
        self._marks = dict[Region, tuple[int, int]]()
        self._stream = list[tuple[float, bool]]()
        self._began = self._struck = 0.0
        self._over = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="stream", daemon=True)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """From now on, until the block ends."""
        self._began = self.clock.now()
        for each, steering in self._lab.steerings.items():
            noted, seen = steering.events(), steering.checks()
            self._marks[each] = (noted[-1].seq if noted else 0, seen[-1].seq if seen else 0)
        self._sampler.start()
        try:
            yield
        finally:
            self._over.set()
            self._sampler.join()

    def struck(self, strike: Callable[[], object]) -> None:
        """Something happens now."""
        self._struck = self.clock.now()
        strike()

    def moved(self, viewer: Region) -> bool:
        """True if the users of a region were sent to another one since."""
        own = self._lab.settings.addresses.entry(viewer)
        noted = self._lab.steerings[viewer].events(self._marks[viewer][0])
        return any(each.what == "answer" and each.after != own for each in noted)

    def sequence(
        self, name: str, viewer: Region, lasting: float, lost: tuple[str, ...]
    ) -> Sequence:
        """What a region's steering saw since. Raises LabError if it does not answer."""
        noted, seen = self._marks[viewer]
        steering = self._lab.steerings[viewer]
        return Sequence(
            name=name,
            viewer=viewer.name,
            lost=lost,
            struck=self._struck - self._began,
            checks=tuple(
                check(e.region, e.began - self._began, e.ended - self._began, e.kind)
                for e in steering.checks(seen)
                if e.began >= self._began
            ),
            lasting=lasting,
            broke=tuple(
                (each.region, each.monotonic - self._began)
                for each in steering.events(noted)
                if each.what == "line"
            ),
            stream=tuple(self._stream) if viewer is self._standby.region else (),
        )

    def _sample(self) -> None:
        while not self._over.wait(_STREAM_EVERY):
            with suppress(LabError):
                streams = "streaming" in self._lab.databases[self._standby].state().receiver
                if not self._stream or self._stream[-1][1] != streams:
                    self._stream.append((self.clock.now() - self._began, streams))


def await_calm(lab: Lab, standby: Place, used: Steering) -> None:
    """Wait until all is well in all eyes, and all users are at home. Raises WaitExpired."""
    wait_until(
        "both regions to be ready in the eyes of both steerings, with their users at home",
        lambda: _is_calm(lab, standby),
        _CALM_SECONDS + sum(asdict(used).values()),
        every=0.2,
        ignoring=(LabError,),
    )


def _is_calm(lab: Lab, standby: Place) -> bool:
    for each in REGIONS:
        state = lab.steerings[each].state()
        own = lab.settings.addresses.entry(each)
        ready = [view.state for view in state.view.values()] == ["ready"] * len(REGIONS)
        if not ready or state.answer != (own,):
            return False
    return "streaming" in lab.databases[standby].state().receiver
