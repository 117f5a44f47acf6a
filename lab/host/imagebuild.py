"""Building and pulling images through the engine's own API.

No docker program is started: the classic builder behind the API is there on every engine, with
or without BuildKit's client, and its answers can be read line by line.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import stat
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeAlias

from lab.core import switches
from lab.core.console import Say
from lab.core.errors import EngineGone, MachineError
from lab.core.lazylibraries import lazily
from lab.core.paths import PROJECT, state_folder

if TYPE_CHECKING:
    import docker
    import requests
    from docker import DockerClient
else:
    docker = lazily("docker")
    requests = lazily("requests")

PATIENCE = 1800.0  # seconds that a step of a build may be silent
NEEDED_DISK = 3 * 1024**3  # bytes: all images with what building them takes in between
IGNORED = {"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store"}
PROXIES = ("http_proxy", "https_proxy", "no_proxy")

Content = bytes | Path


@dataclass(frozen=True)
class Job:
    """One image to be built: its context, the build's arguments, and a way to other images.

    `wait_for` takes a role and returns its tag as soon as that image is made.
    """

    role: str
    tag: str
    context: str
    also: tuple[str, ...]
    arguments: Mapping[str, str]
    wait_for: Callable[[str], str]


Maker: TypeAlias = "Callable[[DockerClient, Job, Say], None]"


def files_of(context: str, also: Iterable[str] = (), root: Path = PROJECT) -> dict[str, Path]:
    """Name in the build's context → file, sorted. `also` are single files from elsewhere."""
    found = {Path(name).name: root / name for name in also}
    if context:
        folder = root / context
        for file in folder.rglob("*"):
            name = file.relative_to(folder)
            if file.is_file() and not IGNORED.intersection(name.parts):
                found[name.as_posix()] = file
    return dict(sorted(found.items()))


def mode_of(file: Path) -> int:
    """0o755 or 0o644, whatever this machine's umask made of it."""
    return 0o755 if file.stat().st_mode & stat.S_IXUSR else 0o644


def pack(files: Mapping[str, Content]) -> IO[bytes]:
    """A tar archive of the files, owned by root and without times, so that layers are reused."""
    # Closed by its reader; in memory unless it grows.
    archive = tempfile.SpooledTemporaryFile(max_size=32 * 1024**2)  # noqa: SIM115
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, Path):
                entry.size, entry.mode = content.stat().st_size, mode_of(content)
                with content.open("rb") as source:
                    tar.addfile(entry, source)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    archive.seek(0)
    return archive


def present(client: DockerClient) -> frozenset[str]:
    """The tags under lab/ that the engine has, by one request."""
    try:
        found = client.api.images(filters={"reference": "lab/*"})
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineGone(
            f"the engine does not list its images: {error}", "run: lab doctor"
        ) from error
    return frozenset(tag for image in found for tag in image["RepoTags"] or ())


def is_here(client: DockerClient, name: str) -> bool:
    """True when the engine has an image of that name, also one that the lab did not make."""
    try:
        client.images.get(name)
    except docker.errors.APIError:  # also for what can be no name
        return False
    except (docker.errors.DockerException, requests.RequestException) as error:
        raise EngineGone(
            f"the engine does not say whether it has {name}: {error}", "run: lab doctor"
        ) from error
    return True


def pulled(client: DockerClient, upstream: str, tag: str, say: Say) -> bool:
    """Pull `upstream` and give it the lab's tag; False (and a note why) when no registry gives it.

    LAB_PULL=never skips the attempt.
    """
    if switches.PULL.is_on():
        return False
    try:
        with say.step(f"pull {upstream}"):
            name, _, version = upstream.rpartition(":")
            image = client.images.pull(name, tag=version)
            image.tag(*tag.split(":"))
    except (docker.errors.DockerException, requests.RequestException) as error:
        say.note(
            f"no registry gives {upstream} here, so it is made from packages ({_short(error)})"
        )
        return False
    return True


