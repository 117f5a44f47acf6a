"""What the engine's SDK says, in the lab's words: machines, and errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.core.errors import EngineGone, LabError
from lab.core.lazylibraries import lazily
from lab.core.topology import Place

if TYPE_CHECKING:
    import docker
    import requests
    from docker import DockerClient
    from docker.models.containers import Container
else:
    docker = lazily("docker")
    requests = lazily("requests")


STOPPED: Final = frozenset(("absent", "created", "exited", "dead"))
"""The engine's words for a container that has no process; `absent` is the lab's own."""


@dataclass(frozen=True, slots=True)
class MachineState:
    """What the engine says of a container; `status` is its word, `absent` if there is none.

    A machine runs, is frozen or is stopped. Only a stopped one is dead: a frozen one may go on at
    any moment. `networks` are those it is on, by the lab's names for them. `booted` is when it was
    last started, in the engine's words; empty where a list of machines was asked, which does not
    tell.
    """

    place: Place
    status: str
    health: str
    ports: Mapping[str, int]
    networks: frozenset[str] = frozenset()
    booted: str = ""

    @property
    def running(self) -> bool:
        """True when its processes run (not paused, not dead)."""
        return self.status == "running"

    @property
    def frozen(self) -> bool:
        """True when its processes stand still and may go on where they were."""
        return self.status == "paused"

    @property
    def stopped(self) -> bool:
        """True when it has no process: nothing in it goes on unless the machine boots."""
        return self.status in STOPPED


def machine_state(place: Place, container: Container, lab_name: str) -> MachineState:
    """What the SDK's record of a container says of a machine."""
    networks = container.attrs["NetworkSettings"].get("Networks") or {}
    state = container.attrs["State"]
    ports = container.attrs["NetworkSettings"].get("Ports") or {}
    return MachineState(
        place,
        str(state["Status"]),
        str((state.get("Health") or {}).get("Status", "")),
        {key.split("/")[0]: int(value[0]["HostPort"]) for key, value in ports.items() if value},
        frozenset(name.removeprefix(f"{lab_name}-") for name in networks),
        str(state.get("StartedAt", "")),
    )


def listed_state(place: Place, container: Container, lab_name: str) -> MachineState:
    """The same, of a container in a list: whole only of one that runs.

    A list tells health by a word in brackets.
    """
    found = container.attrs
    _, _, health = str(found["Status"]).partition("(")
    ports = {
        str(each["PrivatePort"]): int(each["PublicPort"])
        for each in reversed(found.get("Ports") or [])
        if "PublicPort" in each
    }
    networks = found["NetworkSettings"].get("Networks") or {}
    return MachineState(
        place,
        str(found["State"]),
        health.rstrip(")").removeprefix("health: "),
        ports,
        frozenset(name.removeprefix(f"{lab_name}-") for name in networks),
    )


def name_of(container: Container) -> str:
    """The name of a container from a list, where the SDK's own attribute is empty."""
    return str(container.attrs["Names"][0]).lstrip("/")


def kill(container: Container) -> None:
    """SIGKILL. What does not run, or is gone, stays so."""
    with translated(), suppress(docker.errors.NotFound):
        try:
            container.kill()
        except docker.errors.APIError as error:
            if error.status_code != 409:  # 409: it does not run
                raise


@contextmanager
def unheard(client: DockerClient, container: Container) -> Iterator[None]:
    """Off all of its networks if it is frozen, while it is killed; on them again afterwards.

    The engine wakes a frozen container to let it die. Its processes run for that moment, and must
    not answer a client meanwhile.
    """
    api, number = client.api, str(container.id)
    frozen = container.status == "paused"
    taken = dict(container.attrs["NetworkSettings"]["Networks"]) if frozen else {}
    try:
        with translated():
            for network in taken:
                api.disconnect_container_from_network(number, network, force=True)
        yield
    finally:
        for network, end in taken.items():
            # If this fails, the next boot plugs the machine in: it must not stop a failover.
            with suppress(LabError), translated():
                address = (end.get("IPAMConfig") or {}).get("IPv4Address")
                api.connect_container_to_network(
                    number, network, ipv4_address=address, aliases=end.get("Aliases")
                )


def remove(container: Container) -> None:
    """Take it and its anonymous volumes away, whatever state it is in."""
    with suppress(docker.errors.NotFound):
        container.remove(force=True, v=True)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the SDK's errors into the lab's."""
    try:
        yield
    except (requests.ConnectionError, requests.Timeout) as error:
        raise EngineGone(
            "the container engine stopped answering", "see: lab doctor; then: lab up"
        ) from error
    except docker.errors.APIError as error:
        raise LabError(
            f"the engine refused: {error.explanation or error}", "see: lab doctor"
        ) from error
    except docker.errors.DockerException as error:
        raise EngineGone(f"no container engine answers ({error})", "see: lab doctor") from error
