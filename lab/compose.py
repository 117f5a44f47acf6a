"""Docker Compose: the world once, and one description of a region twice."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from lab.errors import LabError, MachineError
from lab.machine import compose_command
from lab.settings import Settings
from lab.topology import REGIONS

_UP_SECONDS = 300.0
FOLDER = Path(__file__).parent.parent / "compose"


def up(settings: Settings, images: Mapping[str, str]) -> None:
    """Create and start every container that is missing or changed. Raises MachineError.

    The networks must be there already.
    """
    runs = [("world.yaml", settings.environment(images))]
    runs += [("region.yaml", settings.region_environment(each, images)) for each in REGIONS]
    with ThreadPoolExecutor(max_workers=len(runs)) as pool:
        for run in [pool.submit(_compose, file, variables) for file, variables in runs]:
            run.result()


def _compose(file: str, variables: Mapping[str, str]) -> None:
    command = [
        *compose_command(),
        "--progress",
        "plain",
        "-f",
        str(FOLDER / file),
        "up",
        "-d",
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
            timeout=_UP_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise MachineError(
            f"Compose did not start {file} within {_UP_SECONDS:g} s", "see: lab doctor"
        ) from error
    if result.returncode:
        raise _explained(file, result.stderr)


def _own_environment() -> dict[str, str]:
    """This process's variables, without those that would turn three projects into one."""
    return {key: value for key, value in os.environ.items() if not key.startswith("COMPOSE_")}


def _explained(file: str, output: str) -> LabError:
    """The usual reasons in words, with what to do; others with the end of Compose's own words."""
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
    return LabError(f"Compose could not start {file}:\n    {tail}", "see: lab doctor")
