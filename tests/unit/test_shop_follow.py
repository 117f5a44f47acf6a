"""The pool follows a name to the node that it leads to, and recovers without help."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, suppress
from functools import wraps
from typing import Any, NamedTuple, ParamSpec

import pytest
from appkit.log import Log
from appkit.names import Addresses, LookupFailedError, Server
from fake_postgres import CANCELLED_WAIT, PLACED, FakePostgres, Script, Session, place_order
from hypothesis import given
from hypothesis import strategies as st
from psycopg_pool import AsyncConnectionPool
from psycopg_pool.base import AttemptWithBackoff
from shop import connect, follow, pool, statement
from shop.admission import POLICIES
from shop.connect import Reach, Target, choose
from shop.follow import Database
from shop.orders import PLACE
from shop.outcome import Outcome
from shop.statement import Done, StatementError

P = ParamSpec("P")
ORDER = ("key", "a user", 1, "east", 1)
HERE, THERE = "127.0.0.1", "127.0.0.2"
DEADLINE = 30.0
"""Seconds for what takes far less; a busy machine takes longer than an idle one."""
NEVER = 100 * DEADLINE
FULL = "sorry, too many clients already"
BESIDE = 2
"""Connections that are not the pool's: a proof that the node lives, and one for cancelling."""


class Names:
    """A resolver in the test's hands."""

    def __init__(self) -> None:
        self.answer: tuple[str, ...] = (HERE,)
        self.ttl = 2.0
        self.asked = 0

    async def ask(self, name: str, server: Server, timeout: float) -> Addresses:
        self.asked += 1
        if not self.answer:
            raise LookupFailedError("silence")
        return Addresses(self.answer, self.ttl)

    async def rest(self) -> None:
        """Wait until the shop has no reason to ask before the answer's time is over."""
        before = -1
        while before != self.asked:
            before = self.asked
            await asyncio.sleep(2 * follow.RETRY)


class Held:
    """A script that answers no order before `gate` is set."""

    def __init__(self) -> None:
        self.gate, self.at_work = asyncio.Event(), list[Session]()

    async def __call__(self, session: Session) -> None:
        self.at_work.append(session)
        await self.gate.wait()
        await place_order(session)


@pytest.fixture(autouse=True)
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(connect, "ask", names.ask)
    yield names


