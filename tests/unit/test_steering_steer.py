"""Steering at work: probes over real sockets, a resolver that takes signed updates."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import dns.message
import dns.rcode
import dns.rrset
import dns.tsig
import dns.update
import pytest
from appkit.env import Env, SettingError
from appkit.log import Log
from asgi_call import call
from hypothesis import given
from hypothesis import strategies as st
from steering import publish, steer
from steering.app import build_app
from steering.checks import Kind
from steering.decide import Pin, Thresholds
from steering.probe import Seen, parse, probe
from steering.route import Route
from steering.settings import Place, Settings
from steering.steer import Steering

NOWHERE = "east=http://127.0.0.1:9,west=http://127.0.0.1:9"
CLOSED = ""  # the answer of a region that takes a connection and closes it: down, and at once
SECRET = base64.b64encode(b"secret").decode()


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The resolver always answers, if late on a busy machine."""
    monkeypatch.setattr(publish, "PATIENCE", 30.0)
    yield


class Resolver(asyncio.DatagramProtocol):
    """Keeps one record, takes updates that are signed with the key, and forgets when told."""

    def __init__(self) -> None:
        self.record: str | None = None
        self.records: list[str] = []
        self.updates = 0
        self.ttl = 0
        self.port = 0
        self._keyring = {dns.name.from_text("lab-key."): dns.tsig.Key("lab-key.", SECRET)}

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.DatagramTransport", transport)
        self.port = transport.get_extra_info("sockname")[1]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data, keyring=self._keyring)
        reply = dns.message.make_response(query)
        if isinstance(query, dns.update.UpdateMessage):
            assert query.had_tsig
            self.records = [str(each[0]) for each in query.update if each.ttl]
            self.ttl = next((each.ttl for each in query.update if each.ttl), self.ttl)
            self.record = self.records[-1] if self.records else None
            self.updates += 1
        elif self.record is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        else:
            name = query.question[0].name
            reply.answer.append(dns.rrset.from_text(name, self.ttl, "IN", "A", *self.records))
        self._transport.sendto(reply.to_wire(), addr)

    @asynccontextmanager
    async def serve(self):
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: self, ("127.0.0.1", 0))
        try:
            yield self
        finally:
            transport.close()
            await asyncio.sleep(0)


class Region:
    """A region's gateway that answers as told."""

    def __init__(self, answer: str | None = "HTTP/1.1 200 OK") -> None:
        self.answer, self.port, self.asked = answer, 0, 0
        self.kept: list[asyncio.StreamWriter] = []

    @asynccontextmanager
    async def serve(self):
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            self.hang_up()
            await asyncio.sleep(0.01)

    def hang_up(self) -> None:
        """End the connections that were kept after their answers."""
        for writer in self.kept:
            writer.close()
        self.kept.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.asked += 1
        try:
            await reader.readuntil(b"\r\n\r\n")
            if self.answer is None:
                await reader.read()  # silent until the other side gives up
            elif self.answer:
                writer.write(f"{self.answer}\r\n\r\n".encode())
            if "content-length" in (self.answer or ""):
                self.kept.append(writer)
                await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()


def settings(resolver: Resolver, east: Region, west: Region, **changes: str) -> Settings:
    return Settings.read(
        Env(
            {
                "REGION": "east",
                "OTHER": "west",
                "RESOLVER": f"127.0.0.1:{resolver.port}",
                "TSIG_KEY": SECRET,
                "TARGETS": f"east=http://127.0.0.1:{east.port},west=http://127.0.0.1:{west.port}",
                "ANSWERS": "east=10.0.0.11,west=10.0.0.12",
                "TTL": "2",
                "INTERVAL": "0.02",
                "URGENT": "0.01",
                "CONNECT": "30",
                **dict.fromkeys(("TOGETHER", "ALONE", "LATE", "UNREADY", "RECOVER"), "0.02"),
                **dict.fromkeys(("AWAY", "HOME_AGAIN"), "0.05"),
                "TIMEOUT": "30",  # no region that answers is down because the machine is busy
                **changes,
            }
        )
    )


