"""How a connection is made, and when one can still be trusted."""

from __future__ import annotations

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, LiteralString

import psycopg

from appkit.names import Addresses, Server, ask
from shop.connection import Connection
from shop.statement import StatementError, run

FRESH = 0.5  # a connection used this many seconds ago needs no round trip to be trusted
CHECK = 0.5  # seconds that a check may take
WHO: LiteralString = "SELECT current_setting('cluster_name')"
NAME_PATIENCE = 0.5  # seconds that a resolver may take
CONFIGURE = 1.0  # seconds that the first statement may take
NO_ROOM = ("too many clients", "too many connections", "connection slots are reserved")


class Reach(StrEnum):
    """What the newest attempt to reach a node came to."""

    OPEN = "open"  # a connection was made, or a statement done
    CONNECTING = "connecting"  # under way, after nothing worse than a broken connection
    REFUSED = "refused"  # it failed
    SILENT = "silent"  # a connection or a statement got no answer in time, and none since


def failed(problem: BaseException) -> tuple[Reach, str]:
    """What an attempt that ended so came to, and the first line of why."""
    silent = isinstance(problem, (TimeoutError, psycopg.errors.ConnectionTimeout))
    reach = Reach.SILENT if silent else Reach.REFUSED
    return reach, (str(problem).splitlines() or [""])[0] or "no answer to a connection attempt"


def has_no_room(problem: BaseException) -> bool:
    """True when a server that lives refused a connection because it has none left to give.

    The text tells: psycopg knows no SQLSTATE of an attempt to connect.
    """
    return isinstance(problem, psycopg.OperationalError) and any(
        each in str(problem) for each in NO_ROOM
    )


@dataclass(frozen=True)
class Target:
    """Which server to connect to, and with which login."""

    role: str  # writer or reader: for log lines
    host: str
    port: int
    database: str
    user: str
    password: str
    application: str
    size: int
    resolver: Server | None  # None: `host` is an address
    authority: str | None = None  # the certificate that vouches for the server; None: no TLS

    async def lead(self) -> Addresses:
        """Where the name leads now. Raises `appkit.names.LookupFailedError`."""
        if self.resolver is None:
            return Addresses((self.host,), 2.0)
        return await ask(self.host, self.resolver, NAME_PATIENCE)


def choose(current: str | None, answer: Addresses) -> str:
    """The address to use: the present one while the name still leads there, else the first."""
    return current if current in answer.addresses else answer.addresses[0]


def connect_settings(target: Target, address: str, patience: float = 2.0) -> dict[str, Any]:
    """Keyword arguments for a connection to `address`, made within `patience` seconds, at least 2.

    The socket settings notice a machine that went silent within about three seconds, also when
    no statement runs. The server must prove that it is who the name leads to.
    """
    return {
        "hostaddr": address,
        "host": target.host,
        "port": target.port,
        "dbname": target.database,
        "user": target.user,
        "password": target.password,
        "application_name": target.application,
        "connect_timeout": max(round(patience), 2),
        "tcp_user_timeout": 3000,
        "keepalives_idle": 1,
        "keepalives_interval": 1,
        "keepalives_count": 2,
        **_encryption(target.authority),
        "gssencmode": "disable",
        "autocommit": True,
        "prepare_threshold": 1,
    }


def _encryption(authority: str | None) -> dict[str, str]:
    """TLS from the first byte on: asking whether the server can would be one more round trip."""
    if authority is None:
        return {"sslmode": "disable"}
    return {"sslmode": "verify-full", "sslrootcert": authority, "sslnegotiation": "direct"}


async def configure(connection: Connection) -> None:
    """Prepare a new connection: learn which node it is, and listen for warnings.

    Raises `StatementError`; the connection is closed then.
    """
    connection.add_notice_handler(connection.hear)
    try:
        done = await run(connection, WHO, (), CONFIGURE, gentle=False)
    except BaseException:
        await connection.abandon()
        raise
    connection.node = done.rows[0][0]


async def usable(connection: Connection) -> bool:
    """True when `connection` can be trusted with a statement: used just now and nothing heard
    since, or else checked by a round trip."""
    if connection.closed or connection.spent:
        return False
    if time.monotonic() - connection.used_at < FRESH and connection.quiet():
        return True
    try:
        await run(connection, "", (), CHECK, gentle=False)
    except StatementError:
        return False
    return not connection.spent
