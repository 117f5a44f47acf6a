"""The stopwatch at work: it keeps its pace whatever gateways do, and notes what it was told."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import pytest
from appkit.env import Env, SettingError
from asgi_call import call
from hypothesis import given
from hypothesis import strategies as st
from stopwatch import record
from stopwatch import watch as module
from stopwatch.app import build_app
from stopwatch.settings import Settings
from stopwatch.shop import PREFIX, Told
from stopwatch.watch import CannotStartError, Watch, next_due

from lab.metrics import stopwatch as reader

Reply = Callable[["Gateway", str], Awaitable[bytes | None]]


def http(status: int, body: Any) -> bytes:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n%s" % (status, len(data), data)


async def placed(gateway: Gateway, key: str) -> bytes | None:
    return http(201, {"outcome": "ok", "timeline": 3})


async def silent(gateway: Gateway, key: str) -> bytes | None:
    await asyncio.Event().wait()
    return None


async def hang_up(gateway: Gateway, key: str) -> bytes | None:
    return None


class Gateway:
    """Takes log-ins and orders over HTTP; None as an answer to an order closes the connection."""

    def __init__(self, on_order: Reply = placed) -> None:
        self.on_order, self.connections = on_order, 0
        self.orders: list[str] = []
        self.heard: list[float] = []  # when each order came

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            await asyncio.sleep(0.01)

    async def _serve(self, read: asyncio.StreamReader, write: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while answer := await self._answer(read):
                write.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            write.close()

    async def _answer(self, read: asyncio.StreamReader) -> bytes | None:
        head = (await read.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await read.readexactly(int(headers["content-length"]))
        path = head.split(" ", 2)[1]
        if path != "/orders":
            return http(201, {}) if path == "/signup" else http(200, {"token": "t"})
        assert headers["authorization"] == "Bearer t"
        self.orders.append(headers["idempotency-key"])
        self.heard.append(time.monotonic())
        return await self.on_order(self, self.orders[-1])


def settings(east: int, west: int, **changes: str) -> Settings:
    doors = f"east=127.0.0.1:{east},west=127.0.0.1:{west}"
    return Settings.read(Env({"GATEWAYS": doors, "DEADLINE": "60", **changes}))


async def until(fact: Callable[[], bool]) -> None:
    """Wait for what a quick machine does at once, and a busy one some time."""
    async with asyncio.timeout(60):
        while not fact():
            await asyncio.sleep(0.002)


def watched(
    east: Gateway,
    west: Gateway | None,
    enough: Callable[[], bool],
    patience: float | None = None,
    **changes: str,
) -> tuple[reader.Attempt, ...]:
    """What the stopwatch wrote until that was `enough`; without a `west`, its port is closed."""

    async def scenario() -> bytes:
        async with east.serve(), (west or east).serve():
            watch = Watch(settings(east.port, west.port if west else CLOSED, **changes))
            await watch.start()
            await until(enough)
            await watch.stop(patience)
            return b"".join(watch.record.parts())

    return reader.read(asyncio.run(scenario())).attempts


CLOSED = 1  # a port that needs privileges, and that no program of a test machine listens on


def of(gateway: str, attempts: tuple[reader.Attempt, ...]) -> list[reader.Attempt]:
    return [item for item in attempts if item.gateway == gateway]


def test_every_attempt_is_one_order_and_gateways_take_turns() -> None:
    east, west = Gateway(), Gateway()
    attempts = watched(east, west, lambda: len(west.orders) >= 10)
    assert {a.key for a in of("east", attempts)} == set(east.orders)
    assert {a.key for a in of("west", attempts)} == set(west.orders)
    assert len(set(east.orders + west.orders)) == len(attempts)
    assert all(a.key.startswith(PREFIX) and a.start <= a.end for a in attempts)
    assert {(a.outcome, a.timeline, a.why) for a in attempts} == {("ok", 3, None)}
    ordered = sorted(attempts, key=lambda item: item.start)
    assert all(one.gateway != two.gateway for one, two in pairwise(ordered))


def test_attempts_are_no_closer_than_the_interval() -> None:
    east = Gateway()
    attempts = watched(east, Gateway(), lambda: len(east.orders) >= 20, INTERVAL="0.02")
    first, *_, last = sorted(item.start for item in attempts)
    assert len(attempts) <= (last - first + module.EARLY) / 0.02 + 2


def test_connections_are_kept_while_they_work() -> None:
    east, west = Gateway(), Gateway()
    watched(east, west, lambda: len(west.orders) >= 25)
    assert east.connections < len(east.orders) / 2
    assert west.connections < len(west.orders) / 2


def test_a_silent_gateway_neither_slows_the_pace_nor_hides_the_other_one() -> None:
    east, west = Gateway(), Gateway(silent)
    attempts = watched(east, west, lambda: len(east.orders) >= 20, patience=0)
    assert {a.outcome for a in of("east", attempts[:20])} == {"ok"}
    assert {a.why for a in of("west", attempts)} == {"stopped"}
    assert len(of("west", attempts)) >= 3


def test_an_attempt_ends_at_its_deadline() -> None:
    west = Gateway(silent)
    attempts = watched(Gateway(), west, lambda: len(west.orders) >= 3, DEADLINE="0.1")
    assert {(a.outcome, a.why) for a in of("west", attempts)} == {("not", "no answer in time")}
    assert min(a.end - a.start for a in of("west", attempts)) >= 0.095


def test_a_gateway_that_died_leaves_its_turns_to_the_one_that_answers() -> None:
    east, west = Gateway(), Gateway(silent)
    silent_from = module.SILENT + 0.1

    def looked_at_again() -> bool:
        return sum(at > west.heard[0] + silent_from for at in west.heard) >= 4

    attempts = watched(east, west, looked_at_again, patience=0)
    begin = min(a.start for a in attempts)
    late = sorted(a.start for a in of("west", attempts) if a.start > begin + silent_from)
    assert all(two - one >= module.LOOK_AGAIN for one, two in pairwise(late))


def test_a_gateway_that_refuses_is_tried_again_at_once_and_used_when_it_is_back() -> None:
    west = Gateway(hang_up)

    async def scenario() -> bytes:
        async with Gateway().serve() as east, west.serve():
            watch = Watch(settings(east.port, west.port))
            await watch.start()
            await until(lambda: len(west.orders) >= 3)
            west.on_order, refused = placed, len(west.orders)
            await until(lambda: len(west.orders) >= refused + 3)
            await watch.stop()
            return b"".join(watch.record.parts())

    found = of("west", reader.read(asyncio.run(scenario())).attempts)
    outcomes = [item.outcome for item in found]
    assert outcomes == sorted(outcomes)  # "not" first, then "ok" to the end
    assert Counter(outcomes)["not"] >= 3
    assert Counter(outcomes)["ok"] >= 3
    assert len(set(west.orders)) == len(west.orders) == len(found)  # no order was tried twice
    reasons = {item.why for item in found if item.outcome == "not"}
    assert reasons == {"connection closed before the answer"}


def test_a_gateway_whose_port_is_closed_is_noted_as_such() -> None:
    east = Gateway()
    found = of("west", watched(east, None, lambda: len(east.orders) >= 10))
    assert found
    assert {item.outcome for item in found} == {"not"}
    assert all("refused" in str(item.why).lower() or "111" in str(item.why) for item in found)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (http(202, {"outcome": "local"}), "status 202"),
        (http(200, {"outcome": "local"}), "outcome 'local'"),
        (http(503, {"outcome": "fail"}), "status 503"),
        (http(201, b"ok"), "an answer that is not JSON"),
        (http(201, [1]), "an answer that is no JSON object"),
        (b"HTTP/1.1 201 X\r\n\r\n", "an answer without a length"),
        (b"SSH-2.0-x\r\n\r\n", "not HTTP: b'SSH-2.0-x\\r\\n\\r\\n'"),
        (b"HTTP/1.1 201 X\r\nx: " + b"y" * 70_000, "the head of the answer does not end"),
    ],
)
def test_only_an_order_answered_ok_counts_as_acknowledged(answer: bytes, why: str) -> None:
    east = Gateway(telling(answer))
    found = of("east", watched(east, Gateway(), lambda: len(east.orders) >= 3))
    assert {(item.outcome, item.why) for item in found} == {("not", why)}


def test_half_an_answer_is_none() -> None:
    east = Gateway(telling(b"HTTP/1.1 201 X\r\nContent-Length: 9\r\n\r\n{}"))
    attempts = watched(east, Gateway(), lambda: len(east.orders) >= 3, DEADLINE="0.1")
    found = of("east", attempts)
    assert {(item.outcome, item.why) for item in found} == {("not", "no answer in time")}


def telling(answer: bytes) -> Reply:
    async def told(gateway: Gateway, key: str) -> bytes:
        return answer

    return told


@pytest.mark.parametrize(
    ("deadline", "patience", "why"), [("0.2", None, "no answer in time"), ("60", 0.0, "stopped")]
)
def test_what_is_under_way_at_the_end_is_waited_for_or_noted_as_stopped(
    deadline: str, patience: float | None, why: str
) -> None:
    east = Gateway(silent)
    attempts = watched(east, Gateway(), lambda: len(east.orders) >= 3, patience, DEADLINE=deadline)
    found = of("east", attempts)
    assert {item.why for item in found} == {why}
    assert len(found) >= 3


def test_ticks_that_were_slept_through_are_not_made_up_for() -> None:
    async def scenario() -> bytes:
        async with Gateway().serve() as east, Gateway().serve() as west:
            watch = Watch(settings(east.port, west.port))
            await watch.start()
            await until(lambda: watch.record.attempts >= 5)
            module.time.sleep(0.2)  # the whole process stands still
            await until(lambda: watch.record.attempts >= 15)
            await watch.stop()
            return b"".join(watch.record.parts())

    record = reader.read(asyncio.run(scenario()))
    starts = sorted(item.start for item in record.attempts)
    length, woken = max((two - one, two) for one, two in pairwise(starts))
    assert length >= 0.19
    assert sum(woken <= at < woken + 0.03 for at in starts) <= 4  # no burst afterwards


@given(st.floats(0, 1e6), st.floats(0, 10), st.sampled_from([0.005, 0.01, 0.02]))
def test_the_next_tick_is_always_to_come_and_never_more_than_an_interval_away(
    due: float, late: float, interval: float
) -> None:
    following = next_due(due, due + late, interval)
    assert due + late - 1e-6 <= following <= due + late + interval + 1e-6
    steps = (following - due) / interval
    assert abs(steps - round(steps)) < 1e-3


def test_a_run_that_is_never_stopped_ends_by_itself() -> None:
    ended = time.monotonic() + 0.5
    attempts = watched(Gateway(), Gateway(), lambda: time.monotonic() > ended, RUN_LIMIT="0.2")
    first, *_, last = sorted(item.start for item in attempts)
    assert last - first < 0.2


def test_without_any_gateway_it_does_not_start_and_may_be_started_again() -> None:
    async def scenario() -> None:
        watch = Watch(settings(1, 1, LOGIN_PATIENCE="0.2"))
        for _ in range(2):
            with pytest.raises(CannotStartError):
                await watch.start()
            assert not watch.busy

    asyncio.run(scenario())


def test_one_gateway_is_enough_to_log_in() -> None:
    async def scenario() -> None:
        async with Gateway().serve() as west:
            watch = Watch(settings(1, west.port))
            await watch.start()
            await until(lambda: len(west.orders) > 2)
            await watch.stop()

    asyncio.run(scenario())


def test_the_control_port_runs_the_stopwatch_and_hands_out_its_record() -> None:
    async def scenario() -> None:
        async with Gateway().serve() as east, Gateway().serve() as west:
            app = build_app(settings(east.port, west.port))
            assert (await call(app, "GET", "/livez")).json == {"alive": True}
            assert (await call(app, "POST", "/start")).json["running"]
            assert (await call(app, "POST", "/start")).status == 409
            assert (await call(app, "POST", "/clear")).status == 409
            while (await call(app, "GET", "/record")).body.count(b"\n") < 10:
                await asyncio.sleep(0.02)
            stopped = (await call(app, "POST", "/stop")).json
            assert (await call(app, "POST", "/stop")).json == stopped
            assert not stopped["running"]
            record = (await call(app, "GET", "/record")).body
            assert record.count(b"\n") == stopped["attempts"] + 1 > 5
            assert (await call(app, "POST", "/clear")).json["attempts"] == 0
            cleared = (await call(app, "GET", "/record")).body
            assert reader.read(cleared).header.interval == 0.01
            assert reader.read(cleared).attempts == ()

    asyncio.run(scenario())


def test_a_start_that_no_gateway_answers_is_refused_with_the_reason() -> None:
    async def scenario() -> None:
        app = build_app(settings(1, 1, LOGIN_PATIENCE="0.2"))
        answer = await call(app, "POST", "/start")
        assert answer.status == 503
        assert answer.json["detail"].startswith("west: ")

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "gateways", ["", "east", "east=gateway-east:8000", "east=10.0.0.1", "east=10.0.0.1:x"]
)
def test_gateways_are_addresses_because_a_resolver_may_be_what_is_broken(gateways: str) -> None:
    with pytest.raises(SettingError):
        Settings.read(Env({"GATEWAYS": gateways}))


def test_a_long_record_is_kept_in_blocks_and_handed_out_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(record, "BLOCK", 7)
    kept = record.Record(settings(1, 2))
    for number in range(30):
        kept.add(f"watch-{number}", "east", number, number + 0.5, Told(ok=True, timeline=1))
    found = reader.read(b"".join(kept.parts())).attempts
    assert [each.start for each in found] == [*map(float, range(30))]
    assert kept.attempts == 30