async def until(what: Callable[[], bool], timeout: float = 3.0) -> None:
    end = time.monotonic() + timeout
    while not what():
        assert time.monotonic() < end
        await asyncio.sleep(0.005)


Play = Callable[[Steering, Resolver, Region, Region], Awaitable[None]]


def steered(play: Play, **changes: str) -> None:
    """Run `play` with both regions ready and steering started."""

    async def scenario() -> None:
        whole = "HTTP/1.1 200 OK\r\ncontent-length: 0"
        resolver, east, west = Resolver(), Region(whole), Region(whole)
        async with resolver.serve(), east.serve(), west.serve():
            steering = Steering(settings(resolver, east, west, **changes), Log("test"))
            steering.start()
            try:
                await until(lambda: steering.describe()["answer"] == ["10.0.0.11"])
                await play(steering, resolver, east, west)
            finally:
                await steering.stop()

    asyncio.run(scenario())


def test_users_are_sent_away_from_a_region_that_is_not_ready_and_back() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        east.answer = 'HTTP/1.1 503 Service Unavailable\r\n\r\n{"reason": "read-only"}'
        await until(lambda: resolver.record == "10.0.0.12")
        assert steering.describe()["view"]["east"]["state"] == "live"
        assert steering.describe()["view"]["east"]["error"] == "read-only"
        east.answer = "HTTP/1.1 200 OK"
        await until(lambda: resolver.record == "10.0.0.11")
        await until(lambda: len(steering.events.after(0)) == 7)
        told = [(e["what"], e["region"], e["before"], e["after"]) for e in steering.events.after(2)]
        assert told == [
            ("answer", "east", None, "10.0.0.11"),
            ("view", "east", "ready", "live"),
            ("answer", "east", "10.0.0.11", "10.0.0.12"),
            ("view", "east", "live", "ready"),
            ("answer", "east", "10.0.0.12", "10.0.0.11"),
        ]

    steered(play)


def test_a_silent_region_is_down() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        east.answer = None
        await until(lambda: resolver.record == "10.0.0.12")
        assert steering.describe()["view"]["east"]["state"] == "down"

    steered(play, TIMEOUT="0.2")


def test_a_silent_region_does_not_slow_the_other_ones_probes() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        east.answer = None
        asked = east.asked
        await until(lambda: east.asked > asked)
        # To wait for a silent probe would take longer than this.
        before = west.asked
        await until(lambda: west.asked - before >= 6)

    steered(play)


def test_a_resolver_that_forgot_is_told_again() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        resolver.record = None
        await until(lambda: resolver.record == "10.0.0.11")
        assert resolver.updates == 2

    steered(play)


def test_when_nothing_answers_users_stay_where_they_are_at_home() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        # The other region first: with east down alone for a moment, users would rightly move.
        west.answer = CLOSED
        await until(lambda: steering.describe()["view"]["west"]["state"] == "down")
        east.answer = CLOSED
        await until(lambda: steering.describe()["view"]["east"]["state"] == "down")
        await until(lambda: resolver.record == "10.0.0.11")
        assert steering.describe()["answer"] == ["10.0.0.11"]

    steered(play)


def test_users_stay_where_an_operator_pinned_them_until_the_pin_is_taken_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steer, "VERIFY", 60.0)  # a pin does not wait for the next look

    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        steering.pin(Pin("west"))
        await until(lambda: resolver.record == "10.0.0.12")
        assert steering.describe()["pinned"] == "west"
        west.answer = CLOSED
        await until(lambda: steering.describe()["view"]["west"]["state"] == "down")
        asked = east.asked
        await until(lambda: east.asked > asked + 5)
        assert resolver.record == "10.0.0.12"
        steering.pin(None)
        await until(lambda: resolver.record == "10.0.0.11")
        assert steering.describe()["pinned"] is None

    steered(play)


