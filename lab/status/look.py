"""Asks every part of the lab for its present state; an answer that is missing stays missing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from lab.core.addresses import Addresses
from lab.core.errors import LabError
from lab.core.topology import APP_NAME, PLACES, REGIONS, WRITER_NAME, Place, Region, head_name
from lab.core.wait import pause
from lab.faults.acting import seen_in
from lab.faults.sight import Server, Sight
from lab.infra.clients import UsersStats
from lab.infra.containers import MachineState
from lab.infra.linkstates import LinkState
from lab.testbed import inforce, runbookprogress, underway
from lab.testbed.inforce import InForce
from lab.testbed.lab import Lab
from lab.testbed.nodelook import STOPPED, NodeReport, Nodes, behind, head_in
from lab.testbed.runbookprogress import Progress

T = TypeVar("T")
NAMES_SHOWN: Final = (APP_NAME, WRITER_NAME, *(head_name(each) for each in REGIONS))


_SHOP: Final = (
    ("standby or read-only", "its database takes no writes"),
    ("read-only", "read-only mode"),
    ("without its standby", "commits reach no standby"),
    ("no address", "no writer is known there"),
    ("too many", "its database has no connection left"),
    ("reserved", "its database has no connection left"),
)
"""What a shop says of itself, and what it means."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """One population's rates, measured over `seconds`; None where users do not answer."""

    population: str
    seconds: float
    writes_per_second: float
    reads_per_second: float
    stats: UsersStats | None


@dataclass(frozen=True, slots=True)
class Status:
    """Everything `lab status` shows.

    `leads` are the answers of both resolvers as machines, and `writers` the nodes that the writer's
    name leads to, both by the resolver's region. `replaced` are databases that were primary and
    wait for the way back: they do not run, and another one was promoted in the place of each. `cut`
    names a runbook that did not come to its end, `cut_source` is how it was named when it was run,
    `cut_run` the run that goes on with it, and `cut_left` its steps that are not done. `unseen`: a
    machine did not say how it is, so that no fault is known that may be in force.
    """

    name: str
    subnet: str
    machines: tuple[MachineState, ...]
    nodes: tuple[NodeReport, ...]
    links: tuple[LinkState, ...]
    unreachable_gateways: tuple[str, ...]
    answers: dict[str, dict[str, str]]
    ready: dict[str, str]
    traffic: tuple[Traffic, ...]
    faults: tuple[str, ...]
    in_force: tuple[InForce, ...] = ()
    leads: dict[str, dict[str, str]] = field(default_factory=dict)
    writers: dict[str, Place | None] = field(default_factory=dict)
    replaced: tuple[Place, ...] = ()
    cut: str = ""
    cut_source: str = ""
    cut_run: str = ""
    cut_left: tuple[str, ...] = ()
    unseen: bool = False

    @property
    def primaries(self) -> tuple[Place, ...]:
        """Nodes that say they are primary: one, or there is something to explain."""
        return tuple(each.place for each in self.nodes if each.primary)

    @property
    def astray(self) -> dict[str, Place]:
        """Where the writer's name leads to a node that is not the one primary, by region."""
        led = self.writers.items()
        return {region: to for region, to in led if to is not None and to not in self.primaries}

    def node(self, place: Place) -> NodeReport:
        """The report of a database."""
        return next(each for each in self.nodes if each.place == place)


def look(lab: Lab, rate_seconds: float = 1.0) -> Status:
    """Ask everything, in parallel; takes about `rate_seconds` to measure the users' rates."""
    lab = lab.as_seen_now()
    nodes = Nodes(lab, lambda region: names.head(region))
    # What the tables show and what the faults are told from is one look, not two moments.
    sight = Sight(lab, answered=nodes.answered)
    names = _Names(lab.settings.addresses, sight)
    with ThreadPoolExecutor(max_workers=24) as pool:
        reports = nodes.begin(pool)
        faults = pool.submit(seen_in, sight)
        ready = {each.name: pool.submit(_ready, lab, each) for each in REGIONS}
        lasting = pool.submit(inforce.look, lab)
        traffic = [pool.submit(_traffic, lab, each.name, rate_seconds) for each in REGIONS]
        broken = _or(None, faults.result)
        asked = {each.name: pool.submit(names.asked, each) for each in REGIONS}
        found = {name: each.result() for name, each in asked.items()}
        links = _links(lab) if broken is None else tuple(sight.links.values())
        seen = {each.link.gateway for each in links}
        servers = {} if broken is None else sight.servers
        told = _told(reports.result(), servers)
        cut = _cut(lab, told)
        return Status(
            name=lab.name,
            subnet=lab.settings.subnet,
            machines=tuple(sight.machines.values()),
            nodes=told,
            links=links,
            unreachable_gateways=tuple(
                str(each) for each in PLACES if each.service == "gateway" and each not in seen
            ),
            answers={region: _listed(each) for region, each in found.items()},
            ready={name: each.result() for name, each in ready.items()},
            traffic=tuple(each.result() for each in traffic),
            faults=() if _untold(lab) else tuple(map(str, broken or ())),
            in_force=lasting.result(),
            leads={e.name: names.words(found[e.name]) for e in REGIONS},
            writers={e.name: names.node(found[e.name][WRITER_NAME]) for e in REGIONS},
            replaced=() if broken is None else _or((), lambda: tuple(sorted(sight.replaced))),
            cut=cut.runbook,
            cut_source=cut.source or cut.runbook,
            cut_run=next(iter(cut.folders), ""),
            cut_left=cut.steps[cut.done :],
            unseen=broken is None,
        )


