"""A population at work against a shop that behaves as told: nothing goes missing."""

from __future__ import annotations

import asyncio
import errno
import json
import os
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from appkit.env import Env
from appkit.names import Addresses, Server
from asgi_call import call
from users import actions
from users.app import build_app
from users.history import History
from users.load import Load
from users.settings import Rates, RequestError, Run, Settings

FIELDS = [
    "record", "key", "kind", "start", "end", "population", "user", "honours_ttl", "outcome",
    "attempts", "status", "region", "node", "timeline", "xid", "lsn", "address",
]  # fmt: skip

Answer = Callable[["Shop", str, str], Awaitable[tuple[int, dict[str, Any]] | None]]


class Shop:
    """Takes orders over HTTP; None as an answer closes the connection without one."""

    def __init__(self) -> None:
        self.orders: Counter[str] = Counter()
        self.tokens = 0
        self.catalogues: Counter[str] = Counter()
        self.on_order: Answer = placed

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.sleep(0.01)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while answer := await self._answer(reader):
                status, body = answer
                data = json.dumps(body).encode()
                cache = "X-Cache: hit\r\n" if "market" in body else ""
                again = "Retry-After: 1\r\n" if body.get("detail") == "overloaded" else ""
                writer.write(
                    f"HTTP/1.1 {status} X\r\nX-Region: east\r\nX-Node: east_db1\r\n{cache}{again}"
                    f"Content-Length: {len(data)}\r\n\r\n".encode()
                    + data
                )
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, dict[str, Any]] | None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        await reader.readexactly(int(headers.get("content-length", 0)))
        method, path, _ = head.split(" ", 2)
        if path == "/login":
            self.tokens += 1
            return 200, {"token": f"t{self.tokens}"}
        if path == "/orders":
            key = headers["idempotency-key"]
            self.orders[key] += 1
            return await self.on_order(self, key, headers["authorization"])
        if path.startswith("/orders/"):
            return (200 if self.orders[path.removeprefix("/orders/")] else 404), {}
        if path.startswith("/catalogue"):
            self.catalogues[path] += 1
            return 200, {"market": "east"}
        return (201 if method == "POST" else 200), {}


async def placed(shop: Shop, key: str, token: str) -> tuple[int, dict[str, Any]] | None:
    where = {"region": "east", "node": "east_db1", "timeline": 1, "xid": "7", "lsn": "0/1"}
    created = shop.orders[key] == 1
    return 201 if created else 200, {"outcome": "ok", "created": created, **where}


def settings(path: Path, port: int, **changes: str) -> Settings:
    return Settings.read(
        Env(
            {
                "POPULATION": "east",
                "RESOLVERS": "10.0.0.53,10.0.0.54",
                "APP_PORT": str(port),
                "HISTORY": str(path / "history.jsonl"),
                "ATTEMPT_TIMEOUT": "0.3",
                **changes,
            }
        )
    )


@pytest.fixture(autouse=True)
def _fast_and_without_dns(monkeypatch: pytest.MonkeyPatch) -> None:
    async def look_up(*_: object) -> tuple[Addresses, Server]:
        return Addresses(("127.0.0.1",), 2.0), Server("10.0.0.53")

    monkeypatch.setattr(actions, "look_up", look_up)
    monkeypatch.setattr(actions, "BACK_OFF", (0.01, 0.02))


def operations(path: Path) -> list[dict[str, Any]]:
    """Every operation that was written down; what was left out of a line is None."""
    lines = (path / "history.jsonl").read_text().splitlines()
    whole = [record for line in lines if (record := json.loads(line))["record"] == "op"]
    assert all(value is not None for record in whole for value in record.values())
    return [defaultdict(lambda: None, record) for record in whole]