def test_a_pin_says_since_when_and_by_whom() -> None:
    async def scenario() -> None:
        app = build_app(settings(Resolver(), Region(), Region(), TARGETS=NOWHERE))

        async def told(**pin: object) -> tuple[float | None, str]:
            assert (await call(app, "POST", "/pin", pin)).status == 200
            state = (await call(app, "GET", "/state")).json
            return state["pinned_since"], state["pinned_by"]

        since, by = await told(region="west", by="the first run")
        assert (since is not None, by) == (True, "the first run")
        assert await told(region="west", by="the second run") == (since, "the second run")
        assert await told(region=None) == (None, "")
        assert (await call(app, "POST", "/pin", {"region": "west", "by": 5})).status == 400
        assert (await call(app, "POST", "/pin", {"region": "west", "by": "x" * 201})).status == 400

    asyncio.run(scenario())


def test_a_pin_is_an_event_once_however_often_it_is_set() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        await until(lambda: len(steering.events.after(0)) == 3)
        for pin in (Pin("west"), Pin("west"), None, None):
            steering.pin(pin)
        pins = [e for e in steering.events.after(0) if e["what"] == "pin"]
        assert [(e["region"], e["before"], e["after"]) for e in pins] == [
            ("east", None, "west"),
            ("east", "west", None),
        ]
        await until(lambda: resolver.record == "10.0.0.11")

    steered(play)


def test_a_share_of_users_is_sent_elsewhere_by_weights_that_the_resolver_reads(
    tmp_path: Path,
) -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        steering.pin(Pin("west", 10))
        await until(lambda: resolver.records == ["10.0.0.12", "10.0.0.11"])
        assert weights.read_text() == "app.lab.test\n10.0.0.12 10\n10.0.0.11 90\n"
        await until(lambda: steering.describe()["answer"] == ["10.0.0.12", "10.0.0.11"])
        assert (steering.describe()["pinned"], steering.describe()["share"]) == ("west", 10)
        told = resolver.updates
        steering.pin(Pin("west", 50))
        await until(lambda: "10.0.0.12 50" in weights.read_text())
        await until(lambda: resolver.updates == told + 1)
        # What the resolver answers is looked at in any order.
        resolver.records.reverse()
        steering._changed.set()
        await asyncio.sleep(0.1)
        assert resolver.updates == told + 1
        steering.pin(Pin("west"))
        await until(lambda: resolver.records == ["10.0.0.12"])
        await until(lambda: steering.events.after(0)[-1]["after"] == "10.0.0.12")
        answers = [e["after"] for e in steering.events.after(0) if e["what"] == "answer"]
        assert answers[1:] == ["10.0.0.12 10 %, 10.0.0.11 90 %", "10.0.0.12 50 %, 10.0.0.11 50 %",
                               "10.0.0.12"]  # fmt: skip

    weights = tmp_path / "app"
    steered(play, WEIGHTS=str(weights))


def test_a_steering_without_weights_shares_no_users_and_says_so() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        told = resolver.updates
        steering.pin(Pin("west", 10))
        await asyncio.sleep(0.1)
        assert (resolver.updates, resolver.records) == (told, ["10.0.0.11"])
        assert steering.describe()["answer"] == ["10.0.0.11"]

    steered(play)


def test_answers_hold_for_as_long_as_steering_is_told_and_no_user_is_led_elsewhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(steer, "VERIFY", 60.0)  # a TTL does not wait for the next look

    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        assert (resolver.ttl, steering.describe()["ttl"]) == (2, 2)
        before = len(steering.events.after(0))
        steering.hold(1)
        await until(lambda: resolver.ttl == 1)
        assert (resolver.record, steering.describe()["ttl"]) == ("10.0.0.11", 1)
        assert len(steering.events.after(0)) == before  # nothing of where users are led changed
        steering.pin(Pin("west"))
        await until(lambda: resolver.record == "10.0.0.12")
        assert resolver.ttl == 1

    steered(play)