class _Names:
    """What both resolvers answer, as machines."""

    def __init__(self, addresses: Addresses, sight: Sight) -> None:
        self._addresses, self._sight = addresses, sight

    def asked(self, viewer: Region) -> dict[str, tuple[str, ...] | None]:
        """Addresses by name; None for a resolver that does not answer."""
        return {name: self._sight.addresses(viewer, name) for name in NAMES_SHOWN}

    def head(self, of: Region) -> Place | None:
        """The node that a region's gateway leads to, by that region's own resolver."""
        return head_in(self._addresses, of, self._sight.addresses(of, head_name(of)) or ())

    def node(self, found: tuple[str, ...] | None) -> Place | None:
        """The database that an answer leads to, whether it leads through a gateway or not."""
        return next((p for a in found or () if (p := self._way(a)[0])), None)

    def words(self, found: Mapping[str, tuple[str, ...] | None]) -> dict[str, str]:
        """Where each name leads."""
        return {name: self._line(each) for name, each in found.items()}

    def _line(self, found: tuple[str, ...] | None) -> str:
        if found is None:
            return "no answer"
        return ", ".join(self._lead(each) for each in found) or "no such name"

    def _lead(self, address: str) -> str:
        node, through = self._way(address)
        if through is not None:
            return f"{node or 'no node'} through {through}"
        gateways = (Place(each.name, "gateway") for each in REGIONS)
        doors = {self._addresses.internet(each): str(each) for each in gateways}
        return str(node) if node else doors.get(address, address)

    def _way(self, address: str) -> tuple[Place | None, Place | None]:
        return behind(self._addresses, address, self.head)


def _listed(found: Mapping[str, tuple[str, ...] | None]) -> dict[str, str]:
    return {
        name: "no answer" if known is None else ", ".join(known) or "no such name"
        for name, known in found.items()
    }


def _or(otherwise: T, ask: Callable[[], T]) -> T:
    """What is told, or something else where what is asked does not answer."""
    try:
        return ask()
    except LabError:
        return otherwise


def _links(lab: Lab) -> tuple[LinkState, ...]:
    """The links of the gateways that answer."""

    def of(region: Region) -> list[LinkState]:
        return _or([], lambda: list(lab.links.states(region)))

    return tuple(each for states in lab.engine.each(REGIONS, of) for each in states)


def _told(
    reports: tuple[NodeReport, ...], servers: Mapping[Place, Server]
) -> tuple[NodeReport, ...]:
    """The reports; of a server that does not run, although its machine does, that is the reason."""

    def told(report: NodeReport) -> NodeReport:
        server = servers.get(report.place)
        if report.state is not None or server is None or server.running:
            return report
        return replace(report, reason=STOPPED)

    return tuple(map(told, reports))


def _untold(lab: Lab) -> bool:
    """True in a drill whose person is to find out which fault it is."""
    try:
        found = underway.kept(lab.name)
    except LabError:
        return False
    return found is not None and found.untold


def _cut(lab: Lab, reports: Iterable[NodeReport]) -> Progress:
    """The run that did not come to its end, if this is still the incident that it is about."""
    found, none = runbookprogress.kept(lab.name), Progress("")
    if found is None or not found.done:
        return none
    primaries = {str(each.place): each.timeline for each in reports if each.primary}
    ends = [each.state.received for each in reports if each.state and str(each.place) == found.new
            and each.standby]  # fmt: skip
    now = runbookprogress.Sight(primaries, ends[0] if ends else None)
    return none if runbookprogress.over(found, now) else found


def _ready(lab: Lab, region: Region) -> str:
    """What a region's shop says of itself."""
    try:
        ready, answer = lab.guests[region].ready()
    except LabError:
        return "no answer"
    return "takes orders" if ready else f"takes no orders: {_plainly(answer)}"


def _plainly(answer: str) -> str:
    """Why a shop takes no orders, without what libraries say of it."""
    return next((words for said, words in _SHOP if said in answer), "its database does not answer")


def _traffic(lab: Lab, population: str, seconds: float) -> Traffic:
    users = lab.users[population]
    try:
        before = users.stats()
        if not before.running:
            return Traffic(population, 0.0, 0.0, 0.0, before)
        pause(seconds)
        after = users.stats()
    except LabError:
        return Traffic(population, 0.0, 0.0, 0.0, None)
    span = max(after.monotonic - before.monotonic, 1e-6)

    def rate(kind: str) -> float:
        return (_acknowledged(after, kind) - _acknowledged(before, kind)) / span

    return Traffic(population, span, rate("write"), rate("read"), after)


def _acknowledged(stats: UsersStats, kind: str) -> int:
    return stats.totals[kind].ok if kind in stats.totals else 0
