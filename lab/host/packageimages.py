"""Images that come from package mirrors: Debian itself, the base on it, and Python's libraries."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.console import Say
from lab.core.errors import MachineError
from lab.core.paths import PROJECT, state_folder
from lab.core.words import listed
from lab.host import apt, imagebuild, mirror

if TYPE_CHECKING:
    from docker import DockerClient

PYTHON = "3.13"  # Debian 13's
# The C library of Debian 13 is 2.41: wheels made for it or for any older one run.
GLIBC = range(17, 42)
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}


def debian(client: DockerClient, job: imagebuild.Job, say: Say) -> None:
    """Bootstrap Debian from this machine's mirror, for where no registry has it."""
    source = mirror.find()
    if source is None:
        raise MachineError(
            "no registry gives a Debian image, and no apt source here is a Debian mirror",
            "make docker pull debian:trixie-slim work, or name a mirror: LAB_APT_MIRROR=http://…",
        )
    if not shutil.which("mmdebstrap"):
        apt.install(say, "mmdebstrap", why="to make a Debian image without a registry")
    log = state_folder("logs") / f"build-{job.role}.log"
    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder) / "debian.tar"
        with log.open("w") as out:
            command = ["mmdebstrap", *_options(source, Path(folder)), mirror.SUITE, str(archive)]
            ended = subprocess.run([*command, _line(source)], stdout=out, stderr=subprocess.STDOUT)
        if ended.returncode:
            raise imagebuild.failure(job, f"mmdebstrap ended with code {ended.returncode}", log)
        name, tag = job.tag.split(":")
        client.api.import_image_from_file(str(archive), repository=name, tag=tag)


def _options(source: mirror.Mirror, folder: Path) -> list[str]:
    leave_out = [f"--dpkgopt=path-exclude=/usr/share/{n}/*" for n in ("doc", "man", "locale")]
    options = ["--variant=minbase", "--include=ca-certificates,busybox-static", *leave_out]
    if key := mirror.key_of(source):
        (folder / key[0]).write_bytes(key[1])
        options.append(f"--keyring={folder / key[0]}")
    if source.proxy:
        options.append(f'--aptopt=Acquire::http::Proxy "{source.proxy}"')
    return options


def _line(source: mirror.Mirror) -> str:
    # A plain address lets mmdebstrap find the right key by itself.
    return f"deb [trusted=yes] {source.uri} {mirror.SUITE} main" if source.trusted else source.uri


def base(client: DockerClient, job: imagebuild.Job, say: Say) -> None:
    """Build the base with this machine's mirror in it, so that what stands on it can be built."""
    files: dict[str, imagebuild.Content] = dict(imagebuild.files_of(job.context))
    for name, content in mirror.as_files(mirror.find()).items():
        files[f"mirror/{name}"] = content
    imagebuild.run(client, job, files)


def python(client: DockerClient, job: imagebuild.Job, say: Say) -> None:
    """Build the image of Python with the locked libraries, fetched by this machine's own pip.

    A container need not reach the index that this machine is set to (a proxy, an authority of
    its own, a folder of wheels); and the image needs no pip.
    """
    files: dict[str, imagebuild.Content] = dict(imagebuild.files_of(job.context))
    site = _site(PROJECT / job.also[0], _machine(imagebuild.engine_architecture(client)))
    for file in sorted(f for f in site.rglob("*") if f.is_file()):
        files[f"site/{file.relative_to(site).as_posix()}"] = file
    imagebuild.run(client, job, files)


def _machine(architecture: str) -> str:
    """How wheels name it. Raises MachineError where the lab has none for it."""
    if architecture not in MACHINES:
        known = listed(MACHINES)
        raise MachineError(f"the engine runs {architecture}; the lab is made for {known}")
    return MACHINES[architecture]


def _site(lock: Path, machine: str) -> Path:
    """A folder with the locked libraries for `machine`; kept, since it depends on nothing else."""
    key = sha256(f"{PYTHON} {machine} ".encode() + lock.read_bytes()).hexdigest()[:12]
    kept = state_folder("wheels") / key
    if kept.is_dir():
        return kept
    log = state_folder("logs") / "pip.log"
    with tempfile.TemporaryDirectory(dir=kept.parent) as folder:
        site = Path(folder) / "site"
        with log.open("w") as out:
            command = [*_pip(), *_wheels_for(machine), "--target", str(site), "-r", str(lock)]
            ended = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=_quiet())
        if ended.returncode:
            tail = "\n    ".join(log.read_text().strip().splitlines()[-8:])
            raise MachineError(
                f"pip could not fetch the libraries in {lock.name} (code {ended.returncode}):"
                f"\n    {tail}",
                f"the whole log is in {log}; pip uses the index that it is set to on this machine",
            )
        shutil.rmtree(site / "bin", ignore_errors=True)  # scripts for this machine's Python
        site.rename(kept)
    return kept


def _pip() -> list[str]:
    return [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes"]


def _wheels_for(machine: str) -> list[str]:
    """Options that make pip choose wheels for the image's Python, whatever it runs on itself."""
    tags = [f"manylinux_2_{n}_{machine}" for n in reversed(GLIBC)] + [f"manylinux2014_{machine}"]
    options = ["--only-binary=:all:", f"--python-version={PYTHON}", "--implementation=cp"]
    options += [f"--abi={abi}" for abi in (f"cp{PYTHON.replace('.', '')}", "abi3", "none")]
    return [*options, "--no-compile", *(f"--platform={tag}" for tag in tags)]


def _quiet() -> dict[str, str]:
    return {**os.environ, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
