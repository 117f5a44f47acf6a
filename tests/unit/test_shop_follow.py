"""The pool follows a name to whoever it leads to, and recovers without help."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from typing import NamedTuple

import pytest
from appkit.log import Log
from appkit.names import Addresses, LookupFailedError, Server
from fake_postgres import FakePostgres, Session, place_order
from hypothesis import given
from hypothesis import strategies as st
from psycopg_pool.base import AttemptWithBackoff
from shop import connect, follow, pool
from shop.admission import POLICIES
from shop.connect import Reach, Target, choose
from shop.follow import Database
from shop.orders import PLACE
from shop.outcome import Outcome
from shop.statement import Done, StatementError

ORDER = ("key", "somebody", 1, "east", 1)
HERE, THERE = "127.0.0.1", "127.0.0.2"
PATIENCE = 4.0


class Names:
    """A resolver in the test's hands."""

    def __init__(self) -> None:
        self.answer: tuple[str, ...] = (HERE,)

    async def ask(self, name: str, server: Server, timeout: float) -> Addresses:
        if not self.answer:
            raise LookupFailedError("silence")
        return Addresses(self.answer, 2.0)


class ShortOf(NamedTuple):
    """A pool that wants more connections than its database has."""

    server: FakePostgres
    database: Database
    orders: list[asyncio.Task[Done]]
    gate: asyncio.Event


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Iterator[Names]:
    names = Names()
    monkeypatch.setattr(connect, "ask", names.ask)
    yield names


def target(port: int, size: int = 4) -> Target:
    resolver = Server(HERE)
    return Target("writer", "writer.test", port, "shop", "shop", "secret", "test", size, resolver)


@asynccontextmanager
async def following(wanted: Target):
    database = Database(wanted, Log("test"))
    database.start()
    try:
        yield database
    finally:
        await database.stop()


async def until_placed(database: Database, timeout: float = 3.0) -> float:
    """Seconds until an order succeeds."""
    start = time.monotonic()
    while True:
        try:
            await database.execute(PLACE, ORDER, 0.5)
        except StatementError:
            assert time.monotonic() - start < timeout
            await asyncio.sleep(0.01)
        else:
            return time.monotonic() - start


async def until_served_by(node: str, database: Database, timeout: float = 8.0) -> None:
    """Wait for an order that this node takes."""
    async with asyncio.timeout(timeout):
        while True:
            with suppress(StatementError):
                if (await database.execute(PLACE, ORDER, 0.5)).node == node:
                    return
            await asyncio.sleep(0.01)


async def until(what: Callable[[], bool], timeout: float = 5.0) -> None:
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


async def until_down(database: Database) -> None:
    """An order finds the server dead, and the shop finds out that no connection can be made."""
    with pytest.raises(StatementError):
        await database.execute(PLACE, ORDER, 1.0)
    await until(lambda: bool(database._down))


def test_a_statement_runs_on_the_node_that_the_name_leads_to(names: Names) -> None:
    async def scenario() -> str:
        async with (
            FakePostgres(node="east_db1").serve() as server,
            following(target(server.port)) as database,
        ):
            await until_placed(database)
            return (await database.execute(PLACE, ORDER, 1.0)).node

    assert asyncio.run(scenario()) == "east_db1"


def test_a_changed_address_is_used_within_a_third_of_a_second_of_an_error(names: Names) -> None:
    async def scenario() -> tuple[float, str]:
        async with (
            FakePostgres(node="east_db1").serve() as old,
            following(target(old.port)) as database,
        ):
            await until_placed(database)
            async with FakePostgres(node="west_db1").serve(THERE, old.port):
                names.answer = (THERE,)
                database.suspect()
                await asyncio.sleep(0.35)
                start = time.monotonic()
                node = (await database.execute(PLACE, ORDER, 1.0)).node
                return time.monotonic() - start, node

    seconds, node = asyncio.run(scenario())
    assert node == "west_db1"
    assert seconds < 0.3


