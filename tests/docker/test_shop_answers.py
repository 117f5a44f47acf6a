"""The shop's promises to its clients, on a real pair of regions."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import jwt
import pytest
import requests
from testcontainers.core.container import DockerContainer
from web import Shop, new_key, shop_of
from world import World

from lab.core.topology import EAST, EAST_DB1, WEST, WEST_DB1, Place
from lab.core.wait import wait_until
from lab.postgres.databases import DATABASE
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker


@pytest.fixture
def stranger(world: World) -> Iterator[Shop]:
    """A shop of another lab: the same program with another key, and no database."""
    container = DockerContainer(world.images["apps"], command=["python3", "-m", "shop"])
    container.with_envs(
        REGION="east",
        WRITER_HOST="192.0.2.1",
        READER_HOST="192.0.2.1",
        DB_PASSWORD="none",
        JWT_KEY=secrets.token_hex(32),
    )
    container.ports["8080/tcp"] = ("127.0.0.1",)
    with container:
        shop = Shop(f"http://127.0.0.1:{container.get_exposed_port(8080)}")
        wait_until(
            "the stranger's shop to answer",
            lambda: shop.get("/livez").status == 200,
            15,
            ignoring=(requests.ConnectionError,),
        )
        yield shop


def test_twenty_retries_at_once_make_one_order(serving: Lab) -> None:
    customer, key = shop_of(serving, EAST).customer(), new_key()
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda _: customer.order(key), range(20)))
    assert {answer.json["outcome"] for answer in answers} == {"ok"}
    assert sum(answer.json["created"] for answer in answers) == 1
    assert len({answer.json["order_id"] for answer in answers}) == 1
    assert _row(serving, key) == [(20, 1)]


def test_a_key_of_another_customer_is_refused_and_left_as_it_was(serving: Lab) -> None:
    shop, key = shop_of(serving, EAST), new_key()
    assert shop.customer().order(key).status == 201
    answer = shop.customer().order(key)
    assert (answer.status, answer.json["outcome"]) == (409, "fail")
    assert _row(serving, key) == [(1, 1)]


def test_a_key_with_another_order_under_it_is_refused(serving: Lab) -> None:
    customer, key = shop_of(serving, EAST).customer(), new_key()
    assert customer.order(key, quantity=1).status == 201
    assert customer.order(key, quantity=2).status == 409
    assert _row(serving, key) == [(1, 1)]


def test_an_answer_says_which_server_took_the_order(serving: Lab) -> None:
    for region in (EAST, WEST):
        answer = shop_of(serving, region).customer().order(new_key())
        assert answer.json["region"] == answer.headers["X-Region"] == region.name
        assert answer.json["node"] == answer.headers["X-Node"] == "east_db1"
        assert answer.json["timeline"] == int(answer.headers["X-Timeline"]) == 1
        assert answer.json["request_id"] == answer.headers["X-Request-Id"]


def test_reads_are_answered_by_the_regions_own_node(serving: Lab) -> None:
    customer, key = shop_of(serving, EAST).customer(), new_key()
    customer.order(key)
    west = shop_of(serving, WEST).for_token(customer.token)
    found = wait_until("the order to reach west", lambda: _if_found(west, key), 5)
    assert (found.json["key"], found.headers["X-Node"]) == (key, WEST_DB1.server_name)


def test_read_only_mode_refuses_orders_and_is_not_ready(serving_edges: Lab) -> None:
    shop, guest = shop_of(serving_edges, EAST), serving_edges.guests[EAST]
    customer = shop.customer()
    guest.set_read_only(True)
    refused, ready = customer.order(new_key()), shop.get("/readyz")
    assert (refused.status, refused.json["outcome"]) == (503, "fail")
    assert (ready.status, ready.json["ready"], ready.json["reason"]) == (503, False, "read-only")
    assert customer.get("/orders").status == 200
    guest.set_read_only(False)
    assert shop.get("/readyz").status == 200
    assert customer.order(new_key()).json["outcome"] == "ok"


def test_customers_and_strangers_cannot_switch_the_mode(serving: Lab) -> None:
    shop = shop_of(serving, EAST)
    url = f"{shop.url}/admin/read-only"
    for token, status in ((shop.customer().token, 403), (_forged("operator"), 401)):
        headers = {"Authorization": f"Bearer {token}"}
        answer = requests.post(
            url, json={"enabled": True}, headers=headers, timeout=3, verify=shop.authority
        )
        assert answer.status_code == status
    assert shop.get("/admin/mode").json["read_only"] is False


def test_a_dead_cache_does_not_break_the_catalogue(serving_edges: Lab) -> None:
    shop, cache = shop_of(serving_edges, EAST), Place("east", "cache")
    wait_until("the cache to be used", lambda: _cache(shop) == "hit", 10)
    serving_edges.engine.kill([cache])
    answers = [shop.get("/catalogue") for _ in range(5)]
    assert [answer.status for answer in answers] == [200] * 5
    assert {answer.headers["X-Cache"] for answer in answers} == {"down"}
    assert len(answers[-1].json["products"]) == 50
    serving_edges.engine.start([cache])
    wait_until("the cache to be used again", lambda: _cache(shop) == "hit", 10)


def test_a_session_is_good_in_every_region_that_has_the_key(serving: Lab, stranger: Shop) -> None:
    customer = shop_of(serving, EAST).customer()
    west = shop_of(serving, WEST).for_token(customer.token)
    assert west.get("/orders").status == 200
    assert west.order(new_key()).json["outcome"] == "ok"
    assert Shop(stranger.url, customer.token).get("/orders").status == 401
    assert west.for_token(_forged("customer")).get("/orders").status == 401
    assert west.for_token("").get("/orders").status == 401


def _forged(role: str) -> str:
    claims = {"sub": "customer", "role": role, "exp": 4102444800}
    return jwt.encode(claims, secrets.token_hex(32), algorithm="HS256")


def _cache(shop: Shop) -> str:
    answer = shop.get("/catalogue")
    return answer.headers.get("X-Cache", "") if answer.status == 200 else ""


def _if_found(shop: Shop, key: str) -> object:
    answer = shop.get(f"/orders/{key}")
    return answer if answer.status == 200 else None


def _row(lab: Lab, key: str) -> list[tuple[int, int]]:
    """Attempts and quantity of each row under a key."""
    return lab.databases[EAST_DB1].query(
        "SELECT attempts, quantity FROM orders WHERE key = %s", (key,), database=DATABASE
    )
