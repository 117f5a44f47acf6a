"""The tool's clients, against the programs themselves: both sides mean the same by a request."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from types import SimpleNamespace
from typing import Any, BinaryIO, cast
from urllib.parse import urlsplit

import pytest
import requests
from appkit.control import Guarded
from appkit.env import Env
from asgi_call import Answer, call
from hypothesis import given
from hypothesis import strategies as st
from shop.cache import CATALOGUE
from shop.orders import PLACE
from shop.outcome import Outcome
from shop.statement import StatementError
from starlette.types import ASGIApp
from steering.app import build_app
from steering.settings import Settings
from stubbed_shop import KEY, Fixture

from lab.core.errors import LabError, WaitExpired
from lab.core.load import OWN, Load, of_users
from lab.core.topology import EAST, WEST
from lab.drills.evidence import histories
from lab.infra.clients import Steering, Users
from lab.infra.machines import Engine
from lab.infra.settings import Settings as LabSettings
from lab.infra.shopclient import Guest
from lab.testbed import service
from lab.testbed.journalwriter import EngineClock, Recorder
from lab.testbed.lab import Lab

ENGINE = cast("Engine", SimpleNamespace(port=lambda place, port: 1))
TOKEN = "told-to-the-tool-alone"
LAB = cast(
    "LabSettings",
    SimpleNamespace(https=False, jwt_key=KEY, control_token=lambda place: f"{TOKEN} {place}"),
)


@pytest.fixture
def shop() -> Fixture:
    return Fixture()


@pytest.fixture
def guest(shop: Fixture, monkeypatch: pytest.MonkeyPatch) -> Guest:
    """A visitor of that shop."""
    connect(monkeypatch, shop.app)
    return Guest(ENGINE, LAB, EAST)


def connect(monkeypatch: pytest.MonkeyPatch, app: ASGIApp | None) -> None:
    """Let every request end in `app`, or in nothing."""

    def request(
        method: str, url: str, *, json: Any, headers: dict[str, str] | None, **_: Any
    ) -> requests.Response:
        if app is None:
            raise requests.ConnectionError
        parts = urlsplit(url)
        path = f"{parts.path}?{parts.query}" if parts.query else parts.path
        return _response(asyncio.run(call(app, method, path, json, headers)))

    monkeypatch.setattr(
        requests.Session, "request", lambda _session, *told, **more: request(*told, **more)
    )


def _response(answer: Answer) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = answer.status, answer.body
    response.headers.update(answer.headers)
    return response


def steering() -> ASGIApp:
    variables = {
        "REGION": "east",
        "OTHER": "west",
        "RESOLVER": "127.0.0.1:9",
        "TSIG_KEY": "c2VjcmV0",
        "TTL": "2",
        "TARGETS": "east=http://127.0.0.1:9,west=http://127.0.0.1:9",
        "ANSWERS": "east=10.0.0.11,west=10.0.0.12",
    }
    return build_app(Settings.read(Env(variables)))


def test_an_operator_pins_a_steering_and_takes_the_pin_out(monkeypatch: pytest.MonkeyPatch) -> None:
    app = steering()
    connect(monkeypatch, app)
    client = Steering(ENGINE, LAB, EAST)

    def told() -> tuple[str | None, str]:
        state = asyncio.run(call(app, "GET", "/state")).json
        return state["pinned"], state["pinned_by"]

    for region in (WEST, WEST, EAST):
        client.pin(region, "x" * 300)
        assert told() == (region.name, "x" * 200)
    client.unpin()
    assert told() == (None, "")


def test_a_program_does_nothing_for_those_who_have_not_its_own_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Guarded(steering(), f"{TOKEN} east.steering")
    connect(monkeypatch, app)
    Steering(ENGINE, LAB, EAST).pin(WEST, "a-run")
    with pytest.raises(LabError, match="a control token is needed"):
        Steering(ENGINE, LAB, WEST).pin(EAST, "a-run")  # the other one's
    for headers in (None, {"Authorization": "Bearer "}, {"Authorization": TOKEN}):
        for method, path in (("POST", "/pin"), ("GET", "/state"), ("GET", "/livez/../state")):
            assert asyncio.run(call(app, method, path, {"region": None}, headers)).status == 401
        assert asyncio.run(call(app, "GET", "/livez", None, headers)).status == 200
    own = {"Authorization": f"Bearer {TOKEN} east.steering"}
    assert asyncio.run(call(app, "GET", "/state", None, own)).json["pinned"] == "west"


def test_a_steering_that_does_not_answer_is_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, None)
    with pytest.raises(LabError, match="does not answer"):
        Steering(ENGINE, LAB, EAST).pin(WEST, "a-run")


def test_a_guest_hears_whether_the_cache_had_a_markets_catalogue(
    shop: Fixture, guest: Guest
) -> None:
    assert guest.catalogue("west") == "down"
    shop.with_cache()
    assert [guest.catalogue(market) for market in ("west", "west", "east")] == [
        "miss",
        "hit",
        "miss",
    ]


def test_a_catalogue_that_the_shop_cannot_read_is_an_error(shop: Fixture, guest: Guest) -> None:
    shop.reader.answers[CATALOGUE] = StatementError(Outcome.FAIL, "no server is there")
    with pytest.raises(LabError, match="no server is there"):
        guest.catalogue("west")
    with pytest.raises(LabError, match="market"):
        guest.catalogue("No Market")


def test_an_operators_order_is_taken_where_a_customers_is_refused(
    shop: Fixture, guest: Guest
) -> None:
    shop.writer.answers[PLACE] = [(True, 7, "742", "east_db1", "000000020000000000000003", "0/3")]
    guest.set_read_only(True)
    refused, taken = guest.order(shop.token, "k-1"), guest.operator_order("k-2")
    assert (refused.outcome, refused.status, refused.detail) == (
        "fail",
        503,
        "this region is in read-only mode",
    )
    assert (taken.outcome, taken.key, taken.node, taken.timeline) == ("ok", "k-2", "east_db1", 2)
    assert [parameters[0] for _, parameters in shop.writer.asked] == ["k-2"]
    guest.set_read_only(False)
    assert guest.order(shop.token, "k-1").outcome == "ok"


def test_the_shops_capacity_is_asked_for_and_changed(shop: Fixture, guest: Guest) -> None:
    before = guest.capacity()
    guest.set_capacity(before + 1)
    reserved = 2  # for health checks and operators
    assert (guest.capacity(), shop.writer.sizes) == (before + 1, [before + 1 + reserved])
    with pytest.raises(LabError, match=r"capacity not set: .* from 1 to 64"):
        guest.set_capacity(65)


async def _without_operators(_scope: object, _receive: object, send: Any) -> None:
    await send({"type": "http.response.start", "status": 404, "headers": []})
    await send({"type": "http.response.body", "body": b"{}"})


def test_a_shop_of_ones_own_may_have_no_mode_and_no_capacity(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connect(monkeypatch, _without_operators)
    guest = Guest(ENGINE, LAB, EAST)
    assert (guest.mode().read_only, guest.capacity()) == (False, None)
    guest.set_read_only(False)
    guest.set_capacity(8)
    with pytest.raises(LabError, match="read-only mode not set"):
        guest.set_read_only(True)


async def _broken(_scope: object, _receive: object, send: Any) -> None:
    await send({"type": "http.response.start", "status": 502, "headers": []})
    await send({"type": "http.response.body", "body": b"<html>Bad Gateway</html>"})


def test_an_error_page_is_no_history(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, _broken)
    with pytest.raises(LabError, match="did not hand out its history: status 502") as caught:
        Users(ENGINE, LAB, "east").history(io.BytesIO())
    assert caught.value.next_step == "look at: lab logs users.east"


class Said:
    """A recorder that keeps what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, text: str) -> None:
        self.said.append(text)