def test_a_dead_server_fails_definitely_and_at_once_and_is_back_when_it_is_back(
    names: Names,
) -> None:
    async def scenario() -> tuple[Outcome, float, float]:
        async with FakePostgres().serve() as first:
            port = first.port
            database = Database(target(port), Log("test"))
            database.start()
            await until_placed(database)
        await until_down(database)
        # Long enough for the pool library to have given up.
        await asyncio.sleep(3.2)
        start = time.monotonic()
        with pytest.raises(StatementError) as failure:
            await database.execute(PLACE, ORDER, PATIENCE)
        waited = time.monotonic() - start
        async with FakePostgres().serve(HERE, port):
            back = await until_placed(database)
            await database.stop()
        return failure.value.outcome, waited, back

    outcome, waited, back = asyncio.run(scenario())
    assert outcome is Outcome.FAIL
    assert waited < PATIENCE / 2  # not by waiting for as long as it might
    assert back < 2.0  # and not at the library's next attempt


def test_connections_that_died_while_idle_cost_no_order(names: Names) -> None:
    async def scenario() -> str:
        async with (
            FakePostgres().serve() as server,
            following(target(server.port)) as database,
        ):
            await until_placed(database)
            server.drop_all()
            await asyncio.sleep(0.02)
            return (await database.execute(PLACE, ORDER, 2.0)).node

    assert asyncio.run(scenario()) == "east_db1"


def test_a_resolver_that_is_silent_leaves_the_last_address_in_use(names: Names) -> None:
    async def scenario() -> str:
        async with (
            FakePostgres().serve() as server,
            following(target(server.port)) as database,
        ):
            await until_placed(database)
            names.answer = ()
            database.suspect()
            await asyncio.sleep(0.4)
            return (await database.execute(PLACE, ORDER, 1.0)).node

    assert asyncio.run(scenario()) == "east_db1"


def test_without_any_address_an_order_fails_definitely(names: Names) -> None:
    async def scenario() -> StatementError:
        names.answer = ()
        async with following(target(1)) as database:
            await asyncio.sleep(0.05)
            with pytest.raises(StatementError) as failure:
                await database.execute(PLACE, ORDER, 1.0)
            return failure.value

    failure = asyncio.run(scenario())
    assert failure.outcome is Outcome.FAIL
    assert "silence" in failure.detail


def test_an_exhausted_pool_fails_definitely_in_half_the_time_allowed(names: Names) -> None:
    async def slow(session: Session) -> None:
        await asyncio.sleep(1.0)
        await place_order(session)

    async def scenario() -> tuple[Outcome, float]:
        async with (
            FakePostgres(slow).serve() as server,
            following(replace(target(server.port), size=1)) as database,
        ):
            await asyncio.sleep(0.3)
            busy = asyncio.create_task(database.execute(PLACE, ORDER, 3.0))
            await asyncio.sleep(0.05)
            start = time.monotonic()
            with pytest.raises(StatementError) as failure:
                await database.execute(PLACE, ORDER, 0.6)
            waited = time.monotonic() - start
            await busy
            return failure.value.outcome, waited

    outcome, waited = asyncio.run(scenario())
    assert outcome is Outcome.FAIL
    assert 0.25 < waited < 0.5


def test_a_node_that_serves_and_is_too_busy_for_one_more_connection_is_not_down(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "CONNECT", 0.2)

    async def scenario() -> None:
        async with (
            FakePostgres().serve() as server,
            following(target(server.port)) as database,
        ):
            await until_placed(database)
            pool, server.slow = database._pool, 30.0
            database.suspect()
            for _ in range(40):
                await database.execute(PLACE, ORDER, 0.5)
                await asyncio.sleep(0.01)
            assert not database._down
            assert database._pool is pool

    asyncio.run(scenario())


