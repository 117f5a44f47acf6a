"""Runs one statement on one connection within a time limit, and says what became of it.

Three things make this more than `await connection.execute()`:

* PostgreSQL reports a cancelled wait for the standby as a *warning* on a successful commit.
* `statement_timeout` does not interrupt that wait, so the limit is enforced by a cancel request.
* A cancel request is not tied to a statement: one that arrives late cancels the next. A
  connection that was ever cancelled is therefore spent, and never goes back to its pool.
"""

from __future__ import annotations

import asyncio
import os
import select
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg
from psycopg.rows import TupleRow

from shop.outcome import Outcome, says_unreplicated, verdict

# Seconds that a cancel request may take, and that its effect may take after it. A request is a
# connection of its own: two round trips of 80 ms to the other region.
CANCEL_PATIENCE = 0.4
RESULT_PATIENCE = 0.3

# Seconds after which a statement that is still running makes the pool look where its host is now.
SLOW = 0.5


class StatementError(Exception):
    """The statement did not end in a confirmed commit; `outcome` is fail or unknown."""

    def __init__(self, outcome: Outcome, detail: str, sqlstate: str | None = None) -> None:
        super().__init__(detail)
        self.outcome, self.detail, self.sqlstate = outcome, detail, sqlstate
        self.node = ""


class Connection(psycopg.AsyncConnection[TupleRow]):
    """A connection that remembers which node it leads to and what its last commit said."""

    node = ""  # the server's cluster_name; it cannot change while the connection lives
    used_at = 0.0  # monotonic
    spent = False  # must not be used again
    unreplicated = False  # the statement under way got the cancelled-wait warning
    _kept: psycopg.AsyncCursor[TupleRow] | None = None

    def kept_cursor(self) -> psycopg.AsyncCursor[TupleRow]:
        """One cursor for all statements: making it costs more than it does."""
        if self._kept is None:
            self._kept = self.cursor()
        return self._kept

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
        with (
            suppress(OSError, psycopg.Error),
            socket.socket(fileno=os.dup(self.pgconn.socket)) as twin,
        ):
            twin.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True)
class Done:
    """A statement whose commit was confirmed."""

    rows: Sequence[tuple[Any, ...]]
    node: str
    unreplicated: bool


class _Watch:
    """Ends the statement on `connection` when its time is over.

    Gently: asks the server to cancel it and waits for what it says; then severs the connection.
    """

    def __init__(
        self, connection: Connection, limit: float, slow: Callable[[], None], gentle: bool
    ) -> None:
        self._connection, self._slow, self._gentle = connection, slow, gentle
        self._loop = asyncio.get_running_loop()
        self._rest = max(limit - SLOW, 0.0)
        self._timer = self._loop.call_later(min(limit, SLOW), self._half)
        self._ending: asyncio.Task[None] | None = None
        _running.add(self)

    def stop(self) -> None:
        """The statement has ended."""
        self._timer.cancel()
        if self._ending:
            self._ending.cancel()
        _running.discard(self)

    def sever(self) -> None:
        self._connection.sever()

    def _half(self) -> None:
        self._slow()
        self._timer = self._loop.call_later(self._rest, self._over)

    def _over(self) -> None:
        self._connection.spent = True
        if self._gentle:
            self._ending = asyncio.ensure_future(self._end())
        else:
            self._connection.sever()

    async def _end(self) -> None:
        with suppress(psycopg.Error, OSError):
            await self._connection.cancel_safe(timeout=CANCEL_PATIENCE)
            await asyncio.sleep(RESULT_PATIENCE)
        self._connection.sever()


_running: set[_Watch] = set()


def sever_all() -> None:
    """End every statement under way: the program stops."""
    for watch in list(_running):
        watch.sever()


async def run(
    connection: Connection,
    statement: LiteralString,
    parameters: Sequence[object],
    limit: float,
    slow: Callable[[], None] = lambda: None,
    *,
    gentle: bool = True,
) -> Done:
    """Run `statement` (its own transaction) for at most about `limit` seconds.

    `slow` is called when it takes long. Without `gentle` the connection is severed at the limit,
    which is enough for a statement that changes nothing. Raises `StatementError`.
    """
    if connection.closed:
        raise StatementError(Outcome.FAIL, "the connection was closed before the statement")
    connection.unreplicated = False
    watch = _Watch(connection, limit, slow, gentle)
    try:
        cursor = await connection.kept_cursor().execute(statement, parameters)
        has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
        rows = await cursor.fetchall() if has_rows else []
    except psycopg.Error as error:
        raise _failure(connection, error) from None
    finally:
        watch.stop()
        connection.used_at = time.monotonic()
    return Done(rows, connection.node, connection.unreplicated)


def _failure(connection: Connection, error: psycopg.Error) -> StatementError:
    row = verdict(
        error.diag.sqlstate,
        error.diag.severity_nonlocalized,
        unreplicated=connection.unreplicated,
    )
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    failure = StatementError(row.outcome, f"{row.why}: {first_line}", error.diag.sqlstate)
    failure.node = connection.node
    return failure
