"""The loop: probe both regions, decide, publish, and make sure that it stays published."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import Any

from appkit.log import Log
from appkit.tasks import end
from steering.checks import Check, Checks, Kind
from steering.decide import Answer, Pin, State, Thresholds, View, pinned
from steering.events import Events, What
from steering.policies.latency import MOST
from steering.policies.row import Situation
from steering.probe import Line, probe
from steering.publish import Publisher, PublishError
from steering.route import Route
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
    proven: float | None = None  # when the last check ended that found the region ready
    line: Line | None = None  # the latest connection that answered
    broke: float | None = None  # when that one broke, until the next check has ended
    took: deque[float] = field(default_factory=lambda: deque(maxlen=MOST))  # the good checks

    @property
    def doubted(self) -> bool:
        """True while there is a reason to look again soon."""
        return self.broke is not None or self.view.doubted

    def keep(self, line: Line | None) -> None:
        """Keep this connection in place of the one before."""
        before, self.line = self.line, line
        if before:
            before.close()


class Steering:
    """One region's steering."""

    def __init__(self, settings: Settings, log: Log) -> None:
        self._settings, self._log = settings, log
        self._limits = settings.thresholds
        self._route = Route().under(settings.thresholds)  # in memory alone, as the pin is
        self._publisher = Publisher(settings)
        self._regions = {name: Watched(name) for name in (settings.region, settings.other)}
        self._answer: Answer | None = None
        self._published_at: float | None = None
        self._pinned: Pin | None = None  # in memory alone: a restart trusts the probes again
        self._pinned_since: float | None = None
        self._changed, self._doubted = asyncio.Event(), asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()
        self._watches: list[asyncio.Task[None]] = []
        self.events, self.checks = Events(), Checks()

    def start(self) -> None:
        """Begin to probe and publish."""
        self._begin_to_watch()
        self._spawn(self._keep_published())

    def _begin_to_watch(self) -> None:
        self._watches = [self._spawn(self._watch(each)) for each in self._regions.values()]

    async def stop(self) -> None:
        """Stop; what is published stays."""
        await end(self._tasks)
        for watched in self._regions.values():
            watched.keep(None)

    def pin(self, pin: Pin | None) -> None:
        """Send users where an operator wants them; None: decide by what probes see again.

        What is pinned so already stays so, under the latest name.
        """
        before, self._pinned = self._pinned, pin
        if pin == before:
            return
        self._pinned_since = time.monotonic() if pin else None
        was, now = (str(each) if each else None for each in (before, pin))
        self._note("pin", self._settings.region, was, now, "by an operator")
        self._changed.set()

    def hold(self, ttl: int) -> None:
        """Let answers hold for so many seconds; a restart has the default again."""
        self._publisher.ttl = ttl
        self._changed.set()

    def judge_by(self, limits: Thresholds) -> None:
        """Judge what checks see by other thresholds; a restart has the default again.

        The next check of each region begins at once, however long the old interval was.
        """
        if limits == self._limits:
            return
        self._limits, self._route = limits, self._route.under(limits)
        if self._watches:
            for each in self._watches:
                each.cancel()
            self._begin_to_watch()

    def follow(self, route: Route) -> bool:
        """Answer by this route; a restart has the default again. False if it was in force."""
        before, self._route = self._route, route
        if route == before:
            return False
        self._note("route", self._settings.region, str(before), str(route), "by an operator")
        if route.path != before.path:
            for watched in self._regions.values():
                watched.took.clear()  # another question takes another time
        self.judge_by(route.limits(self._limits))
        self._changed.set()
        return True

    def describe(self) -> dict[str, Any]:
        """The state as JSON."""
        return {
            "region": self._settings.region,
            "view": {
                watched.name: {
                    "state": watched.view.state.label if watched.view.state is not None else None,
                    "since": watched.since,
                    "error": watched.error,
                    "proven": watched.proven,
                }
                for watched in self._regions.values()
            },
            "answer": list(self._answer.addresses) if self._answer else [],
            "published_at": self._published_at,
            "pinned": self._pinned.region if self._pinned else None,
            "share": self._pinned.share if self._pinned else None,
            "pinned_since": self._pinned_since,
            "pinned_by": self._pinned.by if self._pinned else "",
            "ttl": self._publisher.ttl,
            "thresholds": asdict(self._limits),
            "route": self._route.document(),
            "other_route": self._route.unlike_default,
        }

    # Checking: one begins each interval, whatever became of the one before. While anything
    # contradicts what is believed, they follow each other faster.

    async def _watch(self, watched: Watched) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            self._spawn(self._check(watched))
            if not self._doubted.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout_at(began + self._limits.interval):
                        await self._doubted.wait()
            if self._doubted.is_set():
                await asyncio.sleep(began + self._limits.urgent - loop.time())

    async def _check(self, watched: Watched) -> None:
        began = time.monotonic()
        settings = self._settings
        seen = await probe(
            settings.targets[watched.name], settings.connect, settings.timeout, self._route.path
        )
        check = Check(watched.name, began, time.monotonic(), seen.kind, seen.error)
        self.checks.add(check)
        if check.kind is Kind.READY:
            watched.proven = max(check.ended, watched.proven or 0.0)
            watched.took.append(check.ended - check.began)
        if watched.broke is not None and watched.broke <= began:
            watched.broke = None
        if seen.line:
            watched.keep(seen.line)
            self._spawn(self._mind(watched, seen.line))
        self._believe(watched, check)

    async def _mind(self, watched: Watched, line: Line) -> None:
        """Look again at once when a connection breaks: no evidence, but a reason to look."""
        await line.broken()
        if watched.line is line:
            watched.keep(None)
            watched.broke = time.monotonic()
            self.events.add("line", watched.name, "open", "broken", "")
            self._doubted.set()

    def _believe(self, watched: Watched, check: Check) -> None:
        other = next(each for each in self._regions.values() if each is not watched)
        before = watched.view
        watched.view = before.after(check, self._limits, other.view)
        if watched.view is not before:
            watched.error = check.error
            self._tell(watched, before.state, watched.view.state)
        if watched.doubted or other.doubted:
            self._doubted.set()
        else:
            self._doubted.clear()
        wanted = self._wanted()
        if wanted and (self._answer is None or wanted.weights != self._answer.weights):
            self._changed.set()

    def _tell(self, watched: Watched, before: State | None, after: State | None) -> None:
        if after is not None and after != before:
            watched.since = time.monotonic()
            was = before.label if before is not None else None
            self._note("view", watched.name, was, after.label, watched.error)

    # Publishing

    def _wanted(self) -> Answer | None:
        """What is to be published and why; None until both regions were checked, or one pinned."""
        settings = self._settings
        if self._pinned is not None:
            return pinned(self._pinned, settings.answers)
        return self._route.answer(self._situation(), settings.answers) or self._answer

    def _situation(self) -> Situation:
        """What is known now, for the route to decide."""
        sent = dict(self._answer.weights) if self._answer else {}
        answers, watched = self._settings.answers, self._regions
        return Situation(
            views={name: each.view for name, each in watched.items()},
            last={name: sent[answers[name]] for name in watched if answers[name] in sent},
            took={name: tuple(each.took) for name, each in watched.items()},
            limits=self._limits,
            now=time.monotonic(),
        )

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
        told = sorted(found.addresses) if found else []
        there = not changes and told == sorted(wanted.addresses)
        if there and (found is None or found.ttl == self._publisher.ttl):
            return
        await self._publisher.publish(wanted)
        self._published_at = time.monotonic()
        if there:
            return  # users are led where they were, and keep the answer for another time
        lost = ",".join(found.addresses if found else ())
        before, self._answer = str(self._answer or "") if changes else lost, wanted
        detail = wanted.why if changes else "the resolver had lost it"
        self._note("answer", self._settings.region, before or None, str(wanted) or None, detail)

    def _note(
        self, what: What, region: str, before: str | None, after: str | None, detail: str
    ) -> None:
        self.events.add(what, region, before, after, detail)
        self._log.event(what, of=region, before=before, after=after, detail=detail)

    def _spawn(self, work: Any) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
