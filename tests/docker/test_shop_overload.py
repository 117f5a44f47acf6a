"""A shop that has more requests than it can serve, on a real pair of regions."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from web import Shop, new_key, shop_of

from lab.core.topology import EAST, EAST_DB1
from lab.core.wait import wait_until
from lab.infra.shopclient import Guest
from lab.postgres.databases import DATABASE
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker

CALLERS = 12


@pytest.fixture
def small(serving_edges: Lab) -> Iterator[Lab]:
    """A lab whose shop in the east has one connection for customers."""
    guest = serving_edges.guests[EAST]
    before = guest.capacity()
    guest.set_capacity(1)
    yield serving_edges
    guest.set_capacity(before)


def test_an_overloaded_shop_answers_health_checks_and_operators_and_serves_afterwards(
    small: Lab,
) -> None:
    guest, shop = small.guests[EAST], shop_of(small, EAST)
    customer = shop.customer()
    with _overload(small, customer) as refused:
        wait_until("the shop to refuse what is too much", lambda: len(refused) > CALLERS, 20)
        wait_until("five health checks in a row to succeed", lambda: _ready(guest, 5), 20)
        assert guest.operator_order(new_key()).outcome == "ok"
        assert all(each.headers["Retry-After"] for each in refused)
        assert {each.json()["outcome"] for each in refused} == {"fail"}
    wait_until(
        "customers to be served again",
        lambda: customer.order(new_key()).json["outcome"] == "ok",
        20,
    )


def test_an_order_whose_deadline_is_over_is_not_begun(serving: Lab) -> None:
    customer, late, early = shop_of(serving, EAST).customer(), new_key(), new_key()
    answer = _order(customer, late, time.time() - 0.1)
    assert (answer.status_code, answer.json()["outcome"]) == (503, "fail")
    assert _order(customer, early, time.time() + 60).json()["outcome"] == "ok"
    assert [_rows(serving, key) for key in (late, early)] == [0, 1]


@contextmanager
def _overload(lab: Lab, customer: Shop) -> Iterator[list[requests.Response]]:
    """Callers who order what the database does not let go of, again and again; their refusals."""
    key, refused, over = new_key(), list[requests.Response](), threading.Event()
    # An order that is not committed: each other one under its key waits for it.
    hold = (
        "INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)"
        " VALUES (%s, 'customer', 1, 1, 1, 'east')"
    )

    def call() -> None:
        while not over.is_set():
            answer = _order(customer, key, time.time() + 1.5)
            if "Retry-After" in answer.headers:
                refused.append(answer)

    with (
        lab.databases[EAST_DB1].connect(DATABASE) as session,
        session.transaction(force_rollback=True),
        ThreadPoolExecutor(CALLERS) as pool,
    ):
        session.execute(hold, (key,))
        callers = [pool.submit(call) for _ in range(CALLERS)]
        try:
            yield refused
        finally:
            over.set()
            for each in callers:
                each.result(20)


def _order(customer: Shop, key: str, deadline: float) -> requests.Response:
    return requests.post(
        f"{customer.url}/orders",
        json={"product_id": 1, "quantity": 1},
        headers={
            "Authorization": f"Bearer {customer.token}",
            "Idempotency-Key": key,
            "X-Deadline": f"{deadline:.3f}",
        },
        timeout=10,
        verify=customer.authority,
    )


def _ready(guest: Guest, times: int) -> bool:
    return all(guest.ready()[0] for _ in range(times))


def _rows(lab: Lab, key: str) -> int:
    found = lab.databases[EAST_DB1].query(
        "SELECT count(*) FROM orders WHERE key = %s", (key,), database=DATABASE
    )
    return int(found[0][0])
