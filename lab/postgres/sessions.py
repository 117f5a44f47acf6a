"""How this machine reaches a node's server: by a published port, and sure that it is that node."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, TypedDict

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import Place
from lab.infra.logins import machine_name

if TYPE_CHECKING:
    import psycopg

    from lab.infra.machines import Engine
    from lab.infra.settings import Settings
else:
    psycopg = lazily("psycopg")

_CONNECT_SECONDS = 3
POSTGRES = "postgres"
"""The database that every server has."""


class Way(TypedDict):
    """Keyword arguments of `psycopg.connect`: where the server is, and how it proves itself."""

    host: str
    hostaddr: str
    port: int
    sslmode: str
    sslrootcert: str
    gssencmode: str
    connect_timeout: int


def way(place: Place, port: int, settings: Settings) -> Way:
    """The way to a node behind a loopback port.

    The server must be encrypted and prove that it is `place`, and no other of the lab's nodes.
    """
    return Way(
        host=machine_name(place),
        hostaddr="127.0.0.1",
        port=port,
        sslmode="verify-full",
        sslrootcert=str(settings.authority_file),
        gssencmode="disable",
        connect_timeout=_CONNECT_SECONDS,
    )


def as_shop(
    place: Place, engine: Engine, settings: Settings, database: str
) -> psycopg.Connection[Any]:
    """A session of the shop's role, in autocommit, whose commits wait as the server says."""
    return psycopg.connect(
        **way(place, engine.port(place, 5432), settings),
        user="shop",
        password=settings.shop_password,
        dbname=database,
        autocommit=True,
    )


class Sessions:
    """A superuser's connections to one server, in autocommit."""

    def __init__(self, place: Place, engine: Engine, settings: Settings) -> None:
        self._place, self._engine, self._settings = place, engine, settings
        self._kept: ExitStack | None = None
        self._session: psycopg.Connection[Any] | None = None

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Inside this block one connection serves all questions to the database `postgres`.

        The first question opens it, and the next one replaces it if it broke. A new connection
        costs 20 to 60 ms in the second after a failover, when all users log in again.
        """
        if self._kept is not None:
            yield
            return
        with ExitStack() as self._kept:
            try:
                yield
            finally:
                self._kept = self._session = None

    @contextmanager
    def open(self, database: str = POSTGRES) -> Iterator[psycopg.Connection[Any]]:
        """A connection. What PostgreSQL objects to becomes a LabError."""
        block = ExitStack()
        session = self._session if database == POSTGRES else None
        if session is None or session.closed:
            session = self._connected(database)
            kept = self._kept if database == POSTGRES else None
            if kept is not None:
                self._session = session
            (kept or block).callback(session.close)
        with block:
            try:
                yield session
            except psycopg.Error as error:
                raise LabError(f"{self._place}: {_first_line(error)}") from error

    def _connected(self, database: str) -> psycopg.Connection[Any]:
        port = self._engine.port(self._place, 5432)
        try:
            return psycopg.connect(
                **way(self._place, port, self._settings),
                user="postgres",
                password=self._settings.superuser_password,
                dbname=database,
                application_name="lab",
                # The tool's own statements must never wait for a standby that a drill has cut off.
                options="-c synchronous_commit=local -c statement_timeout=20s",
                autocommit=True,
            )
        except psycopg.OperationalError as error:
            raise LabError(
                f"{self._place}: no connection to PostgreSQL: {_first_line(error)}",
                f"look at: lab logs {self._place}",
            ) from error


def _first_line(error: Exception) -> str:
    return (str(error) or type(error).__name__).strip().splitlines()[0]
