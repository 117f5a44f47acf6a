"""The lab as a whole: what can be asked of it or done to it. Every verb may be repeated."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial

from lab.core.errors import LabError, LabNotUp, MachineDown
from lab.core.topology import (
    APP_NAME,
    DEFAULT_REPLICATION,
    ONE_WAY_DELAY_MS,
    PLACES,
    REGIONS,
    TTL_SECONDS,
    Place,
    Region,
    Replication,
)
from lab.core.wait import be_patient, wait_until
from lab.infra import changetoken, machinespeed, managementnet, settings, timerdelay
from lab.infra.clients import Steering, Stopwatch, Users
from lab.infra.dnsnames import Delivery, Names
from lab.infra.links import Links
from lab.infra.machines import Engine
from lab.infra.settings import Settings
from lab.infra.shopclient import Guest
from lab.postgres.databases import Databases
from lab.postgres.salvage import Keep
from lab.testbed import resetting, runbookprogress
from lab.testbed.resetting import READY_SECONDS, done


class Lab:
    """A lab that has containers: everything that can be asked of it or done to it."""

    def __init__(self, chosen: Settings, engine: Engine | None = None) -> None:
        self.settings = chosen
        be_patient(machinespeed.patience(chosen.pace or 1.0))
        self.engine = engine or Engine(chosen.name)
        self.links = Links(self.engine, chosen)
        self.names = Names(self.engine, chosen)
        self.databases = Databases(self.engine, chosen)
        self.users = {each.name: Users(self.engine, chosen, each.name) for each in REGIONS}
        self.stopwatch = Stopwatch(self.engine, chosen)
        self.steerings = {each: Steering(self.engine, chosen, each) for each in REGIONS}
        self.guests = {each: Guest(self.engine, chosen, each) for each in REGIONS}

    def obeying_cuts(self) -> Lab:
        """The same lab as a runbook reaches it (see `lab.infra.managementnet`)."""
        return Lab(self.settings, self.engine.obeying_cuts())

    def as_seen_now(self) -> Lab:
        """The same lab, for a command that only looks (see `Engine.as_seen_now`)."""
        return Lab(self.settings, self.engine.as_seen_now())

    @property
    def name(self) -> str:
        """The lab's name."""
        return self.settings.name

    @staticmethod
    @contextmanager
    def attached(name: str, *, dark: bool = False) -> Iterator[Lab]:
        """The lab of that name, which must be up. Raises LabNotUp.

        With `dark` it is enough that it has machines: all of them may be stopped.
        """
        chosen = settings.load(name)
        if chosen is None:
            raise LabNotUp(name)
        lab = Lab(chosen)
        try:
            states = lab.engine.look().values()
            if not any(not each.stopped or (dark and each.status != "absent") for each in states):
                raise LabNotUp(name)
            yield lab
        finally:
            lab.engine.close()

    # ── verbs ────────────────────────────────────────────────────────────────────────────────

    def reset(self, keep: Keep | None = None, *, dead: bool = True) -> str:
        """Default topology, empty shop, default links, idle users; containers stay.

        Heals every fault: what one of them may leave behind is put back here. Returns what became
        of orders that no drill placed (`Salvage.keep_people`, also for `dead`).
        """
        changetoken.take(self.name)
        managementnet.regain(self.name)
        runbookprogress.forget(
            self.name
        )  # of a runbook that was cut: there is nothing to go on from
        self.boot(PLACES)
        with ThreadPoolExecutor() as pool:
            people = self.databases.salvage.keep_people
            asked = pool.submit(people, keep or Keep(), dead=dead)
            jobs = [pool.submit(resetting.idle, each) for each in self.users.values()]
            jobs.append(pool.submit(resetting.idle_stopwatch, self.stopwatch))
            jobs += [pool.submit(self.flush_cache, each) for each in REGIONS]
            self.open_links(delay_ms=0)
            jobs.append(pool.submit(resetting.forget_orders, self))
            kept = self.databases.restore(asked=asked.result)
            self.set_links()
            for job in jobs:
                job.result()
        self.wait_ready()
        return kept

    def stop_load(self) -> dict[str, int]:
        """Stop users and stopwatch at the same time; stopping what is stopped is fine.

        Returns how many operations each population wrote down since it last began with none. Raises
        LabError for users. Without a stopwatch its record is missing, and the verdict says so.
        """
        with ThreadPoolExecutor() as pool:
            stopwatch = pool.submit(self.stopwatch.stop)
            users = {name: pool.submit(each.stop) for name, each in self.users.items()}
            written = {name: stopped.result().operations for name, stopped in users.items()}
        with suppress(LabError):
            stopwatch.result()
        return written

    def boot(self, places: Iterable[Place]) -> None:
        """Start machines, each on all of its networks (see `Engine.start`).

        They come first: only a machine that boots with a cable has published ports.
        """
        wanted = tuple(places)
        self.plug_in(wanted)
        self.engine.start(wanted)

    def plug_in(self, places: Iterable[Place] = PLACES) -> None:
        """Put machines back on their networks, with the addresses that they had."""
        addresses = self.settings.addresses
        self.engine.each(places, lambda place: self.engine.attach(place, addresses.of(place)))

    def publish(self, replication: Replication, ttl: int | None = None) -> Delivery:
        """Point `writer` and the heads at the nodes of a topology, in each resolver in reach.

        Answers hold for `ttl` seconds; without one as they do there now.
        """
        heads = self.databases.heads(replication)
        return self.names.point_writer(replication.primary, heads, ttl)

    def reopen(self, primary: Place) -> Delivery:
        """What gateways and resolvers need after a boot, as far as they run: links and names."""
        for each in REGIONS:
            if self.engine.running(Place(each.name, "gateway")):
                wait_until(
                    f"{each.name}'s gateway to take its links",
                    partial(done, partial(self.links.ensure, each)),
                    READY_SECONDS,
                    ignoring=(LabError,),
                )
        return self.rename(primary)

    def rename(self, primary: Place) -> Delivery:
        """Tell the resolvers who is primary now; those that no update can reach are pending."""
        heads = self.databases.heads_around(primary)
        in_touch = {each.name for each in REGIONS if not self.out_of_touch(each)}

        def told() -> Delivery | None:
            delivery = self.names.point_writer(primary, heads)
            return None if in_touch & delivery.pending.keys() else delivery

        return wait_until("the resolvers that run to take the lab's records", told, READY_SECONDS)

    def out_of_touch(self, region: Region) -> str:
        """Why no update of its own region can reach a resolver; empty if it can."""
        state = self.engine.state(Place(region.name, "dns"))
        if not state.running:
            return MachineDown(state.place, state.status).message
        return "" if region.name in state.networks else f"{state.place} is off its region's network"

    def open_links(
        self,
        delay_ms: int = ONE_WAY_DELAY_MS,
        replication: Replication = DEFAULT_REPLICATION,
    ) -> None:
        """Bring links and TTLs to their default, and names to a topology; wait for what has booted.

        The databases need both: standbys of the other region stream through the gateways, and those
        find the head nodes by name. Databases that are made or put back need no delay yet: with
        `delay_ms=0` they connect and copy sooner, and `links.configure` sets the delay afterwards.
        """
        self.set_links(delay_ms)
        wait_until(
            "both resolvers to take the lab's records",
            lambda: not self.publish(replication, TTL_SECONDS).pending,
            READY_SECONDS,
        )

    def set_links(self, delay_ms: int = ONE_WAY_DELAY_MS) -> None:
        """Bring links to their default. A gateway that ends meanwhile is started again.

        Toxiproxy 2.12 may end: it panics if a connection gets a toxic while an older one, which
        holds bytes back, is still leaving it.
        """
        gateways = [Place(each.name, "gateway") for each in REGIONS]

        def taken() -> bool:
            try:
                self.links.configure(delay_ms)
            except LabError:
                self.boot(set(gateways) - set(self.engine.alive(gateways)))
                raise
            return True

        wait_until("the gateways to take their links", taken, READY_SECONDS, ignoring=(LabError,))

    def calibrate(self) -> None:
        """Find out how late this machine's timers are, and make links as long as they say."""
        found = timerdelay.measured(self.engine, self.settings, self.links)
        self.settings = self.settings.model_copy(update={"late_ms": found.round_trip_ms})
        settings.keep(self.settings)
        self.links.lateness = found
        self.links.configure()

    def find_pace(self) -> None:
        """Find out how fast this machine is, and be as patient as that needs."""
        found = machinespeed.measured(self.engine)
        self.settings = self.settings.model_copy(update={"pace": found})
        settings.keep(self.settings)
        be_patient(machinespeed.patience(found))

    def ask_as_user(self, of: Region) -> str:
        """What a region's resolver tells users, asked by one of them; empty for no answer."""
        server = self.settings.addresses.internet(Place(of.name, "dns"))
        code, said = self.engine.run_code(
            Place("users", of.name), ["python3", "-m", "appkit.dig", server, APP_NAME]
        )
        return "" if code else said.strip()

    def wait_ready(self) -> None:
        """Wait until both regions can take an order, and both resolvers say so."""
        resetting.wait_ready(self)

    def flush_cache(self, region: Region) -> None:
        """Let a region's cache forget everything."""
        self.engine.run(Place(region.name, "cache"), ["/cli", "FLUSHALL"])
