"""A lab comes up from whatever there is, and goes without leaving anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from itertools import product
from pathlib import Path

from lab import compose, outofband, progress, settings, turns
from lab.cluster import Lab
from lab.console import Say
from lab.engine import Engine
from lab.errors import EngineGone, LabError, MachineError
from lab.lock import hold
from lab.paths import state_dir
from lab.settings import Settings
from lab.topology import (
    ONE_WAY_DELAY_MS,
    PLACES,
    REGIONS,
    STOPWATCH,
    USERS,
    Place,
)
from lab.wait import pause, wait_until

_BOOT_SECONDS = 60.0
_STARTS_AT_ONCE = 3
"""Starting a container costs a third of a second of a core: all at once, all would come late."""
_BOOT_ORDER = tuple(
    Place(r.name, service)
    for services, regions in (
        (("db1", "dns", "gateway"), REGIONS[:1]),  # the primary, and the way to it
        (("db1", "dns", "gateway"), REGIONS[1:]),
        (("db2",), REGIONS[:1]),  # each commit waits for it
        (("app", "steering"), REGIONS),  # a steering looks several times before it believes
        (("db2",), REGIONS[1:]),
        (("cache",), REGIONS),
    )
    for r in regions
    for service in services
)
"""A region's machines as a new lab needs them: what others wait for comes first."""
_LOOKS = 5
_UNDER_WAY_SECONDS = 3.0
"""Within this time the engine and the gateways have begun what a dead command asked of them."""
_ENDING_SECONDS = 30.0


def lock_file(name: str) -> Path:
    """The file that says which command holds a lab."""
    return state_dir() / "labs" / f"{name}.lock"


@contextmanager
def exclusive(name: str, what: str) -> Iterator[None]:
    """Be the only command that changes this lab. Raises Busy at once if another one does.

    After a command that was killed it waits: requests that are under way need no client, and what
    they do must be there to be seen. What waits inside machines is refused from now on.
    """
    with hold(lock_file(name), what, wait=False) as broken_off:
        turns.take(name)
        if broken_off and settings.settings_file(name).exists():
            Say().note(f"{broken_off} did not finish: waiting for what it had begun")
            pause(_UNDER_WAY_SECONDS)
            _let_machines_end(name)
        yield


def _let_machines_end(name: str) -> None:
    """Wait for machines that were killed and that the engine still calls running.

    On a busy machine that lasted 4 s. Asking them all takes the longer, the busier it is.
    """
    with suppress(LabError):
        engine = Engine(name)
        try:
            wait_until(
                "the engine to see which machines run",
                lambda: not any(engine.each(PLACES, engine.ending)),
                _ENDING_SECONDS,
            )
        finally:
            engine.close()


def up(name: str, say: Say, *, to_be_reset: bool = False) -> Lab:
    """Bring a lab up from whatever there is: nothing, leftovers, or a lab that runs.

    Installs and starts what is missing, as far as it may. The caller holds the lab's lock. With
    `to_be_reset` the caller resets the lab next, which does for the databases and shops of a lab
    that exists what this would do: they are left as they are.
    """
    # Not above: a command that changes a lab that is up takes its lock here, and makes no image.
    from lab.images import ensure_images
    from lab.machine import ensure_engine

    ensure_engine(say)
    images = ensure_images(say)
    lab = _on_networks(name)
    is_new = lab.settings.late_ms is None
    to_be_reset = to_be_reset and not is_new
    with (
        ThreadPoolExecutor() as pool,
        say.step(f"starting lab {name!r}: containers, links, databases"),
    ):
        # Compose tries to start a frozen container, which the engine refuses.
        lab.engine.start(p for p, state in lab.engine.look().items() if state.frozen)
        machines = _Machines(lab, images, pool)
        links = pool.submit(_open_links, lab, machines, is_new)
        try:
            in_order = _bring_databases_up(lab, links, machines, to_be_reset)
        except LabError:
            machines.await_all()  # if Compose failed, that is the reason
            raise
        machines.await_all()
    if to_be_reset:
        return lab
    if not in_order:
        say.note("the lab was left in another topology: the default one is put back, empty")
        with say.step("resetting the databases"):
            kept = lab.reset()
        if kept:
            say.note(kept)
    with suppress(LabError):  # who cannot be asked yet has only just booted
        lab.stop_load()  # of a drill that was killed: no other one can be at work now
    with say.step("both regions take orders"), ThreadPoolExecutor() as pool:
        calibrated = pool.submit(lab.calibrate) if lab.settings.late_ms is None else None
        lab.wait_ready()
        if calibrated:
            calibrated.result()
        if lab.settings.pace is None:
            lab.find_pace()
    return lab