def in_a_loop(test: Callable[P, Coroutine[Any, Any, None]]) -> Callable[P, None]:
    """Run a test in an event loop of its own, which gives up after the deadline."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(asyncio.wait_for(test(*args, **kwargs), 3 * DEADLINE))

    return run


def target(port: int, size: int = 4) -> Target:
    resolver = Server(HERE)
    return Target("writer", "writer.test", port, "shop", "shop", "secret", "test", size, resolver)


@asynccontextmanager
async def following(port: int, size: int = 4) -> AsyncIterator[Database]:
    database = Database(target(port, size), Log("test"))
    database.start()
    try:
        yield database
    finally:
        await database.stop()


@asynccontextmanager
async def serving(
    script: Script = place_order, size: int = 4
) -> AsyncIterator[tuple[FakePostgres, Database]]:
    """A node, and a shop that has a connection to it."""
    async with FakePostgres(script).serve() as server, following(server.port, size) as database:
        await until(lambda: database.at_hand > 0)
        yield server, database


@asynccontextmanager
async def bereft() -> AsyncIterator[tuple[int, Database]]:
    """A shop that has seen its node die after an order, and the port that the node had."""
    async with FakePostgres().serve() as first, following(first.port) as database:
        await placed(database)
        await lose(first, database)
        yield first.port, database


async def lose(server: FakePostgres, database: Database) -> None:
    """An order finds the server dead, and the shop finds out that no connection can be made."""
    server.stop()
    with pytest.raises(StatementError):
        await database.execute(PLACE, ORDER, 1.0)
    await until(lambda: bool(database._down))


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not what():
            await asyncio.sleep(0.01)


async def placed(database: Database, by: str = "") -> None:
    """Order until an order succeeds, on that node if one is named."""
    async with asyncio.timeout(DEADLINE):
        while True:
            with suppress(StatementError):
                if (await database.execute(PLACE, ORDER, 0.5)).node.startswith(by):
                    return
            await asyncio.sleep(0.01)


def orders(database: Database, count: int = 1) -> list[asyncio.Task[Done]]:
    """So many orders at once, with a lot of patience."""
    execute = database.execute
    return [asyncio.create_task(execute(PLACE, ORDER, DEADLINE)) for _ in range(count)]


async def node_of(database: Database) -> str:
    """The node that takes the next order, which succeeds at the first attempt."""
    return (await database.execute(PLACE, ORDER, DEADLINE)).node


def pooled(database: Database) -> tuple[int, int]:
    """Connections of the present pool, and how many it may have."""
    return (database._pool.size, database._pool._most) if database._pool else (0, 0)


@in_a_loop
async def test_a_statement_runs_on_the_node_that_the_name_leads_to() -> None:
    async with serving() as (_server, database):
        assert await node_of(database) == "east_db1"


@in_a_loop
async def test_after_an_error_a_changed_address_is_used_although_the_old_answer_still_holds(
    names: Names,
) -> None:
    names.ttl = NEVER
    async with (
        serving() as (old, database),
        FakePostgres(node="west_db1").serve(THERE, old.port),
    ):
        await names.rest()
        names.answer, before = (THERE,), names.asked
        database.suspect()
        await until(lambda: database._address == THERE)
        assert names.asked == before + 1, "the first question"
        assert await node_of(database) == "west_db1"


@in_a_loop
async def test_a_dead_server_fails_definitely_and_at_once_and_is_back_when_it_is_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Only the shop itself sees that the server is back.
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", NEVER)
    async with bereft() as (port, database):
        with pytest.raises(StatementError) as failure:
            async with asyncio.timeout(DEADLINE):
                await database.execute(PLACE, ORDER, NEVER)
        assert failure.value.outcome is Outcome.FAIL
        async with FakePostgres().serve(HERE, port):
            await placed(database)


@in_a_loop
async def test_a_server_is_back_also_when_the_library_has_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    gave_up = asyncio.Event()

    async def noted(_pool: AsyncConnectionPool) -> None:
        gave_up.set()

    monkeypatch.setattr(AsyncConnectionPool, "reconnect_failed", noted)
    monkeypatch.setattr(pool, "REST", 0.1)
    async with bereft() as (port, database):
        await gave_up.wait()
        async with FakePostgres().serve(HERE, port):
            await placed(database)


@in_a_loop
async def test_connections_that_died_while_idle_cost_no_order() -> None:
    async with serving() as (server, database):
        await placed(database)
        server.drop_all()
        await asyncio.sleep(0.02)
        assert await node_of(database) == "east_db1"


@in_a_loop
async def test_a_resolver_that_is_silent_leaves_the_last_address_in_use(names: Names) -> None:
    async with serving() as (_server, database):
        await placed(database)
        names.answer, before = (), names.asked
        database.suspect()
        await until(lambda: names.asked > before)
        assert await node_of(database) == "east_db1"


@in_a_loop
async def test_without_any_address_an_order_fails_definitely(names: Names) -> None:
    names.answer = ()
    async with following(1) as database:
        await until(lambda: database._down == "silence")
        with pytest.raises(StatementError, match="silence") as failure:
            await database.execute(PLACE, ORDER, 1.0)
        assert failure.value.outcome is Outcome.FAIL


@in_a_loop
async def test_an_exhausted_pool_fails_definitely_in_half_the_time_allowed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, waits, lend = Held(), list[float](), pool.NodePool.lend

    async def noted(lender: pool.NodePool, seconds: float) -> Any:
        waits.append(seconds)
        return await lend(lender, seconds)

    async with serving(held, size=1) as (_server, database):
        busy = orders(database)
        await until(lambda: bool(held.at_work))
        monkeypatch.setattr(pool.NodePool, "lend", noted)
        with pytest.raises(StatementError) as failure:
            await database.execute(PLACE, ORDER, 0.6)
        assert failure.value.outcome is Outcome.FAIL
        assert len(waits) == 1
        assert 0 < waits[0] <= 0.3
        held.gate.set()
        await asyncio.gather(*busy)


@in_a_loop
async def test_a_node_that_serves_and_is_too_busy_for_one_more_connection_is_not_down(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(follow, "CONNECT", 0.2)
    async with serving() as (server, database):
        pool, server.slow = database._pool, NEVER
        database.suspect()
        while server.unwelcomed < 3:  # two proofs have failed when the third one begins
            await placed(database)
        assert not database._down
        assert database._pool is pool
    assert "writer.down" not in capsys.readouterr().out


@pytest.mark.parametrize("where", [HERE, THERE], ids=["back", "promoted"])
@in_a_loop
async def test_a_node_that_is_slow_to_welcome_clients_is_used_all_the_same(
    names: Names, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A machine that is too busy to prove in a moment that it lives has not died."""
    monkeypatch.setattr(follow, "CONNECT", 0.2)
    async with FakePostgres().serve() as old, following(old.port) as database:
        await placed(database)
        if where == HERE:
            await lose(old, database)
        async with FakePostgres(node="slow").serve(where, old.port) as slow:
            slow.slow = 0.5
            names.answer = (where,)
            database.look()
            await placed(database, by="slow")
            assert not database._down


