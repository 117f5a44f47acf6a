"""What the lab asks of a shop, a clause to a row: the check, the docs and the tests read the same.

A clause's `check` yields what is missing, in words; nothing when the clause is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from lab.core.lazylibraries import lazily
from lab.infra import shopchecks
from lab.infra.shoptrial import Trial, Untried

if TYPE_CHECKING:
    import requests
else:
    requests = lazily("requests")


@dataclass(frozen=True, slots=True)
class Clause:
    """A line of the contract.

    Where a `must` is missing, drills fail or end as unknown. Without another clause they run, and
    `why` says what they cannot tell. `asks` and `answers` are Markdown.
    """

    name: str
    asks: str
    answers: str
    why: str
    check: Callable[[Trial], Iterator[str]]
    must: bool = True


class State(StrEnum):
    """What came of a clause."""

    KEPT = "kept"
    MISSING = "missing"
    UNTRIED = "untried"


@dataclass(frozen=True, slots=True)
class Finding:
    """A clause, what came of it, and why: what is missing, or why it could not be tried."""

    clause: Clause
    state: State
    reasons: tuple[str, ...] = ()

    @property
    def breaks(self) -> bool:
        """True when the shop cannot take the place of the lab's."""
        return self.clause.must and self.state is State.MISSING


def examine(trial: Trial) -> tuple[Finding, ...]:
    """Try every clause, one after the other."""
    return tuple(_found(clause, trial) for clause in CLAUSES)


def _found(clause: Clause, trial: Trial) -> Finding:
    try:
        reasons = tuple(clause.check(trial))
    except Untried as reason:
        return Finding(clause, State.UNTRIED, (str(reason),))
    except requests.RequestException as error:
        reasons = (f"no answer: {type(error).__name__}",)
    return Finding(clause, State.MISSING if reasons else State.KEPT, reasons)


CLAUSES: Final = (
    Clause(
        "alive", "`GET /livez`", "200, whatever its database does",
        "probes of links and of machines ask it: a fault is proven by it, and its healing",
        shopchecks.alive,
    ),
    Clause(
        "sign-up", "`POST /signup` `{username, password}`", "201",
        "each user of a drill signs up once",
        shopchecks.sign_up,
    ),
    Clause(
        "log-in", "`POST /login` `{username, password}`",
        "200 with a `token`, which the shops of both regions take",
        "users and the stopwatch send it with each order, wherever they are sent",
        shopchecks.log_in,
    ),
    Clause(
        "order",
        "`POST /orders` `{product_id, quantity}` with `Authorization: Bearer TOKEN` and"
        " `Idempotency-Key`",
        "201 with `outcome: ok`, `order_id`, `region` (REGION), `node` (the server's"
        " `cluster_name`) and `request_id`",
        "an order that is answered `ok` counts as acknowledged, at that region and that server",
        shopchecks.order,
    ),
    Clause(
        "once", "the same order again, and five times at once",
        "200 or 201, `outcome: ok` and the same `order_id`",
        "users send an order again with its key if they got no answer; it must not be placed"
        " twice",
        shopchecks.once,
    ),
    Clause(
        "row", "the row of an order in the table `orders`",
        "one row with that key, committed by the server in `node`, one transaction an order",
        "at the end of a drill each database is read: what was acknowledged must be there",
        shopchecks.row,
    ),
    Clause(
        "replicated", "an order while the synchronous standby does not answer",
        "within 1.5 s 202 with `outcome: local` (committed here alone) or 504 with `outcome:"
        " unknown`; when the standby is back, the retry is `ok`, and there is one row",
        "an `ok` that only one node has is a lost order after a failover",
        shopchecks.replicated,
    ),
    Clause(
        "refusal", "an order of quantity 0",
        "400 to 499, `outcome: fail`; nothing is written",
        "`fail` means that the order was definitely not placed. All that is not certain is"
        " `unknown`",
        shopchecks.refusal,
    ),
    Clause(
        "read", "`GET /orders/KEY`", "200 for an own order, 404 for a key that is not there",
        "users read their orders again: orders that were seen and are gone are counted",
        shopchecks.read,
    ),
    Clause(
        "catalogue", "`GET /catalogue?market=east`, again and again",
        "200; the header `X-Cache` says `hit`, `miss` or `down`, and soon `hit`",
        "the step warm-caches reads until all is cached",
        shopchecks.catalogue,
    ),
    Clause(
        "ready", "`GET /readyz`",
        "200 if an order can be taken, else 503; `reason` in words, and `node`",
        "health checks send users by it; a reset and each healing wait for it",
        shopchecks.ready,
    ),
    Clause(
        "read-only",
        "`POST /admin/read-only` `{enabled, by}` with an operator's token, and `GET /admin/mode`",
        "200 with `read_only`, `since` and `by`. Meanwhile customers get 503 with `outcome: fail`,"
        " `/readyz` 503, and an operator's order goes through",
        "without it the step stop-writes fails at a shop that can be reached: the planned moves"
        " (switchover, failback) need it",
        shopchecks.read_only, must=False,
    ),
    Clause(
        "capacity", "`GET` and `POST /admin/capacity` `{connections}`", "200 with `connections`",
        "without it the step scale-up leaves the shop as it is",
        shopchecks.capacity, must=False,
    ),
    Clause(
        "trace", "`POST /orders`", "also `timeline`, `xid` and `lsn` of the commit",
        "without them a second primary is found by a lower bound only, the WAL gives no second"
        " opinion, and no loss is told in bytes",
        shopchecks.trace, must=False,
    ),
    Clause(
        "headers", "any request with `X-Request-Id`",
        "`X-Region`, `X-Node` and the same `X-Request-Id`",
        "without them reads tell neither region nor server: stale reads and moves of readers are"
        " not counted",
        shopchecks.headers, must=False,
    ),
    Clause(
        "deadline", "an order whose `X-Deadline` (seconds since 1970) has passed",
        "503 with `outcome: fail` and `Retry-After`; nothing is written",
        "without it a shop in an overload works for users who have left, and users do not hold"
        " back",
        shopchecks.deadline, must=False,
    ),
    Clause(
        "writer", "`GET /readyz`",
        "`writer`: `open`, `connecting`, `refused` or `silent`, as the primary is reached",
        "without it health checks wait 2 s, not 1 s, before they believe that a region is cut off"
        " from its primary",
        shopchecks.writer, must=False,
    ),
    Clause(
        "connections", "two requests on one connection, 5.5 s apart",
        "both are answered; each answer of the shop has a `Content-Length`",
        "users keep connections for 5 s: an order that meets a closing one is `unknown`."
        " The stopwatch reads no answer without a length",
        shopchecks.connections,
    ),
    Clause(
        "sessions", "an order whose session the server ends",
        "not `ok`; `/livez` goes on, and soon the retry is `ok`",
        "each failover and each reset ends sessions; a program that ends with them stays down,"
        " because the lab starts nothing again",
        shopchecks.sessions,
    ),
)  # fmt: skip
"""In the order in which they are tried: a clause may need what an earlier one asks for."""


def broken(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Names of the clauses for which the shop cannot take the place of the lab's."""
    return tuple(each.clause.name for each in findings if each.breaks)


def untried(findings: Iterable[Finding]) -> tuple[str, ...]:
    """Names of the clauses that a drill needs, and of which nothing is known."""
    left = (each for each in findings if each.state is State.UNTRIED)
    return tuple(each.clause.name for each in left if each.clause.must)
