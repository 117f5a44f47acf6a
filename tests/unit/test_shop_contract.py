"""A shop of one's own: what is missing is named, and nothing else."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_shop import KEY, Asked, SmallShop, Spoil, Told, serving

from lab.commands.shop.check import check
from lab.core.errors import LabError, Refused, UsageError
from lab.infra import shopchecks
from lab.infra.shopcontract import CLAUSES, Finding, State, broken, examine
from lab.infra.shoptrial import Trial

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "shop.md").read_text()
IDLE = 0.05


def as_it_is(_shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return told


def tried(spoil: Spoil = as_it_is, idle: float = 5.0, **more: Any) -> dict[str, Finding]:
    """What is found about a small shop, by clause."""
    shop = SmallShop()
    with serving(shop, spoil, idle) as url:
        known = {"jwt_key": KEY, "beside": shop.beside, "idle": IDLE} | more
        return {each.clause.name: each for each in examine(Trial(url, **known))}


def missing(found: dict[str, Finding]) -> set[str]:
    return {name for name, each in found.items() if each.state is State.MISSING}


def on(path: str, change: Spoil, method: str = "POST") -> Spoil:
    """Spoil the answers to one kind of request."""

    def spoil(shop: SmallShop, asked: Asked, told: Told) -> Told:
        fits = asked.method == method and asked.path.partition("?")[0] == path
        return change(shop, asked, told) if fits else told

    return spoil


def saying(**fields: Any) -> Spoil:
    """Other fields; a field that is None is left out."""
    return lambda _shop, _asked, told: replace(
        told, said={k: v for k, v in (told.said | fields).items() if v is not None}
    )


def answering(status: int) -> Spoil:
    return lambda _shop, _asked, _told: Told(status)


def only_if(holds: Any, change: Spoil) -> Spoil:
    return lambda shop, asked, told: change(shop, asked, told) if holds(shop, asked, told) else told


def _new_number(shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return replace(told, said=told.said | {"order_id": next(shop._numbers)})


def _written_all_the_same(shop: SmallShop, asked: Asked, told: Told) -> Told:
    shop.orders[asked.headers["idempotency-key"]] = 0
    return told


def _late_and_written(shop: SmallShop, asked: Asked, told: Told) -> Told:
    return _ok_at_once(shop, asked, _written_all_the_same(shop, asked, told))


def _never_found(_shop: SmallShop, asked: Asked, told: Told) -> Told:
    return replace(told, status=404) if asked.path.startswith("/orders/") else told


def _ok_at_once(_shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return Told(201, told.said | {"outcome": "ok"})


def _lies_without_standby(shop: SmallShop, asked: Asked, told: Told) -> Told:
    shop.waiting = 0
    return told if shop.replicated else _ok_at_once(shop, asked, told)


def _lies_when_its_session_ends(shop: SmallShop, asked: Asked, told: Told) -> Told:
    return _ok_at_once(shop, asked, told) if shop.ended and not shop.replicated else told


def _never_a_hit(_shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return replace(told, headers={"X-Cache": "miss"})


def _too_late(_shop: SmallShop, asked: Asked, _told: Told) -> bool:
    return "x-deadline" in asked.headers


def _refused(_shop: SmallShop, _asked: Asked, told: Told) -> bool:
    return told.status == 400


def _shut(shop: SmallShop, _asked: Asked, _told: Told) -> bool:
    return bool(shop.read_only["read_only"])


def _by_customer(_shop: SmallShop, asked: Asked, _told: Told) -> bool:
    return asked.claims.get("role") == "customer"


def _nameless(_shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return replace(told, headers=told.headers | {"X-Node": ""})


def _without_length(_shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return replace(told, headers=told.headers | {"Content-Length": ""})


def _always_the_same_id(_shop: SmallShop, _asked: Asked, told: Told) -> Told:
    return replace(told, headers=told.headers | {"X-Request-Id": "1"})


MISTAKES: tuple[tuple[str, Spoil], ...] = (
    ("alive", on("/livez", answering(404), "GET")),
    ("sign-up", on("/signup", answering(200))),
    ("log-in", on("/login", answering(200))),
    ("log-in", on("/login", answering(401))),
    ("order", on("/orders", saying(region=None))),
    ("order", on("/orders", saying(request_id=None))),
    ("once", on("/orders", _new_number)),
    ("row", on("/orders", saying(node="west_db1"))),
    ("replicated", on("/orders", _lies_without_standby)),
    ("refusal", on("/orders", only_if(_refused, answering(503)))),
    ("refusal", on("/orders", only_if(_refused, _written_all_the_same))),
    ("read", _never_found),
    ("catalogue", on("/catalogue", _never_a_hit, "GET")),
    ("ready", on("/readyz", saying(reason=None), "GET")),
    ("read-only", on("/admin/read-only", answering(404))),
    ("read-only", on("/admin/mode", saying(by=None), "GET")),
    ("read-only", on("/orders", only_if(_shut, _ok_at_once))),
    ("read-only", on("/admin/read-only", only_if(_by_customer, answering(200)))),
    ("capacity", on("/admin/capacity", answering(404), "GET")),
    ("capacity", on("/admin/capacity", saying(connections=1))),
    ("trace", on("/orders", saying(timeline=None))),
    ("trace", on("/orders", saying(xid="no", lsn=None))),
    ("headers", _nameless),
    ("headers", _always_the_same_id),
    ("deadline", on("/orders", only_if(_too_late, answering(503)))),
    ("deadline", on("/orders", only_if(_too_late, _late_and_written))),
    ("writer", on("/readyz", saying(writer=None), "GET")),
    ("sessions", on("/orders", only_if(lambda shop, *_: shop.ended, answering(500)))),
    ("sessions", on("/orders", _lies_when_its_session_ends)),
    ("sessions", on("/livez", only_if(lambda shop, *_: shop.ended, answering(500)), "GET")),
    ("connections", on("/livez", _without_length, "GET")),
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shopchecks, "_SOON_SECONDS", 0.1)


def test_a_shop_that_does_all_that_is_asked_is_told_so() -> None:
    found = tried()
    assert {name: each.reasons for name, each in found.items() if each.reasons} == {}
    assert {each.state for each in found.values()} == {State.KEPT}


@pytest.mark.parametrize(("name", "spoil"), MISTAKES, ids=[name for name, _ in MISTAKES])
def test_a_clause_that_is_missing_is_named_and_no_other(name: str, spoil: Spoil) -> None:
    found = tried(spoil)
    assert missing(found) == {name}
    assert all(found[name].reasons)
    clause = found[name].clause
    assert broken(found.values()) == ((name,) if clause.must else ())


def test_every_clause_has_a_shop_that_misses_it() -> None:
    assert {name for name, _ in MISTAKES} == {each.name for each in CLAUSES}


def test_a_shop_that_closes_what_it_should_keep_is_named() -> None:
    assert missing(tried(idle=0.01)) == {"connections"}


def test_orders_that_are_not_in_the_database_or_twice_are_named() -> None:
    for rows, said in ((0, "has 0 rows"), (2, "has 2 orders with the key")):
        beside = replace(SmallShop().beside, rows=lambda _key, rows=rows: rows, end_waiting=int)
        found = tried(beside=beside)
        assert missing(found) == {"row", "replicated"}
        assert any(said in text for name in ("row", "replicated") for text in found[name].reasons)


def test_what_needs_an_order_is_not_tried_where_none_is_taken() -> None:
    found = tried(on("/orders", only_if(lambda _s, _a, told: told.status == 201, answering(500))))
    assert found["order"].reasons[0] == "POST /orders: the status is 500, not 200 or 201"
    untried = {name for name, each in found.items() if each.state is State.UNTRIED}
    assert untried == {"once", "row", "sessions", "read", "trace"}
    assert all("see order" in found[name].reasons[0] for name in untried)


def test_what_only_a_lab_knows_is_not_tried_at_a_url_and_breaks_nothing() -> None:
    found = tried(jwt_key="", beside=None)
    untried = {name: each.reasons for name, each in found.items() if each.state is State.UNTRIED}
    assert untried.keys() == {"row", "replicated", "sessions", "read-only", "capacity"}
    assert "JWT_KEY" in untried["capacity"][0]
    assert "leave the URL out" in untried["row"][0]
    assert missing(found) == set()


# ── the command ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JWT_KEY", KEY)
    monkeypatch.setattr(Trial, "left_alone", lambda _trial: iter(()))


def test_the_command_says_why_a_clause_is_missing_and_what_that_costs(
    key: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def spoil(shop: SmallShop, asked: Asked, told: Told) -> Told:
        told = on("/login", answering(404))(shop, asked, told)
        return on("/readyz", saying(writer=None), "GET")(shop, asked, told)

    with serving(SmallShop(), spoil) as url, pytest.raises(Refused, match="log-in") as ended:
        check(url)
    assert ended.value.exit_code == 1
    assert "docs/shop.md" in ended.value.next_step
    said = capsys.readouterr().out
    assert re.search(r"^alive +kept$", said, re.M)
    assert "log-in       MISSING\n    POST /login: the status is 404, not 200" in said
    costs = next(each.why for each in CLAUSES if each.name == "writer")
    assert (
        f"writer       left out\n    GET /readyz: `writer` is missing, not 'open'\n    {costs}"
        in said
    )
    assert re.search(r"^once +not tried$", said, re.M)


def test_a_shop_that_lacks_only_what_may_be_lacking_conforms(
    key: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(SmallShop(), on("/orders", saying(timeline=None, xid=None, lsn=None))) as url:
        check(url, as_json=True)
    out, err = capsys.readouterr()
    untried = "nothing that a drill needs is missing; not tried: row, replicated, sessions"
    assert untried in " ".join(err.split())
    told = json.loads(out)
    assert told["conforms"] is True
    assert told["untried"] == ["row", "replicated", "sessions"]
    by_name = {each["name"]: each for each in told["clauses"]}
    assert list(by_name) == [each.name for each in CLAUSES]
    assert (by_name["trace"]["state"], by_name["trace"]["must"]) == ("missing", False)
    assert by_name["row"]["state"] == "untried"


def test_where_no_shop_answers_one_error_says_so() -> None:
    with serving(SmallShop(), as_it_is) as url:
        pass
    with pytest.raises(LabError, match=f"no shop answers at {url}") as ended:
        check(url)
    assert ended.value.exit_code == 3


@pytest.mark.parametrize(
    "url", ["shop", "", "ftp://shop", "http://", "http://[::1", "http://a:b", "http://a:99999"]
)
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="is not the address of a shop"):
        check(url)


# ── the guide ────────────────────────────────────────────────────────────────────────────────


def test_the_guide_has_a_line_for_each_clause_in_its_table() -> None:
    for must, head in ((True, "## What a shop must do"), (False, "## What it may leave out")):
        table = GUIDE.partition(head)[2].partition("\n## ")[0]
        rows = re.findall(r"^\| `([\w-]+)` \| .* \|$", table, re.M)
        wanted = [each for each in CLAUSES if each.must is must]
        assert rows == [each.name for each in wanted]
        for each in wanted:
            assert f"| `{each.name}` | {each.asks} | {each.answers} | {each.why} |" in table


def test_the_guide_names_every_variable_that_a_shop_is_given_and_its_limits() -> None:
    region = (ROOT / "compose" / "region.yaml").read_text()
    given = yaml.safe_load(region)["services"]["app"]
    table = GUIDE.partition("## What a shop is given")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| (`.*?) \|", table, re.M)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(
        given["environment"]
    )
    assert f"{given['mem_limit'].removesuffix('m')} MB" in table
    assert f"{given['pids_limit']} processes" in table