@in_a_loop
async def test_the_proof_that_a_node_is_back_serves_the_first_order() -> None:
    served = list[int]()

    async def noted(session: Session) -> None:
        served.append(session.number)
        await place_order(session)

    async with bereft() as (port, database), FakePostgres(noted).serve(HERE, port) as back:
        back.welcomes = 1  # an order that asked for another connection would wait for ever
        await placed(database)
    assert served == [0]


@in_a_loop
async def test_a_pool_grows_though_orders_leave_connections_free_for_health_checks() -> None:
    held, policy, placing = Held(), POLICIES[0], list[asyncio.Task[Done]]()
    async with serving(held, size=20 + policy.reserved) as (_server, database):
        await until(lambda: database.at_hand == follow.AT_LEAST)

        def all_at_work() -> bool:
            free = policy.order_slots(20, database.at_hand) - len(placing)
            placing.extend(orders(database, max(free, 0)))
            return len(placing) == 20

        await until(all_at_work)
        held.gate.set()
        await asyncio.gather(*placing)


@in_a_loop
async def test_a_pool_that_is_short_makes_several_connections_at_once_and_stops_at_its_size() -> (
    None
):
    held = Held()
    async with serving(held, size=20) as (server, database):
        await until(lambda: database.at_hand == follow.AT_LEAST)
        server.slow = 0.3
        placing = orders(database, 30)
        await until(lambda: server.unwelcomed >= 8)
        await until(lambda: database.at_hand == 20)
        held.gate.set()
        await asyncio.gather(*placing)
        assert pooled(database) == (20, 20)


@in_a_loop
async def test_a_shop_says_whether_its_newest_attempt_was_refused_is_under_way_or_succeeded() -> (
    None
):
    async with bereft() as (port, database):
        await until(lambda: database.reach is Reach.REFUSED)
        assert database.at_hand == 0
        async with FakePostgres().serve(HERE, port) as slow:
            slow.slow = 0.3
            await until(lambda: database.reach is Reach.CONNECTING)
            await until(lambda: database.reach is Reach.OPEN)


@in_a_loop
async def test_a_node_that_left_a_statement_without_an_answer_is_silent_until_one_succeeds() -> (
    None
):
    async with serving() as (server, database):
        await placed(database)
        assert database.reach is Reach.OPEN
        server.script, answers = Held(), server.script
        with pytest.raises(StatementError):
            await database.execute(PLACE, ORDER, 0.3)
        assert database.reach is Reach.SILENT
        server.script = answers
        await placed(database)
        assert database.reach is Reach.OPEN


@in_a_loop
async def test_a_statement_on_the_old_node_may_finish_after_the_name_has_moved(
    names: Names,
) -> None:
    held = Held()
    async with (
        serving(held) as (old, database),
        FakePostgres(node="west_db1").serve(THERE, old.port),
    ):
        [under_way] = orders(database)
        await until(lambda: bool(held.at_work))
        names.answer = (THERE,)
        database.look()
        await until(lambda: database._address == THERE)
        held.gate.set()
        assert (await under_way).node == "east_db1"


ADDRESSES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True).map(tuple)


@given(st.none() | st.sampled_from(["a", "b", "c", "d"]), ADDRESSES)
def test_an_address_is_kept_while_the_name_still_leads_there(
    current: str | None, answer: tuple[str, ...]
) -> None:
    chosen = choose(current, Addresses(answer, 2.0))
    assert chosen in answer
    assert chosen == (current if current in answer else answer[0])


@in_a_loop
async def test_an_outage_does_not_fill_the_memory_with_statements_that_gave_up() -> None:
    async with bereft() as (_port, database):
        for _ in range(50):
            with pytest.raises(StatementError):
                await database.execute(PLACE, ORDER, 1.0)
        assert database._pool
        assert database._pool._pool.get_stats()["requests_waiting"] < 10


@in_a_loop
async def test_a_statement_waits_no_longer_when_there_may_be_one_more_connection() -> None:
    held = Held()
    async with serving(held, size=1) as (_server, database):
        placing = orders(database, 3)
        await until(lambda: len(held.at_work) == 1)
        await database.resize(3)
        await until(lambda: len(held.at_work) == 3)
        held.gate.set()
        await asyncio.gather(*placing)
        assert pooled(database) == (3, 3)


