"""A machine that is there for one command: a team's own script, beside both regions' machines.

It reaches what a bastion would reach, every address of a region's own network, and has no more
rights than a shop: no capabilities, a read-only root, a user who is not root, no way to the engine.
It carries the lab's label. So `lab down` removes it, if the tool died before it did.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lab.core.errors import LabError, UsageError, WaitExpired
from lab.core.interrupts import ended
from lab.core.lazylibraries import lazily
from lab.core.wait import wait_until
from lab.infra.containers import remove, translated

if TYPE_CHECKING:
    import docker
    from docker import DockerClient
    from docker.models.containers import Container
else:
    docker = lazily("docker")

FOLDER: Final = "/runbook"
"""Where the script's folder is seen in the toolbox."""
AUTHORITY: Final = "/tmp/authority.pem"  # noqa: S108 - its own memory
_AUTHORITY_VARIABLE: Final = "TLS_AUTHORITY"
_USER: Final = 999
_BEGIN: Final = (
    f'echo "${_AUTHORITY_VARIABLE}" | base64 -d > {AUTHORITY} && unset {_AUTHORITY_VARIABLE}'
    ' && exec timeout -k 2 "$0" "$@"'
)
"""Its root is read-only, so the certificate comes by way of the environment. `timeout` ends the
script at its deadline, also if the tool has died."""
_ENDED_BY_TIMEOUT: Final = (124, 137)
_LATER_SECONDS: Final = 10.0
"""So long after the deadline the machine itself is killed."""
_MEMORY: Final = "256m"
_PROCESSES: Final = 128
_OUTPUT: Final = "16m"
"""How much output the engine keeps: the end of what is longer."""


@dataclass(frozen=True, slots=True)
class Errand:
    """What a toolbox is for.

    `command` is a program and its arguments, done in `folder`. `addresses` are its own: one for
    each network that it is on. `resolvers` are asked for names. `authority` is the certificate
    that vouches for servers (PEM, in one line of base64).
    """

    command: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str]
    addresses: Mapping[str, str]
    resolvers: tuple[str, ...]
    authority: str
    cgroup_parent: str = ""


@dataclass(frozen=True, slots=True)
class Ran:
    """How a command ended: its exit code, or None if it was killed at its deadline."""

    code: int | None
    output: str
    seconds: float


class Toolbox:
    """The toolbox of one lab: at most one at a time. All errors are LabErrors."""

    def __init__(self, client: DockerClient, lab_name: str, labels: Mapping[str, str]) -> None:
        self._client, self._lab_name, self._labels = client, lab_name, labels
        self._name = f"{lab_name}-toolbox"

    def clear(self) -> None:
        """Remove the toolbox and whatever runs in it. May be repeated."""
        with translated(), suppress(docker.errors.NotFound):
            remove(self._client.containers.get(self._name))

    def run(
        self, errand: Errand, images: Iterable[str], within: float, keep: Callable[[str], object]
    ) -> Ran:
        """Run a command and remove the machine again, whatever happens; how it ended.

        `images` are containers whose image will do, the first that there is. `keep` is given all
        output, also of a command that was interrupted. Raises LabError, not for an exit code.
        """
        refuse_unreadable(errand.folder)
        self.clear()
        told = list[str]()

        def work() -> Ran:
            self._make(errand, self._image(images), within)
            began = time.monotonic()
            code = self._code(within + _LATER_SECONDS)
            took = time.monotonic() - began
            late = took >= within and code in _ENDED_BY_TIMEOUT
            return Ran(None if late else code, "", took)

        def end() -> None:
            try:
                with suppress(LabError):
                    told.append(self._output())
                    keep(told[0])
            finally:
                self.clear()

        ran = ended(work, end, "wait: the script is ended and its machine removed")
        return replace(ran, output="".join(told))

    def _image(self, containers: Iterable[str]) -> str:
        for name in containers:
            with translated(), suppress(docker.errors.NotFound):
                return str(self._client.api.inspect_container(name)["Image"])
        raise LabError("the lab has no database whose image a script could run in", "run: lab up")

    def _make(self, errand: Errand, image: str, within: float) -> None:
        """Make it, on all of its networks, and start it."""
        with translated():
            container = self._client.containers.create(
                image,
                [f"{within:g}", *errand.command],
                name=self._name,
                entrypoint=["tini", "-g", "--", "sh", "-c", _BEGIN],
                environment={**errand.environment, _AUTHORITY_VARIABLE: errand.authority},
                labels=dict(self._labels),
                dns=list(errand.resolvers),
                **_rights(errand.folder),
                **self._first_network(errand.addresses),
                cgroup_parent=errand.cgroup_parent or None,
            )
            for network, address in [*errand.addresses.items()][1:]:
                found = self._client.networks.get(f"{self._lab_name}-{network}")
                found.connect(container, ipv4_address=address)
            container.start()

    def _first_network(self, addresses: Mapping[str, str]) -> dict[str, Any]:
        """The network that it is made on; on none if it has no address."""
        for network, address in addresses.items():
            name = f"{self._lab_name}-{network}"
            end = self._client.api.create_endpoint_config(ipv4_address=address)
            return {"network": name, "networking_config": {name: end}}
        return {"network_mode": "none"}

    def _code(self, within: float) -> int | None:
        try:
            wait_until("the script to end", self._has_ended, within, every=0.1)
        except WaitExpired:
            with suppress(LabError):
                self._found().kill()
            return None
        with translated():
            return int(self._state()["ExitCode"])

    def _has_ended(self) -> bool:
        with translated():
            return not self._state()["Running"]

    def _state(self) -> Mapping[str, Any]:
        state: Mapping[str, Any] = self._client.api.inspect_container(self._name)["State"]
        return state

    def _found(self) -> Container:
        with translated():
            return self._client.containers.get(self._name)

    def _output(self) -> str:
        with translated():
            said: Any = self._found().logs(stdout=True, stderr=True)
        return bytes(said).decode(errors="replace")


def _rights(folder: Path) -> dict[str, Any]:
    """What the machine may do, and may not."""
    mount = docker.types.Mount(FOLDER, str(folder.resolve()), type="bind", read_only=True)
    return {
        "user": f"{_user(folder)}:{_user(folder)}",
        "working_dir": FOLDER,
        "mounts": [mount],
        "read_only": True,
        "tmpfs": {"/tmp": "size=64m,mode=1777"},  # noqa: S108 - its own memory
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges:true"],
        "pids_limit": _PROCESSES,
        "mem_limit": _MEMORY,
        "sysctls": {"net.ipv4.conf.all.arp_ignore": "1"},
        "log_config": docker.types.LogConfig(type="json-file", config={"max-size": _OUTPUT}),
    }


def _user(folder: Path) -> int:
    """The user who owns the folder, if that is not root: who may read it."""
    return folder.stat().st_uid or _USER


def refuse_unreadable(folder: Path) -> None:
    """Raise UsageError for a folder that the toolbox could not look into."""
    try:
        found = folder.stat()
    except OSError as error:
        raise UsageError(f"{folder} cannot be read: {error.strerror}") from error
    everyone = stat.S_IROTH | stat.S_IXOTH
    if found.st_uid == 0 and found.st_mode & everyone != everyone:
        raise UsageError(
            f"{folder} is root's alone, and a script does not run as root",
            f"let others read it: chmod -R go+rX {folder}",
        )
