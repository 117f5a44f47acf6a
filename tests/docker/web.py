"""A shop's HTTP interface by way of its gateway's guest link, with nothing hidden."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import requests

from lab.core.topology import Place, Region
from lab.core.wait import wait_until
from lab.testbed.lab import Lab


@dataclass(frozen=True)
class Answer:
    """Status, headers and JSON of one answer."""

    status: int
    headers: Mapping[str, str]
    json: dict[str, Any]


@dataclass(frozen=True)
class Shop:
    """One region's shop, asked by a client that may hold a token."""

    url: str
    token: str = ""
    authority: str | None = None  # file of the certificate to believe

    def get(self, path: str) -> Answer:
        """Ask for a page."""
        return self._send("GET", path)

    def order(self, key: str, timeout: float = 5.0, quantity: int = 1) -> Answer:
        """Place an order under a key; `timeout` in seconds is the client's patience."""
        body = {"product_id": 1, "quantity": quantity}
        return self._send("POST", "/orders", body, {"Idempotency-Key": key}, timeout)

    def customer(self) -> Shop:
        """The same shop, for a new customer who has logged in.

        On a busy machine a shop may turn a request away: then another customer tries.
        """
        return self.for_token(wait_until("a customer to log in", self._log_in, 60))

    def _log_in(self) -> str:
        """Sign a new customer up and in: the token, or nothing when the shop had no time."""
        person = {"username": f"c-{uuid.uuid4().hex[:12]}", "password": uuid.uuid4().hex}
        for path, fine in (("/signup", 201), ("/login", 200)):
            answer = self._send("POST", path, person)
            if answer.status == 503:
                return ""
            assert answer.status == fine, answer
        return str(answer.json["token"])

    def for_token(self, token: str) -> Shop:
        """The same shop, for a client with a token."""
        return replace(self, token=token)

    def _send(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = 5.0,
    ) -> Answer:
        identity = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        response = requests.request(
            method,
            f"{self.url}{path}",
            json=body,
            headers={**identity, **(headers or {})},
            timeout=timeout,
            verify=self.authority,
        )
        return Answer(response.status_code, response.headers, response.json())


def shop_of(lab: Lab, region: Region) -> Shop:
    """A region's shop, for a client without a token."""
    port = lab.engine.port(Place(region.name, "gateway"), 8000)
    if not lab.settings.https:
        return Shop(f"http://127.0.0.1:{port}")
    return Shop(f"https://127.0.0.1:{port}", authority=str(lab.settings.authority_file))


def new_key() -> str:
    """A key that no order has yet."""
    return f"key-{uuid.uuid4().hex}"
