"""A pool of connections to whatever node a host name leads to now.

One `psycopg_pool` per address. It is replaced as a whole when the name leads elsewhere, and when
the server came back after a connection could not be made: the pool library doubles its delay from
one second on, and an outage must not outlast its cause by that much.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any, LiteralString

import psycopg
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout, TooManyRequests

from appkit.log import Log
from appkit.names import LookupFailedError
from appkit.tasks import end
from shop.connect import CHECK, Reach, Target, choose, configure, connect_settings, failed, usable
from shop.outcome import Outcome
from shop.statement import Connection, Done, StatementError, run

RETRY = 0.25  # seconds between looks while something is wrong
AGAIN = 0.1  # and while no connection can be made
CONNECT = 1.0  # seconds that a proof of life may take
PATIENT = 3.0  # the same at most, after some that took too long: on a busy machine all of them do
SERVING = 1.0  # seconds for which a statement that succeeded says that its node is alive
FIRST_CONNECTIONS = 2  # of a new pool: more at a time would each take as long as all together
AT_A_TIME = 8  # connections that are made at once, when a round trip may be long
AT_LEAST, AT_MOST = 8, 16  # connections that a new pool has before anybody waits for more

Pool = AsyncConnectionPool[Connection]


class Database:
    """Runs statements on the node that a host name leads to."""

    def __init__(self, target: Target, log: Log) -> None:
        self._target, self._log = target, log
        self._pool: Pool | None = None
        self._size = AT_LEAST
        self._widened: Pool | None = None
        self._address: str | None = None
        self._down: str | None = "not connected yet"
        self.reach = Reach.CONNECTING
        self._doubt, self._unconfigured = True, False
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
            await self._pool.close(timeout=0)

    async def resize(self, connections: int) -> None:
        """At most so many connections from now on, also in the pools to come.

        The library never closes one because there are too many: a pool that has more is replaced.
        """
        self._target = replace(self._target, size=connections)
        if pool := self._pool:
            least = self._size if pool is self._widened else pool.min_size
            await pool.resize(min(least, connections), connections)
            if pool.get_stats()["pool_size"] > connections:
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

    async def _acquire(self, deadline: float) -> tuple[Connection, Pool]:
        while True:
            pool = self._pool
            if pool is None or (self._down and not pool.get_stats()["pool_available"]):
                # Nobody waits while no connection can be made (the library would also remember
                # each who gave up, until it has one again), but one that is there may be good.
                raise StatementError(Outcome.FAIL, self._down or "no address yet")
            try:
                connection = await pool.getconn(deadline - time.monotonic())
            except PoolClosed:
                if pool is self._pool:
                    raise StatementError(Outcome.FAIL, "stopping") from None
                continue  # replaced while this waited
            except (PoolTimeout, TooManyRequests):
                self.suspect()
                reason = self._down or "no free connection in time"
                raise StatementError(Outcome.FAIL, reason) from None
            began = time.monotonic()
            if await usable(connection):
                return connection, pool
            if time.monotonic() - began >= CHECK:
                self.reach = Reach.SILENT
            connection.spent = True
            await self._release(connection, pool)

    async def _release(self, connection: Connection, pool: Pool) -> None:
        if connection.spent or connection.closed:
            await connection.close()
            self.suspect()
        await pool.putconn(connection)

    # Following the name

    async def _follow(self) -> None:
        while True:
            await self._resolve()
            self._prove_if_in_doubt()
            await asyncio.sleep(AGAIN if self._down else RETRY)
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
            self._doubt = True

    def _prove_if_in_doubt(self) -> None:
        if self._pool and self._failed_connections(self._pool):
            self._doubt = True
        if self._doubt and self._address and (self._proof is None or self._proof.done()):
            if self.reach is not Reach.SILENT:
                self.reach = Reach.CONNECTING
            self._proof = self._spawn(self._prove(self._address))

    async def _prove(self, address: str) -> None:
        """Make one connection as the pool would; its success or failure is the pool's.

        While statements succeed a failure says only that the node is too busy for one more.
        """
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._patience):
                settings = connect_settings(self._target, address, self._patience)
                probe = await Connection.connect(**settings)
            await configure(probe)
            await probe.close()
        except psycopg.errors.TooManyConnections:
            pass  # alive, and the connections that the pool has are good
        except (psycopg.Error, StatementError, OSError, TimeoutError) as problem:
            if address == self._address and self._served_at <= began:
                self._failed(problem)
            return
        if time.monotonic() - began < CONNECT:
            self._patience = CONNECT
        if address == self._address:
            await self._connected(address)

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

    async def _connected(self, address: str) -> None:
        pool, serving = self._pool, time.monotonic() - self._served_at < SERVING
        self._alive()
        if pool and serving and self._failed_connections(pool):
            # Those that it has are good, and a new pool would be as many more to make.
            self._unconfigured = False
            pool.pop_stats()
        too_large = pool and pool.get_stats()["pool_size"] > self._target.size
        if pool is None or self._failed_connections(pool) or too_large:
            await self._replace(address)
        self._doubt = False

    async def _replace(self, address: str) -> None:
        """A new pool for `address`; statements on the old one may finish."""
        old = self._pool
        if old:
            self._size = max(AT_LEAST, min(old.get_stats()["pool_size"], AT_MOST))
        self._unconfigured, self._served_at = False, float("-inf")
        self._pool = await self._open(address)
        self._down = None
        if old:
            self._spawn(old.close(timeout=0))

    async def _open(self, address: str) -> Pool:
        first = asyncio.Event()

        async def configured(connection: Connection) -> None:
            await self._configure(connection)
            first.set()
            if pool is self._pool:
                self._alive()

        pool = AsyncConnectionPool(
            connection_class=Connection,
            kwargs=connect_settings(self._target, address, self._patience),
            configure=configured,
            min_size=min(FIRST_CONNECTIONS, self._target.size),
            max_size=self._target.size,
            num_workers=AT_A_TIME,
            name=f"{self._target.role} {address}",
            open=False,
        )
        await pool.open()
        self._spawn(self._widen(pool, first))
        return pool

    async def _widen(self, pool: Pool, first: asyncio.Event) -> None:
        """Get the other connections when the first one is there, and at work.

        Not by the pool's own `wait`: that closes the pool when it has waited long enough.
        """
        while not (first.is_set() or pool.closed):
            with suppress(TimeoutError):
                async with asyncio.timeout(RETRY):
                    await first.wait()
        if not pool.closed:
            self._widened = pool
            await pool.resize(min(self._size, self._target.size), self._target.size)

    async def _configure(self, connection: Connection) -> None:
        try:
            await configure(connection)
        except StatementError:
            self._unconfigured = True
            raise

    def _failed_connections(self, pool: Pool) -> bool:
        """True when a place in the pool may be waiting out the library's delay."""
        return self._unconfigured or pool.get_stats().get("connections_errors", 0) > 0

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
