"""A pool of connections to whatever node a host name leads to now.

One pool per address. It is replaced as a whole when the name leads elsewhere, and when the server
came back after a connection could not be made: the pool library tries again only after a second,
and then gives up. What a replaced pool has lent counts against its successor at the same address.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from appkit.log import Log
from appkit.names import LookupFailedError
from appkit.tasks import end
from shop.connect import (
    CHECK,
    Reach,
    Target,
    choose,
    configure,
    connect_settings,
    failed,
    has_no_room,
    usable,
)
from shop.connection import Connection
from shop.node import Nodes
from shop.outcome import Outcome
from shop.pool import NodePool
from shop.statement import Done, StatementError, run

RETRY = 0.25  # seconds between looks while something is wrong
AGAIN = 0.1  # and while no connection can be made, or none was made since one broke
CONNECT = 1.0  # seconds that a proof of life may take
PATIENT = 3.0  # the same at most, after some that took too long: on a busy machine all of them do
AT_LEAST, AT_MOST = 8, 16  # connections that a new pool has before it is short of them


class Database:
    """Runs statements on the node that a host name leads to."""

    def __init__(self, target: Target, log: Log) -> None:
        self._target, self._log = target, log
        self._pool: NodePool | None = None
        self._nodes = Nodes(target)
        self._size = AT_LEAST
        self._address: str | None = None
        self._down: str | None = "not connected yet"
        self.reach = Reach.CONNECTING
        self._doubt = True
        self._asking_until = 0.0
        self._served_at = float("-inf")  # monotonic: a statement on the present pool succeeded
        self._ttl = 2.0
        self._wake = asyncio.Event()
        self._proof: asyncio.Task[None] | None = None
        self._patience = CONNECT
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Begin to follow the name."""
        self._spawn(self._follow())

    async def stop(self) -> None:
        """Close the connections that are not in use."""
        await end(self._tasks)
        if self._pool:
            await self._pool.close()
        await self._nodes.leave_all()

    @property
    def at_hand(self) -> int:
        """Connections that can serve statements; 0 while the node is out of reach or in doubt."""
        return self._pool.at_hand if self._pool and self.reach is Reach.OPEN else 0

    async def resize(self, connections: int) -> None:
        """At most so many connections from now on, also in the pools to come.

        The library never closes one because there are too many: a pool that has more is replaced.
        """
        self._target = replace(self._target, size=connections)
        if pool := self._pool:
            await pool.resize(connections)
            if pool.too_large:
                self.suspect()

    async def execute(
        self, statement: LiteralString, parameters: Sequence[object], limit: float
    ) -> Done:
        """Run one statement as one transaction, within about `limit` seconds.

        At most half of them may be spent on getting a connection. Nothing is begun when no time is
        left. Raises `StatementError`.
        """
        start = time.monotonic()
        connection, pool = await self._acquire(start + limit / 2)
        try:
            left = start + limit - time.monotonic()
            if left <= 0:
                raise StatementError(Outcome.FAIL, "no time was left when a connection was there")
            done = await run(connection, statement, parameters, left, self.look)
            if pool is self._pool:
                self._alive()
            return done
        except StatementError as failure:
            if failure.sqlstate == "25006":
                self.look()
            elif not failure.sqlstate and time.monotonic() - start >= limit:
                self.reach = Reach.SILENT
            raise
        finally:
            await self._release(connection, pool)

    def look(self) -> None:
        """Ask where the name leads, now and for a while every quarter of a second."""
        self._asking_until = time.monotonic() + 1.0
        self._wake.set()

    def suspect(self) -> None:
        """A connection broke: also find out whether new ones can be made."""
        self._doubt = True
        self.look()

    async def _acquire(self, deadline: float) -> tuple[Connection, NodePool]:
        while True:
            pool = self._pool
            if pool is None or (self._down and not pool.free):
                # No statement waits while no connection can be made: the library would remember
                # each that gave up, until it has one again. But one that is there may be good.
                raise StatementError(Outcome.FAIL, self._down or "no address yet")
            try:
                connection = await pool.lend(deadline - time.monotonic())
            except PoolClosed:
                if pool is self._pool:
                    raise StatementError(Outcome.FAIL, "stopping") from None
                continue  # replaced while this waited
            except (PoolTimeout, TooManyRequests):
                self.suspect()
                reason = self._down or "no free connection in time"
                raise StatementError(Outcome.FAIL, reason) from None
            if await self._is_usable(connection, pool):
                return connection, pool

    async def _is_usable(self, connection: Connection, pool: NodePool) -> bool:
        """False for a connection that is given back because it does not answer."""
        began, good = time.monotonic(), False
        try:
            good = await usable(connection)
            if not good and time.monotonic() - began >= CHECK:
                self.reach = Reach.SILENT
            return good
        finally:  # also when cancelled: the pool counts what it has lent
            if not good:
                connection.spent = True
                await self._release(connection, pool)

    async def _release(self, connection: Connection, pool: NodePool) -> None:
        if connection.spent or connection.closed:
            self.suspect()
            self._spawn(self._see_off(connection, pool))
        else:
            await pool.take_back(connection)

    async def _see_off(self, connection: Connection, pool: NodePool) -> None:
        def lives(since: float) -> bool:
            if here := self._pool is not None and self._pool.node is pool.node:
                self.suspect()  # to find out
            return here and self._served_at > since

        await pool.see_off(connection, lives)

    # Following the name

    async def _follow(self) -> None:
        while True:
            await self._resolve()
            self._prove_if_in_doubt()
            await asyncio.sleep(AGAIN if self._down or self._doubt else RETRY)
            calm = not self._doubt and time.monotonic() > self._asking_until
            with suppress(TimeoutError):
                async with asyncio.timeout(self._ttl - RETRY if calm else 0.0):
                    await self._wake.wait()
            self._wake.clear()

    async def _resolve(self) -> None:
        try:
            answer = await self._target.lead()
        except LookupFailedError as problem:
            # An old address is better than none: the name server may be what is broken.
            self._log.seldom(f"{self._target.role}.name", detail=str(problem))
            self._down = self._down if self._address else str(problem)
            return
        self._ttl = max(answer.ttl, 2 * RETRY)
        address = choose(self._address, answer)
        if address != self._address:
            before, self._address = self._address, address
            self._patience, self._proof = CONNECT, None  # the one under way is of the old address
            self._log.event(f"{self._target.role}.address", before=before, after=address)
            await self._replace(address)
            if before:
                self._nodes.leave(before)
            self._doubt = True

    def _prove_if_in_doubt(self) -> None:
        if self._pool and self._pool.failing:
            self._doubt = True
        if self._doubt and self._address and (self._proof is None or self._proof.done()):
            if self.reach is not Reach.SILENT:
                self.reach = Reach.CONNECTING
            self._proof = self._spawn(self._prove(self._address))

    async def _prove(self, address: str) -> None:
        """Make one connection as the pool would; its success or failure is the pool's.

        While statements succeed a failure says only that the node is too busy for one more.
        """
        began, proof = time.monotonic(), None
        try:
            async with asyncio.timeout(self._patience):
                settings = connect_settings(self._target, address, self._patience)
                proof = await Connection.connect(**settings)
            await configure(proof)
        except (psycopg.Error, StatementError, OSError, TimeoutError) as problem:
            if not has_no_room(problem):
                if address == self._address and self._served_at <= began:
                    self._failed(problem)
                return
        if time.monotonic() - began < CONNECT:
            self._patience = CONNECT
        used = address == self._address and await self._connected(address, proof, began)
        if proof and not used:
            with suppress(TimeoutError):  # the next proof does not come beside it
                await asyncio.wait_for(proof.leave(), CONNECT)

    def _failed(self, problem: Exception) -> None:
        if isinstance(problem, TimeoutError):
            self._patience = min(2 * self._patience, PATIENT)
        self.reach, reason = failed(problem)
        if not self._down:
            self._log.event(f"{self._target.role}.down", address=self._address, detail=reason)
        self._down = reason

    def _alive(self) -> None:
        """A connection was made, or a statement done, on the present address."""
        self._served_at, self.reach = time.monotonic(), Reach.OPEN
        if self._down:
            self._log.event(f"{self._target.role}.up", address=self._address)
            self._down = None

    async def _connected(self, address: str, proof: Connection | None, began: float) -> bool:
        """The node lives; True when `proof` is the first connection of a new pool.

        A pool that failed to make connections is replaced, and its successor serves at once. But
        statements that succeeded since the proof `began` say that the pool has good connections,
        and a new pool would be as many more to make. Without a `proof` the node has no room for
        one more: a pool with open connections keeps them. One to another server is replaced.
        """
        pool, node = self._pool, self._nodes.at(address, proof.node if proof else "")
        full = pool is not None and (pool.full or (proof is None and pool.open_now > 0))
        serving = full or self._served_at > began
        self._alive()
        self._doubt = False
        if pool and serving and pool.failing:
            pool.forgive()
        if pool and pool.node is node and not (pool.failing or pool.too_large):
            return False
        await self._replace(address, proof)
        return True

    async def _replace(self, address: str, proof: Connection | None = None) -> None:
        """A new pool for `address`; statements on the old one may finish."""
        old = self._pool
        if old:
            self._size = max(AT_LEAST, min(old.size, AT_MOST))
        self._served_at = float("-inf")
        node = self._nodes.at(address, proof.node if proof else "")
        pool = NodePool(self._target, node, self._patience, self._size, self._made, proof)
        await pool.open()
        self._pool, self._down = pool, None
        self._spawn(pool.widen())
        if old:
            self._spawn(old.close())

    def _made(self, pool: NodePool) -> None:
        if pool is self._pool:
            self._alive()

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
