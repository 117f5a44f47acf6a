"""Can this region take an order? An order just now proves it; else a write finds out."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import LiteralString

from shop.connect import Reach
from shop.follow import Database
from shop.orders import timeline_of
from shop.statement import StatementError

SHARED = 0.4  # seconds for which an answer is given again
DOUBTED = 0.1  # the same for a bad one, or when the primary has been out of reach since
PROVEN = 0.1  # seconds for which an acknowledged order proves that the next one can be taken
LIMIT = 1.0  # seconds that the write may take, the standby's confirmation included

WRITE: LiteralString = """
INSERT INTO readiness (app) VALUES (%s)
ON CONFLICT (app) DO UPDATE SET checks = readiness.checks + 1, checked_at = now()
RETURNING current_setting('cluster_name'), pg_walfile_name(pg_current_wal_insert_lsn())
"""


@dataclass(frozen=True)
class Readiness:
    """The answer, and why."""

    ready: bool
    reason: str
    node: str | None = None
    timeline: int | None = None


class ReadinessCheck:
    """One write at a time; all callers that ask at about the same time share its result."""

    def __init__(self, writer: Database, app: str, is_read_only: Callable[[], bool]) -> None:
        self._writer, self._app, self._is_read_only = writer, app, is_read_only
        self._running: asyncio.Task[Readiness] | None = None
        self._ended = float("-inf")
        self._order, self._ordered = Readiness(False, "no order yet"), float("-inf")

    def learn(self, node: str, timeline: int) -> None:
        """An order was acknowledged, and its standby has it.

        In an overload the check then needs no database, which is what everything else waits for.
        """
        self._order, self._ordered = Readiness(True, "ok", node, timeline), time.monotonic()

    async def ask(self) -> Readiness:
        """Whether this region can take an order now, at most 0.4 s old."""
        if self._is_read_only():
            return Readiness(False, "read-only")
        if self._writer.reach is Reach.OPEN and time.monotonic() - self._ordered < PROVEN:
            return self._order
        if self._running is None or self._is_stale(self._running):
            self._running = asyncio.ensure_future(self._write())
        return await asyncio.shield(self._running)

    def _is_stale(self, task: asyncio.Task[Readiness]) -> bool:
        if not task.done():
            return False
        good = self._writer.reach is Reach.OPEN and task.result().ready
        return time.monotonic() - self._ended > (SHARED if good else DOUBTED)

    async def _write(self) -> Readiness:
        try:
            done = await self._writer.execute(WRITE, (self._app,), LIMIT)
        except StatementError as failure:
            return Readiness(False, failure.detail, failure.node or None)
        finally:
            self._ended = time.monotonic()
        node, wal_file = done.rows[0]
        timeline = timeline_of(wal_file)
        if done.unreplicated:
            return Readiness(False, "committed without its standby", node, timeline)
        return Readiness(True, "ok", node, timeline)
