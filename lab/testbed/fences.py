"""Fencing a primary: the strongest way that reaches it, and the proof that it is one.

A fence counts only if two sessions fail to commit: one that was open before it, and one that is
opened after it from inside the region. Both declare themselves read-write, so that a setting that
any client may change is no fence.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from lab.core.errors import CommandFailed, LabError
from lab.core.topology import PROBER, Place
from lab.core.wait import wait_until
from lab.postgres.processes import STATUS

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

COMMITTED: Final = "committed"
_DEAD_SECONDS: Final = 20.0
_OPEN_SECONDS: Final = 5.0
_STOP_SECONDS: Final = 2
_LOCK_SECONDS: Final = 1
"""What a server may take to stop, and what another command may to leave its machine."""
_HELD: Final = "intruder"


@dataclass(frozen=True, slots=True)
class Way:
    """One way to fence, as done and as tried; `why` says what it is worth."""

    name: str
    trying: str
    why: str
    act: Callable[[Lab, Place], None]


def _stop(lab: Lab, place: Place) -> None:
    lab.databases[place].stop("immediate", _STOP_SECONDS, _LOCK_SECONDS)


def _kill(lab: Lab, place: Place) -> None:
    lab.engine.kill([place])


WAYS: Final = (
    Way(
        "its server was stopped",
        "stopping its server",
        "no session is left, and its data can still be read",
        _stop,
    ),
    Way("its machine was killed", "killing its machine", "for a server that does not obey", _kill),
)
"""In the order in which they are tried. A machine that boots starts no old primary by itself."""


def fence(lab: Lab, old: Place) -> str:
    """Fence a node and prove it; evidence in one line. Raises LabError when nothing reaches it."""
    if not lab.engine.alive([old]):
        return (
            f"no fence needed: {old}'s machine is dead; if it boots again, it does not start its"
            " database by itself"
        )
    if lab.engine.state(old).frozen:
        if may_wake_as_primary(lab, old):
            return end_frozen(lab, old)
        return (
            f"no fence needed: {old} is frozen, and a standby: it takes no writes when it resumes"
        )
    if not lab.databases[old].answers() and not _runs(lab, old):
        return f"no fence needed: {old}'s server does not run; {_fresh(lab, old)}"
    if _is_standby(lab, old):
        return f"no fence needed: {old} is a standby and takes no writes; {_fresh(lab, old)}"
    with _held_open(lab, old) as held:
        how = by_force(lab, old)
        said = held()
    if said == COMMITTED:
        raise LabError(f"{old} is not fenced: a session that was open before could still commit")
    return f"{old}: {how}; a session that was open got: {said or 'no answer'}; {_fresh(lab, old)}"


def end_frozen(lab: Lab, place: Place) -> str:
    """Kill a frozen machine: no command reaches it, and its server may go on at any moment."""
    lab.engine.kill([place])
    wait_until(f"{place} to be dead", lambda: not lab.engine.alive([place]), _DEAD_SECONDS)
    return f"{place} was frozen and could have resumed: its machine was killed, off its networks"


def may_wake_as_primary(lab: Lab, place: Place) -> bool:
    """True for a frozen machine whose database takes orders when it goes on."""
    return lab.engine.state(place).frozen and not lab.databases[place].is_standby_on_disk()


def by_force(lab: Lab, old: Place) -> str:
    """The first way that works, after those that did not. Raises LabError when none does."""
    failures: list[str] = []
    for way in WAYS:
        try:
            way.act(lab, old)
        except CommandFailed as error:
            failures.append(f"{way.trying} failed: {' '.join(error.message.split())}")
        else:
            return "; ".join([way.name, *failures])
    raise LabError(f"{old} cannot be fenced: {'; '.join(failures)}")


def _is_standby(lab: Lab, old: Place) -> bool:
    try:
        return lab.databases[old].state().in_recovery
    except LabError:
        return False


def _runs(lab: Lab, old: Place) -> bool:
    return lab.engine.run_code(old, STATUS)[0] == 0


def _fresh(lab: Lab, old: Place) -> str:
    """What a session that begins now is told, from inside the region. Raises LabError."""
    if not lab.engine.running(Place(old.site, PROBER)):
        return "no machine in the region can ask"
    said = intrude(lab, old)
    if said == COMMITTED:
        raise LabError(f"{old} is not fenced: a new session could commit an order")
    return f"a new session got: {said}"


def intrude(lab: Lab, old: Place, *options: str) -> str:
    """What an order is told that comes straight to a node, past all switches."""
    address = lab.settings.addresses.inside(old)
    prober = Place(old.site, PROBER)
    said = lab.engine.run(prober, ["python3", "-m", "appkit.intrude", address, "5432", *options])
    return said.strip()


@contextmanager
def _held_open(lab: Lab, old: Place) -> Iterator[Callable[[], str]]:
    """A session at the node before anything is done; what is given lets it try to commit."""
    prober = Place(old.site, PROBER)
    if not lab.engine.running(prober):
        yield lambda: "no machine in the region can ask"
        return
    sign = f"/tmp/intrude-{uuid.uuid4().hex}"  # noqa: S108 - a file in the prober's container
    pool = ThreadPoolExecutor(1)
    asked: Future[str] = pool.submit(intrude, lab, old, "--held", sign)
    go = ["sh", "-c", f": > {sign}"]

    def tried() -> str:
        lab.engine.run(prober, go)
        lines = asked.result().splitlines()
        return lines[-1] if lines else ""

    try:
        # A database that takes no session now has none that could commit.
        with suppress(LabError):
            wait_until(
                f"a session at {old}", lambda: asked.done() or _sees(lab, old), _OPEN_SECONDS
            )
        yield tried
    finally:
        with suppress(LabError):
            lab.engine.run(prober, go)
            asked.result()
            lab.engine.run(prober, ["rm", "-f", sign])
        pool.shutdown()


def _sees(lab: Lab, old: Place) -> bool:
    return bool(
        lab.databases[old].query(
            "SELECT 1 FROM pg_stat_activity WHERE application_name = %s", (_HELD,)
        )
    )
