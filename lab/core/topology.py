"""Names, addresses and links of the lab: the one description that everything else reads.

Nothing here talks to anything. A place is `east.db1`; where a server-side name must have no
dot it is `east_db1`; its container is `<lab>-east-db1`. Roles are not part of a name.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from lab.core.errors import UnknownName

if TYPE_CHECKING:
    from lab.core.addresses import Addresses

ZONE = "lab.test"
TTL_SECONDS = 2
ONE_WAY_DELAY_MS = 40
SHOP_CONNECTIONS = 48
SHOP_SESSIONS = 165
"""What a server gives both shops together. Their pools need fewer, also after `scale-up`. The rest
of `max_connections` is for operators, the tool and rewinds, whatever the shops do."""


@dataclass(frozen=True, slots=True)
class Region:
    """A region: its name, and its number in addresses (`10.91.<index>.0/24`)."""

    name: str
    index: int

    @property
    def other(self) -> Region:
        """The region that takes over."""
        return WEST if self is EAST else EAST

    @property
    def control(self) -> str:
        """The network by which its gateway is told what to do: nothing else is on it.

        The engine leads all published ports of a machine to the first of its networks by name. The
        dot keeps it apart from the networks of a lab whose name ends in `-control`.
        """
        return f"control.{self.name}"


EAST = Region("east", 1)
WEST = Region("west", 2)
REGIONS = (EAST, WEST)
NETWORKS = ("internet", *(each.name for each in REGIONS), *(each.control for each in REGIONS))
"""A network's number in addresses is its place in this order."""


def region(name: str) -> Region:
    """The region of that name. Raises UnknownName."""
    for each in REGIONS:
        if each.name == name:
            return each
    raise UnknownName("region", name, (each.name for each in REGIONS))


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A machine, named by where it stands: `east.db1`, `west.gateway`, `users.east`."""

    site: str
    service: str

    def __str__(self) -> str:
        return f"{self.site}.{self.service}"

    @property
    def server_name(self) -> str:
        """The spelling PostgreSQL accepts in slot, cluster and application names."""
        return f"{self.site}_{self.service}"

    @property
    def container(self) -> str:
        """The container's name without the lab's prefix."""
        return f"{self.site}-{self.service}"

    @property
    def region(self) -> Region:
        """The region it stands in. Raises UnknownName for the users' side."""
        return region(self.site)

    @property
    def twin(self) -> Place:
        """The other database of its region. Raises StopIteration for what is no database."""
        return next(each for each in DATABASES if each.site == self.site and each != self)

    @staticmethod
    def parse(text: str) -> Place:
        """`east.db1`, `east-db1` or `east_db1` as a place. Raises UnknownName with the nearest."""
        wanted = text.replace("-", ".").replace("_", ".")
        for each in PLACES:
            if str(each) == wanted:
                return each
        raise UnknownName("node", text, (str(each) for each in PLACES))


@dataclass(frozen=True, slots=True)
class Machine:
    """A kind of machine that every region has one of: last byte of its address, zone, purpose."""

    service: str
    host: int
    zone: str
    why: str


MACHINES = (
    Machine("gateway", 0, "edge", "every TCP byte that enters the region passes here"),
    Machine("dns", 53, "edge", "the region's resolver and its half of the steering"),
    Machine("db1", 11, "a", "PostgreSQL: primary of the pair when the lab starts"),
    Machine("db2", 12, "b", "PostgreSQL: standby of the pair, in another zone"),
    Machine("cache", 60, "a", "read-through cache of the catalogue"),
    Machine("app", 80, "a", "the shop, stateless"),
    Machine("steering", 90, "b", "health checker that writes app.lab.test"),
)
PROBER = "steering"
"""The machine of a region that the lab's probes run in: the shop's may hold any image."""
DATABASES = tuple(Place(r.name, m) for r in REGIONS for m in ("db1", "db2"))
EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2 = DATABASES
USERS = (Place("users", "east"), Place("users", "west"))
STOPWATCH = Place("users", "stopwatch")
PLACES = (*(Place(r.name, m.service) for r in REGIONS for m in MACHINES), *USERS, STOPWATCH)


def machines_of(region: Region) -> tuple[Place, ...]:
    """Every machine that stands in a region, its gateway among them."""
    return tuple(Place(region.name, each.service) for each in MACHINES)


