"""The loop: probe both regions, decide, publish, and make sure that it stays published."""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from appkit.log import Log
from appkit.tasks import end
from steering.decide import WHOLE, Answer, Pin, View, decide, pinned, state_of
from steering.events import Events, What
from steering.probe import Seen, probe
from steering.publish import Publisher, PublishError
from steering.settings import Settings

VERIFY = 1.0  # seconds between looks at what the resolver answers
RETRY = 0.25  # seconds after an update that failed


@dataclass
class Watched:
    """A region under watch."""

    name: str
    view: View = field(default_factory=View)
    since: float | None = None
    error: str = ""
    probes: int = 0


class Steering:
    """One region's steering."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings, self._log = settings, log
        self._publisher = Publisher(settings)
        self._regions = {name: Watched(name) for name in (settings.region, settings.other)}
        self._answer: Answer | None = None
        self._published_at: float | None = None
        self._pinned: Pin | None = None  # in memory alone: a restart trusts the probes again
        self._changed = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self.events = Events()

    def start(self) -> None:
        """Begin to probe and publish."""
        for watched in self._regions.values():
            self._spawn(self._watch(watched))
        self._spawn(self._keep_published())

    async def stop(self) -> None:
        """Stop; what is published stays."""
        await end(self._tasks)

    def pin(self, pin: Pin | None) -> None:
        """Send users where an operator wants them; None: decide by what probes see again."""
        if pin == self._pinned:
            return
        before, self._pinned = self._pinned, pin
        was, now = (str(each) if each else None for each in (before, pin))
        self._note("pin", self._settings.region, was, now, "by an operator")
        self._changed.set()

    def describe(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "region": self._settings.region,
            "view": {
                watched.name: {
                    "state": watched.view.state.label if watched.view.state is not None else None,
                    "since": watched.since,
                    "error": watched.error,
                }
                for watched in self._regions.values()
            },
            "answer": list(self._answer.addresses) if self._answer else [],
            "published_at": self._published_at,
            "pinned": self._pinned.region if self._pinned else None,
            "share": self._pinned.share if self._pinned else None,
        }

    # Probing: one begins each interval, whatever became of the one before

    async def _watch(self, watched: Watched) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            watched.probes += 1
            self._spawn(self._probe_once(watched, watched.probes))
            due = max(due + self._settings.interval, loop.time())
            await asyncio.sleep(due - loop.time())

    async def _probe_once(self, watched: Watched, number: int) -> None:
        seen = await probe(self._settings.targets[watched.name], self._settings.timeout)
        self._believe(watched, number, seen)

    def _believe(self, watched: Watched, number: int, seen: Seen) -> None:
        before = watched.view
        settings = self._settings
        after = before.after(number, state_of(seen.status), settings.fall, settings.rise)
        if after is before:
            return
        watched.view, watched.error = after, seen.error
        if after.state is not None and after.state != before.state:
            watched.since = time.monotonic()
            was = before.state.label if before.state is not None else None
            self._note("view", watched.name, was, after.state.label, seen.error)
            self._changed.set()

    # Publishing

    def _wanted(self) -> Answer | None:
        """What is to be published and why; None until both regions were probed, or one pinned."""
        settings = self._settings
        if self._pinned is not None:
            return pinned(self._pinned, settings.answers)
        own = self._regions[settings.region].view.state
        other = self._regions[settings.other].view.state
        if own is None or other is None:
            return None
        rule = decide(own, other)
        address = settings.answers[settings.region if rule.choose_own else settings.other]
        return Answer(((address, WHOLE),), rule.why)

    async def _keep_published(self) -> None:
        while True:
            self._changed.clear()
            pause = VERIFY
            if wanted := self._wanted():
                try:
                    await self._make_so(wanted)
                except PublishError as problem:
                    pause = RETRY
                    self._log.seldom("publish.failed", detail=str(problem))
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._changed.wait()

    async def _make_so(self, wanted: Answer) -> None:
        changes = self._answer is None or self._answer.weights != wanted.weights
        found = None if changes else await self._publisher.published()
        # Which of several comes first is the resolver's choice, anew each time.
        if found is not None and sorted(found) == sorted(wanted.addresses):
            return
        await self._publisher.publish(wanted)
        self._published_at = time.monotonic()
        lost = ",".join(found or ())
        before, self._answer = str(self._answer or "") if changes else lost, wanted
        detail = wanted.why if changes else "the resolver had lost it"
        self._note("answer", self._settings.region, before or None, str(wanted), detail)

    def _note(
        self, what: What, region: str, before: str | None, after: str | None, detail: str
    ) -> None:
        self.events.add(what, region, before, after, detail)
        self._log.event(what, of=region, before=before, after=after, detail=detail)

    def _spawn(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
