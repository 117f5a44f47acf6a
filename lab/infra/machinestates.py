"""What the engine says of a lab's machines: which run, which are dead, which port leads in."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from typing import TYPE_CHECKING, Final, Self, TypeVar

from lab.core.errors import LabError, MachineDown
from lab.core.lazylibraries import lazily
from lab.core.topology import PLACES, Place, port_of
from lab.infra import containers, machineexits, managementnet
from lab.infra.containers import MachineState, translated
from lab.infra.inventory import Estate
from lab.infra.managementnet import OutOfBandLost

if TYPE_CHECKING:
    import docker
    import requests
else:
    docker = lazily("docker")
    requests = lazily("requests")

S = TypeVar("S")
T = TypeVar("T")
_IN_BAND: Final = (port_of("guest"),)
"""Published ports that stand for a way through the gateways: a guest's."""


class MachineStates(Estate):
    """One lab's machines by place, as the engine sees them. All errors are LabErrors."""

    def __init__(self, lab_name: str) -> None:
        super().__init__(lab_name)
        self._obeys_cuts = False
        self._seen: Mapping[Place, MachineState] = {}

    def obeying_cuts(self) -> Self:
        """The management network of a runbook, with this engine's connections.

        It reaches no machine that is cut off (see `lab.infra.managementnet`), and raises
        OutOfBandLost.
        """
        limited = copy(self)
        limited._obeys_cuts = True
        return limited

    def as_seen_now(self) -> Self:
        """The same engine, whose machines are what one look at all of them finds now.

        For a command that looks and changes nothing. It shares its connections with this one.
        """
        seen = copy(self)
        seen._seen = self.look()
        return seen

    def container_name(self, place: Place) -> str:
        """The container's name in the engine."""
        return f"{self.lab_name}-{place.container}"

    def state(self, place: Place) -> MachineState:
        """Ask the engine about one machine."""
        self._must_reach(place)
        return self._state(place)

    def _state(self, place: Place) -> MachineState:
        if place in self._seen:
            return self._seen[place]
        name = self.container_name(place)
        with translated():
            try:
                container = self._at_once.containers.get(name)
            except docker.errors.NotFound:
                return MachineState(place, "absent", "", {})
            except (requests.Timeout, requests.ConnectionError):
                # It may be busy taking that machine apart, which it says elsewhere.
                if name in self._ended([place]):
                    return MachineState(place, "exited", "", {})
                container = self._client.containers.get(name)
            return containers.machine_state(place, container, self.lab_name)

    def look(self) -> Mapping[Place, MachineState]:
        """Every machine: one question for all that run, and one for each of the others.

        The engine's list calls a machine running that is just ending; its record of events is
        ahead of it.
        """
        if self._seen:
            return self._seen
        with translated():
            listed = {containers.name_of(each): each for each in self._labelled_containers()}
        ended = self._ended(PLACES) if listed else frozenset[str]()

        def found(place: Place) -> MachineState:
            name = self.container_name(place)
            if name in listed and name not in ended:
                state = containers.listed_state(place, listed[name], self.lab_name)
                if state.running:
                    return state
            return self._state(place)

        return dict(zip(PLACES, self.each(PLACES, found), strict=True))

    def running(self, place: Place) -> bool:
        """True when the machine runs."""
        return self.state(place).running

    def alive(self, places: Iterable[Place]) -> tuple[Place, ...]:
        """Those of these machines that run or are frozen; one that has just died is known at once.

        A list of containers waits for no machine that is ending.
        """
        wanted = tuple(places)
        for place in wanted:
            self._must_reach(place)
        dead = self._ended(wanted)
        left = [place for place in wanted if self.container_name(place) not in dead]
        if not left:
            return ()
        with translated():
            listed = self._labelled_containers()
        there = {
            containers.name_of(each)
            for each in listed
            if each.attrs["State"] not in containers.STOPPED
        }
        return tuple(place for place in left if self.container_name(place) in there)

    def port(self, place: Place, inside: int) -> int:
        """The loopback port that leads to `inside`. Asked each time: it changes at every start."""
        state = self._state(place) if inside in _IN_BAND else self.state(place)
        if not state.running:
            raise MachineDown(place, state.status)
        try:
            return state.ports[str(inside)]
        except KeyError:
            raise LabError(f"{place} publishes no port {inside}", "restart it: lab up") from None

    def _ended(self, places: Iterable[Place]) -> frozenset[str]:
        return machineexits.ended(self._client, [self.container_name(each) for each in places])

    def _must_reach(self, place: Place) -> None:
        if self._obeys_cuts and place in managementnet.cut(self.lab_name):
            raise OutOfBandLost(place)

    @staticmethod
    def each(several: Iterable[S], act: Callable[[S], T]) -> list[T]:
        """Do something with several machines at the same time; the first error is raised."""
        wanted = list(several)
        if not wanted:
            return []
        with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            return list(pool.map(act, wanted))
