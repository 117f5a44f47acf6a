"""HTTP clients of the programs inside the lab: users, stopwatch, steerings, guests of the shop."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import jwt
import requests
from pydantic import BaseModel, ConfigDict, ValidationError

from lab.engine import Engine
from lab.errors import LabError
from lab.settings import Settings
from lab.topology import STOPWATCH, Place, Region

_TIMEOUT_SECONDS = 3.0
_STOP_TIMEOUT_SECONDS = 20.0
_START_TIMEOUT_SECONDS = 30.0
Answer = TypeVar("Answer", bound=BaseModel)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Clock(_Model):
    """A reading of CLOCK_MONOTONIC (seconds) in the engine's kernel."""

    boot_id: str
    monotonic: float


class Counts(_Model):
    """Operations by outcome."""

    ok: int = 0
    local: int = 0
    fail: int = 0
    unknown: int = 0


class Served(_Model):
    """Operations that ended at one address: settled as asked, or not."""

    ok: int = 0
    failed: int = 0


class UsersStats(Clock):
    """What a population of users says of itself; `served_by_address` is of the last attempts."""

    running: bool
    population: str
    in_flight: int
    totals: Mapping[str, Counts]
    acknowledged_by_region: Mapping[str, int]
    served_by_address: Mapping[str, Served] = {}
    answers: Mapping[str, int]
    resolver: str | None = None
    recording_seconds: float = 0.0
    cpu_seconds: float = 0.0


class RegionView(_Model):
    """How a steering sees a region: `ready`, `live` or `down`, since when (monotonic seconds)."""

    state: str
    since: float
    error: str | None = None


class SteeringState(Clock):
    """A steering's view of both regions, and what it makes `app.lab.test` answer.

    `pinned` is the region that an operator chose, None while its own view decides; `share` is how
    many of a hundred look-ups are sent there.
    """

    region: str
    view: Mapping[str, RegionView]
    answer: tuple[str, ...]
    published_at: float | None = None
    pinned: str | None = None
    share: int | None = None


@dataclass(frozen=True, slots=True)
class Load:
    """How busy the users of one population are. Rates are operations per second.

    `resolvers` is how many of the two they know: their own region's, and then the other's.
    """

    writes_per_second: float = 50.0
    reads_per_second: float = 10.0
    users: int = 50
    ignore_ttl_share: float = 0.1
    resolvers: int = 2

    def times(self, share: float) -> Load:
        """The same users, busier or less so."""
        return replace(
            self,
            writes_per_second=self.writes_per_second * share,
            reads_per_second=self.reads_per_second * share,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """The shop's answer to one order."""

    outcome: str
    key: str
    region: str
    node: str
    timeline: int | None
    request_id: str
    status: int
    detail: str


class _Http:
    """A program's API behind a loopback port; with an authority's certificate, by TLS."""

    def __init__(
        self, engine: Engine, place: Place, port: int, authority: Path | None = None
    ) -> None:
        self._engine, self._place, self._port = engine, place, port
        self._scheme = "https" if authority else "http"
        self._verify = str(authority) if authority else None

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> requests.Response:
        url = f"{self._scheme}://127.0.0.1:{self._engine.port(self._place, self._port)}{path}"
        try:
            return requests.request(
                method, url, json=json, headers=headers, timeout=timeout, verify=self._verify
            )
        except requests.RequestException as error:
            raise LabError(
                f"{self._place} does not answer {path}: {type(error).__name__}",
                f"look at: lab logs {self._place}",
            ) from error

    def _asked(
        self,
        model: type[Answer],
        method: str,
        path: str,
        json: Mapping[str, object] | None = None,
        timeout: float = _TIMEOUT_SECONDS,
    ) -> Answer:
        response = self._send(method, path, json=json, timeout=timeout)
        try:
            if not response.ok:
                raise ValueError(f"status {response.status_code}")
            return model.model_validate_json(response.content)
        except (ValidationError, ValueError) as error:
            raise LabError(
                f"{self._place} answered {path} with something else: {response.text[:200]}",
                f"look at: lab logs {self._place}",
            ) from error


class Stopped(_Model):
    """What a population wrote down: operations, and bytes of history."""

    operations: int
    bytes: int


class Users(_Http):
    """One population's controls."""

    def __init__(self, engine: Engine, population: str) -> None:
        super().__init__(engine, Place("users", population), 8070)
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
        }
        # Everybody signs up and logs in first: with 80 ms to the writer that takes its time.
        response = self._send("POST", "/start", json=body, timeout=_START_TIMEOUT_SECONDS)
        if not response.ok:
            raise LabError(f"{self._place} did not start: {response.text[:200]}", "run: lab reset")

    def stop(self) -> Stopped:
        """Let operations in flight end, then stop. Stopping what is stopped is fine."""
        return self._asked(Stopped, "POST", "/stop", timeout=_STOP_TIMEOUT_SECONDS)

    def clear(self) -> None:
        """Empty the history of a population that is stopped."""
        response = self._send("POST", "/clear")
        if not response.ok:
            raise LabError(
                f"{self._place} kept its history: {response.text[:200]}", "run: lab reset"
            )

    def history(self) -> bytes:
        """The whole history so far, as JSON lines."""
        return self._send("GET", "/history?offset=0", timeout=60).content


