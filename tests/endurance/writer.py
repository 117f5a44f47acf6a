"""A customer of both shops, who keeps each answer; and who looks for the orders afterwards.

Nothing of the lab's own users, record or classifier is used: plain HTTP at the guests' ports, psql
inside the machines, and the files that the lab left.
"""

from __future__ import annotations

import csv
import http.client
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

REGIONS = ("east", "west")
DATABASES = ("east-db1", "east-db2", "west-db1", "west-db2")
PREFIX = "incident"
PATIENCE_SECONDS, REST_SECONDS = 3.0, 0.05
TRIES = 5
TOLD = {200: "ok", 201: "ok", 202: "local"}
"""Answers after which a customer believes that the order is placed. One that is `local` may be lost
with its primary's machine, but no command may throw it away unread."""
_KEYS = "SELECT key FROM orders WHERE NOT pg_is_in_recovery()"


@dataclass
class Answers:
    """What customers were told: the outcome by key, and what may never happen."""

    file: Path
    told: dict[str, str] = field(default_factory=dict)
    newest: int = 0
    stale: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def note(self, key: str, status: int, answer: Mapping[str, object], seen: int) -> None:
        """Keep an answer; `seen` is the newest timeline that was known when it was asked for."""
        timeline = answer.get("timeline")
        with self.lock, self.file.open("a", encoding="utf-8") as file:
            line = {"key": key, "status": status, "seen": seen, "at": time.time(), **answer}
            file.write(json.dumps(line) + "\n")
            self.told[key] = TOLD[status]
            if isinstance(timeline, int):
                self.newest = max(self.newest, timeline)
                if timeline < seen:
                    self.stale.append(key)

    def forget_timelines(self) -> None:
        """They begin anew with a reset."""
        with self.lock:
            self.newest = 0

    def keys(self) -> frozenset[str]:
        """All that were told so far."""
        with self.lock:
            return frozenset(self.told)


class Customer(threading.Thread):
    """One order after the other at one region's shop, each under a key of its own, until told."""

    def __init__(self, lab: str, region: str, answers: Answers) -> None:
        super().__init__(name=f"customer of {region}", daemon=True)
        self._gateway, self._region, self._answers = f"{lab}-{region}-gateway", region, answers
        self._port, self._token, self._over = 0, "", threading.Event()

    def end(self) -> None:
        """Order no more."""
        self._over.set()
        self.join()

    def run(self) -> None:
        """Order until it is told to end."""
        while not self._over.wait(REST_SECONDS):
            self._order(f"{PREFIX}-{self._region}-{uuid.uuid4().hex}")

    def _order(self, key: str) -> None:
        """One order; without an answer it is tried again under the same key, as shops advise."""
        for _ in range(TRIES):
            seen = self._answers.newest
            status, answer = self._placed(key)
            if status in TOLD:
                self._answers.note(key, status, answer, seen)
            if status in TOLD or self._over.wait(REST_SECONDS):
                return

    def _placed(self, key: str) -> tuple[int, Mapping[str, object]]:
        try:
            self._token = self._token or self._logged_in()
            headers = {"Authorization": f"Bearer {self._token}", "Idempotency-Key": key}
            status, answer = self._send("/orders", {"product_id": 1, "quantity": 1}, headers)
        except (OSError, http.client.HTTPException, ValueError, KeyError):
            self._port = 0  # a gateway that booted has another one
            return 0, {}
        if status == http.HTTPStatus.UNAUTHORIZED:
            self._token = ""
        return status, answer

    def _logged_in(self) -> str:
        person = {"username": f"{PREFIX}-{uuid.uuid4().hex[:12]}", "password": uuid.uuid4().hex}
        self._send("/signup", person, {})
        return str(self._send("/login", person, {})[1]["token"])

    def _send(
        self, path: str, body: Mapping[str, object], headers: Mapping[str, str]
    ) -> tuple[int, Mapping[str, object]]:
        self._port = self._port or _published(self._gateway)
        asked = http.client.HTTPConnection("127.0.0.1", self._port, timeout=PATIENCE_SECONDS)
        try:
            asked.request("POST", path, json.dumps(body), dict(headers))
            response = asked.getresponse()
            return response.status, json.loads(response.read())
        finally:
            asked.close()


def _published(container: str) -> int:
    said = subprocess.run(
        ["docker", "port", container, "8000/tcp"], text=True, capture_output=True, check=False
    ).stdout
    if not said:
        time.sleep(0.5)  # it is down: asking costs the engine more than it costs us
        raise ConnectionRefusedError(container)
    return int(said.splitlines()[0].rpartition(":")[2])


# ── looking for the orders ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class Found:
    """Where the orders are that customers were told of."""

    acknowledged: int
    exported: int
    missing: tuple[str, ...]


def held(told: Collection[str], databases: Iterable[str], exports: Iterable[str]) -> Found:
    """The invariant: each is in a database that counts, or else in an export. Pure."""
    elsewhere = set(told) - set(databases)
    missing = elsewhere - set(exports)
    return Found(len(told), len(elsewhere) - len(missing), tuple(sorted(missing)))


def in_primaries(lab: str) -> frozenset[str]:
    """Keys in whatever database is primary: what standbys alone have counts for nothing."""
    return frozenset(key for each in DATABASES for key in _keys_of(f"{lab}-{each}"))


def _keys_of(container: str) -> list[str]:
    asked = ["docker", "exec", container, "psql", "-X", "-U", "postgres", "-d", "shop", "-Atc"]
    done = subprocess.run([*asked, _KEYS], text=True, capture_output=True, check=False)
    return done.stdout.split()


def in_exports(*folders: Path) -> frozenset[str]:
    """Keys in all files of orphans that lie in or below these folders."""
    files = (path for folder in folders for path in folder.rglob("orphans*.csv"))
    return frozenset(key for path in files for key in exported(path))


def exported(path: Path) -> list[str]:
    """Keys of one file of orphans."""
    with path.open(encoding="utf-8", newline="") as file:
        return [row["key"] for row in csv.DictReader(file)]
