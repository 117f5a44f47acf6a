"""The promise behind every `ok`: it survives the loss of the primary, also when it is a retry's.

With the standby out of reach a client's time-out cancels the wait for it, and the row is on the
primary alone. A retry finds its key there. If it were told `ok`, a failover would prove it wrong.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
import requests
from web import Answer, Shop, new_key, shop_of

from lab.core.topology import EAST, EAST_DB1, EAST_DB2, SHOP_CONNECTIONS
from lab.core.wait import wait_until
from lab.postgres.finalread import read_living
from lab.postgres.following import prove_following
from lab.testbed.lab import Lab

pytestmark = pytest.mark.docker

ORDERS, READS = SHOP_CONNECTIONS + 2, SHOP_CONNECTIONS // 4
POOLS = ORDERS + 2 + READS + 2
"""A shop's connections: two pools, and beside each one that proves that the node lives and one
for cancelling."""
CALLERS = 60


@pytest.fixture
def customer(serving_pair: Lab) -> Shop:
    """A customer of east's shop."""
    return shop_of(serving_pair, EAST).customer()


def test_a_retry_is_never_told_ok_while_nothing_replicates(
    serving_pair: Lab, customer: Shop
) -> None:
    lab, before, given_up, told = serving_pair, new_key(), new_key(), new_key()
    assert customer.order(before).json["outcome"] == "ok"
    lab.databases[EAST_DB2].stop("immediate")
    with pytest.raises(requests.Timeout):
        customer.order(given_up, timeout=0.4)
    assert customer.order(told).json["outcome"] == "local"
    wait_until("both rows to be on the primary", lambda: {given_up, told} <= _keys(lab), 5)

    with ThreadPoolExecutor(4) as pool:
        retries = list(pool.map(customer.order, [given_up, told, given_up, told]))

    outcomes = [answer.json["outcome"] for answer in retries]
    assert set(outcomes) <= {"local", "unknown", "fail"}
    assert "local" in outcomes
    winner = _fail_over(lab)
    assert before in winner
    assert not {given_up, told} & set(winner)  # so an `ok` would have been a lie


def test_a_retry_is_told_ok_once_the_standby_is_back_and_there_is_one_row(
    serving_pair: Lab, customer: Shop
) -> None:
    lab, key = serving_pair, new_key()
    lab.databases[EAST_DB2].stop("immediate")
    first = customer.order(key)
    assert (first.status, first.json["outcome"]) == (202, "local")
    lab.databases[EAST_DB2].start()
    prove_following(lab.databases[EAST_DB1], [lab.databases[EAST_DB2]], 10)

    retry = customer.order(key)

    assert (retry.status, retry.json["outcome"], retry.json["created"]) == (200, "ok", False)
    assert retry.json["order_id"] == first.json["order_id"]
    assert _fail_over(lab)[key] == 1


def test_every_key_that_was_told_ok_survives_a_primary_killed_under_load(
    serving_pair: Lab, customer: Shop
) -> None:
    keys = [new_key() for _ in range(120)]
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(_patiently, customer, key) for key in keys]
        wait_until("orders to be taken", lambda: sum(a.done() for a in answers) > 40, 10)
        serving_pair.engine.kill([EAST_DB1])
        outcomes = {key: answer.result() for key, answer in zip(keys, answers, strict=True)}
    told_ok = {key for key, outcome in outcomes.items() if outcome == "ok"}
    assert 40 < len(told_ok) < len(keys)
    assert told_ok <= set(_fail_over(serving_pair))


def test_sessions_of_commits_that_hang_never_exceed_the_pools_and_an_operator_gets_in(
    serving_pair: Lab, customer: Shop
) -> None:
    lab, seen = serving_pair, list[int]()
    lab.engine.freeze([EAST_DB2])
    with _surge(customer) as answers:
        wait_until("the pool to be large", lambda: _sessions(lab) > ORDERS // 2, 20)
        answers.clear()
        with _deaf(lab):  # no cancel request is heard, and no new connection is made
            wait_until("callers to be answered", lambda: answers.total() > CALLERS, 20)
        answers.clear()

        def answered() -> bool:
            seen.append(_sessions(lab))
            return answers.total() > 2 * CALLERS

        wait_until("callers to be answered", answered, 30)
        assert max(seen) <= POOLS
        lab.engine.start([EAST_DB2])
        wait_until("commits to be confirmed again", lambda: answers["ok"] > CALLERS, 20)
        assert _sessions(lab) <= POOLS


def test_every_order_is_confirmed_again_once_a_frozen_standby_goes_on_where_it_was(
    serving_pair: Lab, customer: Shop
) -> None:
    lab, sender = serving_pair, _sender(serving_pair)
    with _surge(customer, SHOP_CONNECTIONS // 2) as answers:
        lab.engine.freeze([EAST_DB2])
        wait_until("commits to hang", lambda: answers["local"] > CALLERS, 20)
        lab.engine.thaw([EAST_DB2])

        def confirmed() -> bool:
            answers.clear()
            wait_until("callers to be answered", lambda: answers.total() > CALLERS, 20)
            return answers["ok"] == answers.total()

        wait_until("every order to be confirmed again", confirmed, 10)
    assert _sender(lab) == sender, "no connection was lost, and none had to be made"


def _sender(lab: Lab) -> int:
    """The process that sends WAL to the standby."""
    found = lab.databases[EAST_DB1].query(
        "SELECT pid FROM pg_stat_replication WHERE application_name = 'east_db2'"
    )
    return int(found[0][0])


@contextmanager
def _surge(customer: Shop, count: int = CALLERS) -> Iterator[Counter[str]]:
    """So many callers, if not told otherwise more than connections; what they were told."""
    told, over = Counter[str](), threading.Event()

    def call() -> None:
        while not over.is_set():
            told[_patiently(customer, new_key())] += 1

    with ThreadPoolExecutor(count) as pool:
        callers = [pool.submit(call) for _ in range(count)]
        try:
            yield told
        finally:
            over.set()
            for each in callers:
                each.result(20)


@contextmanager
def _deaf(lab: Lab) -> Iterator[None]:
    """A server whose sessions go on while the program that listens for new ones stands still."""
    script = "kill -{} $(head -n 1 data/postmaster.pid)"
    lab.engine.run(EAST_DB1, ["sh", "-c", script.format("STOP")])
    try:
        yield
    finally:
        lab.engine.run(EAST_DB1, ["sh", "-c", script.format("CONT")])


def _sessions(lab: Lab) -> int:
    """Those of east's shop, as an operator who logs in now sees them."""
    found = lab.databases[EAST_DB1].query(
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'east.app'"
    )
    return int(found[0][0])


def _patiently(customer: Shop, key: str) -> str:
    try:
        answer: Answer = customer.order(key)
    except requests.RequestException:
        return "unknown"
    return str(answer.json["outcome"])


def _keys(lab: Lab) -> set[str]:
    return set(read_living(lab.databases[EAST_DB1]))


def _fail_over(lab: Lab) -> dict[str, int]:
    """Kill the primary, promote its standby; how many rows each key has there."""
    lab.engine.kill([EAST_DB1])
    node = lab.databases[EAST_DB2]
    node.start()
    node.set_synchronous(None)
    node.promote()
    return {key: row.copies for key, row in read_living(node).items()}
