"""The machines of a lab, by way of the container engine: look at them, run things in them.

The tool reaches containers by this API and by ports published on loopback, never by their
addresses, so that it works the same where containers live in another kernel (Docker Desktop).
"""

from __future__ import annotations

import io
import shlex
import tarfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from lab.core.errors import CommandFailed, LabError, MachineDown
from lab.core.lazylibraries import lazily
from lab.core.topology import DATABASES, Place
from lab.core.wait import wait_until
from lab.infra import containers, machineexits
from lab.infra.containers import translated
from lab.infra.inventory import LABEL
from lab.infra.machinestates import MachineStates
from lab.infra.toolbox import Toolbox

if TYPE_CHECKING:
    import docker
    import requests
    from docker.models.containers import Container
    from docker.models.networks import Network
else:
    docker = lazily("docker")
    requests = lazily("requests")

POSTGRES_UID = 999
_FREEZE_SECONDS = 10.0
_ABSENT = "no such file or directory"
"""What the engine says of a program that an image does not hold, if its machine runs."""


class Engine(MachineStates):
    """One lab's containers, by place. All errors are LabErrors."""

    # ── looking ──────────────────────────────────────────────────────────────────────────────

    def ending(self, place: Place) -> bool:
        """True for a machine that the engine says runs, and that can run nothing any more."""
        if not self.running(place):
            return False
        try:
            self.run(place, ["/bin/busybox", "true"])
        except CommandFailed as error:
            return _ABSENT not in error.output
        except LabError:
            return True
        return False

    def holds(self, place: Place, path: str) -> bool:
        """True when that file is there; its machine may run, be frozen or be stopped."""
        with translated(), self._found(place) as container:
            try:
                list(container.get_archive(path)[0])
            except docker.errors.NotFound:
                return False
        return True

    def logs(self, place: Place, tail: int = 2000) -> str:
        """The machine's log so far."""
        with translated(), self._found(place) as container:
            whole: Any = container.logs(tail=tail, timestamps=True)
            return bytes(whole).decode(errors="replace")

    def follow_logs(self, place: Place, tail: int) -> Iterator[str]:
        """The machine's log, line by line, as it grows."""
        with translated(), self._found(place) as container:
            for chunk in container.logs(stream=True, follow=True, tail=tail):
                yield bytes(chunk).decode(errors="replace").rstrip("\n")

    def image(self, place: Place) -> str:
        """The name of the image that the machine was made from."""
        with translated(), self._found(place) as container:
            return str(container.attrs["Config"]["Image"])

    def memory_and_cpu(self, place: Place) -> tuple[int, float]:
        """Bytes of memory in use (not page cache) and CPU seconds used so far."""
        with translated(), self._found(place) as container:
            stats: Any = container.stats(stream=False, one_shot=True)
        details = stats["memory_stats"].get("stats", {})
        # Names of cgroup v2, then of v1. Page cache is left out: the kernel takes it back at will.
        anonymous = details.get("anon", details.get("total_rss", 0))
        shared = details.get("shmem", details.get("total_mapped_file", 0))
        return anonymous + shared, stats["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9

    # ── doing ────────────────────────────────────────────────────────────────────────────────

    def run(
        self, place: Place, argv: Sequence[str], *, check: bool = True, called: str = ""
    ) -> str:
        """Run a command inside a machine; its output. Raises CommandFailed if `check` is on.

        `called` is what the error calls the command: its own words, if that is empty.
        """
        return self.run_code(place, argv, check=check, called=called)[1]

    def run_code(
        self, place: Place, argv: Sequence[str], *, check: bool = False, called: str = ""
    ) -> tuple[int, str]:
        """Run a command inside a machine; exit code and output (stdout and stderr together)."""
        shown = _shown(called or shlex.join(argv))
        api = self._client.api
        with translated():
            try:
                number = self._prepared(place, argv)
                said: Any = api.exec_start(number)
                code = int(api.exec_inspect(number)["ExitCode"] or 0)
            except docker.errors.APIError as error:
                reason = str(error.explanation or error)
                raise CommandFailed(str(place), shown, -1, reason) from error
        output = bytes(said or b"").decode(errors="replace")
        if check and code:
            raise CommandFailed(str(place), shown, code, output)
        return code, output

    def _prepared(self, place: Place, argv: Sequence[str]) -> str:
        """The number of a command that is not begun yet.

        It is asked for by the machine's name: the library's own way asks for the machine first.
        """
        self._must_reach(place)
        try:
            made = self._client.api.exec_create(self.container_name(place), list(argv))
        except docker.errors.NotFound:
            raise MachineDown(place, "absent") from None
        return str(made["Id"])

    def write_files(self, place: Place, folder: str, files: Mapping[str, str]) -> None:
        """Put small private files (mode 0600, owned by postgres) into a folder of a machine."""
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as tar:
            for name, text in files.items():
                entry = tarfile.TarInfo(name)
                entry.size, entry.mode = len(text.encode()), 0o600
                entry.uid = entry.gid = POSTGRES_UID
                tar.addfile(entry, io.BytesIO(text.encode()))
        with translated(), self._found(place) as container:
            container.put_archive(folder, buffer.getvalue())

    def kill(self, places: Iterable[Place]) -> None:
        """End machines at once and in parallel (SIGKILL). Those that are dead stay dead."""
        self.each(places, lambda place: self._kill(self._find(place)))

    def _kill(self, container: Container) -> None:
        with containers.unheard(self._client, container):
            containers.kill(container)

    def armed_to_kill(self, places: Iterable[Place]) -> Callable[[], None]:
        """Find the machines now, so that what is returned kills them at once.

        It is back when every machine is dead; the engine may still be tidying up.
        """
        return machineexits.armed(self._client, self.each(places, self._find))

    def _find(self, place: Place) -> Container:
        with translated(), self._found(place) as container:
            return container

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
        with translated(), self._found(place) as container:
            if container.status == "running":
                container.pause()
        return True

    def run_aside(self, place: Place, argv: Sequence[str]) -> None:
        """Start a command inside a machine and leave it alone."""
        with translated(), self._found(place) as container:
            container.exec_run(list(argv), detach=True)

    def toolbox(self) -> Toolbox:
        """The machine that is there for one command of a team's own."""
        return Toolbox(self._client, self.lab_name, {LABEL: self.lab_name})

    def detach(self, place: Place, network: str) -> None:
        """Pull a machine's cable to one network. What is out already stays out."""
        with translated(), self._found(place) as container:
            if network in self.state(place).networks:
                self._network(network).disconnect(container, force=True)

    def attach(self, place: Place, addresses: Mapping[str, str]) -> None:
        """Put cables back, one to each network, with that address. What is in stays in."""
        with translated(), self._found(place) as container:
            there = containers.machine_state(place, container, self.lab_name).networks
            for network in addresses.keys() - there:
                self._network(network).connect(container, ipv4_address=addresses[network])

    def _network(self, name: str) -> Network:
        return self._client.networks.get(f"{self.lab_name}-{name}")

    def start(self, places: Iterable[Place]) -> None:
        """Boot machines that do not run, in parallel. Frozen ones go on, but for databases.

        A frozen database may be a primary that was replaced: it is killed and boots anew, which
        starts no primary. `thaw` is for those who know better.
        """
        self.each(places, self._start)

    def thaw(self, places: Iterable[Place]) -> None:
        """Let frozen machines go on where they were."""
        self.each(places, self._thaw)

    def _thaw(self, place: Place) -> None:
        with translated(), self._found(place) as container:
            if container.status == "paused":
                container.unpause()

    def start_in_order(self, places: Iterable[Place], at_once: int) -> None:
        """The same, so many at once, so that the first ones run soon on a machine of few cores."""
        with ThreadPoolExecutor(at_once) as pool:
            list(pool.map(self._start, places))

    def _start(self, place: Place) -> None:
        with translated(), self._found(place) as container:
            if container.status == "paused" and place not in DATABASES:
                container.unpause()
            elif container.status != "running":
                if container.status == "paused":
                    self._kill(container)
                container.start()

    @contextmanager
    def _found(self, place: Place) -> Iterator[Container]:
        self._must_reach(place)
        try:
            container = self._client.containers.get(self.container_name(place))
        except docker.errors.NotFound:
            raise MachineDown(place, "absent") from None
        yield container


def _shown(command: str) -> str:
    text = " ".join(command.split())
    return text if len(text) <= 120 else text[:117] + "…"
