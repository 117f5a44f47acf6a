"""The databases as they are now: each asked over one connection, and proven by fresh WAL."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, REGIONS, Place, Region, head_name
from lab.core.wait import wait_until
from lab.postgres.rolewatch import POSITION_SQL
from lab.postgres.server import NodeState
from lab.postgres.serverprofile import Profile, position, profile
from lab.postgres.signature import Signature, has, signed

if TYPE_CHECKING:
    from psycopg import Connection

    from lab.core.addresses import Addresses
    from lab.infra.containers import MachineState
    from lab.testbed.lab import Lab

_FOLLOW_SECONDS: Final = 2.0
_LOOK_SECONDS: Final = 0.02
_MACHINES: Final = {"paused": "its machine is frozen", "absent": "its machine does not exist"}
_DOWN: Final = "its machine is down"
_REFUSALS: Final = (
    ("starting up", "its server is starting"),
    ("not yet accepting connections", "its server is starting"),
    ("in recovery mode", "its server recovers from a crash"),
    ("shutting down", "its server is shutting down"),
    ("too many clients", "it has no connection left"),
    ("remaining connection slots", "it has no connection left"),
)
"""What libpq says of a server that takes no session, and what it means."""
SILENT: Final = "its server does not answer"
STOPPED: Final = "its server does not run"

Heads = Callable[[Region], Place | None]
"""The node that a region's gateway leads to now."""


@dataclass(frozen=True, slots=True)
class Following:
    """What a fresh WAL record proved: lag in bytes before it, seconds until it was replayed.

    `source` is the primary that wrote it: the one at the other end of the node's own upstreams.
    `arrived` is seconds until the record was on the node, `proof` until it was replayed; None when
    that was not seen within two seconds. Without a primary there is no such record (`fresh`), and
    the lag is that behind the node which the others follow.

    On a timeline that the source left, `left` says at which LSN, and `alone_bytes` how much the
    node has from after that point. On one that the source never had there is no lag.
    """

    lag_bytes: int | None
    proof: float | None
    left: int | None = None
    alone_bytes: int = 0
    arrived: float | None = None
    source: Place | None = None
    fresh: bool = False


@dataclass(frozen=True, slots=True)
class NodeReport:
    """One database: what it says (None if it does not answer, with the reason), and the proof.

    `upstream` is the node that it streams from, or should by its settings. `alone_bytes` is WAL
    that it has and no other primary has; without another primary, no other node that answers. None:
    there is nothing to compare it with.
    """

    place: Place
    machine: str
    state: NodeState | None
    reason: str
    upstream: Place | None
    through: Place | None
    following: Following | None
    profile: Profile | None = None
    alone_bytes: int | None = None

    @property
    def primary(self) -> bool:
        """True when it answers, and as primary."""
        return self.state is not None and not self.state.in_recovery

    @property
    def standby(self) -> bool:
        """True when it answers, and as standby."""
        return self.state is not None and self.state.in_recovery

    @property
    def timeline(self) -> int:
        """The timeline that it is on; 0 if it does not answer."""
        return self.state.timeline if self.state else 0

    @property
    def waits_for(self) -> tuple[Place, ...]:
        """The standbys of which its commits wait for one."""
        return self.state.waits_for if self.state else ()

    @property
    def fed(self) -> bool:
        """True when fresh WAL of its source reaches it, whether it replays that or not."""
        return self.following is not None and self.following.arrived is not None


class Nodes:
    """One look at the databases. Each has a thread, and tells the others what it was told."""

    def __init__(self, lab: Lab, heads: Heads) -> None:
        self._lab, self._heads = lab, heads
        self._asked: dict[Place, Future[NodeReport]] = {each: Future() for each in DATABASES}
        self._marks: dict[Place, Future[Signature | None]] = {each: Future() for each in DATABASES}

    def begin(self, pool: Executor) -> Future[tuple[NodeReport, ...]]:
        """Ask them, in threads of the pool: five of its threads wait for each other."""
        proven = [pool.submit(self._report, place) for place in DATABASES]
        return pool.submit(lambda: alone(tuple(each.result() for each in proven)))

    def answered(self, place: Place) -> bool:
        """True when a database answered. Waits until it was asked."""
        return self._asked[place].result().state is not None

    def _report(self, place: Place) -> NodeReport:
        machine = self._lab.engine.state(place)
        report = NodeReport(place, machine.status, None, SILENT, None, None, None)
        try:
            with self._lab.databases[place].connect() as connection:
                report = self._ask(place, machine, connection)
                self._asked[place].set_result(report)
                return self._compared(report, connection)
        except LabError as error:
            return report if report.state else replace(report, reason=why_silent(machine, error))
        finally:
            told = self._asked[place]
            if not told.done():
                told.set_result(report)
            if not self._marks[place].done():
                self._marks[place].set_result(None)

    def _ask(self, place: Place, machine: MachineState, connection: Connection[Any]) -> NodeReport:
        state, said = profile(place, connection)
        host = _host(state) or said.follows
        upstream, through = behind(self._lab.settings.addresses, host, self._heads)
        return NodeReport(place, machine.status, state, "", upstream, through, None, said)

    def _compared(self, report: NodeReport, connection: Connection[Any]) -> NodeReport:
        if report.primary:
            self._marks[report.place].set_result(signed(connection))
            return report
        asked = {place: told.result() for place, told in self._asked.items()}
        source = source_of(report, asked)
        if source is None or report.state is None:
            return report
        mark = self._marks[source].result()
        found = against(report, asked[source], mark.lsn if mark else 0)
        if mark:  # a fresh record, which only a primary can write
            found = _proven(found, report, mark, connection)
        return replace(report, following=found)


