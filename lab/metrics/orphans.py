"""Orders that only a loser has: as rows, as CSV, as SQL, and what can be done about each.

An orphan is replayed by its client key. It gets a new id: its old one belongs to another order by
now, because a promoted node gives out numbers again.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import asdict, astuple, dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Final

from lab.core.errors import UsageError
from lab.core.jsondocuments import CHANGED
from lab.core.load import OWN
from lab.core.topology import DATABASES
from lab.core.words import listed
from lab.records.history import Outcome

CSV_FILE: Final = "orphans.csv"
SQL_FILE: Final = "orphans.sql"
NOT_RECORDED: Final = "not recorded"
"""The outcome of an order that no user of the history placed."""

LOCKED: Final = "00$carried-over-without-a-password"
"""The password hash of an account that is carried over: it is the hash of no password.

Hashes do not leave the machine that died. The name stays taken, so that no other user can sign up
under it and find the orders.
"""


@dataclass(frozen=True, slots=True)
class OrderRow:
    """All columns of a row of `orders`; `created_at` as PostgreSQL writes it, in UTC."""

    id: int
    key: str
    customer: str
    product_id: int
    quantity: int
    unit_price_cents: int
    region: str
    attempts: int
    created_at: str


@dataclass(frozen=True, slots=True)
class Orphan:
    """An order, what its user was told, and the server that has it."""

    order: OrderRow
    outcome: str
    loser: str


COLUMNS: Final = tuple(each.name for each in fields(OrderRow))
_HEADER: Final = (*COLUMNS, "outcome", "loser")
_DIGITS: Final = re.compile("0|[1-9][0-9]{0,18}")
_NUMBERS: Final = frozenset({"id", "product_id", "quantity", "unit_price_cents", "attempts"})
_LARGEST: Final = {name: 2**63 if name == "id" else 2**31 for name in _NUMBERS}
_OUTCOMES: Final = frozenset({*Outcome, NOT_RECORDED})
_SERVERS: Final = frozenset(place.server_name for place in DATABASES)


def order_row(values: Iterable[str]) -> OrderRow:
    """A row from its texts, in the order of `COLUMNS`. Raises ValueError."""
    named = dict(zip(COLUMNS, values, strict=True))
    return OrderRow(**{k: int(v) if k in _NUMBERS else v for k, v in named.items()})  # type: ignore[arg-type]


def collect(
    rows: Mapping[str, Iterable[OrderRow]], outcome: Callable[[str], str | None]
) -> tuple[Orphan, ...]:
    """One orphan per key, from the first server that has it; `outcome` is by client key."""
    found: dict[str, Orphan] = {}
    for loser, orders in rows.items():
        for order in orders:
            told = outcome(order.key) or NOT_RECORDED
            found.setdefault(order.key, Orphan(order, told, loser))
    return tuple(found.values())


def to_csv(orphans: Iterable[Orphan]) -> str:
    """The text of orphans.csv."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(_HEADER)
    writer.writerows((*astuple(each.order), each.outcome, each.loser) for each in orphans)
    return out.getvalue()


def from_csv(text: str, source: str) -> tuple[Orphan, ...]:
    """The rows of orphans.csv. Raises UsageError."""
    found: dict[str, Orphan] = {}
    lines = csv.reader(io.StringIO(text, newline=""))
    try:
        if tuple(header := next(lines, [])) != _HEADER:
            raise ValueError(f"the columns are {', '.join(header)!r:.80}")
        if not text.endswith("\n"):
            raise ValueError("its last line is cut")
        for row in lines:
            each = _orphan(row)
            if each.order.key in found:
                raise ValueError(f"the key {each.order.key!r:.80} was there before")
            found[each.order.key] = each
    except (ValueError, csv.Error) as error:
        what = "no row of a table" if isinstance(error, csv.Error) else error
        where = f"line {lines.line_num}: {what}"
        raise UsageError(f"{source} is no file of orphans: {where}", CHANGED) from error
    return tuple(found.values())


def _orphan(row: list[str]) -> Orphan:
    if len(row) != len(_HEADER):
        raise ValueError(f"{len(row)} columns instead of {len(_HEADER)}")
    *values, outcome, loser = row
    if not (outcome in _OUTCOMES and loser in _SERVERS):
        raise ValueError(f"{outcome!r:.40} told by {loser!r:.40}: there is no such answer or node")
    for name, value in zip(COLUMNS, values, strict=True):
        if "\0" in value:
            raise ValueError(f"{name} has a character that no database holds")
        if name in _NUMBERS and not (_DIGITS.fullmatch(value) and int(value) < _LARGEST[name]):
            raise ValueError(f"{name} is {value!r:.40}: no number that this column holds")
    if not _is_moment(values[-1]):
        raise ValueError(f"{COLUMNS[-1]} is {values[-1]!r:.40}: no moment")
    return Orphan(order_row(values), outcome, loser)