def worked(path: Path, shop: Shop, seconds: float = 0.3, **changes: Any) -> list[dict[str, Any]]:
    """What a population of four wrote down that worked at `shop` for a while."""

    async def scenario() -> None:
        async with shop.serve() as port:
            load = Load(settings(path, port, **changes.pop("env", {})))
            rates = Rates(changes.pop("writes", 100.0), changes.pop("reads", 0.0))
            await load.start(Run(rates, 4, 0.0, 1))
            await asyncio.sleep(seconds)
            await load.stop(**changes)

    asyncio.run(scenario())
    return operations(path)


def due(path: Path, ops: list[dict[str, Any]], rate: float = 100.0) -> float:
    """How many can have been due when the last one was begun, however late this machine was."""
    header = json.loads((path / "history.jsonl").read_text().partition("\n")[0])
    return rate * (max(op["start"] for op in ops) - header["pid_start"]) + 1


def test_every_order_that_reached_the_shop_is_in_the_history(tmp_path: Path) -> None:
    shop = Shop()
    ops = [op for op in worked(tmp_path, shop) if op["kind"] == "write"]
    assert {op["key"] for op in ops} == set(shop.orders)
    assert {op["outcome"] for op in ops} == {"ok"}
    assert 25 <= len(ops) <= due(tmp_path, ops)
    op = ops[0]
    assert list(op) == FIELDS  # its request id follows from the key; it found and failed nothing
    assert op["key"].startswith("east-")
    assert op["start"] <= op["end"]
    assert (op["attempts"], op["status"], op["region"], op["node"]) == (1, 201, "east", "east_db1")
    assert (op["timeline"], op["xid"], op["lsn"], op["address"]) == (1, "7", "0/1", "127.0.0.1")


def test_users_log_in_first_and_read_their_own_orders_back(tmp_path: Path) -> None:
    ops = worked(tmp_path, Shop(), writes=50.0, reads=100.0)
    kinds = Counter(op["kind"] for op in ops)
    assert kinds["login"] == 4
    assert [op["kind"] for op in ops[:4]] == ["login"] * 4
    own = [op for op in ops if op["kind"] == "read" and op["found"] is not None]
    assert own
    assert all(op["found"] for op in own)


def test_users_who_order_also_read_when_both_happen_equally_often(tmp_path: Path) -> None:
    ops = worked(tmp_path, Shop(), seconds=0.6, writes=100.0, reads=100.0)
    by_kind = {kind: {op["user"] for op in ops if op["kind"] == kind} for kind in ("write", "read")}
    assert by_kind["write"] == by_kind["read"] == {0, 1, 2, 3}
    assert any(op["found"] for op in ops if op["kind"] == "read")


def test_users_read_the_catalogue_of_their_own_market_and_hear_of_the_cache(tmp_path: Path) -> None:
    shop = Shop()
    ops = worked(tmp_path, shop, writes=50.0, reads=100.0)
    assert list(shop.catalogues) == ["/catalogue?market=east"]
    reads = [op for op in ops if op["kind"] == "read"]
    assert {op["cache"] for op in reads if op["found"] is None} == {"hit"}
    assert {op["cache"] for op in ops if op not in reads or op["found"]} == {None}


def test_a_retry_sends_the_same_key_and_settles_what_was_unknown(tmp_path: Path) -> None:
    async def lose_the_first_answer(
        shop: Shop, key: str, token: str
    ) -> tuple[int, dict[str, Any]] | None:
        return None if shop.orders[key] == 1 else await placed(shop, key, token)

    shop = Shop()
    shop.on_order = lose_the_first_answer
    ops = [op for op in worked(tmp_path, shop) if op["kind"] == "write"]
    assert {(op["outcome"], op["attempts"], op["status"]) for op in ops} == {("ok", 2, 200)}
    assert set(shop.orders.values()) == {2}


def test_a_write_without_any_answer_is_unknown_after_three_attempts(tmp_path: Path) -> None:
    async def lose_every_answer(shop: Shop, key: str, token: str) -> None:
        return None

    shop = Shop()
    shop.on_order = lose_every_answer
    ops = [op for op in worked(tmp_path, shop) if op["kind"] == "write"]
    assert {(op["outcome"], op["attempts"], op["status"]) for op in ops} == {("unknown", 3, None)}


