"""What a lab has in the engine: all that carries its label, and the networks it stands on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Network
from typing import TYPE_CHECKING, Any

from lab.core.addresses import Addresses
from lab.core.errors import MachineError
from lab.core.lazylibraries import lazily
from lab.core.topology import NETWORKS
from lab.host.engine import client
from lab.infra.containers import name_of, remove, translated

if TYPE_CHECKING:
    import docker
    from docker.models.containers import Container
    from docker.models.networks import Network
else:
    docker = lazily("docker")

LABEL = "failover-lab"
"""The label that everything of a lab carries, with the lab's name as its value."""

_AT_ONCE_SECONDS = 0.1
"""How long the engine may take to say how a machine is; beyond that it is busy with it."""


@dataclass(frozen=True, slots=True)
class EngineFacts:
    """The engine and the machine under it. `memory` is bytes.

    `cgroup_parent` is the cgroup in which a lab's containers should stand (see `cgroup_parent`).
    """

    version: str
    cpus: int
    memory: int
    kernel: str
    architecture: str
    system: str
    cgroup_parent: str = ""

    def __str__(self) -> str:
        return f"{self.cpus} cores, {self.memory / 2**30:.0f} GiB, {self.system}"


def _cidrs(network: Network) -> Iterator[str]:
    """The subnets of a network of the engine."""
    for config in (network.attrs.get("IPAM") or {}).get("Config") or []:
        if "Subnet" in config:
            yield str(config["Subnet"])


def cgroup_parent(info: Mapping[str, Any]) -> str:
    """The cgroup where each container weighs as much as any other program; empty: leave it.

    An engine with the driver `cgroupfs` puts all containers of all labs into one cgroup, `/docker`,
    which together weighs as much as the programs of one session beside it. In the root each
    container weighs as much as that, and the stopwatch's share counts against everything. systemd
    has slices of its own for services and for people, and an engine without privileges cannot
    choose: there the engine's choice stands.
    """
    rootless = any("rootless" in str(each) for each in info.get("SecurityOptions") or ())
    return "/" if info.get("CgroupDriver") == "cgroupfs" and not rootless else ""


class Estate:
    """One lab's part of the engine. All errors are LabErrors."""

    def __init__(self, lab_name: str) -> None:
        self.lab_name = lab_name
        with translated():
            self._client = client(timeout=60)
            self._at_once = client(timeout=60)
        self._at_once.api.timeout = _AT_ONCE_SECONDS  # type: ignore[assignment]

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()
        self._at_once.close()

    def facts(self) -> EngineFacts:
        """What the engine says of itself and of the machine under it."""
        with translated():
            info: dict[str, Any] = self._client.info()
        return EngineFacts(
            version=str(info["ServerVersion"]),
            cpus=int(info["NCPU"]),
            memory=int(info["MemTotal"]),
            kernel=str(info["KernelVersion"]),
            architecture=str(info["Architecture"]),
            system=str(info["OperatingSystem"]),
            cgroup_parent=cgroup_parent(info),
        )

    def ensure_networks(self, addresses: Addresses) -> None:
        """Make the lab's networks where they are missing. Raises MachineError."""
        with translated():
            existing = {n.name for n in self._client.networks.list(filters=self._label())}
        missing = {f"{self.lab_name}-{each}": addresses.network(each) for each in NETWORKS}
        missing = {name: cidr for name, cidr in missing.items() if name not in existing}
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._make_network, missing.keys(), missing.values()))

    def _make_network(self, name: str, cidr: str) -> None:
        first = str(next(IPv4Network(cidr).hosts()))
        pool = docker.types.IPAMConfig(
            pool_configs=[docker.types.IPAMPool(subnet=cidr, gateway=first)]
        )
        with translated():
            try:
                self._client.networks.create(
                    name,
                    driver="bridge",
                    ipam=pool,
                    labels={LABEL: self.lab_name},
                    check_duplicate=True,
                )
            except docker.errors.APIError as error:
                raise MachineError(
                    f"network {name} ({cidr}) cannot be made: {error.explanation}",
                    "see what uses it: lab doctor; or choose another: LAB_SUBNET=10.123 lab up",
                ) from error

    def leftovers(self) -> tuple[str, ...]:
        """Everything in the engine that carries this lab's label, as `kind name`."""
        with translated():
            return tuple(
                [f"container {name_of(c)}" for c in self._labelled_containers()]
                + [f"network {n.name}" for n in self._client.networks.list(filters=self._label())]
                + [f"volume {v.name}" for v in self._client.volumes.list(filters=self._label())]
            )

    def strangers(self) -> tuple[str, ...]:
        """Containers that run on this engine and are not this lab's."""
        with translated():
            mine = {each.id for each in self._labelled_containers()}
            running = self._client.containers.list(sparse=True)
        return tuple(sorted(name_of(each) for each in running if each.id not in mine))

    def remove_everything(self) -> tuple[str, ...]:
        """Remove this lab's containers, networks and volumes, in whatever state they are.

        Networks that the engine keeps although nothing is on them are left, and named: it has lost
        count of what was, and finds that out when it is started the next time.
        """
        kept: list[str] = []
        with translated():
            containers = self._labelled_containers()
            with ThreadPoolExecutor(max_workers=max(1, len(containers))) as pool:
                list(pool.map(remove, containers))
            for network in self._client.networks.list(filters=self._label()):
                try:
                    network.remove()
                except docker.errors.NotFound:
                    pass
                except docker.errors.APIError as error:
                    if "active endpoints" not in str(error.explanation):
                        raise
                    kept.append(str(network.name))
            for volume in self._client.volumes.list(filters=self._label()):
                with suppress(docker.errors.NotFound):
                    volume.remove(force=True)
        return tuple(kept)

    def subnet(self) -> str | None:
        """The first two bytes of the addresses of this lab's networks, if it has any."""
        with translated():
            found = self._client.networks.list(filters=self._label())
        each = (cidr for network in found for cidr in _cidrs(network))
        return next((".".join(cidr.split(".")[:2]) for cidr in each), None)

    def subnets_in_use(self) -> dict[str, str]:
        """CIDR of every network of the engine that is not this lab's, and its name."""
        found: dict[str, str] = {}
        with translated():
            for network in self._client.networks.list():
                if (network.attrs.get("Labels") or {}).get(LABEL) != self.lab_name:
                    found.update(dict.fromkeys(_cidrs(network), str(network.name)))
        return found

    def _label(self) -> dict[str, str | list[str] | bool]:
        return {"label": f"{LABEL}={self.lab_name}"}

    def _labelled_containers(self) -> list[Container]:
        return list(self._client.containers.list(all=True, filters=self._label(), sparse=True))
