"""The image of docs/examples/shop-in-node, on the lab's own Debian: no registry is needed."""

from __future__ import annotations

import hashlib

from docker import DockerClient

from lab.core.console import Say
from lab.host import engine, imagebuild, images

FOLDER = "docs/examples/shop-in-node"


def image() -> str:
    """Its name; it is built when its files, or what it stands on, have changed."""
    client = engine.client(timeout=imagebuild.PATIENCE)
    base = images.content_tags()["base"]
    digest = hashlib.sha256(base.encode())
    for name, file in imagebuild.files_of(FOLDER).items():
        digest.update(name.encode() + file.read_bytes())
    name = f"lab-example/shop-in-node:{digest.hexdigest()[:12]}"
    if not imagebuild.is_here(client, name):
        _ensure(client, "debian", "base")
        arguments = {"BASE": base}
        job = imagebuild.Job("shop-in-node", name, FOLDER, (), arguments, lambda role: role)
        imagebuild.from_dockerfile(client, job, Say(quiet=True))
    client.close()
    return name


def _ensure(client: DockerClient, *roles: str) -> None:
    """Images that are there only to build others may have been removed."""
    tags, here = images.content_tags(), imagebuild.present(client)
    todo = [row for row in images.IMAGES if row.role in roles and tags[row.role] not in here]
    images.make_all(
        todo, tags, lambda row, job: images._pull_or_build(client, row, job, Say(quiet=True))
    )