def test_a_shop_that_has_no_room_for_orders_is_still_read(tmp_path: Path) -> None:
    """Orders that hang for want of a standby fill their own line alone: reads find room."""

    async def full(shop: Shop, key: str, token: str) -> tuple[int, dict[str, Any]]:
        return 503, {"outcome": "fail", "detail": "overloaded"}

    shop = Shop()
    shop.on_order = full
    ops = worked(tmp_path, shop, seconds=0.6, writes=100.0, reads=100.0)
    told = {(op["kind"], op["error"]) for op in ops if op["kind"] != "login"}
    assert {("write", "overloaded"), ("write", "throttled")} <= told
    assert ("read", None) in told
    assert ("read", "throttled") not in told


def test_a_write_that_was_refused_each_time_failed(tmp_path: Path) -> None:
    async def refuse(shop: Shop, key: str, token: str) -> tuple[int, dict[str, Any]]:
        return 503, {"outcome": "fail", "detail": "read-only"}

    shop = Shop()
    shop.on_order = refuse
    ops = [op for op in worked(tmp_path, shop) if op["kind"] == "write"]
    assert {(op["outcome"], op["status"], op["error"]) for op in ops} == {
        ("fail", 503, "read-only")
    }


def test_an_expired_session_is_renewed_and_the_order_placed(tmp_path: Path) -> None:
    async def expire_the_first_token(
        shop: Shop, key: str, token: str
    ) -> tuple[int, dict[str, Any]] | None:
        if token == "Bearer t1":
            return 401, {"outcome": "fail", "detail": "the token has expired"}
        return await placed(shop, key, token)

    shop = Shop()
    shop.on_order = expire_the_first_token
    ops = worked(tmp_path, shop)
    assert {op["outcome"] for op in ops} == {"ok"}
    assert Counter(op["kind"] for op in ops)["login"] == 5


def test_what_is_cut_short_by_a_stop_is_recorded_as_unknown(tmp_path: Path) -> None:
    async def hang(shop: Shop, key: str, token: str) -> None:
        await asyncio.sleep(2.0)

    shop = Shop()
    shop.on_order = hang
    ops = worked(tmp_path, shop, seconds=0.1, patience=0.0)
    writes = [op for op in ops if op["kind"] == "write"]
    assert {op["key"] for op in writes} >= set(shop.orders)
    assert {op["outcome"] for op in writes} == {"unknown"}


def test_operations_beyond_the_limit_are_shed_and_recorded(tmp_path: Path) -> None:
    async def hang(shop: Shop, key: str, token: str) -> None:
        await asyncio.sleep(0.2)

    shop = Shop()
    shop.on_order = hang
    ops = [
        op
        for op in worked(tmp_path, shop, env={"MAX_IN_FLIGHT": "5"}, patience=0.0)
        if op["kind"] == "write"
    ]
    shed = [op for op in ops if op["error"] == "shed"]
    assert shed
    assert all(op["outcome"] == "fail" and op["key"] not in shop.orders for op in shed)
    assert 25 <= len(ops) <= due(tmp_path, ops)


