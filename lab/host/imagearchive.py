"""The lab's images as one file, which a CI system keeps: saved, looked into, loaded.

It is the engine's own format (`docker save`). The tags in it are hashes of the sources, so they say
whether the sources have changed since.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from lab.core import words
from lab.core.console import Say
from lab.core.errors import EngineGone, MachineError, UsageError, quoted
from lab.core.lazylibraries import lazily
from lab.core.lock import hold
from lab.core.paths import is_file, real, state_folder
from lab.host import engine, imagebuild, images

if TYPE_CHECKING:
    import docker
    import requests
    from docker import DockerClient
else:
    docker = lazily("docker")
    requests = lazily("requests")

_MANIFEST: Final = "manifest.json"
_SAVE: Final = "make one: lab images save FILE"
_DOCTOR: Final = "run: lab doctor"
_PIECE: Final = 1024**2
_LARGEST_DOCUMENT: Final = 1024**2


@dataclass(frozen=True, slots=True)
class Archive:
    """What a file holds: full tags, and the machines that the images are made for (amd64, …)."""

    path: Path
    tags: frozenset[str]
    machines: frozenset[str]


# ── looked into ──────────────────────────────────────────────────────────────────────────────


def look_into(path: Path) -> Archive:
    """What is in a file, by its manifest. Raises UsageError if it holds no images."""
    if not is_file(path):
        raise UsageError(f"there is no file {quoted(str(path))}", _SAVE)
    try:
        with tarfile.open(path) as tar:
            entries = _document(tar, _MANIFEST)
            tags = frozenset(tag for each in entries for tag in each["RepoTags"] or ())
            machines = frozenset(_document(tar, each["Config"])["architecture"] for each in entries)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}", _SAVE) from error
    except (tarfile.TarError, EOFError, ValueError, LookupError, TypeError) as error:
        raise UsageError(f"{path} is no archive of images", _SAVE) from error
    return Archive(path, tags, machines)


def _document(tar: tarfile.TarFile, name: str) -> Any:
    member = tar.getmember(name)
    file = tar.extractfile(member)
    if file is None or member.size > _LARGEST_DOCUMENT:
        raise ValueError(name)
    return json.load(file)


def refuse_other(found: Archive, wanted: Mapping[str, str], machine: str) -> None:
    """Raise UsageError for images of other sources, or of another kind of machine.

    `wanted` are the tags that the sources give, by role.
    """
    others = sorted(found.machines - {machine})
    if others:
        raise UsageError(
            f"{found.path} has images for {words.listed(others)}, and the engine runs {machine}",
            "save them on a machine of that kind: lab images save FILE",
        )
    changed = [role for role, tag in wanted.items() if tag not in found.tags]
    if changed:
        raise UsageError(
            f"{found.path} was saved from other sources: {words.listed(changed)} changed since",
            f"make the images and save them again: lab images save {found.path}",
        )


# ── saved and loaded ─────────────────────────────────────────────────────────────────────────


def save(path: Path, say: Say) -> int:
    """Write the images that the lab runs into one file, made first if need be; its size in bytes.

    A file that is there is replaced only when all is written. Raises MachineError, and UsageError
    for what is there and no file.
    """
    path = real(path)
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} is there and no file", "name another one")
    images.ensure_images(say)
    tags = images.that_run()
    new = path.with_name(f"{path.name}.new")
    try:
        with say.step(f"saving {words.count(len(tags), 'image')}"):
            _fetch(engine.client(timeout=imagebuild.PATIENCE), tags.values(), new)
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)
    return path.stat().st_size


def _fetch(client: DockerClient, tags: Iterable[str], path: Path) -> None:
    """All of them in one request: layers that they share are written once."""
    api = client.api
    address = f"{api.base_url}/v{api.api_version}/images/get"
    try:
        with (
            api.get(address, params={"names": [*tags]}, stream=True) as answer,
            path.open("wb") as file,
        ):
            answer.raise_for_status()
            for piece in answer.iter_content(_PIECE):
                file.write(piece)
    except requests.RequestException as error:
        raise EngineGone(f"the engine did not give its images: {error}", _DOCTOR) from error


def load(path: Path, say: Say) -> bool:
    """Give the engine the images in a file; False if it had them all.

    Raises UsageError for a file of other sources, MachineError if the engine does not take it.
    """
    found, wanted = look_into(path), images.that_run()
    client = engine.client(timeout=imagebuild.PATIENCE)
    refuse_other(found, wanted, imagebuild.engine_architecture(client))
    with hold(state_folder("locks") / "images.lock", "load the images", wait=True, say=say):
        if imagebuild.present(client).issuperset(wanted.values()):
            return False
        imagebuild.check_disk(client)
        with say.step(f"loading {words.count(len(found.tags), 'image')}"), path.open("rb") as file:
            try:
                client.images.load(file)
            except (docker.errors.DockerException, requests.RequestException) as error:
                raise MachineError(f"the engine does not take {path}: {error}", _SAVE) from error
    return True
