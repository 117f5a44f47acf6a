"""Who else uses the lab's addresses: other networks of the engine, and this machine's routes."""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

from lab.core.topology import NETWORKS

ROUTES = Path("/proc/net/route")


@dataclass(frozen=True)
class Network:
    """One subnet of a network of the engine, with the bridge that carries it on this machine."""

    name: str
    subnet: IPv4Network
    bridge: str


@dataclass(frozen=True)
class Route:
    """One line of the kernel's table."""

    interface: str
    subnet: IPv4Network


@dataclass(frozen=True)
class Taken:
    """Another program's use of the lab's addresses; `blocks` when the lab cannot start with it."""

    what: str
    blocks: bool


def lab_networks(subnet: str) -> tuple[IPv4Network, ...]:
    """The lab's networks under a prefix such as 10.91. Raises ValueError for another text."""
    return tuple(IPv4Network(f"{subnet}.{n}.0/24") for n in range(len(NETWORKS)))


def own_names(lab: str) -> frozenset[str]:
    """The names of the engine's networks that belong to the lab called `lab`."""
    return frozenset(f"{lab}-{name}" for name in NETWORKS)


def parse_network(entry: Mapping[str, Any]) -> Iterator[Network]:
    """The IPv4 subnets of one entry of the engine's list of networks."""
    named = (entry.get("Options") or {}).get("com.docker.network.bridge.name")
    bridge = str(named or f"br-{str(entry['Id'])[:12]}")
    for config in (entry.get("IPAM") or {}).get("Config") or ():
        subnet = str(config.get("Subnet", ""))
        if "." in subnet:
            yield Network(str(entry["Name"]), IPv4Network(subnet, strict=False), bridge)


def parse_routes(text: str) -> Iterator[Route]:
    """The routes in the kernel's own table, whose addresses are in the machine's byte order."""
    for line in text.splitlines()[1:]:
        interface, destination, *_, mask = line.split()[:8]
        address = ipaddress.IPv4Address(struct.pack("<I", int(destination, 16)))
        prefix = int(mask, 16).bit_count()
        if prefix:  # the default route is no claim to any address
            yield Route(interface, IPv4Network((address, prefix), strict=False))


def read_routes(file: Path = ROUTES) -> tuple[Route, ...]:
    """This machine's routes; none where the kernel is not Linux's."""
    return tuple(parse_routes(file.read_text())) if file.is_file() else ()


def taken_by(
    wanted: Iterable[IPv4Network],
    own: frozenset[str],
    networks: Iterable[Network],
    routes: Iterable[Route],
) -> tuple[Taken, ...]:
    """Who else uses the `wanted` subnets, each named once.

    A wider route (a VPN's 10.0.0.0/8) does not stop the lab, it only hides those addresses while
    the lab is up. Bridges are named by their network, not as a route.
    """
    subnets, known = tuple(wanted), tuple(networks)
    found = [
        Taken(f"Docker's network {n.name} ({n.subnet})", blocks=True)
        for n in known
        if n.name not in own and any(n.subnet.overlaps(s) for s in subnets)
    ]
    bridges = {n.bridge for n in known}
    for route in routes:
        if route.interface not in bridges and any(route.subnet.overlaps(s) for s in subnets):
            wider = any(route.subnet.prefixlen < s.prefixlen for s in subnets)
            found.append(Taken(f"the route {route.subnet} by {route.interface}", blocks=not wider))
    return tuple(dict.fromkeys(found))
