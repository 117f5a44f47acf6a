"""The container engine: the only module that talks to Docker.

The tool reaches containers by this API and by ports published on loopback, never by their
addresses, so that it works the same where containers live in another kernel (Docker Desktop).
"""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import Any, TypeVar

import requests
from docker.errors import APIError, DockerException, NotFound
from docker.models.containers import Container
from docker.models.networks import Network
from docker.types import IPAMConfig, IPAMPool

from lab import outofband
from lab.errors import CommandFailed, EngineGone, LabError, LabNotUp, MachineError
from lab.machine import client
from lab.outofband import OutOfBandLost
from lab.topology import NETWORKS, Addresses, Place
from lab.wait import wait_until

T = TypeVar("T")
POSTGRES_UID = 999
_FREEZE_SECONDS = 10.0
_IN_BAND = (8000,)
"""Published ports that stand for a way through the gateways: a guest's."""

LABEL = "failover-lab"
"""The label that everything of a lab carries, with the lab's name as its value."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """What the engine says of a container; `status` is its word, `absent` if there is none.

    `networks` are those it is on, by the lab's names for them.
    """

    place: Place
    status: str
    health: str
    ports: Mapping[str, int]
    networks: frozenset[str] = frozenset()

    @property
    def running(self) -> bool:
        """True when its processes run (not paused, not dead)."""
        return self.status == "running"


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine and the machine under it. `memory` is bytes."""

    version: str
    cpus: int
    memory: int
    kernel: str
    architecture: str
    system: str