@pytest.mark.parametrize("where", [HERE, THERE], ids=["back", "promoted"])
def test_a_node_that_is_slow_to_welcome_anybody_is_used_all_the_same(
    names: Names, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    """A machine that is too busy to prove in a moment that it lives has not died."""
    monkeypatch.setattr(follow, "CONNECT", 0.2)

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            old = await stack.enter_async_context(FakePostgres().serve())
            database = Database(target(old.port), Log("test"))
            database.start()
            await until_placed(database)
            if where == HERE:
                await stack.aclose()
                await until_down(database)
            async with FakePostgres(node="slow").serve(where, old.port) as slow:
                slow.slow = 0.5
                names.answer = (where,)
                database.look()
                await until_served_by("slow", database)
                assert not database._down
                await database.stop()
                await asyncio.sleep(0.6)  # connections that are still being welcomed

    asyncio.run(scenario())


def test_the_proof_that_a_node_is_back_serves_the_first_order(names: Names) -> None:
    served = list[int]()

    async def noted(session: Session) -> None:
        served.append(session.number)
        await place_order(session)

    async def scenario() -> None:
        async with FakePostgres().serve() as first:
            database = Database(target(first.port), Log("test"))
            database.start()
            await until_placed(database)
        await until_down(database)
        async with FakePostgres(noted).serve(HERE, first.port) as back:
            back.slow = 0.2
            await until_placed(database)
            await database.stop()
            await asyncio.sleep(0.3)  # connections that are still being welcomed

    asyncio.run(scenario())
    assert served[0] == 0, "the first connection that was made"


def test_a_pool_grows_though_orders_leave_connections_free_for_health_checks(names: Names) -> None:
    gate, policy = asyncio.Event(), POLICIES[0]

    async def held(session: Session) -> None:
        await gate.wait()
        await place_order(session)

    async def scenario() -> None:
        orders = list[asyncio.Task[Done]]()
        async with (
            FakePostgres(held).serve() as server,
            following(target(server.port, size=20 + policy.reserved)) as database,
        ):
            await until(lambda: database.at_hand == follow.AT_LEAST)

            def all_at_work() -> bool:
                while len(orders) < policy.order_slots(20, database.at_hand):
                    orders.append(asyncio.create_task(database.execute(PLACE, ORDER, 8.0)))
                return len(orders) == 20

            await until(all_at_work)
            gate.set()
            await asyncio.gather(*orders)

    asyncio.run(scenario())


def test_a_pool_that_is_short_of_connections_makes_several_at_once_and_stops_at_its_size(
    names: Names,
) -> None:
    gate = asyncio.Event()

    async def held(session: Session) -> None:
        await gate.wait()
        await place_order(session)

    async def scenario() -> None:
        async with (
            FakePostgres(held).serve() as server,
            following(target(server.port, size=20)) as database,
        ):
            await until(lambda: database.at_hand == follow.AT_LEAST)
            server.slow = 0.3
            orders = [asyncio.create_task(database.execute(PLACE, ORDER, 8.0)) for _ in range(30)]
            await until(lambda: server.unwelcomed >= 8)
            await until(lambda: database.at_hand == 20)
            gate.set()
            await asyncio.gather(*orders)
            assert pooled(database) == (20, 20)

    asyncio.run(scenario())


def test_a_shop_says_whether_its_newest_attempt_was_refused_is_under_way_or_succeeded(
    names: Names,
) -> None:
    async def scenario() -> None:
        async with FakePostgres().serve() as server:
            port = server.port
            database = Database(target(port), Log("test"))
            database.start()
            await until_placed(database)
            assert database.reach is Reach.OPEN
        await until_down(database)
        await until(lambda: database.reach is Reach.REFUSED)
        assert database.at_hand == 0
        async with FakePostgres().serve(HERE, port) as slow:
            slow.slow = 0.3
            await until(lambda: database.reach is Reach.CONNECTING)
            await until(lambda: database.reach is Reach.OPEN)
            await database.stop()
            await asyncio.sleep(0.4)  # connections that are still being welcomed

    asyncio.run(scenario())


def test_a_node_that_left_a_statement_without_an_answer_is_silent_until_one_succeeds(
    names: Names,
) -> None:
    async def never(session: Session) -> None:
        await asyncio.sleep(2.0)

    async def scenario() -> None:
        async with FakePostgres().serve() as server, following(target(server.port)) as database:
            await until_placed(database)
            server.script, answers = never, server.script
            with pytest.raises(StatementError):
                await database.execute(PLACE, ORDER, 0.3)
            assert database.reach is Reach.SILENT
            server.script = answers
            await until_placed(database)
            assert database.reach is Reach.OPEN

    asyncio.run(scenario())


def test_a_statement_on_the_old_node_may_finish_after_the_name_has_moved(names: Names) -> None:
    async def slow(session: Session) -> None:
        await asyncio.sleep(0.8)
        await place_order(session)

    async def scenario() -> str:
        async with (
            FakePostgres(slow, node="east_db1").serve() as old,
            following(target(old.port)) as database,
        ):
            await asyncio.sleep(0.3)
            under_way = asyncio.create_task(database.execute(PLACE, ORDER, 3.0))
            await asyncio.sleep(0.05)
            async with FakePostgres(node="west_db1").serve(THERE, old.port):
                names.answer = (THERE,)
                database.look()
                return (await under_way).node

    assert asyncio.run(scenario()) == "east_db1"


ADDRESSES = st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, unique=True).map(tuple)


