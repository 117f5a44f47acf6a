"""`python -m appkit.intrude HOST PORT`: tries to commit an order past every switch but a fence.

Straight at a database, with the shop's account, in a session that declares itself read-write: what
a client does that does not know of the failover. Prints how that went: `committed`, `waits` (the
commit is held, and the client is not told that it happened), or the reason why it failed.

With `--held FILE` the session is there before the fence is: it is opened, which prints `open`, and
tries to commit when FILE exists. It gives up, and commits nothing, after a minute without it.
"""

from __future__ import annotations

import sys
import time
import uuid
from pathlib import Path
from threading import Timer

import psycopg

from appkit.account import connect

_SECONDS = 3.0
_HELD_SECONDS = 60.0
_LOOK_SECONDS = 0.05
_ORDER = (
    "INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region)"
    " VALUES (%s, 'intruder', 1, 1, 1, 'nowhere')"
)


def intrude(host: str, port: str, held: Path | None = None) -> str:
    """One word, or the server's reason in one line."""
    try:
        return _try(host, port, held)
    except TimeoutError as error:
        return str(error)
    except psycopg.Error as error:
        return str(error).strip().splitlines()[0]


def _try(host: str, port: str, held: Path | None) -> str:
    notices: list[str] = []
    with connect(host, port, "intruder", "-c default_transaction_read_only=off") as line:
        line.add_notice_handler(lambda said: notices.append(said.message_primary or ""))
        if held:
            _wait_for(held)
        stop = Timer(_SECONDS, line.cancel)
        stop.start()
        try:
            line.execute("SET transaction_read_only = off")
            line.execute(_ORDER, (f"verify-{uuid.uuid4().hex}",))
        finally:
            stop.cancel()
    # A cancelled wait commits here and warns: the client was never told that it is safe.
    return "waits" if notices else "committed"


def _wait_for(held: Path) -> None:
    sys.stdout.write("open\n")
    sys.stdout.flush()
    end = time.monotonic() + _HELD_SECONDS
    while not held.exists():
        if time.monotonic() > end:
            raise TimeoutError(f"{held} did not come within {_HELD_SECONDS:g} s")
        time.sleep(_LOOK_SECONDS)


if __name__ == "__main__":
    given = sys.argv[4] if sys.argv[3:4] == ["--held"] else None
    said = intrude(sys.argv[1], sys.argv[2], Path(given) if given else None)
    sys.stdout.write(said + "\n")
