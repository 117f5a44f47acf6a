"""Go programs for images that no registry gives: compiled here, or in a container if Go is not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lab.core.console import Say
from lab.core.paths import PROJECT, state_folder
from lab.host import imagebuild

if TYPE_CHECKING:
    from docker import DockerClient

Version = tuple[int, ...]

# The first Go that fetches the toolchain which a module asks for.
FETCHES_TOOLCHAINS: Version = (1, 21)
# What may be set in the environment or by `go env -w`, and leads to the modules.
SETTINGS = ("GOPROXY", "GOFLAGS", "GONOSUMDB", "GOSUMDB")


def parse_version(text: str) -> Version | None:
    """The version in `go version go1.26.8 linux/amd64` or in the go line of a go.mod."""
    found = re.search(r"\bgo\s?(\d+(?:\.\d+)*)", text)
    return tuple(int(part) for part in found[1].split(".")) if found else None


def choose(here: Version | None, asked: Version) -> Literal["as it is", "fetch", "container"]:
    """How to compile what asks for Go `asked` on a machine that has `here`."""
    if here and here >= asked:
        return "as it is"
    if here and here >= FETCHES_TOOLCHAINS:
        return "fetch"
    return "container"


def version_here() -> Version | None:
    """The version of this machine's own Go, None without one."""
    if not shutil.which("go"):
        return None
    # local: asked outside any module, and never a reason to download something.
    environment = {**os.environ, "GOTOOLCHAIN": "local"}
    asked = subprocess.run(
        ["go", "version"], cwd="/", env=environment, capture_output=True, text=True
    )
    return parse_version(asked.stdout)


def from_go(client: DockerClient, job: imagebuild.Job, say: Say) -> None:
    """Compile the context's program and make an image of it alone."""
    go_mod = (PROJECT / job.context / "go.mod").read_text()
    asked = parse_version(next(line for line in go_mod.splitlines() if line.startswith("go ")))
    way = choose(version_here(), asked or (1,))
    if way == "container":
        _in_container(client, job, say)
    else:
        _on_this_machine(client, job, fetch=way == "fetch")


def _on_this_machine(client: DockerClient, job: imagebuild.Job, *, fetch: bool) -> None:
    log = state_folder("logs") / f"build-{job.role}.log"
    environment = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOOS": "linux",
        "GOARCH": imagebuild.engine_architecture(client),
        **({"GOTOOLCHAIN": "auto"} if fetch else {}),
    }
    with tempfile.TemporaryDirectory() as folder:
        with log.open("w") as out:
            ended = subprocess.run(
                ["sh", "./build", folder],
                cwd=PROJECT / job.context,
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
        if ended.returncode:
            raise imagebuild.failure(job, f"go build ended with code {ended.returncode}", log)
        files: dict[str, imagebuild.Content] = {f"out/{f.name}": f for f in Path(folder).iterdir()}
        imagebuild.run(client, job, {"Dockerfile": b"FROM scratch\nCOPY out/ /\n", **files})


def _in_container(client: DockerClient, job: imagebuild.Job, say: Say) -> None:
    base = job.wait_for("base")
    say.note(f"no Go here for {job.role}: it is compiled in a container")
    arguments = {"BASE": base, **_settings()}
    files: dict[str, imagebuild.Content] = {
        **imagebuild.files_of(job.context),
        "Dockerfile": PROJECT / "compose/go/Dockerfile",
        "ca.crt": authorities(),
    }
    imagebuild.run(client, replace(job, arguments=arguments), files)


def _settings() -> dict[str, str]:
    return {name: os.environ[name] for name in SETTINGS if os.environ.get(name)}


def authorities() -> bytes:
    """The certificates that this machine trusts; Debian's own are in the base already."""
    for name in (os.environ.get("SSL_CERT_FILE"), "/etc/ssl/certs/ca-certificates.crt"):
        if name and Path(name).is_file():
            return Path(name).read_bytes()
    return b""
