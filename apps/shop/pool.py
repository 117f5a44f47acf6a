"""A pool of connections to one address: a few at first, more while all of them are at work.

The library adds one connection at a time while statements wait for one. Each takes 0.4 s over a
round trip of 80 ms: from 8 to 48 of them would take 16 s. This pool adds eight at a time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from psycopg_pool import AsyncConnectionPool

from shop.connect import Target, configure, connect_settings
from shop.statement import Connection, StatementError

FIRST_CONNECTIONS = 2  # of a new pool: more at a time would each take as long as all together
AT_A_TIME = 8  # connections that are made at once, when a round trip may be long
SPARE = 2  # free connections, at most, beside which the pool makes more: those that orders leave
LOOK = 0.25  # seconds between looks whether the pool was closed before its first connection


class NodePool:
    """The connections to one address."""

    def __init__(
        self,
        target: Target,
        address: str,
        patience: float,
        wanted: int,
        made: Callable[[NodePool], None],
        proof: Connection | None = None,
    ) -> None:
        """`patience`: seconds for making a connection. `wanted`: how many the pool has once the
        first one is there. `made` is called for each connection. `proof`: a configured connection
        to begin with.
        """
        self._most, self._wanted, self._made = target.size, wanted, made
        self._first = asyncio.Event()
        self._unconfigured, self._growing, self._lent = False, False, 0
        self._proofs = [proof] if proof else []
        self._pool = AsyncConnectionPool(
            connection_class=_handing_over(self._proofs),
            kwargs=connect_settings(target, address, patience),
            configure=self._configure,
            min_size=min(FIRST_CONNECTIONS, target.size),
            max_size=target.size,
            num_workers=AT_A_TIME,
            name=f"{target.role} {address}",
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
            await self._shape()

    async def resize(self, most: int) -> None:
        """At most so many connections from now on; the library closes none that are there."""
        self._most = most
        await self._shape()

    async def lend(self, seconds: float) -> Connection:
        """A connection, within so many seconds; it must be given back.

        Raises `psycopg_pool.PoolTimeout`, `PoolClosed` or `TooManyRequests`.
        """
        if not self._growing and (more := self._short()):
            await self._grow(more)
        connection = await self._pool.getconn(seconds)
        self._lent += 1
        return connection

    async def take_back(self, connection: Connection) -> None:
        """A connection that was lent is not needed any more, or is closed."""
        self._lent -= 1
        await self._pool.putconn(connection)

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
    def too_large(self) -> bool:
        """True when the pool has more connections than it may have."""
        return self.size > self._most

    @property
    def failing(self) -> bool:
        """True when a place in the pool may be waiting out the library's delay."""
        return self._unconfigured or self._pool.get_stats().get("connections_errors", 0) > 0

    def forgive(self) -> None:
        """Forget the failures so far."""
        self._unconfigured = False
        self._pool.pop_stats()

    def _short(self) -> int:
        """How many connections to add: some if all are open and this loan leaves few free."""
        stats = self._pool.get_stats()
        size, free = stats["pool_size"], stats["pool_available"]
        being_made = size - free - self._lent
        return 0 if free - 1 > SPARE or being_made else min(AT_A_TIME, max(self._most - size, 0))

    async def _grow(self, more: int) -> None:
        self._growing = True
        try:
            self._wanted = self._pool.min_size + more
            await self._shape()
        finally:
            self._growing = False

    async def _shape(self) -> None:
        """Tell the library how many connections to have. Those that it added by itself count."""
        added = self.size - self._pool.min_size
        least = self._wanted if self._first.is_set() else FIRST_CONNECTIONS
        await self._pool.resize(max(min(least, self._most - max(added, 0)), 0), self._most)

    async def _configure(self, connection: Connection) -> None:
        if not connection.node:
            try:
                await configure(connection)
            except StatementError:
                self._unconfigured = True
                raise
        self._first.set()
        self._made(self)


def _handing_over(proofs: list[Connection]) -> type[Connection]:
    """A class of connections of which the first ones are those in `proofs`, made already."""

    class HandedOver(Connection):
        @classmethod
        async def connect(cls, *arguments: Any, **settings: Any) -> Connection:  # type: ignore[override]
            return proofs.pop() if proofs else await Connection.connect(*arguments, **settings)

    return HandedOver
