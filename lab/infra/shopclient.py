"""A visitor of a region's shop, and its operator."""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import Place, Region, port_of
from lab.infra.programhttp import Answer, Model, Program

if TYPE_CHECKING:
    import jwt

    from lab.infra.machines import Engine
    from lab.infra.settings import Settings
else:
    jwt = lazily("jwt")


_LONGEST_NAME = 200
_ABSENT = 404


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


@dataclass(frozen=True, slots=True)
class Readiness:
    """A shop's word on whether it can take an order; `node` is the database that would."""

    ready: bool
    reason: str
    node: str


class Capacity(Model):
    """How many connections to the writer a shop may have."""

    connections: int


class Mode(Model):
    """Whether a shop refuses customers' orders, since when (seconds since 1970) and by whom."""

    read_only: bool
    since: float | None = None
    by: str = ""


class Guest(Program):
    """A visitor of a region's shop, by the gateway's guest link."""

    def __init__(self, engine: Engine, settings: Settings, region: Region) -> None:
        super().__init__(
            engine,
            Place(region.name, "gateway"),
            port_of("guest"),
            settings.authority_file if settings.https else None,
        )
        self._jwt_key = settings.jwt_key

    def ready(self) -> tuple[bool, str]:
        """Can the region take an order now, and what it says if not."""
        found = self.readiness()
        return found.ready, found.reason

    def readiness(self) -> Readiness:
        """The same, with the node that takes it."""
        response = self._send("GET", "/readyz")
        try:
            said = response.json()
            reason, node = str(said["reason"]), str(said.get("node") or "")
        except (ValueError, KeyError, TypeError):
            reason, node = f"status {response.status_code}", ""
        return Readiness(response.status_code == 200, reason.splitlines()[0], node)

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

    def mode(self) -> Mode:
        """Whether the region's shop refuses customers' orders. One without that mode does not."""
        return self._asked_if_known(Mode, "/admin/mode") or Mode(read_only=False)

    def set_read_only(self, enabled: bool, by: str = "") -> None:
        """Switch the region's read-only mode, as its operator; `by` is what that one is called.

        Raises LabError where a shop has no such mode and is told to refuse.
        """
        wanted = {"enabled": enabled, "by": by[:_LONGEST_NAME]}
        self._switch("/admin/read-only", wanted, "read-only mode", needed=enabled)

    def capacity(self) -> int | None:
        """How many connections to the writer the region's shop may have; None: it does not say."""
        found = self._asked_if_known(Capacity, "/admin/capacity")
        return found.connections if found else None

    def set_capacity(self, connections: int) -> None:
        """Let the shop have so many (1 to 64), as its operator: it takes in as much more or less.

        A restart of the shop goes back to what it was made with. A shop of one's own may have no
        such limit, and is left alone.
        """
        self._switch("/admin/capacity", {"connections": connections}, "capacity", needed=False)

    def _asked_if_known(self, model: type[Answer], path: str) -> Answer | None:
        """None where the shop has no such path."""
        response = self._send("GET", path)
        return None if response.status_code == _ABSENT else self._read(model, path, response)

    def _switch(self, path: str, wanted: Mapping[str, object], what: str, *, needed: bool) -> None:
        headers = {"Authorization": f"Bearer {self._operator()}"}
        response = self._send("POST", path, json=wanted, headers=headers)
        if not response.ok and (needed or response.status_code != _ABSENT):
            raise LabError(f"{self._place}: {what} not set: {response.text[:200]}")

    def _operator(self) -> str:
        return operator_token(self._jwt_key)


def operator_token(jwt_key: str) -> str:
    """A token of the region's operator, for a minute."""
    claims = {"sub": "operator", "role": "operator", "exp": int(time.time()) + 60}
    return jwt.encode(claims, jwt_key, "HS256")
