"""Docker Compose: the world once, and one description of a region twice."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from lab.core.errors import LabError, MachineError
from lab.core.paths import PROJECT
from lab.core.topology import REGIONS
from lab.host.engine import compose_command
from lab.infra.settings import Settings

_CREATE_SECONDS = 300.0
FOLDER = PROJECT / "compose"


def create_regions(settings: Settings, images: Mapping[str, str]) -> None:
    """Make every container of both regions that is missing or changed. Raises LabError.

    The networks must be there already. Nothing is started: the tool starts machines in the order
    in which they are needed.
    """
    runs = [settings.region_environment(each, images) for each in REGIONS]
    with ThreadPoolExecutor(max_workers=len(runs)) as pool:
        for run in [pool.submit(_compose, "region.yaml", variables) for variables in runs]:
            run.result()


def create_world(settings: Settings, images: Mapping[str, str]) -> None:
    """The same for users and stopwatch."""
    _compose("world.yaml", settings.environment(images))


def _compose(file: str, variables: Mapping[str, str]) -> None:
    command = [
        *compose_command(),
        "--progress",
        "plain",
        "-f",
        str(FOLDER / file),
        "create",
        "--pull",
        "never",
        "--no-build",
    ]
    try:
        result = subprocess.run(
            command,
            env={**_own_environment(), **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=_CREATE_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise MachineError(
            f"Compose did not make what {file} describes within {_CREATE_SECONDS:g} s",
            "see: lab doctor",
        ) from error
    if result.returncode:
        raise explained(f"Compose could not make {file}", result.stderr)


def _own_environment() -> dict[str, str]:
    """This process's variables, without those that would turn three projects into one."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}


def explained(what: str, output: str) -> LabError:
    """The usual reasons in words, with what to do; others with the end of the output."""
    taken = re.search(r"Bind for (\S+) failed: port is already allocated", output)
    if taken:
        return MachineError(
            f"port {taken[1]} is taken by another program", "see who: ss -ltnp; then: lab up"
        )
    if re.search(r"[Pp]ool overlaps|invalid pool request", output):
        return MachineError(
            "the lab's subnet overlaps with another network of the engine",
            "see which: lab doctor; choose another: LAB_SUBNET=10.123 lab up",
        )
    if "no space left on device" in output:
        return MachineError("the disk is full", "free some space, then: lab up")
    tail = "\n    ".join(output.strip().splitlines()[-6:])
    return LabError(f"{what}:\n    {tail}", "see: lab doctor")
