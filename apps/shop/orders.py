"""Orders: written once per key in one round trip, read back from the region's own node."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, LiteralString

from shop.follow import Database
from shop.outcome import Outcome, success
from shop.statement import Done, StatementError

KEY = re.compile(r"[!-~]{1,64}")

# A retry that finds its key updates the row: that is a commit of its own, and it too waits for
# the synchronous standby. A retry that only read the row would answer "ok" for an order whose
# first commit was cut short and that exists on one node alone.
# The WHERE lets only the same order be repeated; otherwise no row comes back.
# The timeline is asked of the WAL being written: pg_control_checkpoint() says the old one for
# seconds after a promotion.
PLACE: LiteralString = """
INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)
SELECT %s, %s, p.id, %s, p.price_cents, %s FROM products AS p WHERE p.id = %s
ON CONFLICT (key) DO UPDATE SET attempts = orders.attempts + 1
    WHERE orders.customer = excluded.customer
      AND orders.product_id = excluded.product_id
      AND orders.quantity = excluded.quantity
RETURNING (xmax = 0), id, pg_current_xact_id()::text, current_setting('cluster_name'),
          pg_walfile_name(pg_current_wal_insert_lsn()), pg_current_wal_insert_lsn()::text
"""

KEY_TAKEN: LiteralString = "SELECT EXISTS (SELECT FROM orders WHERE key = %s)"

ONE: LiteralString = """
SELECT key, id, product_id, quantity, unit_price_cents, region, attempts
FROM orders WHERE key = %s AND customer = %s
"""

MINE: LiteralString = """
SELECT key, id, product_id, quantity, unit_price_cents, region, attempts
FROM orders WHERE customer = %s ORDER BY id DESC LIMIT 50
"""


class RefusedError(Exception):
    """The order cannot be placed as it is; nothing was written. `status` is the HTTP status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status, self.detail = status, detail


@dataclass(frozen=True)
class Order:
    """A customer's wish."""

    key: str
    customer: str
    product_id: int
    quantity: int


@dataclass(frozen=True)
class Placed:
    """A committed order, and where it was committed."""

    outcome: Outcome
    created: bool
    order_id: int
    xid: str
    node: str
    timeline: int
    lsn: str


def parse_order(key: str | None, customer: str, body: Any) -> Order:
    """An order from a request. Raises `RefusedError`."""
    if key is None or not KEY.fullmatch(key):
        raise RefusedError(400, "Idempotency-Key must have 1 to 64 printable ASCII characters")
    if not isinstance(body, dict):
        raise RefusedError(400, "the body must be a JSON object")
    return Order(key, customer, _count(body, "product_id"), _count(body, "quantity"))


def _count(body: dict[str, Any], name: str) -> int:
    value = body.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 1_000_000:
        raise RefusedError(400, f"{name} must be a whole number from 1 to 1000000")
    return value


def timeline_of(wal_file: str) -> int:
    """The timeline in the name of a WAL file: its first eight hexadecimal digits."""
    return int(wal_file[:8], 16)


async def place(writer: Database, order: Order, region: str, limit: float) -> Placed:
    """Write `order` in one round trip. Raises `RefusedError` or `StatementError`."""
    parameters = (order.key, order.customer, order.quantity, region, order.product_id)
    done = await writer.execute(PLACE, parameters, limit)
    if not done.rows:
        raise await _why_not(writer, order, limit)
    return read_placed(done)


def read_placed(done: Done) -> Placed:
    """The answer to `PLACE`."""
    created, order_id, xid, node, wal_file, lsn = done.rows[0]
    outcome = success(unreplicated=done.unreplicated)
    return Placed(outcome, created, order_id, xid, node, timeline_of(wal_file), lsn)


async def _why_not(writer: Database, order: Order, limit: float) -> RefusedError:
    try:
        taken = (await writer.execute(KEY_TAKEN, (order.key,), limit)).rows[0][0]
    except StatementError:
        taken = True  # either way nothing was written for this order
    if taken:
        return RefusedError(409, "the key belongs to another order")
    return RefusedError(422, f"there is no product {order.product_id}")


def order_json(row: tuple[Any, ...]) -> dict[str, Any]:
    """A row of `ONE` or `MINE` as its JSON object."""
    names = ("key", "order_id", "product_id", "quantity", "unit_price_cents", "region", "attempts")
    return dict(zip(names, row, strict=True))
