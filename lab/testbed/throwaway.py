"""Machines for tests: testcontainers starts them from the lab's own description of a region.

They have a name, a subnet and networks of their own, and are removed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from testcontainers.compose import DockerCompose

from lab.core.addresses import Addresses
from lab.core.console import Say
from lab.core.errors import MachineError
from lab.core.topology import EAST, EAST_DB1, EAST_DB2, Follows, Region, Replication
from lab.host.engine import compose_command, ensure_engine
from lab.host.images import ensure_images
from lab.infra import settings
from lab.infra.compose import FOLDER
from lab.infra.machines import Engine
from lab.infra.settings import Settings
from lab.postgres.databases import DATABASE, Databases
from lab.postgres.node import Node
from lab.postgres.sessions import as_shop
from lab.testbed import turns

if TYPE_CHECKING:
    import psycopg

_SUBNETS: Final = tuple(f"10.{second}" for second in range(120, 130))
PAIR: Final = Replication(EAST_DB1, EAST_DB2, (Follows(EAST_DB2, EAST_DB1),))


class Compose(DockerCompose):
    """testcontainers' Compose, called the way the lab found it."""

    ignored: tuple[str, ...] = ()
    """Variables of this process that must not win over those of the file."""

    @cached_property
    def compose_command_property(self) -> list[str]:
        """The command with its file and variables."""
        unset = [part for name in self.ignored for part in ("-u", name)]
        files = [part for name in self.compose_file_name or () for part in ("-f", str(name))]
        variables = [part for name in self.env_file or () for part in ("--env-file", str(name))]
        return ["env", *unset, *compose_command(), *files, *variables]


@dataclass(frozen=True, slots=True)
class Throwaway:
    """What machines for tests are made of. None of them was started yet."""

    settings: Settings
    engine: Engine
    images: Mapping[str, str]
    folder: Path

    def compose(
        self, region: Region, services: tuple[str, ...], images: Mapping[str, str], *more: str
    ) -> Compose:
        """Some machines of a region, not started yet; `more` are further Compose files."""
        variables = self.settings.region_environment(region, images)
        file = self.folder / f"{region.name}.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        files = ["region.yaml", *more]
        made = Compose(FOLDER, files, wait=False, env_file=str(file), services=[*services])
        made.ignored = tuple(variables)
        return made


@contextmanager
def throwaway(name: str, images: Mapping[str, str], folder: Path) -> Iterator[Throwaway]:
    """A lab of that name without machines; all that there is of it in the end is removed.

    So is what a session that was killed has left of it. Raises LabError, also for what stays.
    """
    engine = Engine(name)
    try:
        engine.remove_everything()
        yield Throwaway(settings.create(name, _claim_subnet(engine)), engine, images, folder)
    finally:
        kept = engine.remove_everything()
        left = engine.leftovers()
        engine.close()
        settings.forget(name)
        if left != tuple(f"network {each}" for each in kept):
            raise MachineError(f"these are left: {', '.join(left)}", f"run: lab down --name {name}")


def _claim_subnet(engine: Engine) -> str:
    """Make the networks with the first prefix that the engine has room for."""
    for subnet in _SUBNETS:
        try:
            engine.ensure_networks(Addresses(subnet))
        except MachineError:
            engine.remove_everything()
        else:
            return subnet
    raise MachineError(
        f"{_SUBNETS[0]} to {_SUBNETS[-1]} are all taken", "remove networks: docker network prune"
    )


# ── two databases ────────────────────────────────────────────────────────────────────────────


class Pair:
    """A primary and its synchronous standby, which stream. Tests may break both."""

    def __init__(self, made: Throwaway) -> None:
        self._made, self._nodes = made, Databases(made.engine, made.settings)
        self._was_used = False
        self.primary: Node = self._nodes[EAST_DB1]
        self.standby: Node = self._nodes[EAST_DB2]
        made.compose(EAST, (EAST_DB1.service, EAST_DB2.service), made.images).start()
        self._nodes.initialise(replication=PAIR)

    def client(self, node: Node) -> psycopg.Connection[Any]:
        """An ordinary client's session in the database `shop`: its commits wait for the standby."""
        return as_shop(node.place, self._made.engine, self._made.settings, DATABASE)

    def put_back(self) -> None:
        """For the next test: empty tables, both in their first role, whatever was done to them."""
        if self._was_used:
            self._made.engine.start((EAST_DB1, EAST_DB2))
            self._nodes.restore(PAIR, asked=str)
        self._was_used = True


@contextmanager
def pair(name: str, folder: Path, say: Say) -> Iterator[Pair]:
    """The two databases, for one session of tests. Raises LabError."""
    ensure_engine(say)
    images = ensure_images(say)
    with turns.exclusive(name, "run tests"), throwaway(name, images, folder) as made:
        with say.step("starting two databases that stream"):
            found = Pair(made)
        yield found