def test_the_history_survives_a_restart_and_begins_anew_with_a_header(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "history.jsonl"
    first = History(str(path), "east", {"a": 1})
    first.append({"record": "op"})
    with path.open("a") as file:
        file.write('{"record":"half')  # a full disk
    second = History(str(path), "east", {"a": 1})
    second.append({"record": "op"})
    lines = path.read_text().splitlines()
    assert [json.loads(lines[n])["record"] for n in (0, 1, 3, 4)] == ["header", "op"] * 2
    header = json.loads(lines[3])
    assert header["schema"] == 1
    assert header["population"] == "east"
    assert header["boot_id"]
    assert header["settings"] == {"a": 1}
    second.clear()
    assert [json.loads(line)["record"] for line in path.read_text().splitlines()] == ["header"]


def test_users_stop_when_their_record_has_as_many_operations_as_it_takes(tmp_path: Path) -> None:
    async def scenario() -> dict[str, Any]:
        async with Shop().serve() as port:
            load = Load(settings(tmp_path, port, RECORD_LIMIT="20"))
            await load.start(Run(Rates(100.0, 0.0), 4, 0.0, 1))
            async with asyncio.timeout(30):
                while load.running or load.in_flight:
                    await asyncio.sleep(0.01)
            return load.describe()

    said = asyncio.run(scenario())
    assert said["full"] == "the record has 20 operations and takes no more"
    assert not said["running"]
    assert len(operations(tmp_path)) >= 20  # what was under way is written down, too


def test_what_a_full_disk_does_not_take_is_counted_and_leaves_only_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "history.jsonl"
    history = History(str(path), "east", {})
    history.append({"record": "op", "key": "1"})
    really, room = os.write, 10

    def write(file: int, line: bytes) -> int:
        nonlocal room
        if not room:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        taken = really(file, line[:room])
        room -= taken
        return taken

    monkeypatch.setattr(os, "write", write)
    history.append({"record": "op", "key": "2"})
    monkeypatch.undo()
    assert history.full == "the record cannot be written: No space left on device"
    assert history.lines == 2
    assert [json.loads(line)["record"] for line in path.read_text().splitlines()] == [
        "header",
        "op",
    ]


def test_the_control_port_runs_a_population_and_hands_out_its_history(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with Shop().serve() as port:
            app = build_app(settings(tmp_path, port))
            assert (await call(app, "POST", "/rate", {"writes_per_second": 1})).status == 400
            rates = {"writes_per_second": 50, "reads_per_second": 10}
            assert (await call(app, "POST", "/rate", rates)).status == 409
            started = await call(app, "POST", "/start", {**rates, "users": 4})
            assert started.json == {"users": 4, "logged_in": 4}
            assert (await call(app, "POST", "/start", rates)).status == 409
            assert (await call(app, "POST", "/clear")).status == 409
            assert (await call(app, "POST", "/rate", rates)).status == 200
            await asyncio.sleep(0.2)
            stats = (await call(app, "GET", "/stats")).json
            assert stats["running"]
            assert stats["answers"] == {"127.0.0.1": 4}
            assert stats["acknowledged_by_region"]["east"] > 0
            served = stats["served_by_address"].values()
            ended = sum(sum(each.values()) for each in stats["totals"].values())
            assert sum(each["ok"] + each["failed"] for each in served) == ended
            assert stats["last_ok_write"] <= stats["monotonic"]
            stopped = (await call(app, "POST", "/stop")).json
            assert (await call(app, "POST", "/stop")).json == stopped
            whole = (await call(app, "GET", "/history")).body
            assert len(whole) == stopped["bytes"]
            assert whole.count(b"\n") == stopped["operations"] + 1
            assert (await call(app, "GET", "/history?offset=10")).body == whole[10:]
            assert (await call(app, "GET", f"/history?offset={len(whole)}")).body == b""
            assert (await call(app, "GET", "/history?offset=-1")).status == 400
            assert (await call(app, "POST", "/clear")).status == 200
            assert not (await call(app, "GET", "/stats")).json["running"]
            clock = (await call(app, "GET", "/clock")).json
            assert clock["boot_id"] == json.loads(whole.splitlines()[0])["boot_id"]

    asyncio.run(scenario())


@pytest.mark.parametrize(
    "body",
    [
        None,
        [],
        {},
        {"writes_per_second": -1, "reads_per_second": 0},
        {"writes_per_second": True, "reads_per_second": 0},
        {"writes_per_second": 1, "reads_per_second": 0, "users": 0},
        {"writes_per_second": 1, "reads_per_second": 0, "ignore_ttl_share": 2},
    ],
)
def test_a_run_that_makes_no_sense_is_refused(body: Any) -> None:
    with pytest.raises(RequestError):
        Run.parse(body)