def _short(error: Exception) -> str:
    text = error.explanation if isinstance(error, docker.errors.APIError) else error
    return str(text).strip().splitlines()[-1][-160:]


def check_disk(client: DockerClient) -> None:
    """Raise MachineError when the engine's disk has no room for the images (local engines only)."""
    root = Path(client.info()["DockerRootDir"])
    if not root.is_dir():  # Docker Desktop: the folder is in its own machine.
        return
    free = shutil.disk_usage(root).free
    if free < NEEDED_DISK:
        raise MachineError(
            f"{free / 1024**3:.1f} GiB are free under {root}, building the images takes"
            f" {NEEDED_DISK / 1024**3:.0f} GiB",
            "make room, e.g. docker image prune",
        )


def engine_architecture(client: DockerClient) -> str:
    """What the engine runs, in Docker's and Go's words: amd64, arm64, …"""
    return str(client.version()["Arch"])


def from_dockerfile(client: DockerClient, job: Job, say: Say) -> None:
    """Build the context's own Dockerfile."""
    run(client, job, dict(files_of(job.context, job.also)))


def run(client: DockerClient, job: Job, files: Mapping[str, Content]) -> None:
    """Build `files` (with a Dockerfile among them). Raises MachineError with the log's end."""
    log = state_folder("logs") / f"build-{job.role}.log"
    with log.open("w") as out, pack(files) as archive:
        answers = client.api.build(
            fileobj=archive,
            custom_context=True,
            tag=job.tag,
            buildargs={**proxies(), **job.arguments},
            network_mode=_network(),
            rm=True,
            forcerm=True,
            decode=True,
            labels={"lab.role": job.role},
        )
        stages: list[str] = []
        try:
            failed = _follow(answers, out, stages)
        except (docker.errors.DockerException, requests.RequestException) as error:
            failed = str(error)
    if failed:
        raise failure(job, failed, log)
    _remove_stages(client, stages)


def _follow(answers: Iterable[dict[str, Any]], out: IO[str], stages: list[str]) -> str:
    """Write the build's output to its log; return what it failed with, or nothing.

    `stages` gets the images with which all stages but the last one ended.
    """
    last = ""
    for answer in answers:
        text = str(answer.get("stream", ""))
        out.write(text)
        if found := re.match(r" ---> ([0-9a-f]{12})$", text.strip("\n")):
            last = found[1]
        elif last and re.match(r"Step \d+/\d+ : FROM ", text):
            stages.append(last)
        if "error" in answer:
            out.write(f"\n{answer['error']}\n")
            return str(answer["error"])
    return ""


def _remove_stages(client: DockerClient, stages: Iterable[str]) -> None:
    """Remove what only an earlier stage needed: a Go toolchain is a gigabyte."""
    for stage in stages:
        with suppress(docker.errors.DockerException, requests.RequestException):
            # A stage that adds nothing is an image with a tag of its own: that one stays.
            if not client.images.get(stage).tags:
                client.api.remove_image(stage)


def failure(job: Job, what: str, log: Path) -> MachineError:
    """The error for a build that failed, with the last lines of its log."""
    tail = "\n    ".join(log.read_text(errors="replace").strip().splitlines()[-12:])
    return MachineError(
        f"{job.tag} could not be built: {what.strip()}\n    {tail}",
        f"the whole log is in {log}; packages come from this machine's apt sources, Go and Python"
        " modules from the proxy or index that go and pip are set to",
    )


def proxies() -> dict[str, str]:
    """The proxies of this machine, in both spellings, as arguments of a build."""
    found: dict[str, str] = {}
    for name in PROXIES:
        value = os.environ.get(name) or os.environ.get(name.upper())
        if value:
            found |= {name: value, name.upper(): value}
    return found


def _network() -> str | None:
    # A proxy on this machine's loopback is only there for a build on this machine's network.
    local = ("//127.", "//localhost")
    return "host" if any(part in p for p in proxies().values() for part in local) else None
