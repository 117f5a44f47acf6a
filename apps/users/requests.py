"""The bytes that users send."""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True)
class Requests:
    """Builds requests to the shop under one name.

    A deadline is when the caller gives up, in seconds since the epoch.
    """

    host: str

    def order(
        self,
        token: str,
        key: str,
        request_id: str,
        product: int,
        quantity: int,
        deadline: float | None = None,
    ) -> bytes:
        """Place an order."""
        body = b'{"product_id":%d,"quantity":%d}' % (product, quantity)
        headers = f"{_token(token)}idempotency-key: {key}\r\n"
        return self._message("POST", "/orders", request_id, deadline, headers, body)

    def catalogue(self, market: str, request_id: str, deadline: float | None = None) -> bytes:
        """Read a market's catalogue."""
        return self._message("GET", f"/catalogue?market={market}", request_id, deadline)

    def one_order(
        self, token: str, key: str, request_id: str, deadline: float | None = None
    ) -> bytes:
        """Read an own order."""
        return self._message("GET", f"/orders/{key}", request_id, deadline, _token(token))

    def credentials(
        self, path: str, name: str, password: str, request_id: str, deadline: float | None = None
    ) -> bytes:
        """Sign up or log in."""
        body = json.dumps({"username": name, "password": password}).encode()
        return self._message("POST", path, request_id, deadline, body=body)

    def _message(
        self,
        method: str,
        path: str,
        request_id: str,
        deadline: float | None,
        headers: str = "",
        body: bytes = b"",
    ) -> bytes:
        if deadline is not None:
            headers += f"x-deadline: {deadline:.3f}\r\n"
        if body:
            headers += f"content-type: application/json\r\ncontent-length: {len(body)}\r\n"
        head = (
            f"{method} {path} HTTP/1.1\r\nhost: {self.host}\r\nx-request-id: {request_id}\r\n"
            f"{headers}\r\n"
        )
        return head.encode("latin-1") + body


def _token(token: str) -> str:
    return f"authorization: Bearer {token}\r\n"
