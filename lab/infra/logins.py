"""Who a server is known as, and who may log in where: pure rows of names and addresses.

A certificate that names only the machine would be of little use: clients arrive by names that
move (`writer.lab.test`) and by gateways' addresses, and each of them checks what it asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from lab.core.addresses import Addresses
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    PLACES,
    REGIONS,
    WRITER_NAME,
    ZONE,
    Place,
    head_name,
)

REPLICATION_ROLE = "replicator"
SHOP_ROLE = "shop"


def machine_name(place: Place) -> str:
    """The name that one machine alone has: `db1.east.lab.test`. No resolver knows it.

    The tool asks for it behind a published port, so that a port which leads to another machine
    by now is noticed at the handshake.
    """
    return f"{place.service}.{place.site}.{ZONE}"


def _database(place: Place, addresses: Addresses) -> tuple[str, ...]:
    here = place.region
    return (
        machine_name(place),
        WRITER_NAME,
        *map(head_name, REGIONS),  # also the other region's, while that has no head of its own
        addresses.inside(place),
        addresses.gateway_as_seen_from(here, here.other),
    )


def _app(place: Place, addresses: Addresses) -> tuple[str, ...]:
    here = place.region
    return (
        machine_name(place),
        APP_NAME,
        addresses.inside(place),
        addresses.gateway_as_seen_from(here, here.other),
        addresses.entry(here),
        "127.0.0.1",  # the guest's published port, and the machine's own look at its health
    )


def _cache(place: Place, addresses: Addresses) -> tuple[str, ...]:
    here = place.region
    return (
        machine_name(place),
        addresses.inside(place),
        addresses.gateway_as_seen_from(here, here.other),
    )


_KNOWN_AS = {"db1": _database, "db2": _database, "app": _app, "cache": _cache}
SERVERS = tuple(place for place in PLACES if place.service in _KNOWN_AS)
"""The machines that prove who they are."""


def identities(place: Place, addresses: Addresses) -> tuple[str, ...]:
    """Every name and address that a server's clients may ask for: those of its certificate."""
    return _KNOWN_AS[place.service](place, addresses)


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of pg_hba.conf: who may log in to what, from where. All need TLS and a password."""

    database: str
    role: str
    origin: str
    why: str

    def __str__(self) -> str:
        return f"hostssl {self.database} {self.role} {self.origin} scram-sha-256  # {self.why}"


def rules(place: Place, addresses: Addresses) -> Iterator[Rule]:
    """Who may log in to a node over a network. What no rule allows is refused."""
    here = place.region
    gateway = addresses.inside(Place(here.name, "gateway"))
    for peer in DATABASES:
        if peer.region is here and peer != place:
            origin = f"{addresses.inside(peer)}/32"
            yield from _following(origin, f"{peer}, directly")
    yield from _following(f"{gateway}/32", f"{here.other.name}, by the gateway")
    yield Rule(
        "shop", SHOP_ROLE, addresses.network(here.name), "its own region's shop, probes and gateway"
    )
    # Which address a published port's connections show is the engine's business.
    yield Rule("all", "postgres", "all", "the tool, by a published port")


def _following(origin: str, who: str) -> Iterator[Rule]:
    """A standby streams, and is rewound: pg_rewind asks by ordinary statements."""
    yield Rule("replication", REPLICATION_ROLE, origin, f"a standby streams: {who}")
    yield Rule("postgres", REPLICATION_ROLE, origin, f"pg_rewind: {who}")


def host_based_access(place: Place, addresses: Addresses) -> str:
    """The node's pg_hba.conf."""
    lines = ["local all postgres peer", *map(str, rules(place, addresses))]
    return "\n".join(lines) + "\n"
