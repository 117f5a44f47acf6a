"""A shop whose databases answer as told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from appkit.env import Env
from appkit.log import Log
from asgi_call import Answer, call
from shop.app import build_shop
from shop.connect import Reach
from shop.routes import routes
from shop.settings import Settings
from shop.statement import Done
from shop.web import Stamp
from starlette.applications import Starlette

KEY = "a key that is long enough for HS256 to be happy"


class StubDatabase:
    """Answers statements from a table; an exception in it is raised."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: list[tuple[str, Sequence[object]]] = []
        self.unreplicated = False
        self.delay = 0.0
        self.sizes: list[int] = []
        self.reach = Reach.OPEN

    async def execute(self, statement: str, parameters: Sequence[object], limit: float) -> Done:
        self.asked.append((statement, parameters))
        await asyncio.sleep(self.delay)
        answer = self.answers.get(statement, [])
        if isinstance(answer, Exception):
            raise answer
        return Done(answer, "east_db1", self.unreplicated)

    async def resize(self, connections: int) -> None:
        self.sizes.append(connections)


class StubCache:
    """A cache that keeps everything, and how long each of it may be kept."""

    def __init__(self) -> None:
        self.kept: dict[str, bytes] = {}
        self.lifetimes: dict[str, int] = {}

    async def get(self, name: str) -> bytes | None:
        return self.kept.get(name)

    async def set(self, name: str, value: bytes, px: int) -> None:
        self.kept[name], self.lifetimes[name] = value, px


class Fixture:
    """A shop whose databases are stubs."""

    def __init__(self) -> None:
        env = Env({"REGION": "east", "DB_PASSWORD": "x", "JWT_KEY": KEY, "WRITER_HOST": "10.0.0.1",
                   "READER_HOST": "10.0.0.1"})  # fmt: skip
        settings = Settings.read(env)
        self.writer, self.reader = StubDatabase(), StubDatabase()
        self.shop = build_shop(settings, Log("test"))
        self.shop.writer = self.shop.readiness._writer = self.writer  # type: ignore[assignment]
        self.shop.reader = self.shop.catalogue._reader = self.reader  # type: ignore[assignment]
        self.app = Stamp(Starlette(routes=routes(self.shop)), "east", "east.app")
        self.token = self.shop.sessions.issue("ann")

    def with_cache(self) -> StubCache:
        """Give the shop a cache."""
        cache = StubCache()
        self.shop.catalogue._client = cache  # type: ignore[assignment]
        return cache

    def order(self, body: Any = None, key: str | None = "k", **headers: str) -> Answer:
        """POST /orders by ann."""
        headers["Authorization"] = f"Bearer {self.token}"
        if key is not None:
            headers["Idempotency-Key"] = key
        body = {"product_id": 1, "quantity": 2} if body is None else body
        return asyncio.run(call(self.app, "POST", "/orders", body, headers))

    def get(self, path: str) -> Answer:
        """GET by ann."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return asyncio.run(call(self.app, "GET", path, None, headers))

    def post(self, path: str, body: Any, token: str = "") -> Answer:
        """POST with `token`."""
        return asyncio.run(call(self.app, "POST", path, body, {"Authorization": f"Bearer {token}"}))