class Stopwatch(_Http):
    """The second way of measuring an outage (see lab.stopwatch)."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, STOPWATCH, 8070)

    def start(self) -> None:
        """Log in, forget the last run and begin. Raises LabError when it runs or cannot log in."""
        self._told("POST", "/start", "did not start")

    def stop(self) -> None:
        """Let attempts under way end, then stop. Stopping what is stopped is fine."""
        self._told("POST", "/stop", "did not stop")

    def clear(self) -> None:
        """Empty the record of a stopwatch that is stopped."""
        self._told("POST", "/clear", "kept its record")

    def record(self) -> bytes:
        """The whole record so far, as JSON lines."""
        return self._told("GET", "/record", "did not hand out its record")

    def _told(self, method: str, path: str, problem: str) -> bytes:
        response = self._send(method, path, timeout=_STOP_TIMEOUT_SECONDS)
        if not response.ok:
            raise LabError(f"{self._place} {problem}: {response.text[:200]}", "run: lab reset")
        return response.content


class Steering(_Http):
    """One region's health checker."""

    def __init__(self, engine: Engine, region: Region) -> None:
        super().__init__(engine, Place(region.name, "steering"), 8090)

    def state(self) -> SteeringState:
        """Its view now."""
        return self._asked(SteeringState, "GET", "/state")

    def pin(self, region: Region | None, share: int = 100) -> None:
        """Send users to a region whatever its view is; None: let the view decide again.

        With a share below 100, so many of a hundred look-ups; the others go to the other region.
        """
        chosen: dict[str, object] = {"region": region.name if region else None}
        if region and share < 100:
            chosen["share"] = share
        response = self._send("POST", "/pin", json=chosen)
        if not response.ok:
            raise LabError(f"{self._place}: not pinned: {response.text[:200]}")


class Capacity(_Model):
    """How many connections to the writer a shop may have."""

    connections: int


class Guest(_Http):
    """A visitor of a region's shop, by the gateway's guest link."""

    def __init__(self, engine: Engine, settings: Settings, region: Region) -> None:
        super().__init__(
            engine,
            Place(region.name, "gateway"),
            8000,
            settings.authority_file if settings.https else None,
        )
        self._jwt_key = settings.jwt_key

    def ready(self) -> tuple[bool, str]:
        """Can the region take an order now, and what it says if not."""
        response = self._send("GET", "/readyz")
        try:
            reason = str(response.json()["reason"])
        except (ValueError, KeyError, TypeError):
            reason = f"status {response.status_code}"
        return response.status_code == 200, reason.splitlines()[0]

    def live(self) -> bool:
        """Does the region's shop answer at all? The shallow check, which looks at nothing else."""
        return self._send("GET", "/livez").status_code == 200

    def token(self) -> str:
        """Sign a new customer up and log in."""
        person = {"username": f"guest-{uuid.uuid4().hex[:12]}", "password": uuid.uuid4().hex}
        for path in ("/signup", "/login"):
            response = self._send("POST", path, json=person)
            if not response.ok:
                raise LabError(f"{self._place}: {path} failed: {response.text[:200]}")
        return str(response.json()["token"])

    def catalogue(self, market: str) -> str:
        """Read a market's catalogue: what the region's cache had of it (hit, miss or down)."""
        response = self._send("GET", f"/catalogue?market={market}")
        found = response.headers.get("X-Cache")
        if response.status_code != 200 or found is None:
            raise LabError(f"{self._place}: no catalogue of {market}: {response.text[:200]}")
        return found

    def order(self, token: str, key: str) -> Receipt:
        """Place one order under a key of one's own."""
        headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
        body = {"product_id": 1, "quantity": 1}
        response = self._send("POST", "/orders", json=body, headers=headers)
        try:
            answer = response.json()
            return Receipt(
                outcome=answer["outcome"],
                key=key,
                region=answer["region"],
                node=answer["node"] or "",
                timeline=answer.get("timeline"),
                request_id=answer["request_id"],
                status=response.status_code,
                detail=answer.get("detail") or "",
            )
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(
                f"{self._place}: an order was answered with {response.text[:200]}"
            ) from error

    def operator_order(self, key: str) -> Receipt:
        """Place one order as the region's operator, whom read-only mode lets pass."""
        return self.order(self._operator(), key)

    def set_read_only(self, enabled: bool) -> None:
        """Switch the region's read-only mode, as its operator."""
        self._switch("/admin/read-only", {"enabled": enabled}, "read-only mode")

    def capacity(self) -> int:
        """How many connections to the writer the region's shop may have."""
        return self._asked(Capacity, "GET", "/admin/capacity").connections

    def set_capacity(self, connections: int) -> None:
        """Let the shop have so many (1 to 64), as its operator: it takes in as much more or less.

        A restart of the shop goes back to what it was made with.
        """
        self._switch("/admin/capacity", {"connections": connections}, "capacity")

    def _switch(self, path: str, wanted: Mapping[str, object], what: str) -> None:
        headers = {"Authorization": f"Bearer {self._operator()}"}
        response = self._send("POST", path, json=wanted, headers=headers)
        if not response.ok:
            raise LabError(f"{self._place}: {what} not set: {response.text[:200]}")

    def _operator(self) -> str:
        """A token of the region's operator, for a minute."""
        claims = {"sub": "operator", "role": "operator", "exp": int(time.time()) + 60}
        return jwt.encode(claims, self._jwt_key, "HS256")
