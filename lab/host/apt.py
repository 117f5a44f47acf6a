"""Installing Debian and Ubuntu packages on this machine, after asking where a person can answer."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

from lab.core.console import Say
from lab.core.errors import MachineError
from lab.core.paths import state_folder

ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C.UTF-8"}


def usable() -> bool:
    """True where this user may install packages by apt."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def candidate(package: str) -> str:
    """The version of `package` that this machine's sources offer; empty when they offer none."""
    if not shutil.which("apt-cache"):
        return ""
    asked = subprocess.run(
        ["apt-cache", "policy", package],
        capture_output=True,
        text=True,
        env={**os.environ, **ENVIRONMENT},
    )
    found = re.search(r"Candidate: (\S+)", asked.stdout)
    return "" if found is None or found[1] == "(none)" else found[1]


def install(say: Say, *packages: str, why: str) -> None:
    """Install packages as root. Raises MachineError when that is not possible, or was declined."""
    wanted = " ".join(packages)
    by_hand = f"install it yourself: sudo apt-get install {wanted}"
    if not usable():
        raise MachineError(f"{wanted} is not installed ({why})", by_hand)
    if say.interactive and not say.agrees(f"Install {wanted} by apt, {why}?"):
        raise MachineError(f"{wanted} was not installed", by_hand)
    with say.step("apt-get update"):
        _run(["apt-get", "update", "-q"])
    with say.step(f"apt-get install {wanted} ({why})"):
        _run(["apt-get", "install", "-qy", "--no-install-recommends", *packages])


def _run(command: list[str]) -> None:
    log = state_folder("logs") / "apt.log"
    with log.open("a") as out:
        ended = subprocess.run(
            command,
            env={**os.environ, **ENVIRONMENT},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    if ended.returncode:
        raise MachineError(
            f"`{' '.join(command)}` ended with code {ended.returncode}:\n    {_tail(log)}",
            f"the whole log is in {log}",
        )


def _tail(log: Path) -> str:
    return "\n    ".join(log.read_text(errors="replace").strip().splitlines()[-8:])
