"""The shop as its callers see it, with databases that answer as told."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import jwt
import pytest
from appkit.env import Env, SettingError
from asgi_call import call
from hypothesis import given
from hypothesis import strategies as st
from shop import accounts, orders, ready
from shop.cache import CATALOGUE
from shop.connect import Reach
from shop.openapi import DOCUMENT, PAGE
from shop.orders import RefusedError, parse_order, timeline_of
from shop.outcome import Outcome
from shop.ready import WRITE, ReadinessCheck
from shop.routes import routes
from shop.sessions import SessionError, Sessions, hash_password, password_matches
from shop.settings import Settings
from shop.statement import StatementError
from stubbed_shop import KEY, Fixture, StubDatabase

PLACED = (True, 7, "742", "east_db1", "000000020000000000000003", "0/3000060")
OPERATOR = Sessions(KEY).issue("op", "operator")
FOUND = ("k", 7, 1, 2, 500, "east", 1)


@pytest.fixture
def shop() -> Fixture:
    return Fixture()


def test_an_order_is_acknowledged_with_everything_that_says_where_it_is(shop: Fixture) -> None:
    shop.writer.answers[orders.PLACE] = [PLACED]
    answer = shop.order(**{"X-Request-Id": "r-1"})
    assert answer.status == 201
    assert answer.json == {
        "outcome": "ok", "key": "k", "order_id": 7, "created": True, "region": "east",
        "node": "east_db1", "timeline": 2, "xid": "742", "lsn": "0/3000060", "request_id": "r-1",
        "detail": "",
    }  # fmt: skip
    assert answer.headers["x-region"] == "east"
    assert answer.headers["x-node"] == "east_db1"
    assert answer.headers["x-timeline"] == "2"
    assert answer.headers["x-request-id"] == "r-1"
    assert len(shop.writer.asked) == 1, "one round trip"


def test_a_repeated_order_is_ok_but_not_created(shop: Fixture) -> None:
    shop.writer.answers[orders.PLACE] = [(False, *PLACED[1:])]
    answer = shop.order()
    assert (answer.status, answer.json["outcome"], answer.json["created"]) == (200, "ok", False)


def test_an_order_without_its_standby_is_local(shop: Fixture) -> None:
    shop.writer.answers[orders.PLACE] = [PLACED]
    shop.writer.unreplicated = True
    answer = shop.order()
    assert (answer.status, answer.json["outcome"]) == (202, "local")


@pytest.mark.parametrize(
    ("outcome", "status"), [(Outcome.FAIL, 503), (Outcome.UNKNOWN, 504)], ids=["fail", "unknown"]
)
def test_a_statement_that_failed_is_told_as_it_is(
    shop: Fixture, outcome: Outcome, status: int
) -> None:
    shop.writer.answers[orders.PLACE] = StatementError(outcome, "because")
    answer = shop.order()
    assert answer.status == status
    assert answer.json["outcome"] == outcome.value
    assert answer.json["detail"] == "because"
    assert answer.headers["x-node"] == "east.app", "no database answered"


def test_a_key_of_another_order_is_a_conflict(shop: Fixture) -> None:
    shop.writer.answers[orders.KEY_TAKEN] = [(True,)]
    answer = shop.order()
    assert (answer.status, answer.json["outcome"]) == (409, "fail")


def test_an_unknown_product_is_refused(shop: Fixture) -> None:
    shop.writer.answers[orders.KEY_TAKEN] = [(False,)]
    assert shop.order().status == 422


def test_an_order_needs_a_session_a_key_and_a_sensible_body(shop: Fixture) -> None:
    assert shop.order(key=None).status == 400
    assert shop.order(key="x" * 65).status == 400
    assert shop.order(body=b"not json").status == 400
    assert shop.order(body={"product_id": 1, "quantity": 0}).status == 400
    shop.token = "nonsense"
    answer = shop.order()
    assert (answer.status, answer.json["outcome"]) == (401, "fail")
    assert shop.writer.asked == []


def test_read_only_mode_is_switched_by_operators_alone_and_stops_writes(shop: Fixture) -> None:
    assert shop.post("/admin/read-only", {"enabled": True}, shop.token).status == 403
    assert shop.post("/admin/read-only", {"enabled": 1}, OPERATOR).status == 400
    assert shop.post("/admin/read-only", {"enabled": True, "by": 1}, OPERATOR).status == 400
    assert shop.post("/admin/read-only", {"enabled": True}, OPERATOR).json["read_only"] is True
    answer = shop.order()
    assert (answer.status, answer.json["outcome"]) == (503, "fail")
    assert shop.get("/readyz").json["reason"] == "read-only"
    assert shop.writer.asked == []
    shop.post("/admin/read-only", {"enabled": False}, OPERATOR)
    assert shop.get("/admin/mode").json == {"read_only": False, "since": None, "by": ""}


def test_read_only_mode_says_since_when_and_who_switched_it_on_last(shop: Fixture) -> None:
    before = time.time()
    first = shop.post("/admin/read-only", {"enabled": True, "by": "failover"}, OPERATOR).json
    assert (first["read_only"], first["by"]) == (True, "failover")
    assert before <= first["since"] <= time.time()
    again = shop.post("/admin/read-only", {"enabled": True, "by": "another"}, OPERATOR).json
    assert again == {"read_only": True, "since": first["since"], "by": "another"}
    shop.post("/admin/read-only", {"enabled": False, "by": "another"}, OPERATOR)
    third = shop.post("/admin/read-only", {"enabled": True}, OPERATOR).json
    assert third["since"] > first["since"]
    assert third["by"] == ""


def test_an_operators_order_passes_read_only_mode_and_nothing_else_does(shop: Fixture) -> None:
    shop.writer.answers[orders.PLACE] = [PLACED]
    shop.post("/admin/read-only", {"enabled": True}, OPERATOR)
    customer, shop.token = shop.token, OPERATOR
    assert (shop.order().status, shop.order().json["outcome"]) == (201, "ok")
    assert shop.get("/readyz").status == 503
    shop.token = customer
    assert shop.order().status == 503
    assert shop.post("/signup", {"username": "bob", "password": "secret"}, OPERATOR).status == 503


def test_operators_alone_change_the_capacity_and_any_client_may_ask_for_it(shop: Fixture) -> None:
    assert shop.get("/admin/capacity").json == {"connections": 24}
    assert shop.post("/admin/capacity", {"connections": 48}, shop.token).status == 403
    for wrong in (None, [], {}, *({"connections": n} for n in (0, 65, True, 2.0, "8", None))):
        assert shop.post("/admin/capacity", wrong, OPERATOR).status == 400
    assert shop.writer.sizes == []
    for connections in (48, 48, 1, 64):
        answer = shop.post("/admin/capacity", {"connections": connections}, OPERATOR)
        assert (answer.status, answer.json) == (200, {"connections": connections})
    assert shop.get("/admin/capacity").json == {"connections": 64}
    reserved = 2  # for health checks and operators
    assert shop.writer.sizes == [48 + reserved, 1 + reserved, 64 + reserved]


def test_an_own_order_is_found_or_not_on_the_regions_node(shop: Fixture) -> None:
    assert shop.get("/orders/k").status == 404
    shop.reader.answers[orders.ONE] = [FOUND]
    answer = shop.get("/orders/k")
    assert (answer.status, answer.json["found"], answer.json["order_id"]) == (200, True, 7)
    assert shop.reader.asked[-1][1] == ("k", "ann")
    shop.reader.answers[orders.MINE] = [FOUND]
    assert [order["key"] for order in shop.get("/orders").json["orders"]] == ["k"]


def test_the_catalogue_is_served_without_a_cache(shop: Fixture) -> None:
    shop.reader.answers[CATALOGUE] = [(1, "Product 01", 500)]
    answer = shop.get("/catalogue")
    assert answer.headers["x-cache"] == "down"
    assert answer.json == {
        "market": "east",
        "products": [{"id": 1, "name": "Product 01", "price_cents": 500}],
    }


def test_each_markets_catalogue_is_cached_by_itself(shop: Fixture) -> None:
    cache = shop.with_cache()
    found = [shop.get(f"/catalogue{ask}") for ask in ("", "?market=east", "?market=west") * 2]
    assert [answer.headers["x-cache"] for answer in found] == ["miss", "hit", "miss"] + ["hit"] * 3
    assert [answer.json["market"] for answer in found] == ["east", "east", "west"] * 2
    assert len(shop.reader.asked) == len(cache.kept) == 2
    assert set(cache.lifetimes.values()) == {shop.shop.settings.cache_ttl * 1000}


@pytest.mark.parametrize("market", ["", "East", "a-b", "m%C3%A4rz", "east%0A", "x" * 17])
def test_a_market_that_is_no_word_is_refused(shop: Fixture, market: str) -> None:
    answer = shop.get(f"/catalogue?market={market}")
    assert (answer.status, answer.json["outcome"]) == (400, "fail")
    assert shop.reader.asked == []


def test_readers_at_the_same_time_share_one_question_per_market(shop: Fixture) -> None:
    async def read_often() -> list[str]:
        shop.reader.delay = 0.01
        catalogue = shop.shop.catalogue
        found = await asyncio.gather(*(catalogue.read(m) for m in ("east", "west") * 10))
        return [json.loads(each.body)["market"] for each in found]

    assert asyncio.run(read_often()) == ["east", "west"] * 10
    assert len(shop.reader.asked) == 2
    asyncio.run(read_often())
    assert len(shop.reader.asked) == 4, "what was read once is not kept without a cache"


def test_a_customer_signs_up_and_logs_in_where_the_reader_lags_behind(shop: Fixture) -> None:
    body = {"username": "ann", "password": "secret"}
    shop.writer.answers[accounts.SIGN_UP] = [("ann",)]
    assert shop.post("/signup", body).status == 201
    stored = shop.writer.asked[-1][1][1]
    shop.writer.answers[accounts.PASSWORD] = [(stored,)]
    answer = shop.post("/login", body)
    assert answer.status == 200
    assert shop.shop.sessions.check(f"Bearer {answer.json['token']}").name == "ann"
    assert shop.post("/login", {**body, "password": "wrong"}).status == 401
    shop.writer.answers[accounts.SIGN_UP] = []
    assert shop.post("/signup", body).status == 409


def test_a_region_is_ready_when_a_write_was_replicated(shop: Fixture) -> None:
    shop.writer.answers[WRITE] = [("east_db1", "000000030000000000000001")]
    answer = shop.get("/readyz")
    assert answer.status == 200
    place = {"node": "east_db1", "timeline": 3}
    assert answer.json == {"ready": True, "reason": "ok", **place, "writer": "open"}


def test_a_region_is_not_ready_without_its_standby_or_its_writer() -> None:
    first, second = Fixture(), Fixture()
    first.writer.answers[WRITE] = [("east_db1", "000000030000000000000001")]
    first.writer.unreplicated = True
    assert first.get("/readyz").status == 503
    second.writer.answers[WRITE] = StatementError(Outcome.FAIL, "no server is there")
    second.writer.reach = Reach.REFUSED
    told = second.get("/readyz").json
    assert (told["reason"], told["writer"]) == ("no server is there", "refused")


@pytest.mark.parametrize(
    ("unreplicated", "reach", "proven", "writes"),
    [
        (False, Reach.OPEN, 60.0, 0),
        (False, Reach.OPEN, 0.0, 1),
        (False, Reach.CONNECTING, 60.0, 1),
        (True, Reach.OPEN, 60.0, 1),
    ],
    ids=["just now", "long ago", "primary in doubt", "without its standby"],
)
def test_an_order_acknowledged_just_now_proves_that_a_region_is_ready(
    shop: Fixture,
    monkeypatch: pytest.MonkeyPatch,
    unreplicated: bool,
    reach: Reach,
    proven: float,
    writes: int,
) -> None:
    monkeypatch.setattr(ready, "PROVEN", proven)
    shop.writer.answers[orders.PLACE] = [PLACED]
    shop.writer.answers[WRITE] = [("east_db1", "000000020000000000000003")]
    shop.writer.unreplicated, shop.writer.reach = unreplicated, reach
    shop.order()
    shop.writer.unreplicated = False
    answer = shop.get("/readyz")
    assert (answer.status, answer.json["node"], answer.json["timeline"]) == (200, "east_db1", 2)
    assert [statement for statement, _ in shop.writer.asked].count(WRITE) == writes


def test_askers_share_one_readiness_write() -> None:
    async def ask_often() -> int:
        stub = StubDatabase()
        stub.answers[WRITE] = [("east_db1", "000000030000000000000001")]
        stub.delay = 0.01
        check = ReadinessCheck(stub, "east.app", lambda: False)  # type: ignore[arg-type]
        await asyncio.gather(*(check.ask() for _ in range(20)))
        await check.ask()
        return len(stub.asked)

    assert asyncio.run(ask_often()) == 1


@pytest.mark.parametrize(
    ("reach", "rows", "writes"),
    [
        (Reach.OPEN, [("east_db1", "000000030000000000000001")], 1),
        (Reach.CONNECTING, [("east_db1", "000000030000000000000001")], 2),
        (Reach.OPEN, StatementError(Outcome.FAIL, "no server is there"), 2),
    ],
)
def test_an_answer_is_shared_for_long_only_while_it_is_good_and_the_primary_in_reach(
    reach: Reach, rows: object, writes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ready, "SHARED", 60.0)
    monkeypatch.setattr(ready, "DOUBTED", 0.0)

    async def ask_twice() -> int:
        stub = StubDatabase()
        stub.answers[WRITE], stub.reach = rows, reach
        check = ReadinessCheck(stub, "east.app", lambda: False)  # type: ignore[arg-type]
        for _ in range(2):
            await check.ask()
            await asyncio.sleep(0.01)
        return len(stub.asked)

    assert asyncio.run(ask_twice()) == writes


def test_every_answer_says_which_region_and_request_it_was(shop: Fixture) -> None:
    for path in ("/livez", "/nowhere", "/docs", "/admin/mode"):
        answer = shop.get(path)
        assert answer.headers["x-region"] == "east"
        assert answer.headers["x-node"] == "east.app"
        assert len(answer.headers["x-request-id"]) == 16


def test_a_request_id_that_could_break_a_log_line_is_replaced(shop: Fixture) -> None:
    answer = asyncio.run(call(shop.app, "GET", "/livez", None, {"X-Request-Id": "a b"}))
    assert answer.headers["x-request-id"] != "a b"


def test_the_openapi_document_describes_exactly_the_routes_that_exist(shop: Fixture) -> None:
    served = {
        (route.path, method.lower())
        for route in routes(shop.shop)
        for method in (route.methods or set()) - {"HEAD"}
    }
    described = {(path, method) for path, ops in DOCUMENT["paths"].items() for method in ops}
    assert described == served
    [market] = DOCUMENT["paths"]["/catalogue"]["get"]["parameters"]
    assert (market["name"], market["in"], market["required"]) == ("market", "query", False)
    assert "http://" not in PAGE
    assert "https://" not in PAGE, "the page works offline"


@given(st.text(max_size=80), st.integers() | st.booleans() | st.text() | st.none())
def test_an_order_is_parsed_or_refused_and_nothing_else_happens(key: str, quantity: Any) -> None:
    try:
        order = parse_order(key, "ann", {"product_id": 1, "quantity": quantity})
    except RefusedError as refusal:
        assert refusal.status == 400
    else:
        assert 1 <= len(order.key) <= 64
        assert order.quantity == quantity


@given(st.integers(1, 0xFFFFFFFF), st.integers(0, 2**64 - 1))
def test_the_timeline_is_read_from_the_name_of_the_wal_file(timeline: int, segment: int) -> None:
    assert timeline_of(f"{timeline:08X}{segment:016X}") == timeline


def test_a_token_is_valid_in_both_regions_and_only_with_the_right_key() -> None:
    token = Sessions(KEY).issue("ann")
    assert Sessions(KEY).check(f"bearer {token}").role == "customer"
    for wrong in (None, "", token, "Basic abc", f"Bearer {token}x"):
        with pytest.raises(SessionError):
            Sessions(KEY).check(wrong)
    with pytest.raises(SessionError):
        Sessions(KEY + "!").check(f"Bearer {token}")


def test_a_token_that_was_remembered_still_expires(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions = Sessions(KEY)
    token = sessions.issue("ann")
    sessions.check(f"Bearer {token}")
    later = time.time() + 3601
    monkeypatch.setattr("shop.sessions.time.time", lambda: later)
    with pytest.raises(SessionError):
        sessions.check(f"Bearer {token}")


def test_a_token_without_a_signature_is_refused() -> None:
    unsigned = jwt.encode({"sub": "ann", "exp": int(time.time()) + 60}, "", algorithm="none")
    with pytest.raises(SessionError):
        Sessions(KEY).check(f"Bearer {unsigned}")


def test_a_password_is_recognised_and_stored_with_a_salt() -> None:
    async def scenario() -> tuple[str, str, bool, bool]:
        one, two = await hash_password("secret"), await hash_password("secret")
        return one, two, await password_matches("secret", one), await password_matches("x", one)

    one, two, right, wrong = asyncio.run(scenario())
    assert one != two
    assert right
    assert not wrong


@pytest.mark.parametrize(
    ("name", "value"),
    [("POOL_SIZE", "0"), ("DB_TIMEOUT", "soon"), ("DB_TIMEOUT", "-1"), ("OVERLOAD", "perhaps")],
)
def test_a_bad_setting_is_named(name: str, value: str) -> None:
    good = {"REGION": "east", "DB_PASSWORD": "x", "JWT_KEY": KEY}
    Settings.read(Env(good))
    with pytest.raises(SettingError, match=name):
        Settings.read(Env({**good, name: value}))
