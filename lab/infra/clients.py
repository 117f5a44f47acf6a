"""What is told to users, stopwatch and steerings, and what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ConfigDict, RootModel

from lab.core import steering
from lab.core.errors import LabError
from lab.core.load import Load
from lab.core.topology import STOPWATCH, Place, Region
from lab.infra.programhttp import Model, Program
from lab.infra.settings import Settings

if TYPE_CHECKING:
    import requests

    from lab.infra.machines import Engine

_LONGEST_NAME = 200
_STOP_TIMEOUT_SECONDS = 20.0
_START_TIMEOUT_SECONDS = 30.0


class Clock(Model):
    """A reading of CLOCK_MONOTONIC (seconds) in the engine's kernel."""

    boot_id: str
    monotonic: float


class Counts(Model):
    """Operations by outcome."""

    ok: int = 0
    local: int = 0
    fail: int = 0
    unknown: int = 0


class Served(Model):
    """Operations that ended at one address: settled as asked, or not."""

    ok: int = 0
    failed: int = 0


class UsersStats(Clock):
    """What a population of users says of itself; `served_by_address` is of the last attempts.

    `waited_seconds` are those in which its program waited for a processor; None: not counted.
    `full` says why its record takes no more, and so why it does not run; empty if it does.
    """

    running: bool
    full: str = ""
    population: str
    in_flight: int
    totals: Mapping[str, Counts]
    acknowledged_by_region: Mapping[str, int]
    served_by_address: Mapping[str, Served] = {}
    answers: Mapping[str, int]
    resolver: str | None = None
    recording_seconds: float = 0.0
    cpu_seconds: float = 0.0
    waited_seconds: float | None = None


class RegionView(Model):
    """How a steering sees a region: `ready`, `live` or `down`, since when (monotonic seconds).

    `proven` is when the last check ended in which the region proved that it can take an order.
    """

    state: str
    since: float
    error: str | None = None
    proven: float | None = None


class SteeringState(Clock):
    """A steering's view of both regions, and what it makes `app.lab.test` answer.

    `pinned` is the region that an operator chose, None while its own view decides; `share` is how
    many of a hundred look-ups are sent there, `pinned_since` when that began (monotonic seconds),
    and `pinned_by` who chose it. `ttl` is for how many seconds its answers hold, and `thresholds`
    are those of `lab.core.steering.Steering`, by field. `route` is the policy in force with all of
    its options, and `other_route` the same in words, if it is not the default.
    """

    region: str
    view: Mapping[str, RegionView]
    answer: tuple[str, ...]
    published_at: float | None = None
    pinned: str | None = None
    share: int | None = None
    pinned_since: float | None = None
    pinned_by: str = ""
    ttl: int | None = None
    thresholds: Mapping[str, float] = {}
    route: Mapping[str, object] = {}
    other_route: str = ""


class Event(Model):
    """A change that a steering noted: of its `view`, its `answer`, a `pin`, or a `line` that broke.

    `region` is whose view or connection it is, and for an answer the steering's own.
    """

    seq: int
    monotonic: float
    what: str
    region: str
    before: str | None
    after: str | None


class SeenCheck(Model):
    """A check that a steering made: when it began and ended (monotonic seconds), what it saw."""

    seq: int
    region: str
    began: float
    ended: float
    kind: str


class _Events(RootModel[tuple[Event, ...]]):
    model_config = ConfigDict(defer_build=True)


class _Checks(RootModel[tuple[SeenCheck, ...]]):
    model_config = ConfigDict(defer_build=True)


class Stopped(Model):
    """What a population wrote down: operations, and bytes of history."""

    operations: int
    bytes: int


