"""A lab of its own for component tests: the product's description of a region, run twice.

testcontainers starts `compose/region.yaml`, so what is tested is what `lab up` starts; the name
and the subnet are throw-away, so that a lab which runs on this machine is not touched.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum, auto
from pathlib import Path

import pytest

from lab.core.console import Say
from lab.core.errors import LabError
from lab.core.topology import (
    DEFAULT_REPLICATION,
    MACHINES,
    PROBER,
    REGIONS,
    WEST_DB1,
    WEST_DB2,
    Place,
    Region,
)
from lab.core.wait import wait_until
from lab.host.engine import ensure_engine
from lab.host.images import ensure_images
from lab.testbed.lab import Lab
from lab.testbed.throwaway import PAIR, Compose, Throwaway, throwaway

# Steering probes all the time, and each probe is a write: only its own tests start it. The lab's
# own probes run in its machine, where nothing else does (idle.yaml).
SERVICES = tuple(m.service for m in MACHINES if m.service != PROBER)
IDLE = str(Path(__file__).parent / "idle.yaml")
PLACES = tuple(Place(r.name, service) for r in REGIONS for service in SERVICES)


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
    made: Throwaway
    images: Mapping[str, str]
    order: Order = Order.WHOLE

    def compose(self, region: Region, *services: str, idle: bool = False) -> Compose:
        """Some machines of a region, not started yet; `idle`: without the steering's program."""
        return self.made.compose(region, services, self.images, *([IDLE] if idle else []))

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
            self.lab.databases.restore(asked=str)  # what tests wrote is of no worth to any person
        for guest in self.lab.guests.values():
            guest.set_read_only(False)
        self.order = Order.WHOLE

    def put_pair_back(self) -> None:
        """East's primary and standby alone, for half the price."""
        if self.order in (Order.PAIR, Order.WHOLE):
            return
        self.lab.engine.start(PLACES)
        self._connect()
        nodes = self.lab.databases
        self.lab.engine.each((WEST_DB1, WEST_DB2), lambda each: nodes[each].stop("immediate"))
        nodes.restore(PAIR, asked=str)
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
    # The lab's certificate is looked for where its settings are, as long as it lives.
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAB_STATE", str(folder))
        name = f"t{uuid.uuid4().hex[:10]}"
        with throwaway(name, images, folder) as made:
            lab = Lab(made.settings)
            try:
                world = World(lab, made, made.images)
                world.start()
                yield world
            finally:
                lab.engine.close()