class Engine:
    """One lab's containers, by place. All errors are LabErrors."""

    def __init__(self, lab_name: str, *, obeys_cuts: bool = False) -> None:
        """With `obeys_cuts` it is the management network of a runbook: it reaches no machine that
        is cut off (see `lab.outofband`), and raises OutOfBandLost."""
        self.lab_name = lab_name
        self._obeys_cuts = obeys_cuts
        with _translated():
            self._client = client(timeout=60)

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def facts(self) -> EngineFacts:
        """What the engine says of itself and of the machine under it."""
        with _translated():
            info: dict[str, Any] = self._client.info()
        return EngineFacts(
            version=str(info["ServerVersion"]),
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
            kernel=str(info["KernelVersion"]),
            architecture=str(info["Architecture"]),
            system=str(info["OperatingSystem"]),
        )

    def container_name(self, place: Place) -> str:
        """The container's name in the engine."""
        return f"{self.lab_name}-{place.container}"

    def state(self, place: Place) -> MachineState:
        """Ask the engine about one machine."""
        self._must_reach(place)
        return self._state(place)

    def _state(self, place: Place) -> MachineState:
        with _translated():
            try:
                container = self._client.containers.get(self.container_name(place))
            except NotFound:
                return MachineState(place, "absent", "", {})
            return _machine_state(place, container, self.lab_name)

    def running(self, place: Place) -> bool:
        """True when the machine runs."""
        return self.state(place).running

    def port(self, place: Place, inside: int) -> int:
        """The loopback port that leads to `inside`. Asked each time: it changes at every start."""
        state = self._state(place) if inside in _IN_BAND else self.state(place)
        if not state.running:
            raise LabNotUp(self.lab_name, f"{place} is {state.status}")
        try:
            return state.ports[str(inside)]
        except KeyError:
            raise LabError(
                f"{place} publishes no port {inside}", f"restart it: lab up --name {self.lab_name}"
            ) from None

    def logs(self, place: Place, tail: int = 2000) -> str:
        """The machine's log so far."""
        with _translated(), self._found(place) as container:
            whole: Any = container.logs(tail=tail, timestamps=True)
            return bytes(whole).decode(errors="replace")

    def follow_logs(self, place: Place, tail: int) -> Iterator[str]:
        """The machine's log, line by line, as it grows."""
        with _translated(), self._found(place) as container:
            for chunk in container.logs(stream=True, follow=True, tail=tail):
                yield bytes(chunk).decode(errors="replace").rstrip("\n")

    def memory_and_cpu(self, place: Place) -> tuple[int, float]:
        """Bytes of memory in use (not page cache) and CPU seconds used so far."""
        with _translated(), self._found(place) as container:
            stats: Any = container.stats(stream=False, one_shot=True)
        details = stats["memory_stats"].get("stats", {})
        # Names of cgroup v2, then of v1. Page cache is left out: the kernel takes it back at will.
        anonymous = details.get("anon", details.get("total_rss", 0))
        shared = details.get("shmem", details.get("total_mapped_file", 0))
        return anonymous + shared, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9

    # ── doing ────────────────────────────────────────────────────────────────────────────────

    def run(self, place: Place, argv: Sequence[str], *, check: bool = True) -> str:
        """Run a command inside a machine; its output. Raises CommandFailed if `check` is on."""
        return self.run_code(place, argv, check=check)[1]

    def run_code(
        self, place: Place, argv: Sequence[str], *, check: bool = False
    ) -> tuple[int, str]:
        """Run a command inside a machine; exit code and output (stdout and stderr together)."""
        with _translated(), self._found(place) as container:
            try:
                result = container.exec_run(list(argv))
            except APIError as error:
                raise CommandFailed(
                    str(place), _shown(argv), -1, str(error.explanation or error)
                ) from error
        text: Any = result.output
        output = bytes(text or b"").decode(errors="replace")
        if check and result.exit_code:
            raise CommandFailed(str(place), _shown(argv), int(result.exit_code), output)
        return int(result.exit_code or 0), output

    def write_files(self, place: Place, folder: str, files: Mapping[str, str]) -> None:
        """Put small private files (mode 0600, owned by postgres) into a folder of a machine."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o600
                entry.uid = entry.gid = POSTGRES_UID
                tar.addfile(entry, io.BytesIO(text.encode()))
        with _translated(), self._found(place) as container:
            container.put_archive(folder, buffer.getvalue())

    def kill(self, places: Iterable[Place]) -> None:
        """End machines at once and in parallel (SIGKILL). Those that are dead stay dead."""
        self.armed_to_kill(places)()

    def armed_to_kill(self, places: Iterable[Place]) -> Callable[[], None]:
        """Find the machines now, so that what is returned kills them at once."""

        def find(place: Place) -> Container:
            with _translated(), self._found(place) as container:
                return container

        containers = self.each(places, find)

        def kill() -> None:
            with ThreadPoolExecutor(max_workers=max(1, len(containers))) as pool:
                list(pool.map(_kill_container, containers))

        return kill

    def freeze(self, places: Iterable[Place]) -> None:
        """Stop machines in the middle of what they do; nothing in them runs, nothing is lost."""
        self.each(places, self._freeze)

    def _freeze(self, place: Place) -> None:
        # On a busy machine the kernel's freezer may give up on a process that will not stand still.
        wait_until(
            f"{place} to stand still",
            lambda: self._frozen(place),
            _FREEZE_SECONDS,
            ignoring=(LabError,),
        )

    def _frozen(self, place: Place) -> bool:
        with _translated(), self._found(place) as container:
            if container.status == "running":
                container.pause()
        return True

    def run_aside(self, place: Place, argv: Sequence[str]) -> None:
        """Start a command inside a machine and leave it alone."""
        with _translated(), self._found(place) as container:
            container.exec_run(list(argv), detach=True)

    def detach(self, place: Place, network: str) -> None:
        """Pull a machine's cable to one network. What is out already stays out."""
        with _translated(), self._found(place) as container:
            if network in self.state(place).networks:
                self._network(network).disconnect(container, force=True)

    def attach(self, place: Place, network: str, address: str) -> None:
        """Put the cable back, with the address that it had. What is in already stays in."""
        with _translated(), self._found(place) as container:
            if network not in self.state(place).networks:
                self._network(network).connect(container, ipv4_address=address)

    def _network(self, name: str) -> Network:
        return self._client.networks.get(f"{self.lab_name}-{name}")

    def start(self, places: Iterable[Place]) -> None:
        """Boot machines that do not run; wakes paused ones. Runs in parallel."""
        self.each(places, self._start)

    def _start(self, place: Place) -> None:
        with _translated(), self._found(place) as container:
            if container.status == "paused":
                container.unpause()
            elif container.status != "running":
                container.start()

    @staticmethod
    def each(places: Iterable[Place], act: Callable[[Place], T]) -> list[T]:
        """Do something on several machines at the same time; the first error is raised."""
        wanted = list(places)
        if not wanted:
            return []
        with ThreadPoolExecutor(max_workers=len(wanted)) as pool:
            return list(pool.map(act, wanted))

    def ensure_networks(self, addresses: Addresses) -> None:
        """Make the lab's three networks where they are missing. Raises MachineError."""
        with _translated():
            existing = {n.name for n in self._client.networks.list(filters=self._label())}
        for name in NETWORKS:
            whole = f"{self.lab_name}-{name}"
            if whole not in existing:
                self._make_network(whole, addresses.network(name))

    def _make_network(self, name: str, cidr: str) -> None:
        first = str(next(IPv4Network(cidr).hosts()))
        pool = IPAMConfig(pool_configs=[IPAMPool(subnet=cidr, gateway=first)])
        with _translated():
            try:
                self._client.networks.create(
                    name,
                    driver="bridge",
                    ipam=pool,
                    labels={LABEL: self.lab_name},
                    check_duplicate=True,
                )
            except APIError as error:
                raise MachineError(
                    f"network {name} ({cidr}) cannot be made: {error.explanation}",
                    "see what uses it: lab doctor; or choose another: LAB_SUBNET=10.123 lab up",
                ) from error

    # ── what is left over ────────────────────────────────────────────────────────────────────

    def leftovers(self) -> tuple[str, ...]:
        """Everything in the engine that carries this lab's label, as `kind name`."""
        with _translated():
            return tuple(
                [f"container {_name(c)}" for c in self._labelled_containers()]
                + [f"network {n.name}" for n in self._client.networks.list(filters=self._label())]
                + [f"volume {v.name}" for v in self._client.volumes.list(filters=self._label())]
            )

    def strangers(self) -> tuple[str, ...]:
        """Containers that run on this engine and are not this lab's."""
        with _translated():
            mine = {each.id for each in self._labelled_containers()}
            running = self._client.containers.list(sparse=True)
        return tuple(sorted(_name(each) for each in running if each.id not in mine))

    def remove_everything(self) -> tuple[str, ...]:
        """Remove this lab's containers, networks and volumes, in whatever state they are.

        Networks that the engine keeps although nothing is on them are left, and named: it has lost
        count of what was, and finds that out when it is started the next time.
        """
        kept: list[str] = []
        with _translated():
            containers = self._labelled_containers()
            with ThreadPoolExecutor(max_workers=max(1, len(containers))) as pool:
                list(pool.map(_remove_container, containers))
            for network in self._client.networks.list(filters=self._label()):
                try:
                    network.remove()
                except NotFound:
                    pass
                except APIError as error:
                    if "active endpoints" not in str(error.explanation):
                        raise
                    kept.append(str(network.name))
            for volume in self._client.volumes.list(filters=self._label()):
                with suppress(NotFound):
                    volume.remove(force=True)
        return tuple(kept)

    def subnets_in_use(self) -> dict[str, str]:
        """CIDR of every network of the engine that is not this lab's, and its name."""
        found: dict[str, str] = {}
        with _translated():
            for network in self._client.networks.list():
                if (network.attrs.get("Labels") or {}).get(LABEL) == self.lab_name:
                    continue
                for config in (network.attrs.get("IPAM") or {}).get("Config") or []:
                    if "Subnet" in config:
                        found[config["Subnet"]] = str(network.name)
        return found

    def _label(self) -> dict[str, str | list[str] | bool]:
        return {"label": f"{LABEL}={self.lab_name}"}

    def _labelled_containers(self) -> list[Container]:
        return list(self._client.containers.list(all=True, filters=self._label(), sparse=True))

    def _must_reach(self, place: Place) -> None:
        if self._obeys_cuts and place in outofband.cut(self.lab_name):
            raise OutOfBandLost(place)

    @contextmanager
    def _found(self, place: Place) -> Iterator[Container]:
        self._must_reach(place)
        try:
            container = self._client.containers.get(self.container_name(place))
        except NotFound:
            raise LabNotUp(self.lab_name, f"{place} does not exist") from None
        yield container


