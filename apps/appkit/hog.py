"""`python -m appkit.hog HOST PORT`: takes every connection that a database gives, and holds them.

With the shop's own account, as a program does that opens one for every call. Ends when the server
ends one of them, and then all of them are gone. With `once` it opens one and says how that went.
"""

from __future__ import annotations

import os
import select
import sys
from contextlib import suppress

import psycopg


def hold_all(host: str, port: str) -> None:
    """Take, then wait."""
    held: list[psycopg.Connection[tuple[object, ...]]] = []
    with suppress(psycopg.OperationalError):
        while True:
            held.append(_connection(host, port))
    if held:
        select.select(held, [], [])  # readable: the server has ended one


def once(host: str, port: str) -> str:
    """`connected`, or the server's reason in one line."""
    try:
        _connection(host, port).close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    return "connected"


def _connection(host: str, port: str) -> psycopg.Connection[tuple[object, ...]]:
    return psycopg.connect(
        host=host,
        port=int(port),
        dbname=os.environ["DB_NAME"],
        user=os.environ["DB_USER"],
        password=os.environ["DB_PASSWORD"],
        application_name="hog",
        connect_timeout=3,
        autocommit=True,
    )


if __name__ == "__main__":
    if sys.argv[3:] == ["once"]:
        sys.stdout.write(once(sys.argv[1], sys.argv[2]) + "\n")
    else:
        hold_all(sys.argv[1], sys.argv[2])
