"""What the nodes and resolvers looked like while a drill ran, about twice a second.

A witness, never a figure: what it sees is drawn, and no verdict rests on it. It watches as one
more observer of the journal, from LOAD_STARTED to LOAD_STOPPED.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import APP_NAME, DATABASES, REGIONS, Place, Region
from lab.infra.dnsnames import Names
from lab.infra.doors import RememberedDoors
from lab.postgres.rolewatch import GONE, PRIMARY, SILENT, STANDBY, Gauge, Reading
from lab.records.journalfile import Mark, MarkName, StepRecord
from lab.records.samples import NodeSample, Sampled
from lab.testbed.journalwriter import EngineClock

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

EVERY_SECONDS: Final = 0.5
ANSWER_SECONDS: Final = 0.4
"""A node or resolver that takes longer than this is drawn as one that does not answer."""

Answers = tuple[str, ...] | None
Probe = Callable[[], Reading | Answers]


class Sampler:
    """An observer of one drill. `stop` must be called, whatever becomes of the drill."""

    def __init__(self, lab: Lab, clock: EngineClock) -> None:
        doors = RememberedDoors(lab.engine)
        names = Names(doors, lab.settings)
        self._clock = clock
        self._gauges = {place: Gauge(place, doors, lab.settings) for place in DATABASES}
        self._probes: dict[Place | Region, Probe] = {
            **{place: _reader(gauge) for place, gauge in self._gauges.items()},
            **{each: _asker(each, names, doors) for each in REGIONS},
        }
        self._samples: list[Sampled] = []
        self._roles: dict[Place, str] = {}
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def samples(self) -> tuple[Sampled, ...]:
        """What was seen so far; `at` is the engine's monotonic clock, in seconds."""
        return tuple(self._samples)

    # ── the journal's observer ───────────────────────────────────────────────────────────────

    def marked(self, mark: Mark) -> None:
        """Begin with the load, end with it."""
        if mark.name is MarkName.LOAD_STARTED and self._thread is None:
            self._thread = threading.Thread(target=self._watch, name="sampler", daemon=True)
            self._thread.start()
        elif mark.name is MarkName.LOAD_STOPPED:
            self._stopped.set()  # and no waiting: the drill goes on

    def began(self, step: str, why: str) -> None:
        """Nothing to do."""

    def ended(self, record: StepRecord) -> None:
        """Nothing to do."""

    def said(self, text: str) -> None:
        """Nothing to do."""

    def stop(self) -> None:
        """See to it that nothing is asked any more. May be repeated."""
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(timeout=10)

    # ── the thread ───────────────────────────────────────────────────────────────────────────

    def _watch(self) -> None:
        pool = ThreadPoolExecutor(len(self._probes), "sampler")
        asked: dict[Place | Region, Future[Reading | Answers]] = {}
        due = self._clock.now()
        try:
            while not self._stopped.is_set():
                at = self._clock.now()
                self._samples.append(self._sample(at, pool, asked))
                # On a grid, and what was missed is not made up for.
                due = max(due + EVERY_SECONDS, self._clock.now())
                self._stopped.wait(due - self._clock.now())
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            for gauge in self._gauges.values():
                gauge.close()

    def _sample(
        self,
        at: float,
        pool: ThreadPoolExecutor,
        asked: dict[Place | Region, Future[Reading | Answers]],
    ) -> Sampled:
        """Ask all at once; who still owes the answer to an earlier question is not asked again."""
        for key, probe in self._probes.items():
            if key not in asked:
                asked[key] = pool.submit(probe)
        wait(asked.values(), timeout=ANSWER_SECONDS)
        done = {key: asked.pop(key) for key in [*asked] if asked[key].done()}
        said = {key: job.result() for key, job in done.items() if job.exception() is None}
        readings = {key: value for key, value in said.items() if isinstance(value, Reading)}
        answers = {key: value for key, value in said.items() if isinstance(value, tuple)}
        seen = {place: readings.get(place) or self._unheard(place) for place in DATABASES}
        self._roles = {place: reading.role for place, reading in seen.items()}
        return as_sample(at, seen, {each.name: answers.get(each) for each in REGIONS})

    def _unheard(self, place: Place) -> Reading:
        """A node that said nothing in time: still gone if it was, else silent.

        Where a dead machine's port leads to is asked of the engine, and that may take a while.
        """
        return Reading(GONE if self._roles.get(place) == GONE else SILENT)


def _reader(gauge: Gauge) -> Probe:
    return lambda: gauge.read(ANSWER_SECONDS)


def _asker(viewer: Region, names: Names, doors: RememberedDoors) -> Probe:
    """What a region's resolver says of the users' name; None when it does not answer."""

    def ask() -> Answers:
        try:
            return names.ask(viewer, APP_NAME)
        except LabError:
            doors.forget(Place(viewer.name, "dns"), 53)
            return None

    return ask


# ── readings to rows: pure ───────────────────────────────────────────────────────────────────


def as_sample(
    at: float, readings: Mapping[Place, Reading], answers: Mapping[str, Answers]
) -> Sampled:
    """One row from what all nodes and resolvers said at one moment."""
    primaries = [each for each in readings.values() if each.role == PRIMARY]
    nodes = (_node(place, reading, primaries) for place, reading in readings.items())
    return Sampled(at=at, nodes=tuple(nodes), answers=dict(answers))


def _node(place: Place, reading: Reading, primaries: Iterable[Reading]) -> NodeSample:
    lag = None
    if reading.role == STANDBY:
        lag = behind(reading, primaries)
    return NodeSample(
        node=str(place),
        role=reading.role,
        timeline=None if reading.role in (GONE, SILENT) else reading.timeline,
        lag_bytes=lag,
        lag_seconds=None if lag is None else _age(reading, lag),
    )


def behind(standby: Reading, primaries: Iterable[Reading]) -> int | None:
    """Bytes of WAL that the primary of the standby's own timeline has and the standby has not.

    None when no primary, or more than one, is on that timeline: it is unknown then. The nodes are
    not asked in the same instant, so a standby can seem to be ahead; that counts as 0.
    """
    own = [each for each in primaries if each.timeline == standby.timeline]
    if len(own) != 1 or own[0].received is None or standby.received is None:
        return None
    return max(0, own[0].received - standby.received)


def _age(standby: Reading, lag: int) -> float | None:
    """How old what the standby shows is, in seconds: age of the last commit that it replayed.

    0 when it has replayed all that its primary has: then the age is that of the last order.
    """
    if lag == 0 and standby.replayed == standby.received:
        return 0.0
    return standby.replay_age