@in_a_loop
async def test_connections_beyond_a_smaller_size_are_closed_when_their_statements_have_ended() -> (
    None
):
    held = Held()
    async with serving(held, size=6) as (server, database):
        await until(lambda: pooled(database) == (6, 6))
        [order] = orders(database)
        await until(lambda: bool(held.at_work))
        await database.resize(2)
        await until(lambda: pooled(database) == (1, 1))
        held.gate.set()
        assert (await order).node == "east_db1"
        await until(lambda: server.open <= 2)
        assert pooled(database)[1] == 2
        await placed(database)
        await database.resize(4)
        await until(lambda: pooled(database) == (4, 4))


class Deaf(Held):
    """A script that ends no statement before its `gate` is set or it was asked so many times."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times

    async def __call__(self, session: Session) -> None:
        self.at_work.append(session)
        while not (self.gate.is_set() or session.cancels >= self.times):
            await asyncio.sleep(0.01)
        session.row(*PLACED)
        if not self.gate.is_set():
            session.warning(CANCELLED_WAIT)
        session.ready()


async def cancellable(database: Database, size: int) -> None:
    """Wait until a pool of this size is open, and the connection beside it for cancelling."""
    await until(lambda: database.at_hand == size)
    node = database._nodes.at(HERE)
    await until(node._is_good)


@in_a_loop
async def test_commits_that_hang_are_cancelled_together_without_a_connection_for_each() -> None:
    deaf = Deaf(times=1)
    async with serving(deaf) as (server, database):
        await cancellable(database, 4)
        placing = [database.execute(PLACE, ORDER, 0.2) for _ in range(4)]
        assert [each.unreplicated for each in await asyncio.gather(*placing)] == [True] * 4
        assert 1 <= server.batches <= 3, "the first ones, and those that came meanwhile"
        assert server.requests == 0
        assert len(server.sessions) <= 4 + BESIDE, "all connections are as good as before"


@in_a_loop
async def test_without_the_connection_for_cancelling_requests_are_sent_until_it_is_back() -> None:
    deaf = Deaf(times=1)
    async with serving(deaf) as (server, database):
        await cancellable(database, 4)
        node = database._nodes.at(HERE)
        await node.hang_up()
        assert (await database.execute(PLACE, ORDER, 0.2)).unreplicated
        assert (server.requests, server.batches) == (1, 0)
        node.keep()
        await until(node._is_good)
        assert (await database.execute(PLACE, ORDER, 0.2)).unreplicated
        assert (server.requests, server.batches) == (1, 1)


async def given_up(database: Database, count: int) -> None:
    """So many orders at once that get no answer, or no connection."""
    placing = (database.execute(PLACE, ORDER, 0.2) for _ in range(count))
    ended = await asyncio.gather(*placing, return_exceptions=True)
    assert all(isinstance(each, StatementError) for each in ended)


@in_a_loop
async def test_sessions_never_exceed_the_pool_while_commits_hang_and_no_cancel_request_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statement, "CANCEL_PATIENCE", 0.1)
    monkeypatch.setattr(statement, "RESULT_PATIENCE", 0.1)
    deaf = Deaf(times=1000)
    async with serving(deaf) as (server, database):
        for _ in range(3):
            await given_up(database, 8)
        assert len(deaf.at_work) == 4
        assert server.most <= 4 + BESIDE
        deaf.gate.set()
        await placed(database)
        await until(lambda: pooled(database) == (4, 4) and database.at_hand == 4)
        assert server.most <= 4 + BESIDE


@in_a_loop
async def test_a_cancel_request_is_repeated_until_the_session_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statement, "RESULT_PATIENCE", 0.1)
    monkeypatch.setattr(pool, "HEED", 0.1)
    deaf = Deaf(times=3)
    async with serving(deaf) as (server, database):
        await given_up(database, 4)
        server.script = place_order
        await until(lambda: all(each.cancels == 3 for each in deaf.at_work))
        await placed(database)
        await until(lambda: database.at_hand == 4)
        assert server.most <= 4 + BESIDE


@in_a_loop
async def test_sessions_that_hang_at_one_server_take_no_room_at_the_next_one_behind_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statement, "RESULT_PATIENCE", 0.1)
    async with serving(Deaf(times=1000)) as (server, database):
        await cancellable(database, 4)
        await given_up(database, 8)
        server.script, server.node = place_order, "east_db2"
        await placed(database, by="east_db2")
        await until(lambda: pooled(database) == (4, 4))
        asked = [each.cancels for each in server.sessions]
        await asyncio.sleep(3 * pool.HEED)
        assert [each.cancels for each in server.sessions] == asked, "it knows nothing of them"


@in_a_loop
async def test_a_connection_whose_first_cancel_request_worked_late_stays(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statement, "RESULT_PATIENCE", 0.0)
    monkeypatch.setattr(pool, "HEED", DEADLINE)
    late = Held()

    async def script(session: Session) -> None:
        await late.gate.wait()
        session.row(*PLACED)
        session.warning(CANCELLED_WAIT)
        session.ready()

    async with serving(script, size=1) as (server, database):
        await given_up(database, 1)
        late.gate.set()
        await placed(database)
        assert len(server.sessions) <= 1 + BESIDE, "the pool made no other one"
        assert server.sessions[0].cancels == 1


@in_a_loop
async def test_a_node_that_gives_no_sign_of_life_is_not_asked_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(statement, "RESULT_PATIENCE", 0.1)
    monkeypatch.setattr(pool, "HEED", 0.05)
    deaf = Deaf(times=1000)
    async with serving(deaf) as (server, database):
        server.slow = NEVER  # as a frozen one is, which takes connections all the same
        await given_up(database, 4)
        await until(lambda: server.unwelcomed > 0)
        asked = [each.cancels for each in deaf.at_work]
        await asyncio.sleep(0.5)
        assert [each.cancels for each in deaf.at_work] == asked
        server.slow = 0.0
        deaf.times = 0
        await placed(database)


@in_a_loop
async def test_the_next_pool_has_the_new_size_too(names: Names) -> None:
    async with (
        FakePostgres().serve() as old,
        FakePostgres(node="west_db1").serve(THERE, old.port),
        following(old.port) as database,
    ):
        await database.resize(3)  # also before there is any pool
        await until(lambda: pooled(database) == (3, 3))
        await database.resize(2)
        names.answer = (THERE,)
        database.look()
        await until(lambda: database._address == THERE and pooled(database) == (2, 2))
        assert await node_of(database) == "west_db1"


class Short(NamedTuple):
    """A pool that wants more connections than its database has."""

    server: FakePostgres
    database: Database
    orders: list[asyncio.Task[Done]]


@asynccontextmanager
async def short_of_connections(size: int, told: str = FULL) -> AsyncIterator[Short]:
    """A pool whose connections are all at work, at a database that has none left to give."""
    held = Held()
    async with serving(held, size) as (server, database):
        await until(lambda: database.at_hand == follow.AT_LEAST)
        server.full = told
        placing = orders(database, follow.AT_LEAST)
        try:
            await until(lambda: server.refused > 0)
            yield Short(server, database, placing)
        finally:
            held.gate.set()
            await asyncio.gather(*placing)


def forgiven(database: Database) -> bool:
    """True when the shop knows that its pool is good although attempts failed."""
    return bool(database._pool) and not database._pool.failing and not database._doubt


@pytest.mark.parametrize("told", [FULL, 'too many connections for role "shop"'])
@in_a_loop
async def test_a_database_that_is_full_is_alive_and_a_pool_with_open_connections_stays(
    told: str,
) -> None:
    async with short_of_connections(20, told) as (_server, database, _orders):
        pool = database._pool
        database.suspect()
        await until(lambda: forgiven(database))
        assert database._pool is pool
        assert not database._down
        assert database.at_hand == follow.AT_LEAST


@in_a_loop
async def test_a_pool_grows_while_attempts_that_failed_before_wait_for_their_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", NEVER)
    monkeypatch.setattr(pool, "REST", NEVER)
    async with short_of_connections(40) as (server, database, placing):
        database.suspect()
        await until(lambda: forgiven(database) and server.refused > pool.AT_A_TIME)
        server.full = ""
        placing += orders(database)
        await until(lambda: database.at_hand >= follow.AT_LEAST + pool.AT_A_TIME)


@in_a_loop
async def test_places_of_connections_that_could_not_be_made_are_given_up_and_wanted_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "REST", 0.2)
    async with short_of_connections(10) as (server, database, placing):
        await until(lambda: pooled(database) == (follow.AT_LEAST, 10))
        database.suspect()
        await until(lambda: forgiven(database))
        server.full = ""
        placing += orders(database, 2)
        await until(lambda: database.at_hand == 10)


@in_a_loop
async def test_connections_that_a_burst_needed_are_closed_again_when_they_stay_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "IDLE", 0.05)
    held = Held()
    async with serving(held, size=20) as (_server, database):
        await until(lambda: database.at_hand == follow.AT_LEAST)
        placing = orders(database, 20)
        await until(lambda: database.at_hand == 20)
        held.gate.set()
        await asyncio.gather(*placing)
        await until(lambda: pooled(database) == (follow.AT_LEAST, 20))
        assert await node_of(database) == "east_db1"
