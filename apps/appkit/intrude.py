"""`python -m appkit.intrude HOST PORT`: tries to commit an order past every switch but a fence.

Straight at a database, with the shop's account, in a session that declares itself read-write: what
a client does that nobody told about the failover. Prints how that went: `committed`, `waits` (the
commit is held, so nobody is told that it happened), or the reason why it failed.
"""

from __future__ import annotations

import sys
import uuid
from threading import Timer

import psycopg

from appkit.account import connect

_SECONDS = 3.0
_ORDER = (
    "INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)"
    " VALUES (%s, 'intruder', 1, 1, 1, 'nowhere')"
)


def intrude(host: str, port: str) -> str:
    """One word, or the server's reason in one line."""
    try:
        return _try(host, port)
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]


def _try(host: str, port: str) -> str:
    notices: list[str] = []
    with connect(host, port, "intruder", "-c default_transaction_read_only=off") as line:
        line.add_notice_handler(lambda said: notices.append(said.message_primary or ""))
        stop = Timer(_SECONDS, line.cancel)
        stop.start()
        try:
            line.execute("SET transaction_read_only = off")
            line.execute(_ORDER, (f"verify-{uuid.uuid4().hex}",))
        finally:
            stop.cancel()
    # A cancelled wait commits here and warns: the client was never told that it is safe.
    return "waits" if notices else "committed"


if __name__ == "__main__":
    sys.stdout.write(intrude(sys.argv[1], sys.argv[2]) + "\n")