def _name(container: Container) -> str:
    """The name of a container from a list, where the SDK's own attribute is empty."""
    return str(container.attrs["Names"][0]).lstrip("/")


def _machine_state(place: Place, container: Container, lab_name: str) -> MachineState:
    networks = container.attrs["NetworkSettings"].get("Networks") or {}
    state = container.attrs["State"]
    ports = container.attrs["NetworkSettings"].get("Ports") or {}
    return MachineState(
        place,
        str(state["Status"]),
        str((state.get("Health") or {}).get("Status", "")),
        {key.split("/")[0]: int(value[0]["HostPort"]) for key, value in ports.items() if value},
        frozenset(name.removeprefix(f"{lab_name}-") for name in networks),
    )


def _kill_container(container: Container) -> None:
    with _translated(), suppress(NotFound):
        try:
            container.kill()
        except APIError as error:
            if error.status_code != 409:  # 409: it does not run
                raise


def _remove_container(container: Container) -> None:
    with suppress(NotFound):
        container.remove(force=True, v=True)


def _shown(argv: Sequence[str]) -> str:
    text = shlex.join(argv)
    return text if len(text) <= 120 else text[:117] + "…"


@contextmanager
def _translated() -> Iterator[None]:
    """Turn the SDK's errors into the lab's."""
    try:
        yield
    except (requests.ConnectionError, requests.Timeout) as error:
        raise EngineGone(
            "the container engine stopped answering", "see: lab doctor; then: lab up"
        ) from error
    except APIError as error:
        raise LabError(
            f"the engine refused: {error.explanation or error}", "see: lab doctor"
        ) from error
    except DockerException as error:
        raise EngineGone(f"no container engine answers ({error})", "see: lab doctor") from error
