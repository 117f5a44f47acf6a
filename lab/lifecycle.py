"""A lab comes up from whatever there is, and goes without leaving anything."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from lab import compose, outofband, progress, settings, turns
from lab.cluster import Lab
from lab.console import Say
from lab.engine import Engine
from lab.errors import LabError, MachineError
from lab.images import ensure_images
from lab.lock import hold
from lab.machine import ensure_engine
from lab.paths import state_dir
from lab.settings import Settings
from lab.topology import DATABASES, PLACES, REGIONS, Place
from lab.wait import pause, wait_until

_BOOT_SECONDS = 60.0
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
                lambda: all(engine.each(PLACES, engine.runs_indeed)),
                _ENDING_SECONDS,
            )
        finally:
            engine.close()


def up(name: str, say: Say) -> Lab:
    """Bring a lab up from whatever there is: nothing, leftovers, or a lab that runs.

    Installs and starts what is missing, as far as it may. The caller holds the lab's lock.
    """
    ensure_engine(say)
    images = ensure_images(say)
    lab = _on_networks(name)
    chosen = lab.settings
    with ThreadPoolExecutor() as pool:
        containers = pool.submit(compose.up, chosen, images)
        links = pool.submit(_open_links, lab, containers)
        with say.step(f"starting lab {name!r}: containers, links, databases"):
            try:
                _await_machines(lab, DATABASES, containers)
                in_order = _bring_databases_up(lab, links)
            except LabError:
                containers.result()  # if Compose failed, that is the reason
                raise
            containers.result()
    if not in_order:
        say.note("the lab was left in another topology: the default one is put back, empty")
        with say.step("resetting the databases"):
            lab.reset()
    with suppress(LabError):  # who cannot be asked yet has only just booted
        lab.stop_load()  # of a drill that was killed: no other one can be at work now
    with say.step("both regions take orders"):
        lab.wait_ready()
    if chosen.late_ms is None:
        lab.calibrate()
    return lab


def _on_networks(name: str, looks: int = _LOOKS) -> Lab:
    """The lab with its networks. Raises MachineError when the engine has no room for them.

    Somebody else may take a new lab's subnet after it was found free: then there is another look.
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


def _await_machines(lab: Lab, places: Iterable[Place], containers: Future[None]) -> None:
    """Wait until machines run, or until Compose has failed (its error is raised)."""
    for place in places:
        wait_until(
            f"{place} to boot",
            lambda place=place: _failed(containers) or lab.engine.running(place),  # type: ignore[misc]
            _BOOT_SECONDS,
        )


def _failed(containers: Future[None]) -> bool:
    if containers.done():
        containers.result()
    return False


def _open_links(lab: Lab, containers: Future[None]) -> None:
    """Open the gateways and publish the names, as soon as both are there."""
    doors = [Place(each.name, service) for each in REGIONS for service in ("gateway", "dns")]
    _await_machines(lab, doors, containers)
    lab.open_links()


def _bring_databases_up(lab: Lab, links: Future[None]) -> bool:
    """Make the databases, or start them again; False when they are in no default topology."""
    if not lab.databases.initialised():
        lab.databases.initialise(links.result)
        return True
    links.result()
    return lab.databases.resume()


def _settings_for(name: str) -> Settings:
    """The lab's settings; new ones, with a subnet that is free, for a new lab."""
    existing = settings.load(name)
    engine = Engine(name)
    try:
        if existing and engine.leftovers():
            return existing
        # Containers without settings (or the reverse) are no lab: their secrets are lost.
        engine.remove_everything()
        subnet = settings.chosen_subnet(engine.subnets_in_use())
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
