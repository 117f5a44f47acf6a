"""`python -m appkit.hog HOST PORT`: takes every connection that a database gives, and holds them.

With the shop's own account, as a program does that opens one for every call. Ends when the server
ends one of them, and then all of them are gone. With `once` it opens one and says how that went.
"""

from __future__ import annotations

import select
import sys
from contextlib import suppress

import psycopg

from appkit.account import Line, connect


def hold_all(host: str, port: str) -> None:
    """Take, then wait."""
    held: list[Line] = []
    with suppress(psycopg.OperationalError):
        while True:
            held.append(connect(host, port, "hog"))
    if held:
        select.select(held, [], [])  # readable: the server has ended one


def once(host: str, port: str) -> str:
    """`connected`, or the server's reason in one line."""
    try:
        connect(host, port, "hog").close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    return "connected"


if __name__ == "__main__":
    if sys.argv[3:] == ["once"]:
        sys.stdout.write(once(sys.argv[1], sys.argv[2]) + "\n")
    else:
        hold_all(sys.argv[1], sys.argv[2])