class _Machines:
    """A lab's machines while Compose makes them and the tool starts them, in other threads."""

    def __init__(self, lab: Lab, images: Mapping[str, str], pool: Executor) -> None:
        self._lab, self._images = lab, images
        self._created = pool.submit(compose.create_regions, lab.settings, images)
        self._started = pool.submit(self._start)

    def _start(self) -> None:
        """Start them in the order in which they are needed."""
        engine = self._lab.engine
        try:
            self._created.result()
            with ThreadPoolExecutor() as pool:
                world = pool.submit(compose.create_world, self._lab.settings, self._images)
                engine.start_in_order(_BOOT_ORDER, _STARTS_AT_ONCE)
                world.result()
            engine.start_in_order((*USERS, STOPWATCH), _STARTS_AT_ONCE)
        except EngineGone:
            raise
        except LabError as error:
            raise compose.explained("the machines could not be started", error.message) from error

    def await_all(self) -> None:
        """Wait until all machines run. Raises LabError."""
        self._started.result()

    def await_one(self, place: Place) -> None:
        """Wait until a region's machine runs. Raises LabError, also if another could not be made.

        Compose replaces a container whose image has changed: one that runs before Compose is done
        may be about to go.
        """
        with suppress(LabError):
            self._created.result()
        wait_until(
            f"{place} to boot",
            lambda: self._failed() or self._lab.engine.running(place),
            _BOOT_SECONDS,
        )

    def _failed(self) -> bool:
        if self._started.done():
            self._started.result()
        return False


def _on_networks(name: str, looks: int = _LOOKS) -> Lab:
    """The lab with its networks. Raises MachineError when the engine has no room for them.

    Another program may take a new lab's subnet after it was found free: then there is another look.
    """
    known = settings.load(name)
    lab = Lab(_settings_for(name))
    try:
        lab.engine.ensure_networks(lab.settings.addresses)
    except MachineError:
        if lab.settings == known:
            raise
        lab.engine.remove_everything()
        settings.forget(name)
        lab.engine.close()
        if looks == 1:
            raise
        return _on_networks(name, looks - 1)
    return lab


def _open_links(lab: Lab, machines: _Machines, is_new: bool) -> None:
    """Open the gateways and publish the names, as soon as both are there.

    The links of a new lab get their delay when it is calibrated.
    """
    for service, each in product(("gateway", "dns"), REGIONS):
        machines.await_one(Place(each.name, service))
    lab.open_links(delay_ms=0 if is_new else ONE_WAY_DELAY_MS)


def _bring_databases_up(
    lab: Lab, links: Future[None], machines: _Machines, to_be_reset: bool
) -> bool:
    """Make the databases, or start them again; False when they are in no default topology."""
    if not lab.databases.initialised(machines.await_one):

        def calibrate() -> None:
            machines.await_all()
            lab.calibrate()

        lab.databases.initialise(machines.await_one, links.result, calibrate)
        return True
    links.result()
    return to_be_reset or lab.databases.resume()


def _settings_for(name: str) -> Settings:
    """The lab's settings; new ones, with a subnet that is free, for a new lab."""
    existing = settings.load(name)
    engine = Engine(name)
    try:
        if existing and engine.leftovers():
            settings.refuse_to_move(name, existing.subnet)
            return existing
        # Containers without settings (or the reverse) are no lab: their secrets are lost.
        engine.remove_everything()
        # A network that the engine does not let go of is in the subnet that it is in.
        kept = engine.subnet()
        if kept:
            settings.refuse_to_move(name, kept)
        subnet = kept or settings.chosen_subnet(engine.subnets_in_use())
        return settings.create(name, subnet, engine.facts().cgroup_parent)
    finally:
        engine.close()


def down(name: str) -> tuple[str, ...]:
    """Remove every container, network and volume of a lab; what was removed.

    Raises LabError, when all else is done, for what the engine does not let go.
    """
    engine = Engine(name)
    try:
        removed = engine.leftovers()
        kept = engine.remove_everything()
    finally:
        engine.close()
    outofband.regain(name)
    progress.forget(name)
    turns.forget(name)
    if kept:  # the settings stay too: the next `lab up` finds its networks
        raise LabError(
            f"the engine does not let go of {', '.join(kept)}, although nothing is left on it:"
            " it has lost count; all else is removed",
            "nothing is in the way of the next lab up; to be rid of it restart the engine, then:"
            " lab down",
        )
    with suppress(FileNotFoundError):
        settings.forget(name)
    return removed
