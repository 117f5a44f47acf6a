"""How this machine reaches a node's server: by a published port, and sure that it is that node."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from lab.core.topology import Place
from lab.infra.logins import machine_name

if TYPE_CHECKING:
    from lab.infra.settings import Settings

_CONNECT_SECONDS = 3


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