def both(service: str) -> tuple[Place, ...]:
    """That machine of either region."""
    return tuple(Place(each.name, service) for each in REGIONS)


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a link carries: the gateway's port, and what it leads to inside the region.

    `origin` is `region` (the other region) or the one outside origin that uses it.
    """

    name: str
    origin: str
    port: int
    target: str
    target_port: int


PURPOSES = (
    Purpose("sql", "region", 5432, "head", 5432),
    Purpose("replication", "region", 5433, "head", 5432),
    Purpose("app", "region", 8080, "app", 8080),
    Purpose("cache", "region", 6379, "cache", 6379),
    Purpose("app", "users-east", 8001, "app", 8080),
    Purpose("app", "users-west", 8002, "app", 8080),
    Purpose("app", "checks-east", 8003, "app", 8080),
    Purpose("app", "checks-west", 8004, "app", 8080),
    Purpose("app", "guest", 8000, "app", 8080),
)


def port_of(origin: str) -> int:
    """The port of a gateway for one origin outside the regions, such as `guest`."""
    [found] = [each.port for each in PURPOSES if each.origin == origin]
    return found


@dataclass(frozen=True, slots=True)
class Link:
    """A listener of the gateway of the region that it enters: `west:east:replication`."""

    origin: str
    entered: Region
    purpose: Purpose

    @property
    def name(self) -> str:
        """`FROM:TO:PURPOSE`, as typed on the command line."""
        return f"{self.origin}:{self.entered.name}:{self.purpose.name}"

    @property
    def gateway(self) -> Place:
        """The gateway that holds the listener."""
        return Place(self.entered.name, "gateway")

    @property
    def is_long_distance(self) -> bool:
        """True when the origin lies in or near the other region."""
        return self.origin.removeprefix("users-").removeprefix("checks-") == self.entered.other.name

    def listen(self, addresses: Addresses) -> str:
        """`address:port` that the gateway listens on.

        The guest's listener binds every address, because a published port may arrive on any.
        """
        if self.origin == "guest":
            host = "0.0.0.0"  # noqa: S104 - inside the gateway; published on loopback alone
        elif self.purpose.origin == "region":
            host = addresses.gateway_as_seen_from(self.entered, self.entered.other)
        else:
            host = addresses.internet(self.gateway)
        return f"{host}:{self.purpose.port}"

    def upstream(self, addresses: Addresses) -> str:
        """`host:port` behind the listener. The head node is a name: it moves."""
        if self.purpose.target == "head":
            return f"{head_name(self.entered)}:{self.purpose.target_port}"
        place = Place(self.entered.name, self.purpose.target)
        return f"{addresses.inside(place)}:{self.purpose.target_port}"


@cache
def links() -> tuple[Link, ...]:
    """Every link of the lab, into east first."""
    return tuple(
        Link(each.other.name if purpose.origin == "region" else purpose.origin, each, purpose)
        for each in REGIONS
        for purpose in PURPOSES
    )


def link(name: str) -> Link:
    """The link of that name. Raises UnknownName with the nearest."""
    for each in links():
        if each.name == name:
            return each
    raise UnknownName("link", name, (each.name for each in links()))


def links_into(entered: Region) -> tuple[Link, ...]:
    """The links that enter one region."""
    return tuple(each for each in links() if each.entered is entered)


def head_name(of: Region) -> str:
    """DNS name of a region's head node: its primary, or what the rest of it cascades from.

    Where a region has neither, the name leads to the primary across.
    """
    return f"head.{of.name}.{ZONE}"


WRITER_NAME = f"writer.{ZONE}"
APP_NAME = f"app.{ZONE}"


@dataclass(frozen=True, slots=True)
class Follows:
    """One arrow of a replication topology: `standby` streams from `upstream`."""

    standby: Place
    upstream: Place


@dataclass(frozen=True, slots=True)
class Replication:
    """A replication topology: who is primary, whom it waits for, who follows whom."""

    primary: Place
    synchronous: Place | None
    follows: tuple[Follows, ...]

    @property
    def members(self) -> frozenset[Place]:
        """The primary and all nodes that follow."""
        return frozenset((self.primary, *(arrow.standby for arrow in self.follows)))

    def upstream_of(self, node: Place) -> Place | None:
        """Whom the node follows; None for the primary and for nodes left out."""
        return next((f.upstream for f in self.follows if f.standby == node), None)

    def standbys_of(self, node: Place) -> tuple[Place, ...]:
        """Nodes that stream from this one: the slots it needs."""
        return tuple(f.standby for f in self.follows if f.upstream == node)

    def head_of(self, of: Region) -> Place:
        """The region's node that the rest of it depends on; the primary if it has no member."""
        if self.primary.region is of:
            return self.primary
        members = [f for f in self.follows if f.standby.region is of]
        entering = [f.standby for f in members if f.upstream.region is not of]
        return entering[0] if entering else self.primary


DEFAULT_REPLICATION = Replication(
    primary=EAST_DB1,
    synchronous=EAST_DB2,
    follows=(
        Follows(EAST_DB2, EAST_DB1),
        Follows(WEST_DB1, EAST_DB1),
        Follows(WEST_DB2, WEST_DB1),
    ),
)
