"""The tool's clients, against the programs themselves: both sides mean the same by a request."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import urlsplit

import pytest
import requests
from appkit.control import Guarded
from appkit.env import Env
from asgi_call import Answer, call
from shop.cache import CATALOGUE
from shop.orders import PLACE
from shop.outcome import Outcome
from shop.statement import StatementError
from starlette.types import ASGIApp
from steering.app import build_app
from steering.settings import Settings
from stubbed_shop import KEY, Fixture

from lab.clients import Steering
from lab.engine import Engine
from lab.errors import LabError
from lab.guest import Guest
from lab.settings import Settings as LabSettings
from lab.topology import EAST, WEST

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
        "TARGETS": "east=http://127.0.0.1:9,west=http://127.0.0.1:9",
        "ANSWERS": "east=10.0.0.11,west=10.0.0.12",
    }
    return build_app(Settings.read(Env(variables)))


def test_an_operator_pins_a_steering_and_takes_the_pin_out(monkeypatch: pytest.MonkeyPatch) -> None:
    app = steering()
    connect(monkeypatch, app)
    client = Steering(ENGINE, LAB, EAST)
    for region, pinned in ((WEST, "west"), (WEST, "west"), (EAST, "east"), (None, None)):
        client.pin(region)
        assert asyncio.run(call(app, "GET", "/state")).json["pinned"] == pinned


def test_a_program_does_nothing_for_those_who_have_not_its_own_token(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    app = Guarded(steering(), f"{TOKEN} east.steering")
    connect(monkeypatch, app)
    Steering(ENGINE, LAB, EAST).pin(WEST)
    with pytest.raises(LabError, match="a control token is needed"):
        Steering(ENGINE, LAB, WEST).pin(EAST)  # the other one's
    for headers in (None, {"Authorization": "Bearer "}, {"Authorization": TOKEN}):
        for method, path in (("POST", "/pin"), ("GET", "/state"), ("GET", "/livez/../state")):
            assert asyncio.run(call(app, method, path, {"region": None}, headers)).status == 401
        assert asyncio.run(call(app, "GET", "/livez", None, headers)).status == 200
    own = {"Authorization": f"Bearer {TOKEN} east.steering"}
    assert asyncio.run(call(app, "GET", "/state", None, own)).json["pinned"] == "west"


def test_a_steering_that_does_not_answer_is_not_pinned(monkeypatch: pytest.MonkeyPatch) -> None:
    connect(monkeypatch, None)
    with pytest.raises(LabError, match="does not answer"):
        Steering(ENGINE, LAB, EAST).pin(WEST)


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


def test_a_catalogue_that_nobody_has_is_an_error(shop: Fixture, guest: Guest) -> None:
    shop.reader.answers[CATALOGUE] = StatementError(Outcome.FAIL, "nobody is there")
    with pytest.raises(LabError, match="nobody is there"):
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
