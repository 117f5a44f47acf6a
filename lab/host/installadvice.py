"""What to type on this system to get a container engine and Compose. Rows, no logic."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class System:
    """What is known about the machine: kernel, distribution (and those it is like), user."""

    kernel: str
    families: frozenset[str]
    wsl: bool
    root: bool

    @property
    def debian_like(self) -> bool:
        """Debian, Ubuntu and what is made from them."""
        return not self.families.isdisjoint({"debian", "ubuntu"})


@dataclass(frozen=True)
class Advice:
    """The commands for the systems that `fits` is true of."""

    system: str
    fits: Callable[[System], bool]
    commands: tuple[str, ...]


# The first row that fits is given.
ADVICE = (
    Advice(
        "macOS",
        lambda s: s.kernel == "Darwin",
        ("brew install --cask docker", "open -a Docker    # and wait until it says that it runs"),
    ),
    Advice(
        "Windows (WSL)",
        lambda s: s.wsl,
        (
            "winget install Docker.DockerDesktop    # in PowerShell, then start Docker Desktop",
            "# Docker Desktop > Settings > Resources > WSL integration: switch this one on",
        ),
    ),
    Advice(
        "Debian or Ubuntu",
        lambda s: s.debian_like,
        (
            "sudo apt-get install --no-install-recommends docker.io iptables",
            "sudo systemctl start docker",
            'sudo usermod -aG docker "$USER" && newgrp docker',
        ),
    ),
    Advice(
        "Fedora",
        lambda s: not s.families.isdisjoint({"fedora", "rhel", "centos"}),
        (
            "sudo dnf install moby-engine docker-compose",
            "sudo systemctl start docker",
            'sudo usermod -aG docker "$USER" && newgrp docker',
        ),
    ),
    Advice(
        "this system",
        lambda s: True,
        ("install Docker (or Podman with its Docker socket) and start it",),
    ),
)


def parse_os_release(text: str) -> Mapping[str, str]:
    """The fields of an os-release file, unquoted."""
    pairs = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name: value.strip().strip("\"'") for name, value in pairs}


def this_system(os_release: Path = Path("/etc/os-release")) -> System:
    """The machine that this runs on."""
    fields = parse_os_release(os_release.read_text()) if os_release.is_file() else {}
    return System(
        kernel=platform.system(),
        families=frozenset([fields.get("ID", ""), *fields.get("ID_LIKE", "").split()]),
        wsl="microsoft" in platform.release().lower(),
        root=os.geteuid() == 0,
    )


def to_get_an_engine(system: System) -> str:
    """The commands for `system`, one to a line, under a line that names it."""
    row = next(row for row in ADVICE if row.fits(system))
    commands = (c.removeprefix("sudo ") if system.root else c for c in row.commands)
    return f"on {row.system}:" + "".join(f"\n      {command}" for command in commands)
