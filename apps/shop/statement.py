"""Runs one statement on one connection within a time limit, and says what became of it.

Four things make this more than `await connection.execute()`:

* PostgreSQL reports a cancelled wait for the standby as a *warning* on a successful commit.
* `statement_timeout` does not interrupt that wait, so the limit is enforced by a cancel request.
* The server does not notice during that wait that its client is gone. A caller whose time is over
  is answered, but the statement goes on, and its connection stays: see `Connection.at_work`.
* A cancel request is not tied to a statement: one that arrives late cancels the next. A connection
  is therefore spent, and never goes back to its pool, unless its only request was seen to work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from shop.connection import Connection
from shop.outcome import Outcome, verdict

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


@dataclass(frozen=True)
class Done:
    """A statement whose commit was confirmed."""

    rows: Sequence[tuple[Any, ...]]
    node: str
    unreplicated: bool


class _Watch:
    """Answers the caller of the statement on `connection`, at the latest when its time is over.

    Gently: asks the server to cancel the statement first, and waits for what it says.
    """

    def __init__(
        self, connection: Connection, limit: float, slow: Callable[[], None], gentle: bool
    ) -> None:
        self._connection, self._slow, self._gentle = connection, slow, gentle
        self._loop = asyncio.get_running_loop()
        self._told: asyncio.Future[Done] = self._loop.create_future()
        self._rest = max(limit - SLOW, 0.0)
        self._timer = self._loop.call_later(min(limit, SLOW), self._half)
        self._ending: asyncio.Task[None] | None = None

    async def answer(self, work: asyncio.Task[Done]) -> Done:
        """What became of the statement; it may go on when its caller is answered or cancelled."""
        work.add_done_callback(self._tell)
        try:
            return await self._told
        finally:
            self._timer.cancel()
            if self._ending:
                self._ending.cancel()
            self._connection.spent |= not work.done()

    def _tell(self, work: asyncio.Task[Done]) -> None:
        error = None if work.cancelled() else work.exception()
        if self._told.done():
            return
        if work.cancelled():
            self._told.cancel()
        elif error:
            self._told.set_exception(error)
        else:
            self._told.set_result(work.result())

    def _half(self) -> None:
        self._slow()
        self._timer = self._loop.call_later(self._rest, self._over)

    def _over(self) -> None:
        self._connection.spent = True
        if self._gentle:
            self._ending = asyncio.ensure_future(self._end())
        else:
            self._give_up()

    async def _end(self) -> None:
        if await self._connection.ask_to_cancel(CANCEL_PATIENCE):
            await asyncio.sleep(RESULT_PATIENCE)
        self._give_up()

    def _give_up(self) -> None:
        if not self._told.done():
            failure = StatementError(Outcome.UNKNOWN, "no answer in time")
            failure.node = self._connection.node
            self._told.set_exception(failure)


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

    `slow` is called when it takes long. Without `gentle` the server is not asked to cancel it,
    which is right for a statement that changes nothing. Raises `StatementError`; the statement may
    still be under way then, and the connection is spent.
    """
    if connection.closed:
        raise StatementError(Outcome.FAIL, "the connection was closed before the statement")
    watch = _Watch(connection, limit, slow, gentle)
    return await watch.answer(connection.begin(_perform(connection, statement, parameters)))


async def _perform(
    connection: Connection, statement: LiteralString, parameters: Sequence[object]
) -> Done:
    sqlstate = None
    try:
        cursor = await connection.kept_cursor().execute(statement, parameters)
        has_rows = cursor.pgresult is not None and cursor.pgresult.nfields > 0
        rows = await cursor.fetchall() if has_rows else []
    except psycopg.Error as error:
        sqlstate = error.diag.sqlstate
        raise _failure(connection, error) from None
    finally:
        connection.finish(sqlstate)
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
