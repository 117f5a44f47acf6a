"""What the lab is right now, asked from everything in it; what is missing stays missing."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace

from lab import inforce
from lab.clients import UsersStats
from lab.cluster import Lab
from lab.containers import MachineState
from lab.errors import LabError
from lab.faults.acting import seen_in
from lab.faults.sight import Sight
from lab.inforce import InForce
from lab.links import LinkState
from lab.server import NodeState
from lab.topology import (
    APP_NAME,
    DATABASES,
    PLACES,
    REGIONS,
    WRITER_NAME,
    Place,
    Region,
    head_name,
)
from lab.wait import pause

_FOLLOW_SECONDS = 2.0
NAMES_SHOWN = (APP_NAME, WRITER_NAME, *(head_name(each) for each in REGIONS))


@dataclass(frozen=True, slots=True)
class Following:
    """What a fresh WAL record proved: lag in bytes before it, seconds until it was replayed.

    `proof` is None when it was not seen within two seconds. On a timeline that the primary left,
    `left` says at which LSN, and `alone_bytes` how much the node has from after that point. On one
    that the primary never had there is no lag.
    """

    lag_bytes: int | None
    proof: float | None
    left: int | None = None
    alone_bytes: int = 0


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One database: what it says (None if it does not answer, with the reason), and the proof."""

    place: Place
    machine: str
    state: NodeState | None
    reason: str
    upstream: Place | None
    through: Place | None
    following: Following | None


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
    """Everything `lab status` shows."""

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

    @property
    def primaries(self) -> tuple[Place, ...]:
        """Nodes that say they are primary: one, or there is something to explain."""
        return tuple(n.place for n in self.nodes if n.state and n.state.role == "primary")


def look(lab: Lab, rate_seconds: float = 1.0) -> Status:
    """Ask everything, in parallel; takes about `rate_seconds` to measure the users' rates."""
    lab = lab.as_seen_now()
    with ThreadPoolExecutor(max_workers=16) as pool:
        asked = pool.submit(_asked, lab)
        sight = Sight(lab, answered=lambda place: asked.result()[place].state is not None)
        # What the tables show and what the faults are told from is one look, not two moments.
        faults = pool.submit(seen_in, sight)
        nodes = pool.submit(lambda: _proven(lab, tuple(asked.result().values())))
        ready = {e.name: pool.submit(_ready, lab, e.name) for e in REGIONS}
        traffic = [pool.submit(_traffic, lab, each.name, rate_seconds) for each in REGIONS]
        lasting, found = pool.submit(inforce.look, lab), faults.result()
        answers = {e.name: pool.submit(_answers, sight, e) for e in REGIONS}
        seen = {link.gateway for link in sight.links}
        return Status(
            name=lab.name,
            subnet=lab.settings.subnet,
            machines=tuple(sight.machines.values()),
            nodes=nodes.result(),
            links=tuple(sight.links.values()),
            unreachable_gateways=tuple(
                str(each) for each in PLACES if each.service == "gateway" and each not in seen
            ),
            answers={name: future.result() for name, future in answers.items()},
            ready={name: future.result() for name, future in ready.items()},
            traffic=tuple(each.result() for each in traffic),
            faults=tuple(map(str, found)),
            in_force=lasting.result(),
        )


def _asked(lab: Lab) -> dict[Place, NodeReport]:
    reports = lab.engine.each(DATABASES, lambda place: _ask(lab, place))
    return {report.place: report for report in reports}


def _proven(lab: Lab, asked: tuple[NodeReport, ...]) -> tuple[NodeReport, ...]:
    states = {report.place: report.state for report in asked}
    primaries = [p for p, s in states.items() if s and s.role == "primary"]
    if len(primaries) != 1:
        return asked
    primary = lab.databases[primaries[0]]
    try:
        mark, timeline, forks = primary.mark(), primary.state().timeline, primary.forks()
    except LabError:  # it answered a moment ago: what it cannot prove now is left out
        return asked
    reports = lab.engine.each(asked, lambda report: _prove(lab, report, mark, timeline, forks))
    return tuple(reports)


def _ask(lab: Lab, place: Place) -> NodeReport:
    machine = lab.engine.state(place).status
    try:
        state = lab.databases[place].state()
    except LabError as error:
        return NodeReport(place, machine, None, error.message, None, None, None)
    return NodeReport(place, machine, state, "", *upstream_of(lab, state), None)


def upstream_of(lab: Lab, state: NodeState) -> tuple[Place | None, Place | None]:
    """The node that a standby streams from, and the gateway in between if there is one."""
    host = state.receiver.rsplit(" ", 1)[0].rsplit(":", 1)[0]
    addresses = lab.settings.addresses
    for region in REGIONS:
        gateway = Place(region.name, "gateway")
        if host == addresses.gateway_as_seen_from(region, region.other):
            return _head_behind(lab, gateway), gateway
    return next((p for p in DATABASES if addresses.inside(p) == host), None), None


def _head_behind(lab: Lab, gateway: Place) -> Place | None:
    """The node that a gateway leads to now, by its own region's resolver."""
    region = gateway.region
    try:
        answers = lab.names.ask(region, head_name(region))
    except LabError:
        return None
    addresses = lab.settings.addresses
    return next(
        (p for p in DATABASES if p.region is region and addresses.inside(p) in answers), None
    )


def compared(state: NodeState, mark: int, timeline: int, forks: Mapping[int, int]) -> Following:
    """A standby against a primary that came to `mark` on `timeline`; nothing is proven yet."""
    left = forks.get(state.timeline)
    if left is None and state.timeline != timeline:
        return Following(None, None)
    shared = state.replayed if left is None else min(state.replayed, left)
    return Following(max(0, mark - shared), None, left, state.beyond(forks))


def _prove(
    lab: Lab, report: NodeReport, mark: int, timeline: int, forks: Mapping[int, int]
) -> NodeReport:
    if report.state is None or report.state.role == "primary":
        return report
    following, started = compared(report.state, mark, timeline, forks), time.monotonic()
    with suppress(LabError):
        lab.databases[report.place].wait_for_catchup(mark, _FOLLOW_SECONDS, timeline)
        following = replace(following, proof=time.monotonic() - started)
    return replace(report, following=following)


def _answers(sight: Sight, viewer: Region) -> dict[str, str]:
    found = {name: sight.addresses(viewer, name) for name in NAMES_SHOWN}
    return {
        name: "no answer" if known is None else ", ".join(known) or "no such name"
        for name, known in found.items()
    }


def _ready(lab: Lab, region: str) -> str:
    guest = next(guest for each, guest in lab.guests.items() if each.name == region)
    try:
        ready, answer = guest.ready()
    except LabError:
        return "no answer"
    return "takes orders" if ready else f"takes no orders: {answer}"


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