def test_the_control_port_takes_a_ttl_and_refuses_anything_else() -> None:
    async def scenario() -> None:
        app = build_app(settings(Resolver(), Region(), Region(), TARGETS=NOWHERE))
        for body in (b"1", b"", [], {}, 1, {"seconds": 0}, {"seconds": 61}, {"seconds": "1"},
                     {"seconds": True}, {"seconds": 1.5}, {"seconds": 1, "by": "a"}):  # fmt: skip
            assert (await call(app, "POST", "/ttl", body)).status == 400
        assert (await call(app, "GET", "/state")).json["ttl"] == 2
        answer = await call(app, "POST", "/ttl", {"seconds": 60})
        assert (answer.status, answer.json) == (200, {"ttl": 60})
        assert (await call(app, "GET", "/state")).json["ttl"] == 60

    asyncio.run(scenario())


def test_other_thresholds_are_in_force_at_once_however_long_the_interval_was() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        limits = Thresholds(**steering.describe()["thresholds"])
        asked = east.asked
        await asyncio.sleep(0.1)
        assert east.asked == asked
        steering.judge_by(replace(limits, interval=0.02))
        await until(lambda: east.asked > asked + 3)
        assert steering.describe()["thresholds"]["interval"] == 0.02
        east.answer = CLOSED
        await until(lambda: resolver.record == "10.0.0.12")

    steered(play, INTERVAL="60")


def test_a_patient_steering_moves_no_user_until_enough_checks_have_failed() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        limits = Thresholds(**steering.describe()["thresholds"])
        steering.judge_by(replace(limits, fall=100))
        east.answer, before = CLOSED, east.asked
        await until(lambda: east.asked >= before + 20)
        assert resolver.record == "10.0.0.11"
        steering.judge_by(limits)
        await until(lambda: resolver.record == "10.0.0.12")

    steered(play)


def test_the_control_port_takes_all_thresholds_and_refuses_what_cannot_be_one() -> None:
    async def scenario() -> None:
        app = build_app(settings(Resolver(), Region(), Region(), TARGETS=NOWHERE))
        usual = asdict(Thresholds())
        wrong = (
            {"interval": 0}, {"interval": 0.01}, {"interval": 61}, {"interval": "1"},
            {"urgent": 0}, {"fall": 0}, {"fall": 1.5}, {"fall": 101}, {"fall": True},
            {"rise": -1}, {"alone": -1}, {"alone": float("nan")}, {"home": 61}, {"other": 1},
        )  # fmt: skip
        bodies = [{**usual, **each} for each in wrong]
        for body in (b"1", b"", [], {}, {"fall": 2}, *bodies):
            answer = await call(app, "POST", "/thresholds", body)
            assert answer.status == 400, body
        wanted = {**usual, "interval": 2, "fall": 5, "alone": 0}
        answer = await call(app, "POST", "/thresholds", wanted)
        assert (answer.status, answer.json) == (200, {"thresholds": wanted})
        assert (await call(app, "GET", "/state")).json["thresholds"] == wanted

    asyncio.run(scenario())


def test_a_pin_is_published_before_any_region_was_probed() -> None:
    async def scenario() -> None:
        resolver, silent = Resolver(), Region(None)
        async with resolver.serve(), silent.serve():
            slow = settings(resolver, silent, silent, TIMEOUT="30")
            steering = Steering(slow, Log("test"))
            steering.start()
            try:
                await asyncio.sleep(0.05)
                assert resolver.record is None
                steering.pin(Pin("west"))
                await until(lambda: resolver.record == "10.0.0.12")
                states = [view["state"] for view in steering.describe()["view"].values()]
                assert states == [None, None]
                await until(lambda: bool(steering.events.after(1)))
                answer = steering.events.after(1)[0]
                assert (answer["what"], answer["detail"]) == ("answer", "pinned by an operator")
            finally:
                await steering.stop()

    asyncio.run(scenario())


def test_a_refused_connection_is_an_error_with_words() -> None:
    seen = asyncio.run(probe(Place("127.0.0.1", 1), 1.0, 1.0))
    assert seen.kind is Kind.REFUSED
    assert "refused" in seen.error.lower()


