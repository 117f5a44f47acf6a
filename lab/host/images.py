"""The images of the lab, one row each: what they are made from, and how they come to be here.

Each is looked for under the lab's own tag `lab/<role>:<hash of its inputs>`, then upstream's image
is pulled where there is one, then it is built from packages. A changed input gives another tag,
so that what runs is always what the source says.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core.console import Say
from lab.core.errors import UsageError, quoted
from lab.core.lock import hold
from lab.core.paths import PROJECT, state_folder
from lab.host import engine, goprograms, imagebuild, packageimages

if TYPE_CHECKING:
    from docker import DockerClient

# Two builds at once keep two cores busy; the third waits for the network most of the time.
BUILDS_AT_ONCE = 3


@dataclass(frozen=True)
class Image:
    """One image.

    `make` builds it when it cannot be pulled from `upstream`; `depends` pairs arguments of the
    build with the roles that they are given the tags of; `also` are files outside `context`.
    `plays` are parts in the lab that it has unless LAB_IMAGE_<PART> names another image.
    """

    role: str
    why: str
    make: imagebuild.Maker
    context: str = ""
    upstream: str = ""
    depends: tuple[tuple[str, str], ...] = ()
    also: tuple[str, ...] = ()
    only_to_build: bool = False
    plays: tuple[str, ...] = ()

    @property
    def needs(self) -> tuple[str, ...]:
        """The roles that this image is built from."""
        return tuple(role for _, role in self.depends)


BASE = (("BASE", "base"),)

IMAGES = (
    Image(
        "debian",
        "Debian 13, from a registry or bootstrapped from this machine's package mirror",
        make=packageimages.debian,
        upstream="debian:trixie-slim",
        only_to_build=True,
    ),
    Image(
        "coredns-program",
        "CoreDNS as published, or compiled with only the plugins that the lab uses",
        make=goprograms.from_go,
        context="compose/coredns/program",
        upstream="coredns/coredns:1.15.0",
        only_to_build=True,
    ),
    Image(
        "toxiproxy-program",
        "Toxiproxy as published, or compiled",
        make=goprograms.from_go,
        context="compose/toxiproxy/program",
        upstream="ghcr.io/shopify/toxiproxy:2.12.0",
        only_to_build=True,
    ),
    Image(
        "base",
        "Debian that knows this machine's package mirror, with one program for health checks",
        make=packageimages.base,
        context="compose/base",
        depends=(("DEBIAN", "debian"),),
        only_to_build=True,
    ),
    Image(
        "python",
        "Python with the libraries of the shop, the steering and the users",
        make=packageimages.python,
        context="compose/python",
        depends=BASE,
        also=("apps/requirements.lock",),
        only_to_build=True,
    ),
    Image(
        "postgres",
        "a machine with PostgreSQL 17 on it, under an init",
        make=imagebuild.from_dockerfile,
        context="compose/postgres",
        depends=BASE,
    ),
    Image(
        "coredns",
        "the resolver of a region, with its Corefile and the seed of its zone",
        make=imagebuild.from_dockerfile,
        context="compose/coredns",
        depends=(*BASE, ("PROGRAM", "coredns-program")),
    ),
    Image(
        "toxiproxy",
        "the gateway of a region: every connection that enters it passes here",
        make=imagebuild.from_dockerfile,
        context="compose/toxiproxy",
        depends=(*BASE, ("PROGRAM", "toxiproxy-program")),
    ),
    Image(
        "cache",
        "the cache of a region: Valkey, in memory only",
        make=imagebuild.from_dockerfile,
        context="compose/cache",
        depends=BASE,
    ),
    Image(
        "apps",
        "the shop, the steering, the simulated users and the stopwatch",
        make=imagebuild.from_dockerfile,
        context="apps",
        depends=(("PYTHON", "python"),),
        plays=("shop",),
    ),
)


def content_tags(images: Iterable[Image] = IMAGES, root: Path = PROJECT) -> dict[str, str]:
    """Role → full tag: a hash of the image's files, its upstream and what it is built from.

    This machine's mirror and architecture are no part of it: they change how the files come,
    not what they are. `images` are in the order of building.
    """
    tags: dict[str, str] = {}
    for image in images:
        digest = hashlib.sha256(image.upstream.encode())
        for need in image.needs:
            digest.update(tags[need].encode())
        for name, file in imagebuild.files_of(image.context, image.also, root).items():
            content = file.read_bytes()
            digest.update(
                f"\0{name}\0{imagebuild.mode_of(file):o}\0{len(content)}\0".encode() + content
            )
        tags[image.role] = f"lab/{image.role}:{digest.hexdigest()[:12]}"
    return tags


def missing(
    tags: Mapping[str, str], present: frozenset[str], images: Iterable[Image] = IMAGES
) -> tuple[Image, ...]:
    """The images to be made, in order: those that are run, and those they are built from."""
    wanted: set[str] = set()
    found: list[Image] = []
    for image in reversed(tuple(images)):
        called_for = not image.only_to_build or image.role in wanted
        if called_for and tags[image.role] not in present:
            wanted.update(image.needs)
            found.append(image)
    return tuple(reversed(found))


def ensure_images(say: Say) -> dict[str, str]:
    """Role or part → full tag of every image that the lab runs; makes those that are missing.

    Quick when nothing is missing: it reads the sources and asks the engine once. Raises
    MachineError when an image can neither be pulled nor built (with the end of the log), and
    UsageError when a variable names an image that is not here.
    """
    tags = content_tags()
    client = engine.client(timeout=imagebuild.PATIENCE)
    parts = {
        part: _named(client, part) or tags[image.role] for image in IMAGES for part in image.plays
    }
    if missing(tags, imagebuild.present(client)):
        with hold(state_folder("locks") / "images.lock", "make the images", wait=True, say=say):
            todo = missing(tags, imagebuild.present(client))
            if todo:
                imagebuild.check_disk(client)
                make_all(todo, tags, lambda image, job: _pull_or_build(client, image, job, say))
    return parts | that_run(tags)


def that_run(tags: Mapping[str, str] | None = None) -> dict[str, str]:
    """Role → full tag of the images that the lab runs, by its sources."""
    known = content_tags() if tags is None else tags
    return {image.role: known[image.role] for image in IMAGES if not image.only_to_build}


def _named(client: DockerClient, part: str) -> str:
    """The image that the user names for a part, or nothing. Raises UsageError if it is absent."""
    variable = f"LAB_IMAGE_{part.upper()}"
    name = os.environ.get(variable, "")
    if name and not imagebuild.is_here(client, name):
        raise UsageError(
            f"{variable}={quoted(name)}: the engine has no image of that name",
            "build it (docker build --tag NAME FOLDER) or pull it (docker pull NAME) first",
        )
    return name


def _pull_or_build(client: DockerClient, image: Image, job: imagebuild.Job, say: Say) -> None:
    if image.upstream and imagebuild.pulled(client, image.upstream, job.tag, say):
        return
    with say.step(f"build {job.tag}: {image.why}"):
        image.make(client, job, say)


def make_all(
    todo: tuple[Image, ...], tags: Mapping[str, str], make: Callable[[Image, imagebuild.Job], None]
) -> None:
    """Make every image as soon as those it is built from are there; the first error is raised."""
    made: dict[str, Future[None]] = {}

    def wait_for(role: str) -> str:
        if role in made:
            made[role].result()
        return tags[role]

    def after_its_needs(image: Image) -> None:
        arguments = {name: wait_for(role) for name, role in image.depends}
        tag = tags[image.role]
        make(image, imagebuild.Job(image.role, tag, image.context, image.also, arguments, wait_for))

    with ThreadPoolExecutor(BUILDS_AT_ONCE, "build") as pool:
        # In the table's order: what waits never keeps all workers from what it waits for.
        for image in todo:
            made[image.role] = pool.submit(after_its_needs, image)
        try:
            ended, _ = futures.wait(made.values(), return_when=futures.FIRST_EXCEPTION)
            for future in ended:
                future.result()
        except BaseException:  # also when the user has had enough: begin nothing more
            pool.shutdown(wait=False, cancel_futures=True)
            raise