@given(st.none() | st.sampled_from(["a", "b", "c", "d"]), ADDRESSES)
def test_an_address_is_kept_while_the_name_still_leads_there(
    current: str | None, answer: tuple[str, ...]
) -> None:
    chosen = choose(current, Addresses(answer, 2.0))
    assert chosen in answer
    assert chosen == (current if current in answer else answer[0])


def test_an_outage_does_not_fill_the_memory_with_those_who_gave_up(names: Names) -> None:
    async def scenario() -> int:
        async with FakePostgres().serve() as server:
            database = Database(target(server.port), Log("test"))
            database.start()
            await until_placed(database)
        await until_down(database)
        for _ in range(50):
            with pytest.raises(StatementError):
                await database.execute(PLACE, ORDER, 1.0)
        assert database._pool
        waiting = database._pool._pool.get_stats()["requests_waiting"]
        await database.stop()
        return waiting

    assert asyncio.run(scenario()) < 10


def pooled(database: Database) -> tuple[int, int]:
    """Connections of the present pool, and how many it may have."""
    assert database._pool
    return database._pool.size, database._pool._most


def test_a_statement_waits_no_longer_when_there_may_be_one_more_connection(names: Names) -> None:
    gate, at_work = asyncio.Event(), list[Session]()

    async def held(session: Session) -> None:
        at_work.append(session)
        await gate.wait()
        await place_order(session)

    async def scenario() -> None:
        async with (
            FakePostgres(held).serve() as server,
            following(target(server.port, size=1)) as database,
        ):
            await until(lambda: database._pool is not None and not database._down)
            orders = [asyncio.create_task(database.execute(PLACE, ORDER, 8.0)) for _ in range(3)]
            await until(lambda: len(at_work) == 1)
            await database.resize(3)
            await until(lambda: len(at_work) == 3)
            gate.set()
            await asyncio.gather(*orders)
            assert pooled(database) == (3, 3)

    asyncio.run(scenario())


def test_connections_beyond_a_smaller_size_are_closed_when_their_statements_have_ended(
    names: Names,
) -> None:
    gate, at_work = asyncio.Event(), list[Session]()

    async def held(session: Session) -> None:
        at_work.append(session)
        await gate.wait()
        await place_order(session)

    async def scenario() -> None:
        async with (
            FakePostgres(held).serve() as server,
            following(target(server.port, size=6)) as database,
        ):
            await until(lambda: database._pool is not None and pooled(database) == (6, 6))
            order = asyncio.create_task(database.execute(PLACE, ORDER, 8.0))
            await until(lambda: bool(at_work))
            await database.resize(2)
            await until(lambda: pooled(database) == (2, 2))
            gate.set()
            assert (await order).node == "east_db1"
            await until(lambda: sum(not s.writer.is_closing() for s in server.sessions) <= 2)
            await until_placed(database)
            await database.resize(4)
            await until(lambda: pooled(database) == (4, 4))

    asyncio.run(scenario())


