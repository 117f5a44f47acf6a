"""Waiting, the only place that sleeps: poll a condition until it holds or a deadline passes."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from lab.core.errors import TooBusy, WaitExpired, last_seen

T = TypeVar("T")

_patience = 1.0
_ends: list[float] = []


def be_patient(times: float) -> None:
    """From now on every deadline of a wait is so many times as far away as its caller says.

    It follows the machine (`lab.infra.machinespeed`): nothing is awaited for longer than needed
    because of it.
    """
    global _patience
    _patience = times


def stretch() -> float:
    """How many times as long a wait may last as its caller says."""
    return _patience


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """No wait in this block, in whatever thread, lasts longer than the block may: `seconds`.

    `be_patient` stretches them. A wait that is under way then raises TooBusy: each deadline so far
    was kept, and all of them together took too long. So does the block itself when it ends later.
    Waits that begin after the block have their own deadlines again.
    """
    end = time.monotonic() + seconds * _patience
    _ends.append(end)
    try:
        yield
    finally:
        _ends.remove(end)
    if time.monotonic() >= end:
        raise TooBusy(f"it took longer than {seconds * _patience:g} s as a whole")


def wait_until(
    what: str,
    probe: Callable[[], T | None],
    timeout: float,
    every: float = 0.05,
    ignoring: tuple[type[Exception], ...] = (),
) -> T:
    """Call `probe` until it returns something true, and return that.

    `what` says what is awaited, `timeout` and `every` are seconds; `be_patient` stretches the
    time-out. Exceptions named in `ignoring` count as "not yet". Raises WaitExpired with the last
    value or error seen, TooBusy when the block that it is in has no time left (`within`).
    The probe always runs once more after the deadline, so that a slow probe is not blamed.
    """
    timeout *= _patience
    end = min(_ends, default=math.inf)
    deadline = min(time.monotonic() + timeout, end)
    last: object = None
    while True:
        late = time.monotonic() >= deadline
        try:
            value = probe()
        except ignoring as error:
            last = error
        else:
            if value:
                return value
            last = value
        if late and time.monotonic() >= end:
            raise TooBusy(f"no time is left to wait for {what}{last_seen(last)}")
        if late:
            raise WaitExpired(what, timeout, last)
        pause(every)


def pause(seconds: float) -> None:
    """Let time pass on purpose (a hold time of a drill, the gap between two polls)."""
    time.sleep(seconds)
