"""Starts operations at the set rate, and stops without losing one."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from appkit.tasks import end
from users.actions import Actions
from users.history import History
from users.outcome import Kind
from users.pace import Pace
from users.person import Person, populate
from users.settings import Rates, Run, Settings
from users.stats import Stats, answers

LOGIN_PATIENCE = 3.0  # seconds that a start waits for users to log in; the rest do so on the way
STOP_PATIENCE = 6.0  # seconds that operations under way get to end by themselves
TICK = 0.004  # seconds between batches at most; what is due within it is started together
SWEEP = 1.0

Action = Callable[[Person], Coroutine[Any, Any, None]]


class Load:
    """The population at work."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.history = History(
            settings.history, settings.population, describe(settings), settings.record_limit
        )
        self.stats = Stats()
        self.actions = Actions(settings, self.history, self.stats)
        self._people: list[Person] = []
        # One of each: with one for both and equal rates, half of them would only ever write.
        self._turns: Counter[Kind] = Counter()
        self._running: set[asyncio.Task[Any]] = set()
        self._loop: asyncio.Task[None] | None = None
        self._paces: dict[Kind, Pace] = {}
        self._changed = asyncio.Event()
        self.busy = False  # from the start of a run until it has stopped

    @property
    def running(self) -> bool:
        """True while operations are being started."""
        return self._loop is not None and not self._loop.done()

    @property
    def in_flight(self) -> int:
        """Operations under way."""
        return len(self._running)

    async def start(self, run: Run) -> int:
        """Make the users, log them in, and begin; how many could log in within three seconds."""
        self.busy = True
        settings = self.settings
        self.actions.know(run.resolvers)
        self.actions.protect(run.protected)
        self._people = populate(settings.population, run.users, run.ignore_ttl_share, run.seed)
        logins = {self._spawn(self._log_in(person)) for person in self._people}
        await asyncio.wait(logins, timeout=LOGIN_PATIENCE)
        if self.busy:  # not stopped meanwhile
            self._begin(run.rates)
        return sum(person.token is not None for person in self._people)

    def _begin(self, rates: Rates) -> None:
        now = time.monotonic()
        self._paces = {"write": Pace(rates.writes, now), "read": Pace(rates.reads, now)}
        self._loop = asyncio.create_task(self._run())

    def change(self, rates: Rates) -> None:
        """Another rate from now on."""
        now = time.monotonic()
        self._paces["write"].change(rates.writes, now)
        self._paces["read"].change(rates.reads, now)
        self._changed.set()

    async def stop(self, patience: float = STOP_PATIENCE) -> None:
        """Start nothing more, wait for what is under way, and cut short what takes too long.

        What is cut short is recorded as well, as unknown if it was a write.
        """
        if self._loop:
            await end([self._loop])
            self._loop = None
        if self._running:
            await asyncio.wait(self._running, timeout=patience)
        await self._cut_short()
        self.actions.client.close_idle(0.0)
        self.history.flush()
        self.busy = False

    def describe(self) -> dict[str, Any]:
        """The live view."""
        now = time.monotonic()
        return {
            "running": self.running,
            "full": self.history.full,
            "population": self.settings.population,
            "in_flight": self.in_flight,
            **self.stats.describe(),
            "answers": answers((person.memory for person in self._people), now),
            "resolver": str(self.actions.order.first()),
        }

    async def _run(self) -> None:
        sweep_at = time.monotonic() + SWEEP
        while not self.history.full:
            now = time.monotonic()
            self._start_due("write", self.actions.write, now)
            self._start_due("read", self.actions.read, now)
            if now >= sweep_at:
                self.actions.client.close_idle()
                sweep_at = now + SWEEP
            pause = min(pace.wait(now) for pace in self._paces.values())
            await self._pause(min(max(pause, TICK), SWEEP))

    async def _pause(self, seconds: float) -> None:
        if seconds < 0.1:
            await asyncio.sleep(seconds)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        self._changed.clear()

    def _start_due(self, kind: Kind, action: Action, now: float) -> None:
        for _ in range(self._paces[kind].due(now)):
            person = self._people[self._turns[kind] % len(self._people)]
            self._turns[kind] += 1
            if len(self._running) >= self.settings.max_in_flight:
                self.actions.shed(person, kind)
            else:
                self._spawn(action(person))

    async def _log_in(self, person: Person) -> None:
        person.logging_in = asyncio.create_task(self.actions.log_in(person))
        await asyncio.shield(person.logging_in)

    async def _cut_short(self) -> None:
        logins = {p.logging_in for p in self._people if p.logging_in and not p.logging_in.done()}
        await end((*logins, *self._running))

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.create_task(work)
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task


def describe(settings: Settings) -> dict[str, Any]:
    """The settings as they stand in the history's header."""
    return {
        "resolvers": [str(server) for server in settings.resolvers],
        "app_name": settings.app_name,
        "app_port": settings.app_port,
        "dns_patience": settings.dns_patience,
        "dns_timeout": settings.dns_timeout,
        "attempt_timeout": settings.attempt_timeout,
        "connect_timeout": settings.connect_timeout,
        "attempts": settings.attempts,
        "max_in_flight": settings.max_in_flight,
    }
