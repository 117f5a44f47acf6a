"""PostgreSQL that ends while its machine goes on: crashed, stopped, out of disk."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import DATABASES, EAST_DB1
from lab.faults.machines import around, node_of, works
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Server, Sight
from lab.postgres.node import FULL
from lab.testbed.bringback import start_server
from lab.testbed.health import server_is_stopped

if TYPE_CHECKING:
    from lab.postgres.node import Node
    from lab.testbed.lab import Lab

_ALL = "$(pgrep -u postgres -x postgres)"
_FILL = f"""touch identity/{FULL}
for process in {_ALL}; do prlimit --pid $process --fsize=1: || true; done"""
_EMPTY = f"""rm -f identity/{FULL}
for process in {_ALL}; do prlimit --pid $process --fsize=unlimited: || true; done"""
_MORE_THAN_FITS = 8 * 1024 * 1024


def _does_not_run(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if not lab.engine.running(place):
        return None
    try:
        lab.databases[place].query("SELECT 1")
    except LabError as error:
        # A server that runs may refuse a session as well.
        if server_is_stopped(lab, place):
            return f"the machine of {place} runs, its server does not: {error.message}"
    return None


def _has_ended(lab: Lab, aim: Aim) -> str | None:
    """Not only that it answers nothing: it tried to recover, and gave up."""
    node = lab.databases[node_of(aim)]
    if not server_is_stopped(lab, node.place):
        return None
    return f"the server of {node} ended when it had to write; its machine keeps running"


def _start(lab: Lab, aim: Aim) -> None:
    lab.engine.start([node_of(aim)])
    start_server(lab, node_of(aim))


def _servers(test: Callable[[Server], bool]) -> Callable[[Sight], tuple[Aim, ...]]:
    return lambda sight: tuple(
        Aim(node=place)
        for place, server in sight.servers.items()
        if test(server) and place not in sight.left_down
    )


def _full(sight: Sight) -> tuple[Aim, ...]:
    return tuple(
        Aim(node=place) for place, server in sight.servers.items() if "full" in server.words
    )


def _fill(lab: Lab, aim: Aim) -> Strike:
    node = lab.databases[node_of(aim)]

    def strike() -> None:
        node.run_alone(_FILL)
        with suppress(LabError):  # that it fails is what is wanted
            node.write_wal(_MORE_THAN_FITS)

    return strike


def _make_room(lab: Lab, aim: Aim) -> None:
    lab.engine.start([node_of(aim)])
    lab.databases[node_of(aim)].run_alone(_EMPTY)
    start_server(lab, node_of(aim))


def _row(
    name: str, why: str, teaches: str, how: str, strike: Callable[[Node], None],
    state: Callable[[Server], bool],
) -> Fault:  # fmt: skip
    def arm(lab: Lab, aim: Aim) -> Strike:
        return lambda: strike(lab.databases[node_of(aim)])

    return Fault(
        name=name,
        why=why,
        teaches=teaches,
        how=how,
        noticed="by all clients that are connected, at once: connections end or are refused",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=arm,
        seen=_does_not_run,
        heal=_start,
        gone=works,
        serves=around,
        present=_servers(lambda server: state(server) and "full" not in server.words),
        nodes=DATABASES,
    )


def _crash(node: Node) -> None:
    with suppress(LabError):  # a server that is dead already
        node.kill9()


FAULTS = (
    _row(
        "crash",
        "the database server crashed; its machine keeps running",
        "crash recovery is often faster than a failover and loses nothing, so waiting may be"
        " better than promoting",
        "SIGKILL to the postmaster",
        _crash,
        lambda server: server.crashed,
    ),
    _row(
        "stop-clean",
        "the database server was shut down cleanly",
        "an operator's mistake looks like this; all is on disk and sent to the standbys",
        "pg_ctl stop -m fast",
        lambda node: node.stop("fast"),
        lambda server: server.stopped_clean,
    ),
    _row(
        "stop-immediate",
        "the database server was stopped at once, without a clean shutdown",
        "the server flushes and sends nothing more: WAL that a standby had not received before the"
        " stop is missing there",
        "pg_ctl stop -m immediate",
        lambda node: node.stop("immediate"),
        lambda server: server.stopped_at_once,
    ),
    Fault(
        name="disk-full",
        why="the WAL's disk is full: no byte can be written",
        teaches="a primary whose WAL cannot be written does not answer with an error: it dies, and"
        " starting it again does not help",
        how="the kernel lets the server write no more to files (RLIMIT_FSIZE), now and at every"
        " start; the error text is 'file too large' instead of 'no space left', but the PANIC that"
        " follows is the same",
        noticed="by all clients that are connected, at once: the server ends",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=_fill,
        seen=_has_ended,
        heal=_make_room,
        gone=works,
        serves=around,
        present=_full,
        nodes=(EAST_DB1,),
        proof_seconds=25,
    ),
)
