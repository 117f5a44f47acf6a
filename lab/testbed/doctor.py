"""What this machine lacks for the lab, one check to a row; printing it is the CLI's business."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.host import imagebuild, images, installadvice, subnets
from lab.host.composeplugin import compose_command
from lab.host.engine import client
from lab.testbed import lifecycle

if TYPE_CHECKING:
    import docker
    import requests
    from docker import DockerClient
else:
    docker = lazily("docker")
    requests = lazily("requests")

State = Literal["ok", "warn", "broken"]

GIB = 1024**3
# Measured: the whole lab with its users takes about 0.4 GiB, the page cache wants some more.
NEEDED_MEMORY, ENOUGH_MEMORY = 1 * GIB, 2 * GIB
RUNNING_DISK = 1 * GIB  # data, WAL and the copies of a drill; building images takes more
# RFC 8945, section 10: signed updates are refused when the clocks differ by more than 300 s.
CLOCK_WARN, CLOCK_BROKEN = 5.0, 250.0


@dataclass(frozen=True)
class Check:
    """One finding. `advice` is what to do about it, empty when there is nothing to do."""

    name: str
    state: State
    found: str
    advice: str = ""


@dataclass(frozen=True)
class Engine:
    """What the engine says about itself, asked once. `skew` is its wall clock minus ours, in s."""

    client: DockerClient
    version: str
    root: Path
    memory: int
    cores: int
    skew: float


@dataclass(frozen=True)
class Plan:
    """What is to run here: the lab's name."""

    name: str


Probe = Callable[[Engine, Plan], Check]


def examine(name: str = "lab") -> tuple[Check, ...]:
    """Every check, for a lab called `name`.

    Never raises: a check that fails by itself is reported as broken. Without an engine only that
    is reported, since the other checks ask it.
    """
    try:
        engine = _ask(client(timeout=15))
    except LabError as error:
        next_step = "or let the lab do it: lab up" if installadvice.this_system().root else ""
        return (Check("engine", "broken", error.message, error.next_step or next_step),)
    except (docker.errors.DockerException, requests.RequestException) as error:
        return (Check("engine", "broken", f"the engine answers with an error: {error}"),)
    plan = Plan(name)
    return tuple(_guarded(what, probe, engine, plan) for what, probe in CHECKS)


def _guarded(name: str, probe: Probe, engine: Engine, plan: Plan) -> Check:
    try:
        return probe(engine, plan)
    except (
        LabError,
        docker.errors.DockerException,
        requests.RequestException,
        OSError,
        ValueError,
        KeyError,
    ) as error:
        return Check(name, "broken", f"this could not be checked: {error}")


def _ask(client: DockerClient) -> Engine:
    before = time.time()
    info: Mapping[str, Any] = client.info()
    here = (before + time.time()) / 2
    return Engine(
        client,
        version=str(info["ServerVersion"]),
        root=Path(info["DockerRootDir"]),
        memory=int(info["MemTotal"]),
        cores=int(info["NCPU"]),
        skew=parse_time(str(info["SystemTime"])) - here,
    )


def parse_time(text: str) -> float:
    """Seconds since 1970 of an engine's time, which is RFC 3339 with up to nine decimals."""
    # Python takes six decimals at most, and a millionth of a second is more than enough here.
    return datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text)).timestamp()


def _engine(engine: Engine, plan: Plan) -> Check:
    return Check("engine", "ok", f"Docker {engine.version}")


def _compose(engine: Engine, plan: Plan) -> Check:
    try:
        return Check("Compose", "ok", " ".join(compose_command()))
    except LabError as error:
        return Check("Compose", "broken", error.message, error.next_step)


def _disk(engine: Engine, plan: Plan) -> Check:
    if not engine.root.is_dir():
        return Check("free disk", "ok", "the engine runs in a machine of its own; see its settings")
    free = shutil.disk_usage(engine.root).free
    needed = imagebuild.NEEDED_DISK if _missing(engine) else RUNNING_DISK
    found = f"{free / GIB:.1f} GiB under {engine.root}, {needed / GIB:.0f} GiB are needed"
    if free >= needed:
        return Check("free disk", "ok", found)
    return Check("free disk", "broken", found, "make room, e.g.: docker image prune")


def _memory(engine: Engine, plan: Plan) -> Check:
    available = available_memory() if engine.root.is_dir() else engine.memory
    found = f"{available / GIB:.1f} GiB of {engine.memory / GIB:.1f} GiB"
    if available >= ENOUGH_MEMORY:
        return Check("memory", "ok", found)
    help_ = "close other programs, or give the engine's machine more memory (2 GiB is enough)"
    return Check("memory", "warn" if available >= NEEDED_MEMORY else "broken", found, help_)


def available_memory(meminfo: Path = Path("/proc/meminfo")) -> int:
    """Bytes that programs can still get, in the kernel's own estimate."""
    for line in meminfo.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise ValueError(f"{meminfo} does not say how much memory is available")


def _cores(engine: Engine, plan: Plan) -> Check:
    if engine.cores >= 2:
        return Check("cores", "ok", str(engine.cores))
    slow = "drills work, but with less load: figures will say so"
    return Check("cores", "warn", f"{engine.cores}, drills are made for 2", slow)


def _subnet(engine: Engine, plan: Plan) -> Check:
    """Of the subnet that `lab up` takes, which passes over those that others use."""
    try:
        wanted = subnets.lab_networks(lifecycle.subnet_for(plan.name))
    except LabError as error:
        return Check("subnet", "broken", error.message, error.next_step)
    listed = engine.client.api.networks()
    networks = tuple(n for entry in listed for n in subnets.parse_network(entry))
    own = subnets.own_names(plan.name)
    taken = subnets.taken_by(wanted, own, networks, subnets.read_routes())
    what = f"{wanted[0][0]} to {wanted[-1][-1]}"
    if not taken:
        return Check("subnet", "ok", f"{what} is free for this lab")
    state: State = "broken" if any(t.blocks for t in taken) else "warn"
    found = f"{what} is used by {'; '.join(t.what for t in taken)}"
    return Check("subnet", state, found, "choose another, e.g.: LAB_SUBNET=10.123 lab up")


def _missing(engine: Engine) -> tuple[images.Image, ...]:
    return images.missing(images.content_tags(), imagebuild.present(engine.client))


def _images(engine: Engine, plan: Plan) -> Check:
    absent = _missing(engine)
    if not absent:
        return Check("images", "ok", "all present")
    found = f"missing: {', '.join(image.role for image in absent)}"
    return Check("images", "warn", found, "lab up makes them (some minutes, once)")


def _clock(engine: Engine, plan: Plan) -> Check:
    found = f"{engine.skew:+.1f} s between the engine and this machine"
    if abs(engine.skew) < CLOCK_WARN:
        return Check("clock", "ok", found)
    state: State = "warn" if abs(engine.skew) < CLOCK_BROKEN else "broken"
    return Check("clock", state, found, "restart the engine's machine, so that it takes our time")


CHECKS: tuple[tuple[str, Probe], ...] = (
    ("engine", _engine),
    ("Compose", _compose),
    ("free disk", _disk),
    ("memory", _memory),
    ("cores", _cores),
    ("subnet", _subnet),
    ("images", _images),
    ("clock", _clock),
)
