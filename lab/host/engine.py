"""The container engine under the lab: found, or installed and started where that is allowed."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core import switches
from lab.core.console import Say
from lab.core.errors import EngineMissing
from lab.core.lazylibraries import lazily
from lab.core.lock import hold
from lab.core.paths import state_folder
from lab.host import apt, composeplugin, dockerd, installadvice

if TYPE_CHECKING:
    import docker
    import requests
    from docker import DockerClient
else:
    docker = lazily("docker")
    requests = lazily("requests")

DEFAULT_SOCKET = Path("/var/run/docker.sock")
DEFAULT_HOST = f"unix://{DEFAULT_SOCKET}"
PING_TIMEOUT = 5  # seconds

compose_command = composeplugin.compose_command


def ensure_engine(say: Say) -> None:
    """Make sure that an engine and Compose are there; quick when they are (see `ensure_host`)."""
    ensure_host(say)
    composeplugin.ensure_compose(say)


def ensure_host(say: Say) -> None:
    """Make sure that an engine answers; quick when one does.

    Where no engine answers, root on Debian or Ubuntu gets one (asked first at a terminal);
    all other users, and those with LAB_ENGINE=manual, get EngineMissing with the commands to
    type. Afterwards DOCKER_HOST names the engine where it is not at the default place, so that
    Compose and `docker.from_env` speak to the same one. Raises UsageError for a variable with a
    word that it does not take.
    """
    switches.refuse_unknown_words()
    host = find_host()
    if not host:
        with hold(state_folder("locks") / "engine.lock", "set up the engine", wait=True, say=say):
            host = find_host() or _provide(say)
    if host != DEFAULT_HOST or _context_host() != host:
        os.environ["DOCKER_HOST"] = host


def restart_engine(say: Say) -> None:
    """Restart the engine: every container of it ends. See `dockerd.why_not_to_restart`."""
    host = find_host()
    with hold(state_folder("locks") / "engine.lock", "restart the engine", wait=True, say=say):
        dockerd.restart(say, lambda: host is not None and answers(host))


def client(timeout: float = 60) -> DockerClient:
    """A client of the engine; `timeout` in seconds is for one answer. Raises EngineMissing."""
    patience = timeout if os.environ.get("DOCKER_HOST") else PING_TIMEOUT
    for host in candidates():
        if found := _connected(host, patience):
            found.api.timeout = timeout  # type: ignore[assignment]
            return found
    raise _not_there()


def find_host() -> str | None:
    """The address of the first engine that answers.

    DOCKER_HOST is obeyed alone. Otherwise: the current context of the docker command, then the
    places where Docker, rootless Docker, Docker Desktop and Colima put their sockets.
    """
    return next((host for host in candidates() if answers(host)), None)


def candidates() -> Iterator[str]:
    """Addresses to try, best first."""
    if named := os.environ.get("DOCKER_HOST"):
        yield named
        return
    if context := _context_host():
        yield context
    home = Path.home()
    sockets = (
        DEFAULT_SOCKET,
        Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock",
        home / ".docker/run/docker.sock",
        home / ".docker/desktop/docker.sock",
        home / ".colima/default/docker.sock",
    )
    for each in sockets:
        if each.exists():
            yield f"unix://{each}"


def _context_host() -> str | None:
    try:
        context = docker.context.ContextAPI.get_current_context()
    except (docker.errors.DockerException, OSError, ValueError):
        return None  # a context that was removed, a broken file
    return str(context.Host) if context and context.Host else None


def answers(host: str) -> bool:
    """True when an engine answers at `host` within a few seconds."""
    with_engine = _connected(host, PING_TIMEOUT)
    if with_engine is None:
        return False
    with_engine.close()
    return True


def _connected(host: str, timeout: float) -> DockerClient | None:
    """A client of the engine at `host`, if one answers within so many seconds."""
    try:
        return _connect(host, timeout)
    except (docker.errors.DockerException, requests.RequestException, ValueError):
        return None


def _connect(host: str, timeout: float) -> DockerClient:
    _knock(host, timeout)
    # Asks the engine for its version of the interface, so it fails at once without one.
    environment = {**os.environ, "DOCKER_HOST": host}
    return docker.from_env(timeout=int(timeout), environment=environment)


def _knock(host: str, timeout: float) -> None:
    """Raise DockerException when no program listens on a socket file; other hosts are not tried.

    The SDK leaves its own socket open when no program listens, and an engine that is being started
    is asked again and again.
    """
    path = host.removeprefix("unix://")
    if path == host or not hasattr(socket, "AF_UNIX"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as knocking:
        knocking.settimeout(timeout)
        try:
            knocking.connect(path)
        except OSError as error:
            raise docker.errors.DockerException(f"{host}: {error.strerror or error}") from error


def _provide(say: Say) -> str:
    """Install and start an engine, return its address; EngineMissing where that is not allowed."""
    if os.environ.get("DOCKER_HOST") or switches.ENGINE.is_on():
        raise _not_there()
    if os.geteuid() != 0 or installadvice.this_system().kernel != "Linux":
        raise _not_there()
    if not dockerd.installed():
        if not apt.usable():
            raise _not_there()
        apt.install(say, *dockerd.packages(), why="to run the lab's machines as containers")
    dockerd.start(say, lambda: answers(DEFAULT_HOST))
    return DEFAULT_HOST


def _not_there() -> EngineMissing:
    named = os.environ.get("DOCKER_HOST")
    if named:
        return EngineMissing(
            f"no container engine answers at DOCKER_HOST={named}",
            "start it, or unset DOCKER_HOST to use this machine's own",
        )
    if DEFAULT_SOCKET.exists() and not os.access(DEFAULT_SOCKET, os.R_OK | os.W_OK):
        return EngineMissing(
            f"there is an engine, but this user may not use {DEFAULT_SOCKET}",
            'sudo usermod -aG docker "$USER" && newgrp docker',
        )
    return EngineMissing(
        "no container engine answers", installadvice.to_get_an_engine(installadvice.this_system())
    )
