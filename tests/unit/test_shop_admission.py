"""Whom a shop lets in when it has more requests than it can serve."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import asynccontextmanager, suppress

import pytest
from appkit.env import Env
from asgi_call import Answer, call
from hypothesis import given
from hypothesis import strategies as st
from shop.admission import POLICIES, Line, Policy
from shop.app import build_app
from shop.sessions import Sessions
from shop.settings import Settings
from shop.web import Admission, Stamp
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send
from stubbed_shop import KEY

OPERATOR = Sessions(KEY).issue("op", "operator")
LIMIT = 5.0  # seconds for a scenario; each takes a tenth of one
POLICY = {policy.name: policy for policy in POLICIES}


class Kitchen:
    """An application whose orders are done when it is told so, behind an admission."""

    def __init__(self, policy: Policy, connections: int = 2) -> None:
        self.begun: list[str] = []
        self.at_hand = 0
        self.done = asyncio.Semaphore(0)
        operator = Sessions(KEY).is_operator
        self.admission = Admission(
            self._app, policy, lambda: connections, lambda: self.at_hand, operator, 1.5
        )
        self.app = Stamp(self.admission, "east", "east.app")

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/orders":
            self.begun.append(scope["request_id"])
            await self.done.acquire()
        await PlainTextResponse("done")(scope, receive, send)

    def order(self, name: str, **headers: str) -> asyncio.Task[Answer]:
        sent = {"X-Request-Id": name, **{n.replace("_", "-"): v for n, v in headers.items()}}
        return asyncio.create_task(call(self.app, "POST", "/orders", None, sent))


@asynccontextmanager
async def kitchen(policy: str = "protected", connections: int = 2):
    made = Kitchen(POLICY[policy], connections)
    yield made
    for _ in range(20):
        made.done.release()
    await asyncio.sleep(0.01)
    assert made.admission._writes.inside == 0, "every slot was given back"


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def run(scenario: Callable[[], Coroutine[object, object, None]]) -> None:
    """Run a scenario; one in which a request is never answered fails instead of waiting on."""

    async def limited() -> None:
        async with asyncio.timeout(LIMIT):
            await scenario()

    asyncio.run(limited())


def test_the_newest_of_those_that_wait_is_next_and_the_oldest_is_refused_for_want_of_room() -> None:
    async def scenario() -> None:
        async with kitchen() as made:
            tasks = [made.order(name) for name in "abcde"]
            await settle()
            assert made.begun == ["a", "b"]
            refused = await tasks[2]
            assert (refused.status, refused.json["outcome"]) == (503, "fail")
            assert refused.json["request_id"] == refused.headers["x-request-id"] == "c"
            assert refused.headers["retry-after"] == "1"
            made.done.release()
            await settle()
            assert made.begun == ["a", "b", "e"]

    run(scenario)


def test_a_naive_shop_refuses_the_newest_while_four_per_connection_are_under_way() -> None:
    async def scenario() -> None:
        async with kitchen("naive", 1) as made:
            tasks = [made.order(name) for name in "abcde"]
            await settle()
            assert made.begun == ["a", "b", "c", "d"]
            assert (await tasks[4]).status == 503

    run(scenario)


def test_work_whose_deadline_is_over_is_not_begun() -> None:
    async def scenario() -> None:
        async with kitchen() as made:
            answer = await made.order("late", X_Deadline=f"{time.time() - 0.01:.3f}")
            assert (answer.status, answer.json["outcome"]) == (503, "fail")
            assert made.begun == []
        async with kitchen("naive") as made:
            made.order("late", X_Deadline=f"{time.time() - 0.01:.3f}")
            await settle()
            assert made.begun == ["late"]

    run(scenario)


@pytest.mark.parametrize("said", ["", "soon", "nan", "inf", "1e300"])
def test_a_deadline_that_makes_no_sense_is_the_usual_patience(said: str) -> None:
    async def scenario() -> None:
        async with kitchen() as made:
            made.order("a", X_Deadline=said)
            await settle()
            assert made.begun == ["a"]

    run(scenario)


def test_a_request_waits_no_longer_than_its_caller() -> None:
    async def scenario() -> None:
        async with kitchen(connections=1) as made:
            made.order("a")
            waiting = made.order("b", X_Deadline=f"{time.time() + 0.05:.3f}")
            assert (await waiting).status == 503
            made.done.release()
            await settle()
            assert made.begun == ["a"]

    run(scenario)


def test_health_checks_reads_and_operators_do_not_wait_behind_orders() -> None:
    async def scenario() -> None:
        async with kitchen(connections=1) as made:
            customer = Sessions(KEY).issue("ann")
            for name in "abc":
                made.order(name, Authorization=f"Bearer {customer}")
            made.order("operator", Authorization=f"Bearer {OPERATOR}")
            await settle()
            assert made.begun == ["a", "operator"]
            for path in ("/readyz", "/livez", "/admin/mode", "/catalogue"):
                assert (await call(made.app, "GET", path)).status == 200

    run(scenario)


def test_a_request_that_is_cancelled_keeps_no_slot() -> None:
    async def scenario() -> None:
        async with kitchen(connections=1) as made:
            made.order("a")
            told, waiting = made.order("b"), None
            await settle()
            made.done.release()
            await asyncio.sleep(0)
            told.cancel()
            with suppress(asyncio.CancelledError):
                await told
            waiting = made.order("c")
            await settle()
            assert "c" in made.begun
            waiting.cancel()

    run(scenario)


def test_a_larger_capacity_lets_more_requests_in_at_once_and_a_smaller_one_fewer() -> None:
    settings = Settings.read(Env({"REGION": "east", "DB_PASSWORD": "x", "JWT_KEY": KEY}))

    async def scenario() -> list[int]:
        app = build_app(settings)
        headers = {"Authorization": f"Bearer {OPERATOR}"}
        admission = app._app
        slots = [admission._slots(admission._writes)]
        for connections in (48, 1):
            body = {"connections": connections}
            assert (await call(app, "POST", "/admin/capacity", body, headers)).json == body
            slots.append(admission._slots(admission._writes))
        return slots

    assert asyncio.run(scenario()) == [24, 48, 1]


def test_orders_wait_for_a_connection_that_is_open_and_begin_when_there_are_more() -> None:
    async def scenario() -> None:
        async with kitchen(connections=8) as made:
            made.at_hand = 5  # of which two are for health checks
            for name in "abcdef":
                made.order(name)
            await settle()
            assert made.begun == ["a", "b", "c"]
            made.at_hand = 7
            made.done.release()
            await settle()
            assert made.begun == ["a", "b", "c", "f", "e", "d"]

    run(scenario)


def test_orders_that_waited_when_the_primary_went_out_of_reach_are_not_refused_for_the_load() -> (
    None
):
    async def scenario() -> None:
        async with kitchen(connections=8) as made:
            made.at_hand = 5
            tasks = [made.order(str(number)) for number in range(16)]
            await settle()
            assert len(made.begun) == 3
            made.at_hand = 0
            made.done.release()
            await settle()
            assert sum(task.done() for task in tasks) == 1, "the one that ended"
            assert len(made.begun) == 1 + 8

    run(scenario)


@pytest.mark.parametrize(
    ("policy", "most", "at_hand", "slots"),
    [
        ("protected", 48, 50, 48),
        ("protected", 48, 8, 6),
        ("protected", 48, 1, 2),
        ("protected", 48, 0, 48),  # the pool says at once why
        ("protected", 1, 3, 1),
        ("naive", 48, 8, 192),
    ],
)
def test_a_protected_shop_has_a_slot_for_each_open_connection_that_is_not_reserved(
    policy: str, most: int, at_hand: int, slots: int
) -> None:
    assert POLICY[policy].order_slots(most, at_hand) == slots


@given(
    st.lists(st.sampled_from(["arrive", "leave", "withdraw"]), max_size=60),
    st.integers(1, 4),
    st.integers(0, 8),
)
def test_no_request_is_forgotten_and_no_slot_is_lost(
    what: list[str], slots: int, room: int
) -> None:
    line, inside, waiting = Line[int](), set[int](), list[int]()
    for ticket, happens in enumerate(what):
        if happens == "arrive":
            if line.begins(slots):
                inside.add(ticket)
            else:
                waiting.append(ticket)
                if (refused := line.wait(ticket, room)) is not None:
                    assert refused == waiting.pop(0), "the one that has waited longest"
        elif happens == "leave" and inside:
            inside.pop()
            following = line.leave(slots)
            assert following == waiting[::-1][: len(following)], "the newest first"
            inside.update(following)
            waiting = [each for each in waiting if each not in following]
        elif waiting:
            line.withdraw(waiting.pop(0))
        assert line.inside == len(inside) <= slots
        assert len(waiting) <= max(room - len(inside), 0)
        assert len(inside) == slots or not waiting, "no request waits beside a free slot"


@given(st.lists(st.floats(0, 100), max_size=50), st.floats(0, 1e6))
def test_a_request_is_begun_only_while_there_is_time_for_a_typical_one(
    durations: list[float], now: float
) -> None:
    line = Line[int]()
    for took in durations:
        line.learn(took)
    assert 0 <= line.typical <= 0.5, "slow requests never make every other one too late"
    assert line.in_time(now + 1.0, now)
    assert not line.in_time(now, now)
