"""A small shop that does all that the lab asks of one, and can be told to do one thing wrong.

It answers by HTTP on loopback, from memory. Its database is a dictionary, with a standby that may
be out of reach.
"""

from __future__ import annotations

import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt

from lab.infra.shoptrial import Beside

KEY = "a key that is long enough for HS256 to be happy"
PRIMARY = "east_db1"


@dataclass
class Asked:
    """A request; names of headers are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def claims(self) -> dict[str, Any]:
        """Who asks."""
        token = self.headers.get("authorization", "").removeprefix("Bearer ")
        try:
            return dict(jwt.decode(token, KEY, algorithms=["HS256"]))
        except jwt.InvalidTokenError:
            return {}


@dataclass
class Told:
    """An answer."""

    status: int
    said: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


Spoil = Callable[["SmallShop", Asked, Told], Told]


class SmallShop:
    """What it has in memory, and how it answers."""

    def __init__(self) -> None:
        self.orders: dict[str, int] = {}
        self.read_only: dict[str, Any] = {"read_only": False, "since": None, "by": ""}
        self.connections, self.cached, self.replicated = 8, False, True
        self.waiting, self.ended = 1, False
        self._numbers, self._lock = itertools.count(1), threading.Lock()

    def answer(self, asked: Asked) -> Told:
        """As the contract says."""
        told = self._answer(asked)
        identity = asked.headers.get("x-request-id", "made-up")
        told.headers |= {"X-Region": "east", "X-Node": PRIMARY, "X-Request-Id": identity}
        return told

    def _answer(self, asked: Asked) -> Told:
        path = asked.path.partition("?")[0]
        routes: dict[str, Callable[[Asked], Told]] = {
            "GET /livez": lambda _: Told(200),
            "POST /signup": lambda _: Told(201),
            "POST /login": self._log_in,
            "POST /orders": self._order,
            "GET /orders/": lambda _: Told(200 if path[8:] in self.orders else 404),
            "GET /catalogue": self._catalogue,
            "GET /readyz": self._ready,
            "GET /admin/mode": lambda _: Told(200, self.read_only),
            "POST /admin/read-only": self._switch,
            "GET /admin/capacity": lambda _: Told(200, {"connections": self.connections}),
            "POST /admin/capacity": lambda _: Told(200, {"connections": self.connections}),
        }
        of_orders = path.startswith("/orders/")
        return routes[f"{asked.method} {'/orders/' if of_orders else path}"](asked)

    @staticmethod
    def _log_in(asked: Asked) -> Told:
        claims = {"sub": asked.body["username"], "role": "customer"}
        return Told(200, {"token": jwt.encode(claims, KEY, "HS256")})

    def _catalogue(self, _: Asked) -> Told:
        hit, self.cached = self.cached, True
        return Told(200, headers={"X-Cache": "hit" if hit else "miss"})

    def _ready(self, _: Asked) -> Told:
        status = 503 if self.read_only["read_only"] else 200
        return Told(status, {"reason": "ok", "node": PRIMARY, "writer": "open"})

    def _switch(self, asked: Asked) -> Told:
        if asked.claims.get("role") != "operator":
            return Told(403)
        on = asked.body["enabled"]
        self.read_only = {"read_only": on, "since": time.time() if on else None,
                          "by": asked.body["by"] if on else ""}  # fmt: skip
        return Told(200, self.read_only)

    def _order(self, asked: Asked) -> Told:
        if not asked.claims:
            return Told(401, {"outcome": "fail"})
        if float(asked.headers.get("x-deadline", "inf")) < time.time():
            return Told(503, {"outcome": "fail"}, {"Retry-After": "1"})
        if asked.body["quantity"] < 1:
            return Told(400, {"outcome": "fail"})
        if self.read_only["read_only"] and asked.claims["role"] != "operator":
            return Told(503, {"outcome": "fail"})
        with self._lock:
            number = self.orders.setdefault(asked.headers["idempotency-key"], next(self._numbers))
        outcome = "ok" if self.replicated else "local"
        return Told(201 if self.replicated else 202, {
            "outcome": outcome, "order_id": number, "region": "east", "node": PRIMARY,
            "request_id": "r", "timeline": 1, "xid": "700", "lsn": "0/16B3748",
        })  # fmt: skip

    @property
    def beside(self) -> Beside:
        """Its database."""
        return Beside(PRIMARY, lambda key: int(key in self.orders), self._alone, self._end)

    def _end(self) -> int:
        self.ended = True
        return self.waiting

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.replicated = False
        yield
        self.replicated = True


@contextmanager
def serving(shop: SmallShop, spoil: Spoil, idle: float = 5.0) -> Iterator[str]:
    """The shop's URL; `spoil` changes its answers, `idle`: for how long it keeps a connection."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 5.0
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            length = int(self.headers.get("content-length", 0))
            asked = Asked(
                self.command,
                self.path,
                {name.lower(): value for name, value in self.headers.items()},
                json.loads(self.rfile.read(length) or b"{}"),
            )
            told = spoil(shop, asked, shop.answer(asked))
            body = json.dumps(told.said).encode()
            self.send_response(told.status)
            for name, value in ({"Content-Length": str(len(body))} | told.headers).items():
                if value:
                    self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)
            self.connection.settimeout(idle)
            self.close_connection |= told.headers.get("Content-Length") == ""

        do_POST = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
