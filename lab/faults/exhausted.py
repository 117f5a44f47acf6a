"""A database that has no connection left to give to the shops."""

from __future__ import annotations

import shlex
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import DATABASES, EAST_DB1, PROBER, Place
from lab.faults.machines import node_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import HELD, HOG, HOGS, Sight
from lab.infra import changetoken

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'hog'"


def _asked(lab: Lab, aim: Aim) -> tuple[Place, list[str]]:
    """The region's prober, and a program there that uses the shop's account."""
    place = node_of(aim)
    address = lab.settings.addresses.inside(place)
    return Place(place.site, PROBER), ["python3", "-m", HOG, address, "5432"]


def _hog(lab: Lab, aim: Aim) -> Strike:
    prober, command = _asked(lab, aim)
    script = f"{changetoken.alone(lab.name)} && exec 9>&- && exec {shlex.join(command)}"
    return lambda: lab.engine.run_aside(prober, ["sh", "-c", script])


def _answer(lab: Lab, aim: Aim) -> str:
    """What the server tells a client with the shop's account that wants one more connection."""
    prober, command = _asked(lab, aim)
    return lab.engine.run(prober, [*command, "once"]).strip()


def _is_full(lab: Lab, aim: Aim) -> str | None:
    answer = _answer(lab, aim)
    if "too many" not in answer and "reserved" not in answer:
        return None
    return f"{answer} ({_held(lab, aim)} are held open by the fault)"


def _held(lab: Lab, aim: Aim) -> int:
    return int(lab.databases[node_of(aim)].query(HELD)[0][0])


def _end(lab: Lab, aim: Aim) -> None:
    prober, [*_, address, _port] = _asked(lab, aim)
    files = f"grep -als {address} /dev/null $({HOGS.replace('-ahs', '-als')})"
    with suppress(LabError):  # where the prober does not run, nothing in it does
        lab.engine.run_code(prober, ["sh", "-c", f"kill $({files} | cut -d / -f 3)"])
    if lab.databases[node_of(aim)].answers():  # one that does not run has no connection
        lab.databases[node_of(aim)].query(_END)


def _is_free(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if not lab.databases[place].answers():  # a paused one keeps what it holds
        frozen = lab.engine.state(place).frozen
        return None if frozen else f"{place} does not run: it holds no connection"
    if _held(lab, aim):
        return None
    if not lab.engine.running(Place(place.site, PROBER)):
        return f"no connection of {place} is held open by the fault"
    return f"{place} gives the shop connections again" if _answer(lab, aim) == "connected" else None


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(node=place) for place in sight.exhausted)


FAULTS = (
    Fault(
        name="connections-exhausted",
        why="every connection that the database gives to shops is taken",
        teaches="after a failover, many connections are opened at once: pools and limits need"
        " spare connections, or the remaining region refuses the users who come to it",
        how="a program with the shop's account opens connections until the server refuses one",
        noticed="by new connections (SQLSTATE 53300); connections that a pool already holds keep"
        " working, and operators can still connect",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=_hog,
        seen=_is_full,
        heal=_end,
        gone=_is_free,
        present=_present,
        nodes=DATABASES,
        proof_seconds=30,
    ),
)