def test_the_next_pool_has_the_new_size_too(names: Names) -> None:
    async def scenario() -> None:
        async with (
            FakePostgres().serve() as old,
            FakePostgres(node="west_db1").serve(THERE, old.port),
            following(target(old.port)) as database,
        ):
            await database.resize(3)  # also before there is any pool
            await until(lambda: database._pool is not None and pooled(database) == (3, 3))
            await database.resize(2)
            names.answer = (THERE,)
            database.look()
            await until(lambda: database._address == THERE and pooled(database) == (2, 2))
            assert (await database.execute(PLACE, ORDER, 2.0)).node == "west_db1"

    asyncio.run(scenario())


@asynccontextmanager
async def short_of_connections(names: Names, size: int) -> AsyncIterator[ShortOf]:
    """A pool whose connections are all at work, at a database that has none left to give."""
    gate = asyncio.Event()

    async def held(session: Session) -> None:
        await gate.wait()
        await place_order(session)

    async with (
        FakePostgres(held).serve() as server,
        following(target(server.port, size=size)) as database,
    ):
        await until(lambda: database.at_hand == follow.AT_LEAST)
        server.full = True
        orders = [
            asyncio.create_task(database.execute(PLACE, ORDER, 8.0)) for _ in range(follow.AT_LEAST)
        ]
        try:
            await until(lambda: server.refused > 0)
            yield ShortOf(server, database, orders, gate)
        finally:
            gate.set()
            await asyncio.gather(*orders)


def forgiven(database: Database) -> bool:
    """True when the shop knows that its pool is good although attempts failed."""
    return bool(database._pool) and not database._pool.failing and not database._doubt


def test_a_database_that_is_full_is_alive_and_a_pool_with_open_connections_stays(
    names: Names,
) -> None:
    async def scenario() -> None:
        async with short_of_connections(names, 20) as (_server, database, _orders, _gate):
            pool = database._pool
            database.suspect()
            await until(lambda: forgiven(database))
            assert database._pool is pool
            assert not database._down
            assert database.at_hand == follow.AT_LEAST

    asyncio.run(scenario())


def test_a_pool_grows_while_attempts_that_failed_before_wait_for_their_turn(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(AttemptWithBackoff, "INITIAL_DELAY", 60.0)
    monkeypatch.setattr(pool, "REST", 60.0)

    async def scenario() -> None:
        async with short_of_connections(names, 40) as (server, database, orders, _gate):
            database.suspect()
            await until(lambda: forgiven(database) and server.refused > pool.AT_A_TIME)
            server.full = False
            orders += [asyncio.create_task(database.execute(PLACE, ORDER, 8.0))]
            await until(lambda: database.at_hand >= follow.AT_LEAST + pool.AT_A_TIME)

    asyncio.run(scenario())


def test_places_of_connections_that_could_not_be_made_are_given_up_and_wanted_again(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "REST", 0.2)

    async def scenario() -> None:
        async with short_of_connections(names, 10) as (server, database, orders, _gate):
            await until(lambda: pooled(database) == (follow.AT_LEAST, 10))
            database.suspect()
            await until(lambda: forgiven(database))
            server.full = False
            orders += [asyncio.create_task(database.execute(PLACE, ORDER, 8.0)) for _ in range(2)]
            await until(lambda: database.at_hand == 10)

    asyncio.run(scenario())


def test_connections_that_a_burst_needed_are_closed_again_when_they_stay_unused(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "IDLE", 0.05)
    gate = asyncio.Event()

    async def held(session: Session) -> None:
        await gate.wait()
        await place_order(session)

    async def scenario() -> None:
        async with (
            FakePostgres(held).serve() as server,
            following(target(server.port, size=20)) as database,
        ):
            await until(lambda: database.at_hand == follow.AT_LEAST)
            orders = [asyncio.create_task(database.execute(PLACE, ORDER, 8.0)) for _ in range(20)]
            await until(lambda: database.at_hand == 20)
            gate.set()
            await asyncio.gather(*orders)
            await until(lambda: pooled(database) == (follow.AT_LEAST, 20))
            assert (await database.execute(PLACE, ORDER, 2.0)).node == "east_db1"

    asyncio.run(scenario())
