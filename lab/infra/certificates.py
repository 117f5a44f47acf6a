"""The lab's certificate authority, and the certificates that it gives to the lab's servers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from lab.core.addresses import Addresses
from lab.infra.logins import SERVERS, identities, machine_name

if TYPE_CHECKING:
    import trustme


class KeyPair(BaseModel):
    """A certificate and its private key, both PEM."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    certificate: str
    key: str


class Trust(BaseModel):
    """A lab's own authority, and what it vouches for: one pair for each server, by place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    authority: KeyPair
    servers: Mapping[str, KeyPair]


def make(name: str, addresses: Addresses) -> Trust:
    """A new authority for the lab called `name`, with a certificate for each of its servers.

    ECDSA keys (P-256): a handshake costs a server a fifth of a millisecond, with RSA a whole one.
    """
    # Here, because every command reads the settings, and only a new lab needs this.
    import trustme

    authority = trustme.CA(organization_name=f"failover lab {name}")
    servers = {
        str(place): _issue(authority, machine_name(place), identities(place, addresses))
        for place in SERVERS
    }
    own = _pair(authority.cert_pem, authority.private_key_pem)
    return Trust(authority=own, servers=servers)


def _issue(authority: trustme.CA, name: str, known_as: tuple[str, ...]) -> KeyPair:
    made = authority.issue_cert(*known_as, common_name=name)
    return _pair(made.cert_chain_pems[0], made.private_key_pem)


def _pair(certificate: trustme.Blob, key: trustme.Blob) -> KeyPair:
    return KeyPair(certificate=certificate.bytes().decode(), key=key.bytes().decode())