@pytest.mark.parametrize(
    ("answer", "seen"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\n{}", Seen(Kind.READY)),
        (b'HTTP/1.1 503 No\r\n\r\n{"reason": "read-only"}', Seen(Kind.UNREADY, "read-only")),
        (
            b'HTTP/1.1 503 No\r\n\r\n{"reason": "x", "writer": "refused"}',
            Seen(Kind.CUT_OFF, "x"),
        ),
        (b'HTTP/1.1 503 No\r\n\r\n{"reason": "x", "writer": "silent"}', Seen(Kind.CUT_OFF, "x")),
        (
            b'HTTP/1.1 503 No\r\n\r\n{"reason": "x", "writer": "connecting"}',
            Seen(Kind.UNREADY, "x"),
        ),
        (b"HTTP/1.1 404 Not Found\r\n\r\nnope", Seen(Kind.UNREADY, "status 404")),
        (b"", Seen(Kind.CLOSED, "connection closed without an answer")),
        (b"SSH-2.0-OpenSSH\r\n", Seen(Kind.CLOSED, "the answer is not HTTP")),
    ],
)
def test_an_answer_is_read_for_its_status_and_reason(answer: bytes, seen: Seen) -> None:
    assert parse(answer) == seen


@given(st.binary(max_size=200))
def test_no_answer_can_break_a_probe(answer: bytes) -> None:
    parse(answer)


def test_settings_must_name_both_regions_in_targets_and_answers() -> None:
    with pytest.raises(SettingError, match="west"):
        settings(Resolver(), Region(), Region(), ANSWERS="east=10.0.0.11")


def test_the_control_port_answers_before_anything_was_probed() -> None:
    async def scenario() -> None:
        east, west = Region(), Region()
        east.port = west.port = 9
        app = build_app(settings(Resolver(), east, west))
        assert (await call(app, "GET", "/livez")).status == 200
        state = (await call(app, "GET", "/state")).json
        assert state["view"]["west"]["state"] is None
        assert state["answer"] == []
        assert state["pinned"] is None
        assert state["boot_id"]
        assert json.loads((await call(app, "GET", "/events?after=0")).body) == []
        assert (await call(app, "GET", "/events?after=x")).status == 400

    asyncio.run(scenario())


def test_the_control_port_pins_a_region_and_refuses_anything_else() -> None:
    async def scenario() -> None:
        app = build_app(settings(Resolver(), Region(), Region(), TARGETS=NOWHERE))
        for body in (b"west", b"", [], {}, "west", {"region": "north"}, {"region": ["west"]},
                     {"region": True}, {"region": "west", "for": 5},
                     *({"region": "west", "share": each} for each in (0, 101, -1, 2.5, "5", True)),
                     {"region": None, "share": 10}, {"share": 10}):  # fmt: skip
            assert (await call(app, "POST", "/pin", body)).status == 400
        assert (await call(app, "GET", "/state")).json["pinned"] is None
        for region in ("west", "west", "east", None, None):
            answer = await call(app, "POST", "/pin", {"region": region})
            share = 100 if region else None
            assert (answer.status, answer.json) == (200, {"pinned": region, "share": share})
            assert (await call(app, "GET", "/state")).json["pinned"] == region
        assert len((await call(app, "GET", "/events")).json) == 3

    asyncio.run(scenario())


def test_a_connection_that_breaks_makes_steering_look_again_at_once() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        asked = east.asked
        await asyncio.sleep(0.1)
        assert east.asked == asked  # the next check is an hour away
        east.hang_up()
        await until(lambda: east.asked > asked)
        await until(lambda: not steering._doubted.is_set())
        assert steering.describe()["view"]["east"]["state"] == "ready"
        noted = [each for each in steering.events.after(0) if each["what"] == "line"]
        assert [(each["region"], each["after"]) for each in noted] == [("east", "broken")]

    steered(play, INTERVAL="3600")