class Users(Program):
    """One population's controls."""

    def __init__(self, engine: Engine, settings: Settings, population: str) -> None:
        place = Place("users", population)
        super().__init__(engine, place, 8070, token=settings.control_token(place))
        self.population = population

    def clock(self) -> Clock:
        """Read the engine's monotonic clock where the users run."""
        return self._asked(Clock, "GET", "/clock")

    def stats(self) -> UsersStats:
        """Counters so far."""
        return self._asked(UsersStats, "GET", "/stats")

    def start(self, load: Load, seed: int) -> None:
        """Let the population work. Raises LabError when it works already."""
        body = {
            "writes_per_second": load.writes_per_second,
            "reads_per_second": load.reads_per_second,
            "users": load.users,
            "ignore_ttl_share": load.ignore_ttl_share,
            "seed": seed,
            "resolvers": load.resolvers,
            "protected": load.protected,
        }
        # All users sign up and log in first: with 80 ms to the writer that takes its time.
        response = self._send("POST", "/start", json=body, timeout=_START_TIMEOUT_SECONDS)
        if not response.ok:
            raise LabError(
                f"{self._place} did not start: {response.text[:200]}", "run: lab up, which stops it"
            )

    def change(self, load: Load) -> None:
        """Another rate from now on, for the same users. Raises LabError when they do not work."""
        body = {
            "writes_per_second": load.writes_per_second,
            "reads_per_second": load.reads_per_second,
        }
        response = self._send("POST", "/rate", json=body)
        if not response.ok:
            raise LabError(f"{self._place} kept its rate: {response.text[:200]}")

    def stop(self) -> Stopped:
        """Let operations in flight end, then stop. Stopping what is stopped is fine."""
        return self._asked(Stopped, "POST", "/stop", timeout=_STOP_TIMEOUT_SECONDS)

    def clear(self) -> None:
        """Empty the history of a population that is stopped."""
        response = self._send("POST", "/clear")
        if not response.ok:
            raise LabError(
                f"{self._place} kept its history: {response.text[:200]}",
                "run: lab up, which stops it",
            )

    def history(self, into: BinaryIO) -> None:
        """Write the whole history so far, as JSON lines. Raises LabError for any other answer."""
        response = self._send("GET", "/history?offset=0", timeout=60, into=into)
        if not response.ok:
            raise LabError(
                f"{self._place} did not hand out its history: status {response.status_code},"
                f" {response.text[:200]}",
                f"look at: lab logs {self._place}",
            )


class Noted(Model):
    """How many attempts a stopwatch has noted."""

    attempts: int


class Stopwatch(Program):
    """The second way of measuring an outage (see lab.metrics.stopwatch)."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        super().__init__(engine, STOPWATCH, 8070, token=settings.control_token(STOPWATCH))

    def start(self) -> None:
        """Log in, forget the last run and begin. Raises LabError when it runs or cannot log in."""
        self._told("POST", "/start", "did not start")

    def stop(self) -> Noted:
        """Let attempts under way end, then stop. Stopping what is stopped is fine."""
        return self._asked(Noted, "POST", "/stop", timeout=_STOP_TIMEOUT_SECONDS)

    def clear(self) -> None:
        """Empty the record of a stopwatch that is stopped."""
        self._told("POST", "/clear", "kept its record")

    def record(self, into: BinaryIO) -> None:
        """Write the whole record so far, as JSON lines."""
        self._told("GET", "/record", "did not hand out its record", into)

    def _told(self, method: str, path: str, problem: str, into: BinaryIO | None = None) -> None:
        response = self._send(method, path, timeout=_STOP_TIMEOUT_SECONDS, into=into)
        if not response.ok:
            raise LabError(f"{self._place} {problem}: {response.text[:200]}", "see: lab status")


class Steering(Program):
    """One region's health checker."""

    def __init__(self, engine: Engine, settings: Settings, region: Region) -> None:
        place = Place(region.name, "steering")
        super().__init__(engine, place, 8090, token=settings.control_token(place))

    def state(self) -> SteeringState:
        """Its view now."""
        return self._asked(SteeringState, "GET", "/state")

    def pin(self, region: Region, by: str, share: int = 100) -> None:
        """Send users to a region whatever its view is; `by` is who wants it.

        With a share below 100, so many of a hundred look-ups; the others go to the other region.
        """
        whole = {"region": region.name, "by": by[:_LONGEST_NAME]}
        self._pin({**whole, "share": share} if share < 100 else whole)

    def unpin(self) -> None:
        """Let its view decide again where users are sent."""
        self._pin({"region": None})

    def hold(self, ttl: int) -> None:
        """Let its answers hold for so many seconds, until it is told otherwise or restarts."""
        self._told("/ttl", {"seconds": ttl}, "TTL not changed")

    def tune(self, wanted: steering.Steering) -> None:
        """Let it check and judge by these thresholds, until told otherwise or restarted."""
        self._told("/thresholds", asdict(wanted), "thresholds not changed")

    def follow(self, route: Mapping[str, object]) -> bool:
        """Let it answer by this route until it restarts; False if it did already."""
        return bool(self._told("/route", route, "route not changed").json()["changed"])

    def events(self, after: int = 0) -> tuple[Event, ...]:
        """What it noted after the event of that number."""
        return self._asked(_Events, "GET", f"/events?after={after}").root

    def checks(self, after: int = 0) -> tuple[SeenCheck, ...]:
        """What it saw after the check of that number, by the end of the checks."""
        return self._asked(_Checks, "GET", f"/checks?after={after}").root

    def _pin(self, chosen: Mapping[str, object]) -> None:
        self._told("/pin", chosen, "not pinned")

    def _told(self, path: str, what: Mapping[str, object], failed: str) -> requests.Response:
        response = self._send("POST", path, json=what)
        if not response.ok:
            raise LabError(f"{self._place}: {failed}: {response.text[:200]}")
        return response
