"""The catalogue, read through the region's cache; a dead cache costs time, never an answer."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass
from typing import LiteralString

import redis.asyncio as redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from appkit.log import Log
from shop.follow import Database
from shop.settings import Settings

CATALOGUE: LiteralString = "SELECT id, name, price_cents FROM products ORDER BY id"
_NAME = "catalogue:2"  # and the market; another number when what is kept looks different

# A cache that went silent is asked again after this many seconds: without that, each request
# would wait for the time-out.
REST = 1.0
PATIENCE = 0.15


@dataclass(frozen=True)
class Catalogue:
    """A market's catalogue as JSON, where it came from, and the node if the database was asked."""

    body: bytes
    cache: str  # hit, miss or down
    node: str | None


class CatalogueCache:
    """Reads the catalogue; at most one request per market at a time asks the database for it."""

    def __init__(self, settings: Settings, reader: Database, log: Log) -> None:
        self._reader, self._settings, self._log = reader, settings, log
        self._client: redis.Redis | None = None
        self._rest_until = 0.0
        self._loading: dict[str, asyncio.Task[tuple[bytes, str]]] = {}
        if settings.cache_host:
            self._client = redis.Redis(
                host=settings.cache_host,
                port=settings.cache_port,
                password=settings.cache_password or None,
                socket_timeout=PATIENCE,
                socket_connect_timeout=PATIENCE,
                retry=Retry(NoBackoff(), 0),
                ssl=settings.cache_authority is not None,
                ssl_ca_certs=settings.cache_authority,
            )

    async def read(self, market: str) -> Catalogue:
        """A market's catalogue.

        Raises `shop.statement.StatementError` when neither cache nor database has it.
        """
        cached, state = await self._get(market)
        if cached is not None:
            return Catalogue(cached, "hit", None)
        loading = self._loading.get(market)
        if loading is None:
            loading = asyncio.ensure_future(self._load(market, store=state == "miss"))
            self._loading[market] = loading
            loading.add_done_callback(lambda _: self._loading.pop(market))
        body, node = await asyncio.shield(loading)
        return Catalogue(body, state, node)

    async def close(self) -> None:
        """Close the connections to the cache."""
        if self._client:
            await self._client.aclose()

    async def _get(self, market: str) -> tuple[bytes | None, str]:
        if self._client is None or time.monotonic() < self._rest_until:
            return None, "down"
        try:
            value = await self._client.get(f"{_NAME}:{market}")
        except (RedisError, OSError, TimeoutError) as problem:
            self._failed(problem)
            return None, "down"
        return (value, "hit") if isinstance(value, bytes) else (None, "miss")

    async def _load(self, market: str, *, store: bool) -> tuple[bytes, str]:
        done = await self._reader.execute(CATALOGUE, (), self._settings.db_timeout)
        products = [{"id": n, "name": name, "price_cents": p} for n, name, p in done.rows]
        body = json.dumps({"market": market, "products": products}).encode()
        if store and self._client:
            try:
                lifetime = max(int(self._settings.cache_ttl * 1000), 1)
                await self._client.set(f"{_NAME}:{market}", body, px=lifetime)
            except (RedisError, OSError, TimeoutError) as problem:
                self._failed(problem)
        return body, done.node

    def _failed(self, problem: Exception) -> None:
        self._rest_until = time.monotonic() + REST
        self._log.seldom("cache.down", detail=str(problem) or type(problem).__name__)
