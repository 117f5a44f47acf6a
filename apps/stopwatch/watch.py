"""An attempt to write every few milliseconds, from gateway to gateway in turn."""

from __future__ import annotations

import asyncio
import itertools
import time
from typing import Any

from appkit.tasks import end
from stopwatch.record import Record
from stopwatch.settings import Door, Settings
from stopwatch.shop import Told, log_in, new_key, order, read_order
from stopwatch.wire import BadAnswerError, Wire

EARLY = 0.001  # seconds: timers of the event loop are no finer
SILENT = 0.5  # seconds without any answer after which a gateway has its turn less often
LOOK_AGAIN = 0.1  # seconds between attempts at a gateway that is silent


class CannotStartError(Exception):
    """No gateway let the stopwatch log in."""


class Watch:
    """Starts an attempt when it is due, whatever became of the earlier ones.

    Nothing is tried twice and nothing is made up for: a tick that this process slept through is
    gone, and shows in the record as the pause that it was. A burst of late attempts would hide
    that, and hit the shop when it can least bear it. So at most deadline / interval attempts are
    under way.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.record = Record(settings)
        self._wires = {door: Wire(door, settings.tls) for door in settings.doors}
        self._turns = itertools.cycle(settings.doors)
        self._heard: dict[Door, float] = {}
        self._tried: dict[Door, float] = {}
        self._token = ""
        self._ticking: asyncio.Task[None] | None = None
        self._attempts: set[asyncio.Task[None]] = set()
        self.busy = False  # from the start of a run until it has stopped

    async def start(self) -> None:
        """Log in and begin. Raises `CannotStartError`."""
        self.busy = True
        try:
            self._token = await self._log_in()
        except BaseException:
            self.busy = False
            raise
        self.record.clear()
        if self.busy:  # not stopped meanwhile
            self._ticking = asyncio.create_task(self._tick())

    async def stop(self, patience: float | None = None) -> None:
        """Start nothing more; what is under way ends by itself within its deadline.

        With `patience` (seconds) it is cut short after that, and noted as not acknowledged.
        """
        if self._ticking:
            await end([self._ticking])
            self._ticking = None
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=patience)
        await end(self._attempts)
        for wire in self._wires.values():
            wire.close()
        self.busy = False

    async def _log_in(self) -> str:
        """A session is good in every region, so any gateway will do."""
        reason = "no gateway"
        patience = self.settings.login_patience / len(self._wires)
        for door, wire in self._wires.items():
            try:
                async with asyncio.timeout(patience):
                    return await log_in(wire, door.host)
            except (OSError, EOFError, BadAnswerError) as problem:
                reason = f"{door.name}: {_reason(problem)}"
        raise CannotStartError(reason)

    async def _tick(self) -> None:
        interval, due = self.settings.interval, time.monotonic()
        last = due + self.settings.run_limit
        self._heard = dict.fromkeys(self._wires, due)
        self._tried = dict.fromkeys(self._wires, due)
        while True:
            await asyncio.sleep(max(due - time.monotonic(), 0.0))
            while (now := time.monotonic()) < due - EARLY:
                await asyncio.sleep(due - now)
            if now >= last:
                return
            self._begin(self._next_door(now), now)
            due = next_due(due, now, interval)

    def _next_door(self, now: float) -> Door:
        """The gateway whose turn it is. One that died gets few: the other is the one to watch."""
        for _ in self._wires:
            door = next(self._turns)
            speaks = now - self._heard[door] < SILENT
            if speaks or now - self._tried[door] >= LOOK_AGAIN:
                return door
        return next(self._turns)

    def _begin(self, door: Door, now: float) -> None:
        self._tried[door] = now
        attempt = asyncio.create_task(self._attempt(door, now))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(self, door: Door, start: float) -> None:
        key, told = new_key(), Told(False, why="stopped")
        try:
            async with asyncio.timeout(self.settings.deadline):
                answer = await self._wires[door].ask(order(door.host, self._token, key))
            self._heard[door] = time.monotonic()
            told = read_order(answer)
        except (OSError, EOFError, BadAnswerError) as problem:
            told = Told(False, why=_reason(problem))
        finally:
            self.record.add(key, door.name, start, time.monotonic(), told)

    def describe(self) -> dict[str, Any]:
        """For a look from outside."""
        return {"attempts": self.record.attempts, "running": self._ticking is not None}


def next_due(due: float, now: float, interval: float) -> float:
    """The first tick of the grid `due` + n × `interval` that is still to come after `now`."""
    late = max(now - due, 0.0)
    return due + (int(late / interval) + 1) * interval


def _reason(problem: Exception) -> str:
    if isinstance(problem, TimeoutError):
        return "no answer in time"
    if isinstance(problem, EOFError):
        return "connection closed before the answer"
    return str(problem) or type(problem).__name__
