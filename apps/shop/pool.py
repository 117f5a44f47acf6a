"""A pool of connections to one address: a few at first, more while all of them are at work.

The library adds one connection at a time while statements wait for one. Each takes 0.4 s over a
round trip of 80 ms: from 8 to 48 of them would take 16 s. This pool adds eight at a time. The
library gives up a place for which two attempts failed, and the pool adds it again when it is short.

A connection that is spent keeps its place until the server has ended its session: a commit that
waits for its standby does not notice that its client is gone. Otherwise the pool would make a new
connection beside each of them, until the server has none left to give.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import nullcontext, suppress
from typing import Any

from psycopg_pool import AsyncConnectionPool

from shop.connect import Target, configure, connect_settings
from shop.connection import Connection
from shop.node import Node
from shop.statement import StatementError

FIRST_CONNECTIONS = 2  # of a new pool: more at a time would each take as long as all together
AT_A_TIME = 8  # connections that are made at once, when a round trip may be long
SPARE = 2  # free connections, at most, beside which the pool makes more: those that orders leave
REST = 1.0  # seconds that a place without a connection waits, at most, for its second attempt
IDLE = 120.0  # seconds between looks whether a connection stayed unused: one of them is closed then
LOOK = 0.25  # seconds between looks whether the pool was closed before its first connection
HEED = 0.5  # seconds that a cancel request may take to work, before the next one
HEAR = 2.0  # seconds that such a request may take; no caller waits for it


class NodePool:
    """The connections to one address."""

    def __init__(
        self,
        target: Target,
        node: Node,
        patience: float,
        wanted: int,
        made: Callable[[NodePool], None],
        proof: Connection | None = None,
    ) -> None:
        """`patience`: seconds for making a connection. `wanted`: how many the pool has once the
        first one is there, and keeps although they are idle. `made` is called for each connection.
        `proof`: a configured connection to begin with.
        """
        self.node = node
        self._size, self._wanted, self._made = target.size, wanted, made
        self._first, self._asking = asyncio.Event(), asyncio.Lock()
        self._unconfigured, self._lent, self._leaving, self._resting = False, 0, 0, 0
        self._adding = asyncio.Lock()
        self._proofs = [proof] if proof else []
        self._pool = AsyncConnectionPool(
            connection_class=_handing_over(self._proofs),
            kwargs=connect_settings(target, node.address, patience),
            configure=self._configure,
            min_size=min(FIRST_CONNECTIONS, self._most),
            max_size=self._most,
            num_workers=AT_A_TIME,
            reconnect_timeout=REST,
            max_idle=IDLE,
            name=f"{target.role} {node.address}",
            open=False,
        )

    async def open(self) -> None:
        """Begin to make connections."""
        await self._pool.open()

    async def close(self) -> None:
        """Close the connections that are not lent, and the others when they come back."""
        await self._pool.close(timeout=0)
        while self._proofs:
            await self._proofs.pop().close()

    async def widen(self) -> None:
        """Get the other connections when the first one is there, and at work.

        Not by the library's own `wait`: that closes the pool when it has waited long enough.
        """
        while not (self._first.is_set() or self._pool.closed):
            with suppress(TimeoutError):
                async with asyncio.timeout(LOOK):
                    await self._first.wait()
        if not self._pool.closed:
            await self._add(self._wanted - self.size)

    async def resize(self, most: int) -> None:
        """At most so many connections from now on; the library closes none that are there."""
        self._size = most
        await self._add(self._wanted - self.size if self._first.is_set() else 0)

    async def lend(self, seconds: float) -> Connection:
        """A connection, within so many seconds; it must be given back.

        Raises `psycopg_pool.PoolTimeout`, `PoolClosed` or `TooManyRequests`.
        """
        if not self._adding.locked() and (more := self._short()):
            await self._add(more)
        connection = await self._pool.getconn(seconds)
        self._lent += 1
        self.node.lent += 1
        return connection

    async def take_back(self, connection: Connection) -> None:
        """A connection that was lent is not needed any more, or is closed."""
        self._lent -= 1
        self.node.lent -= 1
        await self._pool.putconn(connection)

    async def see_off(self, connection: Connection, lives: Callable[[float], bool]) -> None:
        """Take a spent connection back once the server has ended its session.

        A cancel request may be lost on a busy machine: it is repeated when it does not work. A node
        that has given no sign of life since the last one (`lives` tells) would not hear the next.
        If the first one worked after all, the connection is as good as before, and stays.
        """
        self._leaving += 1
        asked = time.monotonic()
        try:
            while not await connection.rest(HEED):
                if lives(asked):
                    self.node.keep()
                    together = self.node.serves(connection)
                    async with nullcontext() if together else self._asking:
                        await connection.ask_to_cancel(HEAR)
                    asked = time.monotonic()
            if connection.spent:
                await connection.leave()
        except asyncio.CancelledError:  # the program stops
            await connection.abandon()
            raise
        finally:
            self._leaving -= 1
            await self.take_back(connection)

    @property
    def size(self) -> int:
        """Connections, also those that are being made."""
        return self._pool.get_stats()["pool_size"]

    @property
    def free(self) -> int:
        """Connections that are open and not lent."""
        return self._pool.get_stats()["pool_available"]

    @property
    def open_now(self) -> int:
        """Connections that are open, lent or not."""
        return self._lent + self.free

    @property
    def at_hand(self) -> int:
        """Those of them that can serve statements. One is soon there if all others are leaving."""
        return self.open_now - self._leaving or min(self._leaving, 1)

    @property
    def full(self) -> bool:
        """True when every place is lent: a successor would have none."""
        return self.node.lent >= self._size

    @property
    def too_large(self) -> bool:
        """True when the pool has more connections than it may have."""
        return self.size > self._most

    @property
    def failing(self) -> bool:
        """True when a connection could not be made: its place may wait for the next attempt."""
        return self._unconfigured or self._pool.get_stats().get("connections_errors", 0) > 0

    def forgive(self) -> None:
        """Forget the failures so far; the pool grows beside the places that wait meanwhile."""
        self._unconfigured = False
        self._resting = self.size - self.open_now
        self._pool.pop_stats()

    @property
    def _most(self) -> int:
        """How many connections there may be beside those that forerunners have still lent."""
        return max(self._size - (self.node.lent - self._lent), 1)

    def _short(self) -> int:
        """How many connections to add: some if all are open and this loan leaves few free."""
        unmade = self.size - self.open_now
        self._resting = min(self._resting, unmade)
        enough = self.free - 1 > SPARE or self.size >= self._most
        return 0 if enough or unmade > self._resting else AT_A_TIME

    async def _add(self, more: int) -> None:
        """Make so many more connections, if there may be as many.

        The library makes as many as its least size is raised by, and closes no idle connection
        below that size: it is raised for a moment alone.
        """
        async with self._adding:
            more = max(min(more, self._most - self.size), 0)
            least = min(self._wanted if self._first.is_set() else FIRST_CONNECTIONS, self._most)
            before = max(least - more, 0)
            for size in (before, before + more, least):
                await self._pool.resize(size, self._most)

    async def _configure(self, connection: Connection) -> None:
        if not connection.node:
            try:
                await configure(connection)
            except StatementError:
                self._unconfigured = True
                raise
        connection.canceller = self.node
        self.node.server = self.node.server or connection.node
        if not self._pool.closed:  # else the name may lead elsewhere by now
            self.node.keep()
        self._first.set()
        self._made(self)


def _handing_over(proofs: list[Connection]) -> type[Connection]:
    """A class of connections of which the first ones are those in `proofs`, made already."""

    class HandedOver(Connection):
        @classmethod
        async def connect(cls, *arguments: Any, **settings: Any) -> Connection:  # type: ignore[override]
            return proofs.pop() if proofs else await Connection.connect(*arguments, **settings)

    return HandedOver