def _is_moment(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


# ── what can be done ─────────────────────────────────────────────────────────────────────────


class State(StrEnum):
    """What replaying an orphan would do."""

    READY = "ready"
    ALREADY = "already"
    CONFLICT = "conflict"
    OWN = "own"  # the lab's own order


@dataclass(frozen=True, slots=True)
class Present:
    """What a primary holds of what the orphans name; orders as (customer, product, quantity)."""

    orders: Mapping[str, tuple[str, int, int]] = field(default_factory=dict)
    customers: AbstractSet[str] = frozenset()
    products: AbstractSet[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Decision:
    """One orphan and what becomes of it; `new_customer`: an account must be carried over first."""

    orphan: Orphan
    state: State
    why: str
    new_customer: bool = False


def decide(orphans: Iterable[Orphan], present: Present) -> tuple[Decision, ...]:
    """What to do with each orphan, given what is there."""
    return tuple(_decide(each, present) for each in orphans)


def _decide(orphan: Orphan, present: Present) -> Decision:
    order = orphan.order
    there = present.orders.get(order.key)
    wish = (order.customer, order.product_id, order.quantity)
    if there == wish:
        return Decision(orphan, State.ALREADY, "the order is there")
    if there is not None:
        return Decision(orphan, State.CONFLICT, "its key belongs to another order by now")
    refused = reason_against(orphan)
    if refused:
        return Decision(orphan, State.OWN if _is_own(order) else State.CONFLICT, refused)
    if order.product_id not in present.products:
        return Decision(orphan, State.CONFLICT, f"there is no product {order.product_id}")
    if order.customer in present.customers:
        return Decision(orphan, State.READY, "its account is there")
    why = "its account comes along, without a password"
    return Decision(orphan, State.READY, why, new_customer=True)


def reason_against(orphan: Orphan) -> str:
    """Why an orphan should not be replayed anywhere; empty if nothing speaks against it."""
    if _is_own(orphan.order):
        return "it is an order of the lab itself"
    if orphan.outcome == "fail":
        return "its user was told that it failed, and may have ordered again"
    return ""


def _is_own(order: OrderRow) -> bool:
    return order.key.startswith(OWN)


# ── SQL ──────────────────────────────────────────────────────────────────────────────────────


def literal(value: str | int) -> str:
    """A value as an SQL literal that means the same whatever standard_conforming_strings says."""
    if isinstance(value, int):
        return str(value)
    if "\0" in value:
        raise UsageError(f"PostgreSQL has no text with a NUL in it: {value!r}")
    quoted = "'" + value.replace("'", "''").replace("\\", "\\\\") + "'"
    return f"E{quoted}" if "\\" in value else quoted


def insert_customer(name: str) -> str:
    """The statement that carries an account over."""
    named = {"username": name, "password_hash": LOCKED}
    return _insert("customers", named, "username")


def insert_order(order: OrderRow) -> str:
    """The statement that replays an order under its client key."""
    named = {name: value for name, value in asdict(order).items() if name != "id"}
    return _insert("orders", named, "key")


def _insert(table: str, named: Mapping[str, str | int], identity: str) -> str:
    columns, values = ", ".join(named), ", ".join(map(literal, named.values()))
    # Names are written here, values are quoted.
    return (
        f"INSERT INTO {table} ({columns}) VALUES ({values})"  # noqa: S608
        f" ON CONFLICT ({identity}) DO NOTHING"
    )


_NOTE: Final = """\
-- {count} orders that only {losers} had when {run} ended{left_out}.
-- Look first:  lab reconcile {source}    Then:  lab reconcile {source} --apply
-- Or by hand, on the primary:  psql -d shop -v ON_ERROR_STOP=1 -f {file}
-- Running it twice changes nothing: the client key decides. Orders get new ids, since theirs were
-- given out again. Accounts that are missing come along without a password. Until they get
-- one, they have no login, and no other user can take their names.
"""


def to_sql(orphans: Iterable[Orphan], run: str, source: str = "RUN", file: str = SQL_FILE) -> str:
    """The text of orphans.sql: one transaction, without those that should not be replayed.

    `run` is what ended, `source` what `lab reconcile` is told, `file` the name that the text gets.
    """
    every = tuple(orphans)
    wanted = [each for each in every if not reason_against(each)]
    left_out = Counter(filter(None, map(reason_against, every)))
    head = _NOTE.format(
        count=len(wanted),
        losers=_one_line(listed(sorted({each.loser for each in every}))),
        run=_one_line(run),
        left_out="".join(f";\n-- {count} left out: {why}" for why, count in left_out.items()),
        source=_one_line(source),
        file=_one_line(file),
    )
    customers = dict.fromkeys(each.order.customer for each in wanted)
    statements = [*map(insert_customer, customers), *(insert_order(e.order) for e in wanted)]
    return head + "".join(f"{each};\n" for each in ("BEGIN", *statements, "COMMIT"))


def files(orphans: Collection[Orphan], run: str) -> dict[str, str]:
    """The files that a run leaves of its orphans, by name; none without any."""
    return {CSV_FILE: to_csv(orphans), SQL_FILE: to_sql(orphans, run)} if orphans else {}


def _one_line(text: str) -> str:
    return " ".join(text.split())
