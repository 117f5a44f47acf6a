"""A lab of its own for component tests: the product's description of a region, run twice.

testcontainers starts `compose/region.yaml`, so what is tested is what `lab up` starts; the name
and the subnet are throw-away, so that a lab which runs on this machine is not touched.
"""

from __future__ import annotations

import functools
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import pytest
from testcontainers.compose import DockerCompose

from lab.core.addresses import Addresses
from lab.core.console import Say
from lab.core.errors import LabError, MachineError
from lab.core.topology import (
    DEFAULT_REPLICATION,
    EAST_DB1,
    EAST_DB2,
    MACHINES,
    PROBER,
    REGIONS,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
    Region,
)
from lab.core.wait import wait_until
from lab.host.engine import compose_command, ensure_engine
from lab.host.images import ensure_images
from lab.infra import settings
from lab.infra.compose import FOLDER
from lab.infra.machines import Engine
from lab.postgres.following import prove_following
from lab.testbed.lab import Lab

# Steering probes all the time, and each probe is a write: only its own tests start it. The lab's
# own probes run in its machine, where nothing else does (idle.yaml).
SERVICES = tuple(m.service for m in MACHINES if m.service != PROBER)
IDLE = str(Path(__file__).parent / "idle.yaml")
PLACES = tuple(Place(r.name, service) for r in REGIONS for service in SERVICES)
SUBNETS = tuple(f"10.{second}" for second in range(120, 130))


class Compose(DockerCompose):
    """testcontainers' Compose, called the way the product found it."""

    @functools.cached_property
    def compose_command_property(self) -> list[str]:
        """The command with its file and variables."""
        files = [part for name in self.compose_file_name or () for part in ("-f", str(name))]
        variables = [part for name in self.env_file or () for part in ("--env-file", str(name))]
        return [*compose_command(), *files, *variables]


class Order(Enum):
    """What can be relied on between two tests."""

    BROKEN = auto()
    PAIR = auto()  # east's databases; west's do not run
    DATABASES = auto()  # all of them, but not the links, the names or the other machines
    WHOLE = auto()


@dataclass
class World:
    """The lab, what is needed to start more of it, and what state the last test left it in."""

    lab: Lab
    images: Mapping[str, str]
    folder: Path
    order: Order = Order.WHOLE

    def compose(self, region: Region, *services: str, idle: bool = False) -> Compose:
        """Some machines of a region, not started yet; `idle`: without the steering's program."""
        variables = self.lab.settings.region_environment(region, self.images)
        file = self.folder / f"{region.name}.env"
        file.write_text("".join(f"{name}={value}\n" for name, value in variables.items()))
        files = ["region.yaml", *([IDLE] if idle else [])]
        return Compose(FOLDER, files, wait=False, env_file=str(file), services=[*services])

    def use(self, image: str, region: Region) -> None:
        """Put another image in the place of a region's shop."""
        self.images = {**self.images, "shop": image}
        self.compose(region, "app").start()

    def start(self) -> None:
        """Everything but users and steerings, from nothing to streaming."""
        lab = self.lab
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._start, REGIONS))
        self._connect()
        lab.databases.initialise()

    def _start(self, region: Region) -> None:
        self.compose(region, *SERVICES, PROBER, idle=True).start()

    def put_back(self) -> None:
        """Default links, records, topology and an empty shop, unless nothing was broken."""
        if self.order is Order.WHOLE:
            return
        self.lab.engine.start(PLACES)
        self._connect()
        if self.order is Order.DATABASES:
            self.lab.databases.prove(DEFAULT_REPLICATION)
        else:
            self._restore()
        for guest in self.lab.guests.values():
            guest.set_read_only(False)
        self.order = Order.WHOLE

    def _restore(self) -> None:
        """As `Databases.restore`; what tests wrote is of no worth to any person."""
        nodes = self.lab.databases
        ups = {each.standby: nodes.upstream(each) for each in DEFAULT_REPLICATION.follows}
        waits = {DEFAULT_REPLICATION.primary: DEFAULT_REPLICATION.synchronous}
        self.lab.engine.each(
            nodes.nodes, lambda each: nodes[each].restore_golden(ups.get(each), waits.get(each))
        )
        nodes.prove(DEFAULT_REPLICATION)

    def put_pair_back(self) -> None:
        """East's primary and standby alone, for half the price."""
        if self.order in (Order.PAIR, Order.WHOLE):
            return
        self.lab.engine.start(PLACES)
        self._connect()
        nodes = self.lab.databases
        self.lab.engine.each((WEST_DB1, WEST_DB2), lambda each: nodes[each].stop("immediate"))
        upstream = nodes.upstream(Follows(EAST_DB2, EAST_DB1))
        nodes[EAST_DB1].restore_golden(None, EAST_DB2)
        nodes[EAST_DB2].restore_golden(upstream, None)
        prove_following(nodes[EAST_DB1], [nodes[EAST_DB2]], 20)
        self.order = Order.PAIR

    def _connect(self) -> None:
        lab = self.lab
        wait_until(
            "the gateways to take their links",
            lambda: lab.links.configure() is None,
            20,
            ignoring=(LabError,),
        )
        wait_until(
            "the resolvers to take the lab's records",
            lambda: not lab.publish(DEFAULT_REPLICATION).pending,
            20,
        )


@contextmanager
def throw_away_world(folder: Path) -> Iterator[World]:
    """A started world. No engine is an error here, never a reason to skip."""
    say = Say(quiet=True)
    ensure_engine(say)
    images = ensure_images(say)
    name = f"t{uuid.uuid4().hex[:10]}"
    engine = Engine(name)
    try:
        with pytest.MonkeyPatch.context() as patch:
            # The lab's certificate is looked for where its settings are, as long as it lives.
            patch.setenv("LAB_STATE", str(folder))
            lab = Lab(settings.create(name, _claim_subnet(engine)))
            # Compose prefers the environment's variables: those of a user's lab must not win.
            for variable in lab.settings.region_environment(REGIONS[0], images):
                patch.delenv(variable, raising=False)
            made = World(lab, images, folder)
            try:
                made.start()
                yield made
            finally:
                lab.engine.close()
    finally:
        kept = engine.remove_everything()
        left = engine.leftovers()
        engine.close()
        assert left == tuple(f"network {each}" for each in kept)


def _claim_subnet(engine: Engine) -> str:
    """Make the networks with the first prefix that the engine has room for."""
    for subnet in SUBNETS:
        try:
            engine.ensure_networks(Addresses(subnet))
        except MachineError:
            engine.remove_everything()
        else:
            return subnet
    raise MachineError("10.120 to 10.129 are all taken")
