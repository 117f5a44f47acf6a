"""How each clause of the shop's contract is tried: what is missing, in words, or nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Final

from lab.core.errors import WaitExpired
from lab.core.wait import pause, wait_until
from lab.infra.shoptrial import PATIENCE_SECONDS, Answer, Trial, Untried, new_key

_SOON_SECONDS: Final = 5.0
_LATE_SECONDS: Final = 0.5
"""What a busy machine may add to an answer."""
_GAP_SECONDS: Final = 0.05
_AT_ONCE: Final = 5
_BY: Final = "lab shop check"
_LSN: Final = re.compile(r"[0-9A-F]+/[0-9A-F]+")


def alive(trial: Trial) -> Iterator[str]:
    """The process answers."""
    yield from trial.ask("GET", "/livez").unlike(200)


def sign_up(trial: Trial) -> Iterator[str]:
    """A new customer."""
    name = new_key()
    yield from trial.ask("POST", "/signup", {"username": name, "password": name}).unlike(201)


def log_in(trial: Trial) -> Iterator[str]:
    """A token for a customer."""
    person = {"username": new_key(), "password": "a password"}
    trial.ask("POST", "/signup", person)
    answer = trial.ask("POST", "/login", person)
    yield from (*answer.unlike(200), *answer.lacks("token"))


def order(trial: Trial) -> Iterator[str]:
    """An order, and what its answer says."""
    answer = trial.order(new_key())
    yield from answer.unlike(200, 201, outcome="ok")
    yield from answer.lacks("order_id", "region", "node", "request_id")


def once(trial: Trial) -> Iterator[str]:
    """One order for each key, however often it is sent."""
    key, first = trial.placed
    yield from trial.order(key).unlike(200, 201, outcome="ok", order_id=first.said.get("order_id"))
    other, token = new_key(), trial.customer
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(lambda _: trial.order(other, token), range(_AT_ONCE)))
    yield from dict.fromkeys(text for each in answers for text in each.unlike(200, 201))
    made = {each.said.get("order_id") for each in answers}
    if len(made) > 1:
        yield f"{_AT_ONCE} requests at once with one key made {len(made)} orders"


def row(trial: Trial) -> Iterator[str]:
    """The order is in the database, where the answer says."""
    beside, (key, answer) = trial.database(), trial.placed
    yield from answer.unlike(200, 201, node=beside.primary)
    if (rows := beside.rows(key)) != 1:
        yield f"{beside.primary} has {rows} rows with the order's key in its table orders, not 1"


def replicated(trial: Trial) -> Iterator[str]:
    """An order that no standby has is not answered ok."""
    beside, token, key = trial.database(), trial.customer, new_key()
    with beside.alone():
        answer = trial.order(key, token)
    if answer.said.get("outcome") not in ("local", "unknown", "fail"):
        yield f"{answer.asked}: `outcome` is {answer.said.get('outcome')!r}; no standby had it"
    if answer.seconds > PATIENCE_SECONDS + _LATE_SECONDS:
        yield f"the answer took {answer.seconds:.1f} s: users wait for {PATIENCE_SECONDS:g} s"
    again = _soon(lambda: trial.order(key, token), _is_ok)
    yield from again.unlike(200, 201, outcome="ok")
    if (rows := beside.rows(key)) != 1:
        yield f"after the retry {beside.primary} has {rows} orders with the key, not 1"


def sessions(trial: Trial) -> Iterator[str]:
    """A session that the server ends in the middle of an order does not end the shop."""
    beside, token, key = trial.database(), trial.customer, new_key()
    alive = trial.ask("GET", "/livez")
    if not _is_ok(trial.order(new_key(), token)):
        raise Untried("no order is answered ok: see order and read-only")
    with ThreadPoolExecutor(1) as pool, beside.alone():
        under_way = pool.submit(trial.order, key, token)
        ended = beside.end_waiting()
        while not under_way.done():
            pause(_GAP_SECONDS)
            ended += beside.end_waiting()
    if ended and _is_ok(answer := under_way.result()):
        yield f"{answer.asked}: `outcome` is 'ok'; the server had ended the session"
    yield from trial.ask("GET", "/livez").unlike(alive.status)
    again = _soon(lambda: trial.order(key, token), _is_ok)
    yield from again.unlike(200, 201, outcome="ok")


def _is_ok(answer: Answer) -> bool:
    return answer.said.get("outcome") == "ok"


def refusal(trial: Trial) -> Iterator[str]:
    """What cannot be ordered is refused, and nothing is written."""
    key = new_key()
    answer = trial.order(key, quantity=0)
    if not 400 <= answer.status < 500:
        yield f"{answer.asked}: the status is {answer.status}, not one from 400 to 499"
    yield from answer.unlike(answer.status, outcome="fail")
    yield from trial.read(key).unlike(404)


def deadline(trial: Trial) -> Iterator[str]:
    """A request whose caller has left is refused."""
    key = new_key()
    answer = trial.order(key, X_Deadline=f"{time.time() - 1:.3f}")
    yield from (*answer.unlike(503, outcome="fail"), *answer.lacks_headers("Retry-After"))
    yield from trial.read(key).unlike(404)


def read(trial: Trial) -> Iterator[str]:
    """An own order can be read, and another key is not found."""
    key, _ = trial.placed
    yield from _soon(lambda: trial.read(key), lambda found: found.status == 200).unlike(200)
    yield from trial.read(new_key()).unlike(404)


def catalogue(trial: Trial) -> Iterator[str]:
    """The catalogue comes from a cache, after a while."""

    def ask() -> Answer:
        return trial.ask("GET", "/catalogue?market=east")

    answer = _soon(ask, lambda found: found.headers.get("X-Cache") == "hit")
    yield from answer.unlike(200)
    if (said := answer.headers.get("X-Cache")) != "hit":
        yield f"{answer.asked}: the header X-Cache never says hit, but {said or 'nothing'}"


def ready(trial: Trial) -> Iterator[str]:
    """It is ready, and says where it would write."""
    answer = _soon(lambda: trial.ask("GET", "/readyz"), lambda found: found.status == 200)
    yield from (*answer.unlike(200), *answer.lacks("reason", "node"))


def writer(trial: Trial) -> Iterator[str]:
    """It says how its primary is reached."""
    yield from trial.ask("GET", "/readyz").unlike(200, 503, writer="open")


def read_only(trial: Trial) -> Iterator[str]:
    """An operator can refuse customers' orders, and nobody else can."""
    operator, customer = trial.operator, trial.customer

    def switch(enabled: bool, token: str) -> Answer:
        return trial.ask("POST", "/admin/read-only", {"enabled": enabled, "by": _BY}, token)

    if lacking := [*switch(True, operator).unlike(200)]:
        yield from lacking
        return
    try:
        yield from trial.ask("GET", "/admin/mode").unlike(200, read_only=True, by=_BY)
        yield from trial.order(new_key(), customer).unlike(503, outcome="fail")
        yield from trial.ask("GET", "/readyz").unlike(503)
        yield from trial.order(new_key(), operator).unlike(200, 201, outcome="ok")
        yield from switch(False, customer).unlike(401, 403)
    finally:
        ended = switch(False, operator)
    yield from ended.unlike(200)
    yield from trial.ask("GET", "/admin/mode").unlike(200, read_only=False)


