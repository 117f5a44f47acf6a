"""The node at an address, as all pools to it share it: what they have lent, and a line to cancel.

A cancel request is a connection of its own, with a handshake. When a standby is lost, all orders
under way are due in the same moment: on two busy cores most of their requests came too late. So
there is one connection more on which nothing else runs. One statement on it asks the server to
cancel all that are due (`pg_cancel_backend` does what a cancel request does).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import LiteralString

import psycopg

from appkit.tasks import end
from shop.connect import Target, configure, connect_settings
from shop.connection import Connection
from shop.statement import StatementError, run

CANCEL: LiteralString = "SELECT pg_cancel_backend(pid) FROM unnest(%t::integer[]) AS pid"
PATIENCE = 2.0  # seconds that such a statement may take; a caller waits less
MAKING = 3.0  # seconds that the connection for it may take


class Node:
    """What the pools to one address share."""

    def __init__(self, target: Target, address: str) -> None:
        self.address = address
        self.server = ""  # its name, once a connection is there
        self.lent = 0  # connections, by all pools together
        self._target = target
        self._line: Connection | None = None
        self._making: asyncio.Task[None] | None = None
        self._due: list[int] = []
        self._batch: asyncio.Task[bool] | None = None
        self._sending = asyncio.Lock()

    def keep(self) -> None:
        """Begin to make the connection for cancelling unless there is one that is good."""
        if not self._is_good() and (self._making is None or self._making.done()):
            self._making = asyncio.ensure_future(self._make())

    async def hang_up(self) -> None:
        """Close it."""
        await end([self._making] if self._making else [])
        line, self._line = self._line, None
        if line:
            await line.abandon()

    def serves(self, stuck: Connection) -> bool:
        """True when `stuck` can be cancelled by `ask`: behind a gateway the server may change."""
        return self._line is not None and self._is_good() and self._line.node == stuck.node

    async def ask(self, stuck: Connection) -> bool:
        """Ask the server to cancel, together with all others that are due; True when it has."""
        self._due.append(stuck.pgconn.backend_pid)
        if self._batch is None:
            self._batch = asyncio.ensure_future(self._send())
        return await asyncio.shield(self._batch)

    async def _send(self) -> bool:
        async with self._sending:  # those that come while one is under way go together
            due, self._due, self._batch = self._due, [], None
            if self._line is None:
                return False
            try:
                await run(self._line, CANCEL, (due,), PATIENCE, gentle=False)
            except StatementError:
                return False
            return True

    def _is_good(self) -> bool:
        line = self._line
        if line is None or line.closed or line.spent:
            return False
        return line.at_work or line.quiet()

    async def _make(self) -> None:
        line, self._line = self._line, None
        if line:
            await line.abandon()
        with suppress(psycopg.Error, StatementError, OSError):
            async with asyncio.timeout(MAKING):
                line = await Connection.connect(
                    **connect_settings(self._target, self.address, MAKING)
                )
            await configure(line)
            self._line = line


class Nodes:
    """The nodes at the addresses that a name leads to."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._at: dict[str, Node] = {}
        self._leaving: set[asyncio.Task[None]] = set()

    def at(self, address: str, server: str = "") -> Node:
        """The node at an address; a new one when another server answers there now.

        Behind a gateway the server changes and the address does not. What the old one still holds
        takes no room at the new one.
        """
        node = self._at.get(address)
        if node and server and node.server not in ("", server):
            self.leave(address)
            node = None
        if node is None:
            node = self._at[address] = Node(self._target, address)
        return node

    def leave(self, address: str) -> None:
        """Begin to close what is open to the node beside the pools."""
        task = asyncio.ensure_future(self._at[address].hang_up())
        self._leaving.add(task)
        task.add_done_callback(self._leaving.discard)

    async def leave_all(self) -> None:
        """Close what is open to any node beside the pools."""
        for address in self._at:
            self.leave(address)
        await asyncio.gather(*self._leaving)