def populations(**histories: bytes | LabError) -> Lab:
    """A lab whose users hand out these histories."""

    def users(name: str) -> SimpleNamespace:
        def history(into: BinaryIO) -> None:
            found = histories[name]
            if isinstance(found, LabError):
                raise found
            into.write(found)

        return SimpleNamespace(history=history)

    return cast("Lab", SimpleNamespace(users={name: users(name) for name in histories}))


def test_a_drill_goes_on_without_the_history_of_one_population_and_says_so(tmp_path: Path) -> None:
    book = Said()
    lab = populations(east=LabError("status 502"), west=b"west's\n")
    [path] = histories(lab, tmp_path, cast("Recorder", book))
    assert path.read_bytes() == b"west's\n"
    assert book.said == ["no record of users east: status 502"]


def test_without_any_history_there_is_nothing_to_measure(tmp_path: Path) -> None:
    lab = populations(east=LabError("status 502"), west=LabError("no answer"))
    with pytest.raises(LabError, match="status 502"):
        histories(lab, tmp_path, cast("Recorder", Said()))


class Population:
    """Users who write down what they do, as far as a load is told to work."""

    def __init__(self) -> None:
        self.record: list[str] = []

    def start(self, load: Load, _seed: int) -> None:
        self.record.append(f"{load.writes_per_second:g}/s")

    def clear(self) -> None:
        self.record.clear()


def test_the_record_of_a_load_that_was_put_away_is_kept_like_its_orders(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    people = {"east": Population(), "west": Population()}
    idle = SimpleNamespace(start=lambda: None, clear=lambda: None)
    lab = cast("Lab", SimpleNamespace(
        users=people, stopwatch=idle, settings=SimpleNamespace(pace=1.0), stop_load=lambda: None,
    ))  # fmt: skip

    def steady(_lab: Lab, rate: float, _seconds: float, timeout: float) -> None:
        if rate > 25:
            raise WaitExpired("users to be served", timeout, LabError("too slow"))

    monkeypatch.setattr(service, "wait_for_service", steady)
    book = Recorder(EngineClock("boot", 0.0, 0.0), tmp_path / "journal.json", ())
    assert service.begin(lab, Load(), 7, book).writes_per_second == 25
    assert [each.record for each in people.values()] == [["50/s", "25/s"]] * 2


KEYS = st.text("0123456789abcdef", min_size=32, max_size=32)


@given(KEYS, st.sampled_from(["east", "west", "east-west"]))
def test_the_users_keys_are_told_from_all_others(hexadecimal: str, population: str) -> None:
    key = f"{population}-{hexadecimal}"
    assert of_users(key, {population, "other"})
    assert not of_users(key, {"other"})
    assert not any(of_users(f"{own}{hexadecimal}", {"east", "west"}) for own in OWN)
    for learners in (key[:-1], f"{key}0", f"my-{key}", hexadecimal, f"{population}-first-order"):
        assert not of_users(learners, {population})