def capacity(trial: Trial) -> Iterator[str]:
    """An operator can say how many connections it may have."""
    now = trial.ask("GET", "/admin/capacity")
    yield from now.unlike(200)
    has = now.said.get("connections")
    if not isinstance(has, int):
        yield f"{now.asked}: `connections` is no number"
        return
    asked = trial.ask("POST", "/admin/capacity", {"connections": has}, trial.operator)
    yield from asked.unlike(200, connections=has)


def trace(trial: Trial) -> Iterator[str]:
    """An order's answer names its commit."""
    _, answer = trial.placed
    if not isinstance(answer.said.get("timeline"), int):
        yield f"{answer.asked}: `timeline` is no number"
    if not str(answer.said.get("xid", "")).isdecimal():
        yield f"{answer.asked}: `xid` is no transaction id"
    if not _LSN.fullmatch(str(answer.said.get("lsn", ""))):
        yield f"{answer.asked}: `lsn` is no position in the WAL"


def headers(trial: Trial) -> Iterator[str]:
    """Each answer says who gave it."""
    asked = "check-1"
    answer = trial.ask("GET", f"/orders/{new_key()}", token=trial.customer, X_Request_Id=asked)
    yield from answer.lacks_headers("X-Region", "X-Node")
    if (said := answer.headers.get("X-Request-Id")) != asked:
        yield f"{answer.asked}: the header X-Request-Id is {said!r}, not the request's {asked!r}"


def connections(trial: Trial) -> Iterator[str]:
    """Connections are kept, and each answer says its length."""
    yield from trial.left_alone()
    yield from (f"{each}: the header Content-Length is missing" for each in sorted(trial.unframed))


def _soon(ask: Callable[[], Answer], holds: Callable[[Answer], bool]) -> Answer:
    """The first answer that is as it should be, or the last one within five seconds."""
    answers: list[Answer] = []

    def right() -> bool:
        answers.append(ask())
        return holds(answers[-1])

    with suppress(WaitExpired):
        wait_until("the shop's answer", right, _SOON_SECONDS)
    return answers[-1]
