"""A connection that remembers what its statements came to, and that is closed in good order."""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
import traceback
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Protocol, Self, TypeVar

import psycopg
from psycopg.rows import TupleRow

from shop.outcome import says_unreplicated

SEVERED = 1.0  # seconds at most until a statement sees that its connection was severed
CANCELLED = "57014"  # SQLSTATE of a statement that a cancel request ended before its commit

T = TypeVar("T")


class Canceller(Protocol):
    """Cancels statements without a new connection for each."""

    def serves(self, stuck: Connection) -> bool:
        """True when it can ask for the statement on this connection."""

    async def ask(self, stuck: Connection) -> bool:
        """Ask the server to cancel the statement; True when it has heard that."""


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection that remembers which node it leads to and what its last commit said."""

    node = ""  # the server's cluster_name; it cannot change while the connection lives
    used_at = 0.0  # monotonic
    spent = False  # must not be used again
    unreplicated = False  # the statement under way got the cancelled-wait warning
    canceller: Canceller | None = None
    _asked = 0  # requests to cancel the statement under way
    _work: asyncio.Task[Any] | None = None
    _kept: psycopg.AsyncCursor[TupleRow] | None = None

    @classmethod
    async def connect(cls, *arguments: Any, **settings: Any) -> Self:
        """A new connection. Of an attempt that fails or is cancelled nothing is left.

        The error's frames hold the socket, and the error: only a garbage collection would close it.
        """
        try:
            return await super().connect(*arguments, **settings)
        except BaseException as problem:
            traceback.clear_frames(problem.__traceback__)
            raise

    @property
    def at_work(self) -> bool:
        """True while a statement runs, also when its caller has been answered."""
        return self._work is not None and not self._work.done()

    def begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a statement, in a task of its own: it may outlast its caller."""
        self.unreplicated, self._asked = False, 0
        self._work = task = asyncio.get_running_loop().create_task(work)
        _working.add(self)
        return task

    def finish(self, sqlstate: str | None = None) -> None:
        """The statement has ended, with this error if any.

        Its only cancel request is used up when the server says so: it can hit no other statement.
        """
        _working.discard(self)
        self.used_at = time.monotonic()
        if self._asked == 1 and (self.unreplicated or sqlstate == CANCELLED):
            self.spent = False

    def kept_cursor(self) -> psycopg.AsyncCursor[TupleRow]:
        """One cursor for all statements: making it costs more than it does."""
        if self._kept is None:
            self._kept = self.cursor()
        return self._kept

    async def rest(self, seconds: float) -> bool:
        """Wait for the statement under way, at most so long; True if none is under way then."""
        if self._work is not None and self.at_work:
            await asyncio.wait([self._work], timeout=seconds)
        return not self.at_work

    async def ask_to_cancel(self, patience: float) -> bool:
        """Ask the server to cancel the statement under way; True when it has heard that."""
        if not self.at_work:
            return False
        self._asked += 1
        try:
            if self.canceller and self.canceller.serves(self):
                async with asyncio.timeout(patience):
                    return await self.canceller.ask(self)
            await self.cancel_safe(timeout=patience)
        except (psycopg.Error, OSError):
            return False
        return True

    async def leave(self) -> None:
        """Close the connection, and wait until the server has ended the session.

        No statement may be under way. The socket says when: the server closes it last.
        """
        try:
            twin = self._twin()
        except (OSError, psycopg.Error):  # it is closed already, by the server or by the network
            await self.close()
            return
        with twin:
            await self.close()
            twin.setblocking(False)
            with suppress(OSError):
                while await asyncio.get_running_loop().sock_recv(twin, 4096):
                    pass

    async def abandon(self) -> None:
        """Close the connection at once, whatever the server does; it may keep the session."""
        if self.at_work:
            self.sever()
            await self.rest(SEVERED)
        await self.close()

    def hear(self, notice: psycopg.errors.Diagnostic) -> None:
        """Handles a notice; psycopg calls it before the statement's result is returned."""
        if says_unreplicated(notice.severity_nonlocalized, notice.message_primary):
            self.unreplicated = True

    def quiet(self) -> bool:
        """True when the server has sent nothing unasked: an idle connection that has something
        to read has most likely been closed. Costs no round trip."""
        poll = select.poll()
        poll.register(self.pgconn.socket, select.POLLIN)
        return not poll.poll(0)

    def sever(self) -> None:
        """End the connection under the statement that waits for it, which sees it closed.

        Neither closing the connection (its descriptor would be reused while the event loop
        watches it) nor cancelling the waiting task (psycopg would first ask the server, for
        seconds, to cancel the statement) does that.
        """
        self.spent = True
        with suppress(OSError, psycopg.Error), self._twin() as twin:
            twin.shutdown(socket.SHUT_RDWR)

    def _twin(self) -> socket.socket:
        """The connection's socket under another descriptor, which outlives the connection."""
        return socket.socket(fileno=os.dup(self.pgconn.socket))


_working: set[Connection] = set()


def sever_all() -> None:
    """End every statement under way: the program stops."""
    for connection in list(_working):
        connection.sever()
