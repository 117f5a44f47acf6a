"""Compose v2: found, or fetched for this user alone."""

from __future__ import annotations

import functools
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from lab.core import switches
from lab.core.console import Say
from lab.core.errors import MachineError
from lab.core.lock import hold
from lab.core.paths import state_folder
from lab.host import apt, mirror

# What carries Compose v2, in the words of Ubuntu, Docker's own packages and Debian 13.
PACKAGES = ("docker-compose-v2", "docker-compose-plugin", "docker-compose")
NEEDED = (2, 20)
BY_HAND = "install Compose v2 (Debian 13: docker-compose, Ubuntu: docker-compose-v2)"


def compose_command() -> list[str]:
    """How Compose v2 is called here: `docker compose`, or the path of a program of its own.

    Raises MachineError when there is none (see `ensure_compose`).
    """
    found = _find()
    if found is None:
        raise MachineError("there is no Compose v2 on this machine", "run: lab up")
    return list(found)


def ensure_compose(say: Say) -> None:
    """Make sure that `compose_command` has an answer; fetch Debian's package when it has none."""
    if _find() is not None:
        return
    with hold(state_folder("locks") / "compose.lock", "install Compose", wait=True, say=say):
        _find.cache_clear()
        if _find() is None:
            _provide(say)
            _find.cache_clear()
    compose_command()


def parse_version(text: str) -> tuple[int, ...]:
    """The version in the output of `docker compose version`; empty when there is none."""
    found = re.search(r"\bv?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return tuple(int(part) for part in found.groups() if part) if found else ()


def own_program() -> Path:
    """Where a fetched Compose is kept: it runs without being a plugin of anything."""
    return state_folder("bin") / "docker-compose"


@functools.cache
def _find() -> tuple[str, ...] | None:
    if own_program().is_file():
        return (str(own_program()),)
    ways = (("docker", "compose"), ("docker-compose",))
    return next((way for way in ways if _version(way) >= NEEDED), None)


def _version(way: tuple[str, ...]) -> tuple[int, ...]:
    if not shutil.which(way[0]):
        return ()
    asked = subprocess.run([*way, "version", "--short"], capture_output=True, text=True)
    return parse_version(asked.stdout) if asked.returncode == 0 else ()


def _provide(say: Say) -> None:
    if switches.ENGINE.is_on():
        raise MachineError("there is no Compose v2 on this machine", BY_HAND)
    if package := _package_of_this_system():
        apt.install(say, package, why="Compose starts the lab's machines")
        return
    if not shutil.which("apt-get") or not shutil.which("dpkg"):
        raise MachineError("there is no Compose v2 on this machine", BY_HAND)
    with say.step("fetch Compose v2 from Debian 13's packages, for this user alone"):
        _fetch()


def _package_of_this_system() -> str | None:
    # Debian 12 calls the first, incompatible Compose docker-compose: its version is looked at.
    if not apt.usable():
        return None
    return next((name for name in PACKAGES if parse_version(apt.candidate(name)) >= NEEDED), None)


def _fetch() -> None:
    """Fetch Debian 13's package with lists of its own; this machine's apt learns nothing of it."""
    source = mirror.find()
    if source is None:
        raise MachineError("no apt source of this machine leads to a Debian mirror", BY_HAND)
    log = state_folder("logs") / "compose.log"
    with tempfile.TemporaryDirectory() as name, log.open("w") as out:
        folder = Path(name)
        folder.chmod(0o755)  # apt gives up root for the download where it can
        options = _separate(folder, source)
        for command in (
            ["apt-get", *options, "update", "-q"],
            ["apt-get", *options, "download", "docker-compose"],
        ):
            _run(command, folder, out.fileno(), log)
        package = next(folder.glob("*.deb"))
        _run(["dpkg", "-x", package.name, "unpacked"], folder, out.fileno(), log)
        program = next((folder / "unpacked").glob("usr/lib*/docker/cli-plugins/docker-compose"))
        shutil.copy2(program, own_program().with_suffix(".new"))
    own_program().with_suffix(".new").rename(own_program())


def _separate(folder: Path, source: mirror.Mirror) -> list[str]:
    for made in ("lists/partial", "cache/archives/partial"):
        (folder / made).mkdir(parents=True)
    for name, content in mirror.as_files(source).items():
        here = content.replace(b"/etc/apt/lab-mirror", str(folder).encode())
        (folder / name).write_bytes(here)
    options = {
        "Dir::Etc::sourcelist": folder / "lab.sources",
        "Dir::Etc::sourceparts": "-",
        "Dir::State::lists": folder / "lists",
        "Dir::Cache": folder / "cache",
        "Acquire::Languages": "none",
        "Acquire::IndexTargets::deb::DEP-11::DefaultEnabled": "false",
    }
    return [part for name, value in options.items() for part in ("-o", f"{name}={value}")]


def _run(command: list[str], folder: Path, out: int, log: Path) -> None:
    ended = subprocess.run(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
    )
    if ended.returncode:
        raise MachineError(
            f"`{command[0]} … {command[-1]}` ended with code {ended.returncode}",
            f"the log is in {log}; or {BY_HAND}",
        )