def test_every_check_is_on_record() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        east.answer = CLOSED
        await until(lambda: steering.describe()["view"]["east"]["state"] == "down")
        checks = steering.checks.after(0)
        assert [each["seq"] for each in checks] == list(range(1, len(checks) + 1))
        assert all(each["began"] <= each["ended"] for each in checks)
        found = {(each["region"], each["kind"]) for each in checks}
        assert found >= {("east", "ready"), ("west", "ready"), ("east", "closed")}
        last = checks[-1]["seq"]
        assert all(each["seq"] > last for each in steering.checks.after(last))

    steered(play)


def test_the_control_port_takes_a_whole_route_and_refuses_what_is_none() -> None:
    async def scenario() -> None:
        app = build_app(settings(Resolver(), Region(), Region(), TARGETS=NOWHERE))
        usual = (await call(app, "GET", "/state")).json
        assert (usual["route"]["policy"], usual["other_route"]) == ("own-first", "")
        for body in (b"failover", {"policy": "nearest"},
                     {"policy": "own-first", "check": {"fall": 0}},
                     {"policy": "weighted", "options": {"east": 0, "west": 0}}):  # fmt: skip
            answer = await call(app, "POST", "/route", body)
            assert answer.status == 400
            assert answer.json["detail"]
        assert (await call(app, "GET", "/state")).json["route"] == usual["route"]
        wanted = {"policy": "failover", "options": {"primary": "west"}, "check": {"fall": 7}}
        for changed in (True, False):
            answer = await call(app, "POST", "/route", wanted)
            assert (answer.status, answer.json["changed"]) == (200, changed)
        state = (await call(app, "GET", "/state")).json
        assert state["thresholds"]["fall"] == state["route"]["check"]["fall"] == 7
        assert state["other_route"] == "failover primary=west fall=7"
        [event] = (await call(app, "GET", "/events")).json
        assert (event["what"], event["after"]) == ("route", "failover primary=west fall=7")
        assert (await call(app, "POST", "/route", {"policy": None})).json["changed"]
        state = (await call(app, "GET", "/state")).json
        assert (state["route"]["policy"], state["other_route"]) == ("own-first", "")

    asyncio.run(scenario())


def test_users_follow_another_route_at_once_and_a_pin_stays_above_it() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        assert resolver.record == "10.0.0.11"
        steering.follow(Route("failover", {"primary": "west"}))
        await until(lambda: resolver.record == "10.0.0.12")
        await until(lambda: steering.describe()["answer"] == ["10.0.0.12"])
        last = [each for each in steering.events.after(0) if each["what"] == "answer"][-1]
        assert last["detail"] == "the primary region west takes orders"
        steering.pin(Pin("east"))
        await until(lambda: resolver.record == "10.0.0.11")
        steering.pin(None)
        await until(lambda: resolver.record == "10.0.0.12")

    steered(play)


def test_a_closed_route_takes_the_addresses_away_when_no_region_takes_orders() -> None:
    async def play(steering: Steering, resolver: Resolver, east: Region, west: Region) -> None:
        steering.follow(Route(when_all_red="closed"))
        east.answer = west.answer = CLOSED
        await until(lambda: resolver.record is None)
        await until(lambda: steering.describe()["answer"] == [])
        updates = resolver.updates
        await asyncio.sleep(0.1)
        assert resolver.updates == updates
        east.answer = "HTTP/1.1 200 OK"
        await until(lambda: resolver.record == "10.0.0.11")

    steered(play)


def test_a_shallow_check_asks_only_whether_the_shop_lives() -> None:
    async def scenario() -> None:
        asked = list[bytes]()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            asked.append(await reader.readline())
            writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        place = Place("127.0.0.1", server.sockets[0].getsockname()[1])
        for path in ("/readyz", "/livez"):
            await probe(place, 1.0, 1.0, path)
        server.close()
        assert asked == [b"GET /readyz HTTP/1.1\r\n", b"GET /livez HTTP/1.1\r\n"]

    asyncio.run(scenario())