def why_silent(machine: MachineState, error: LabError) -> str:
    """Why a database does not answer, in the lab's words."""
    if not machine.running:
        return _MACHINES.get(machine.status, _DOWN)
    return next((words for said, words in _REFUSALS if said in error.message), SILENT)


def behind(addresses: Addresses, host: str, heads: Heads) -> tuple[Place | None, Place | None]:
    """The node at an address that a standby streams from, and the gateway in between, if any."""
    for region in REGIONS:
        if host == addresses.gateway_as_seen_from(region, region.other):
            return heads(region), Place(region.name, "gateway")
    return next((p for p in DATABASES if addresses.inside(p) == host), None), None


def upstream_of(lab: Lab, state: NodeState) -> tuple[Place | None, Place | None]:
    """The node that a standby streams from now, and the gateway in between if there is one."""

    def head(of: Region) -> Place | None:
        try:
            answers = lab.names.ask(of, head_name(of))
        except LabError:
            return None
        return head_in(lab.settings.addresses, of, answers)

    return behind(lab.settings.addresses, _host(state), head)


def head_in(addresses: Addresses, of: Region, answers: Collection[str]) -> Place | None:
    """The node of a region that a resolver's answers name."""
    inside = (place for place in DATABASES if place.region is of)
    return next((place for place in inside if addresses.inside(place) in answers), None)


def _host(state: NodeState) -> str:
    return state.receiver.rsplit(" ", 1)[0].rsplit(":", 1)[0]


def source_of(report: NodeReport, asked: Mapping[Place, NodeReport]) -> Place | None:
    """The node at the other end of a standby's upstreams that answers; None if it is that node.

    A standby that follows no node which answers is compared with the primary, if there is one.
    """
    met, place = {report.place}, report.place
    while not asked[place].primary:
        upstream = asked[place].upstream
        if upstream is None or upstream in met or asked[upstream].state is None:
            break
        met.add(upstream)
        place = upstream
    if asked[place].primary:
        return place
    primaries = [each for each, other in asked.items() if other.primary]
    if len(primaries) == 1:
        return primaries[0]
    return place if place != report.place else None


def against(report: NodeReport, source: NodeReport, mark: int) -> Following:
    """A standby against its source, whose WAL came to `mark`; nothing is proven yet."""
    if report.state is None or source.state is None or source.profile is None:
        return Following(None, None)
    found = compared(
        report.state, mark or source.state.received, source.state.timeline, source.profile.forks
    )
    return replace(found, source=source.place)


def compared(state: NodeState, mark: int, timeline: int, forks: Mapping[int, int]) -> Following:
    """A standby against a primary that came to `mark` on `timeline`; nothing is proven yet."""
    left = forks.get(state.timeline)
    if left is None and state.timeline != timeline:
        return Following(None, None)
    shared = state.replayed if left is None else min(state.replayed, left)
    return Following(max(0, mark - shared), None, left, state.beyond(forks))


def _proven(
    found: Following, report: NodeReport, mark: Signature, connection: Connection[Any]
) -> Following:
    """Wait until the fresh record of the source is there, and until it is replayed."""
    seen, started = [replace(found, fresh=True)], time.monotonic()
    paused = report.profile is not None and report.profile.paused

    def over() -> bool:
        _, _, own, received, replayed, _ = connection.execute(POSITION_SQL).fetchall()[0]
        took, there = time.monotonic() - started, own == mark.timeline and received >= mark.lsn
        if there and seen[0].arrived is None:
            seen[0] = replace(seen[0], arrived=took)
        if there and replayed >= mark.lsn:
            seen[0] = replace(seen[0], proof=took)
        return there and (paused or replayed >= mark.lsn)

    with suppress(LabError):
        wait_until(f"{report.place} to replay", over, _FOLLOW_SECONDS, every=_LOOK_SECONDS)
    if seen[0].proof is not None and not has(connection, mark):
        return replace(found, fresh=True)  # its timeline is of another promotion
    return seen[0]


def alone(reports: tuple[NodeReport, ...]) -> tuple[NodeReport, ...]:
    """The reports, each with how much WAL that node alone has."""
    return tuple(replace(each, alone_bytes=_alone(each, reports)) for each in reports)


def _alone(report: NodeReport, reports: Iterable[NodeReport]) -> int | None:
    others = [each for each in reports if each.state and each.place != report.place]
    primaries = [each for each in others if each.primary]
    if report.state is None or report.profile is None or (report.primary and not primaries):
        return None
    own, found = position(report.state, report.profile), list[int]()
    for other in primaries or others:
        if other.state and other.profile:
            # A standby of the primary's own timeline has nothing that the primary has not.
            same = other.primary and other.state.timeline == own.timeline
            found.append(0 if same else own.alone(position(other.state, other.profile)))
    return min(found, default=None)
