"""How statements end, against a server that ends them in every way."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest
from fake_postgres import CANCELLED_WAIT, PLACED, FakePostgres, Script, Session
from shop import statement
from shop.connect import Target, configure, connect_settings, usable
from shop.connection import Connection, sever_all
from shop.orders import PLACE, read_placed
from shop.outcome import Outcome
from shop.statement import Done, StatementError, run

ORDER = ("key", "a user", 1, "east", 1)
DEADLINE = 30.0


def target(port: int) -> Target:
    return Target("writer", "127.0.0.1", port, "shop", "shop", "secret", "test", 4, None)


async def connect(server: FakePostgres) -> Connection:
    connection = await Connection.connect(**connect_settings(target(server.port), "127.0.0.1"))
    await configure(connection)
    return connection


async def never() -> None:
    await asyncio.Event().wait()


async def place(script: Script, limit: float) -> tuple[Done | StatementError, Connection]:
    async with asyncio.timeout(DEADLINE), FakePostgres(script).serve() as server:
        connection = await connect(server)
        try:
            ended: Done | StatementError = await run(connection, PLACE, ORDER, limit)
        except StatementError as failure:
            ended = failure
        spent = connection.spent
        await connection.close()
        connection.spent = spent
        return ended, connection


def outcome_of(script: Script, limit: float = 2.0) -> Outcome:
    ended, _ = asyncio.run(place(script, limit))
    return ended.outcome if isinstance(ended, StatementError) else read_placed(ended).outcome


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statement, "CANCEL_PATIENCE", 0.2)
    monkeypatch.setattr(statement, "RESULT_PATIENCE", 0.1)


def test_a_commit_that_reached_the_standby_is_ok_and_says_where_it_is() -> None:
    async def script(session: Session) -> None:
        session.row(*PLACED)
        session.ready()

    ended, connection = asyncio.run(place(script, 2.0))
    assert isinstance(ended, Done)
    placed = read_placed(ended)
    assert (placed.outcome, placed.created, placed.node) == (Outcome.OK, True, "east_db1")
    assert (placed.timeline, placed.xid, placed.lsn) == (2, "742", "0/3000060")
    assert not connection.spent


def test_a_commit_whose_wait_was_cancelled_is_local() -> None:
    async def script(session: Session) -> None:
        session.row(*PLACED)
        session.warning(CANCELLED_WAIT)
        session.ready()

    assert outcome_of(script) is Outcome.LOCAL


def test_the_warning_of_one_statement_says_nothing_about_the_next() -> None:
    async def script(session: Session) -> None:
        session.row(*PLACED)
        if len(warned) == 0:
            warned.append(True)
            session.warning(CANCELLED_WAIT)
        session.ready()

    async def both() -> tuple[bool, bool]:
        async with FakePostgres(script).serve() as server:
            connection = await connect(server)
            first = await run(connection, PLACE, ORDER, 2.0)
            second = await run(connection, PLACE, ORDER, 2.0)
            await connection.close()
            return first.unreplicated, second.unreplicated

    warned: list[bool] = []
    assert asyncio.run(both()) == (True, False)


def test_a_statement_that_hangs_at_commit_is_cancelled_and_then_local() -> None:
    async def script(session: Session) -> None:
        await session.cancelled.wait()
        session.row(*PLACED)
        session.warning(CANCELLED_WAIT)
        session.ready()

    ended, connection = asyncio.run(place(script, 0.1))
    assert isinstance(ended, Done)
    assert ended.unreplicated
    assert not connection.spent, "the only cancel request is used up"


def test_a_statement_cancelled_before_its_commit_failed() -> None:
    async def script(session: Session) -> None:
        await session.cancelled.wait()
        session.error("57014", "canceling statement due to user request")
        session.ready()

    ended, connection = asyncio.run(place(script, 0.1))
    assert isinstance(ended, StatementError)
    assert ended.outcome is Outcome.FAIL
    assert not connection.spent, "the only cancel request is used up"


def test_a_connection_whose_cancel_request_had_no_effect_is_spent() -> None:
    async def script(session: Session) -> None:
        await session.cancelled.wait()
        session.row(*PLACED)
        session.ready()

    ended, connection = asyncio.run(place(script, 0.1))
    assert isinstance(ended, Done)
    assert not ended.unreplicated
    assert connection.spent, "a late cancel request would hit the next statement"


def test_a_connection_that_was_cancelled_twice_is_spent() -> None:
    async def script(session: Session) -> None:
        while session.cancels < 2:
            await asyncio.sleep(0.01)
        session.row(*PLACED)
        session.warning(CANCELLED_WAIT)
        session.ready()

    async def scenario() -> bool:
        async with asyncio.timeout(DEADLINE), FakePostgres(script).serve() as server:
            connection = await connect(server)
            with pytest.raises(StatementError):
                await run(connection, PLACE, ORDER, 0.1)
            assert not await connection.rest(0.0), "its statement goes on"
            await connection.ask_to_cancel(DEADLINE)
            assert await connection.rest(DEADLINE)
            await connection.close()
            return connection.spent

    assert asyncio.run(scenario()), "the second request would hit the next statement"


def test_a_connection_is_left_when_the_server_has_ended_its_session() -> None:
    async def scenario() -> int:
        async with asyncio.timeout(DEADLINE), FakePostgres().serve() as server:
            server.lingering = 0.3
            connection = await connect(server)
            await connection.leave()
            return server.open

    assert asyncio.run(scenario()) == 0


def test_an_error_at_commit_after_the_command_was_complete_failed() -> None:
    async def script(session: Session) -> None:
        session.row(*PLACED)  # the extended protocol completes a command before its commit
        session.error("23503", "deferred constraint")
        session.ready()

    assert outcome_of(script) is Outcome.FAIL


def test_a_completed_command_without_its_commit_is_unknown() -> None:
    async def script(session: Session) -> None:
        session.row(*PLACED)
        await session.writer.drain()
        session.drop()

    assert outcome_of(script) is Outcome.UNKNOWN


def test_a_shutdown_during_the_wait_at_commit_is_unknown() -> None:
    async def script(session: Session) -> None:
        session.row(*PLACED)
        session.warning(
            "canceling the wait for synchronous replication and terminating connection", "57P01"
        )
        session.drop()

    assert outcome_of(script) is Outcome.UNKNOWN


def test_a_shutdown_before_the_commit_is_unknown_too() -> None:
    async def script(session: Session) -> None:
        session.error("57P01", "terminating connection due to administrator command", "FATAL")
        session.drop()

    assert outcome_of(script) is Outcome.UNKNOWN


def test_a_standby_refuses_and_the_connection_stays_good() -> None:
    async def script(session: Session) -> None:
        session.error("25006", "cannot execute INSERT in a read-only transaction")
        session.ready()

    ended, connection = asyncio.run(place(script, 2.0))
    assert isinstance(ended, StatementError)
    assert (ended.outcome, ended.sqlstate, ended.node) == (Outcome.FAIL, "25006", "east_db1")
    assert not connection.spent


def test_a_server_that_stays_silent_is_asked_to_cancel_and_the_outcome_is_unknown() -> None:
    asked = list[Session]()

    async def script(session: Session) -> None:
        asked.append(session)
        await never()

    assert outcome_of(script, 0.1) is Outcome.UNKNOWN
    assert [each.cancelled.is_set() for each in asked] == [True]


def test_a_server_that_ignores_the_cancel_request_is_unknown() -> None:
    async def script(session: Session) -> None:
        await session.cancelled.wait()
        await never()

    assert outcome_of(script, 0.1) is Outcome.UNKNOWN


def test_a_connection_that_is_closed_already_fails_definitely() -> None:
    async def closed() -> Outcome:
        async with FakePostgres().serve() as server:
            connection = await connect(server)
            await connection.close()
            with pytest.raises(StatementError) as failure:
                await run(connection, PLACE, ORDER, 1.0)
            return failure.value.outcome

    assert asyncio.run(closed()) is Outcome.FAIL


def test_a_connection_that_the_server_has_closed_is_found_out_without_sending_anything() -> None:
    async def scenario() -> tuple[bool, bool]:
        async with FakePostgres().serve() as server:
            connection = await connect(server)
            before = await usable(connection)
            server.drop_all()
            await asyncio.sleep(0.05)
            after = await usable(connection)
            await connection.close()
            return before, after

    assert asyncio.run(scenario()) == (True, False)


@pytest.mark.parametrize("patience", [0.3, 2.0], ids=["cancelled", "timed out"])
def test_an_attempt_to_connect_that_gives_up_leaves_no_socket_behind(patience: float) -> None:
    def sockets() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    async def scenario() -> int:
        async with FakePostgres().serve() as server:
            server.slow = 100 * DEADLINE
            settings = connect_settings(target(server.port), "127.0.0.1")
            before = sockets()
            for _ in range(2):
                with suppress(psycopg.errors.ConnectionTimeout, TimeoutError):
                    await asyncio.wait_for(Connection.connect(**settings), patience + 0.2)
            return sockets() - before

    gc.disable()
    try:
        assert asyncio.run(scenario()) == 2, "the server's ends"
    finally:
        gc.enable()


def test_stopping_the_program_ends_a_statement_long_before_its_limit() -> None:
    begun = asyncio.Event()

    async def script(session: Session) -> None:
        begun.set()
        await never()

    async def scenario() -> Outcome:
        async with asyncio.timeout(DEADLINE), FakePostgres(script).serve() as server:
            connection = await connect(server)
            task = asyncio.create_task(run(connection, PLACE, ORDER, 100 * DEADLINE))
            await begun.wait()
            sever_all()
            with pytest.raises(StatementError) as failure:
                await task
            await connection.close()
            return failure.value.outcome

    assert asyncio.run(scenario()) is Outcome.UNKNOWN
