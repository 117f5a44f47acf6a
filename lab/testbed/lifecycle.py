"""A lab comes up from whatever there is, and goes without leaving anything."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from itertools import product

from lab.core.console import Say
from lab.core.errors import LabError, MachineError, WaitExpired
from lab.core.topology import (
    DATABASES,
    ONE_WAY_DELAY_MS,
    REGIONS,
    Place,
)
from lab.core.words import listed
from lab.infra import changetoken, managementnet, settings
from lab.infra.machines import Engine
from lab.infra.settings import Settings
from lab.testbed import inforce, resuming, runbookprogress, tuning, underway
from lab.testbed.booting import Machines
from lab.testbed.lab import Lab

_LOOKS = 5


def up(name: str, say: Say, *, to_be_reset: bool = False) -> Lab:
    """Bring a lab up from whatever there is: nothing, leftovers, or a lab that runs.

    Installs and starts what is missing, as far as it may. A lab that was made before keeps its
    orders and its topology; LabError is raised when it cannot be told which database is primary.
    The caller holds the lab's lock. With `to_be_reset` the caller resets the lab next, which does
    for the databases and shops of a lab that exists what this would do: they are left as they are.
    """
    # Not above: a command that changes a lab that is up takes its lock here, and makes no image.
    from lab.host.engine import ensure_engine
    from lab.host.images import ensure_images

    ensure_engine(say)
    images = ensure_images(say)
    lab = _on_networks(name)
    lab.engine.toolbox().clear()
    is_new = lab.settings.late_ms is None
    to_be_reset = to_be_reset and not is_new
    with (
        ThreadPoolExecutor() as pool,
        say.step(f"starting lab {name!r}: containers, links, databases"),
    ):
        # Compose tries to start a frozen container, which the engine refuses.
        lab.engine.start(p for p, state in lab.engine.look().items() if state.frozen)
        machines = Machines(lab, images, pool)
        links: Callable[[], None] = partial(_open_links, lab, machines, is_new)
        if is_new or to_be_reset:  # else names follow what stands on the disks
            links = pool.submit(links).result
        try:
            told = _bring_databases_up(lab, links, machines, to_be_reset)
        except LabError:
            machines.await_all()  # if Compose failed, that is the reason
            raise
        machines.await_all()
    if to_be_reset:
        return lab
    if not underway.is_noted(name):
        with suppress(LabError):  # who cannot be asked yet has only just booted
            lab.stop_load()  # of a drill that was killed: no other one can be at work now
    tuning.restore(lab)
    with say.step("both regions take orders"), ThreadPoolExecutor() as pool:
        calibrated = pool.submit(lab.calibrate) if lab.settings.late_ms is None else None
        _await_service(lab, images)
        if calibrated:
            calibrated.result()
        if lab.settings.pace is None:
            lab.find_pace()
    for line in told:
        say.warn(line)
    return lab


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


def _await_service(lab: Lab, images: Mapping[str, str]) -> None:
    own = "; what a shop of your own lacks: lab shop check"
    try:
        lab.wait_ready()
    except WaitExpired as error:
        raise LabError(
            error.message,
            f"see: lab status; if a runbook stopped half-way: {inforce.ENDS}"
            f"{own if images.get('shop') != images.get('apps') else ''}",
        ) from error


def _open_links(lab: Lab, machines: Machines, is_new: bool) -> None:
    """Open the gateways and publish the names, as soon as both are there.

    The links of a new lab get their delay when it is calibrated.
    """
    for service, each in product(("gateway", "dns"), REGIONS):
        machines.await_one(Place(each.name, service))
    lab.open_links(delay_ms=0 if is_new else ONE_WAY_DELAY_MS)


def _bring_databases_up(
    lab: Lab, links: Callable[[], None], machines: Machines, to_be_reset: bool
) -> tuple[str, ...]:
    """Make the databases, or start them again where they stopped; what is not in order."""
    if not lab.databases.initialised(machines.await_one):
        if lab.settings.pace is not None:  # it was up before, as a whole
            _refuse_to_empty_disks(lab, machines)

        def calibrate() -> None:
            machines.await_all()
            lab.calibrate()

        lab.databases.initialise(machines.await_one, links, calibrate)
        return ()
    if to_be_reset:
        links()
        return ()
    machines.await_all()
    return resuming.resume(lab)


def _refuse_to_empty_disks(lab: Lab, machines: Machines) -> None:
    """Raise LabError when some databases have lost their disks, and others have not."""
    machines.await_all()
    left = [place for place in DATABASES if lab.databases[place].has_golden()]
    if left:
        lost = listed(place for place in DATABASES if place not in left)
        raise LabError(
            f"{lost} has lost its disk; to make it, all four would be made anew, empty",
            "see which orders are left: lab status, lab psql NODE; to give them up:"
            " lab down, then lab up",
        )


def _settings_for(name: str) -> Settings:
    """The lab's settings; new ones, with a subnet that is free, for a new lab."""
    existing = settings.load(name)
    engine = Engine(name)
    try:
        leftovers = engine.leftovers()
        if existing and leftovers:
            settings.refuse_to_move(name, existing.subnet)
            return existing
        # Containers without settings (or the reverse) are no lab: their secrets are lost.
        _refuse_to_remove_disks(name, leftovers)
        engine.remove_everything()
        return settings.create(name, _subnet(engine, name), engine.facts().cgroup_parent)
    finally:
        engine.close()


def subnet_for(name: str) -> str:
    """The subnet that `up` brings this lab up in. Raises LabError where `up` would."""
    existing = settings.load(name)
    engine = Engine(name)
    try:
        return _subnet(engine, name, existing.subnet if existing and engine.leftovers() else None)
    finally:
        engine.close()


def _subnet(engine: Engine, name: str, known: str | None = None) -> str:
    # A network that the engine does not let go of is in the subnet that it is in.
    if kept := known or engine.subnet():
        settings.refuse_to_move(name, kept)
        return kept
    return settings.chosen_subnet(engine.subnets_in_use())


def _refuse_to_remove_disks(name: str, leftovers: Iterable[str]) -> None:
    """Raise LabError when the engine keeps disks of a lab that nothing else is known of."""
    if _disks_among(leftovers):
        raise LabError(
            f"the engine has disks of a lab {name!r} whose settings are lost: its orders are on"
            " them, and no key of it is left",
            "to give them up: lab down; then: lab up",
        )


def _disks_among(leftovers: Iterable[str]) -> tuple[str, ...]:
    return tuple(each for each in leftovers if each.startswith("volume "))


def disks(name: str) -> tuple[str, ...]:
    """What the engine keeps data of a lab on."""
    engine = Engine(name)
    try:
        return _disks_among(engine.leftovers())
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
    managementnet.regain(name)
    runbookprogress.forget(name)
    underway.forget(name)
    changetoken.forget(name)
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
