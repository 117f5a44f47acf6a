"""A database server is stopped, in good order or at once, and started as what it is on its disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError, Refused
from lab.core.lsn import format_lsn
from lab.core.topology import Place
from lab.core.words import listed
from lab.records.journalfile import Phase, Via
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step
from lab.runbooks.servereffects import start, stop
from lab.steps.context import Context
from lab.steps.whichnode import by_name, named, node_option
from lab.testbed.health import server_is_stopped

if TYPE_CHECKING:
    from lab.postgres.node import Node

CLEAN: Final = "clean"
_MODES: Final = {CLEAN: "fast", "immediate": "immediate"}
"""What `pg_ctl stop -m` calls them. A fast shutdown sends standbys the rest of the WAL."""


# ── stop ─────────────────────────────────────────────────────────────────────────────────────


def _stop(context: Context) -> str:
    lab, old = context.lab, context.plan.old
    node, mode = lab.databases[old], str(context.options["mode"])
    if not lab.engine.alive([old]):
        return f"{old}'s machine does not run: nothing is left to stop"
    if server_is_stopped(lab, old):
        return f"{old}'s server does not run: nothing is left to stop; {_end(node)}"
    if mode == CLEAN and node.answers():
        node.query("CHECKPOINT")  # so that little is left to write while users wait
    node.stop(_MODES[mode])
    told = f"{old}'s server was stopped: {mode} (pg_ctl stop -m {_MODES[mode]})"
    return f"{told}; {_end(node)}"


def _end(node: Node) -> str:
    """Where its WAL ends, which only a clean shutdown tells."""
    try:
        end = node.end_of_shutdown()
    except LabError as error:
        return error.message
    return f"it was shut down in good order, and its WAL ends at {format_lsn(end)}"


# ── start ────────────────────────────────────────────────────────────────────────────────────


def _start(context: Context) -> str:
    lab, place = context.lab, named(context)
    node = lab.databases[place]
    if node.answers():
        return f"{_running(node)} already: nothing is left to start"
    disk = node.disk()
    if not disk.whole:
        raise Refused(
            f"{place} is not started: a copy or rewind of it was cut, and its disk is no database",
            f"make it anew: the step `rebuild` with `node: {place}`",
        )
    if disk.standby:
        node.start_patiently()
    else:
        _refuse_a_second_primary(context, place)
        node.start()
    return _running(node)


def _running(node: Node) -> str:
    state = node.state()
    return f"{node} runs as a {state.role} on timeline {state.timeline}"


def _refuse_a_second_primary(context: Context, place: Place) -> None:
    """Raise Refused where another primary answers, or was promoted in this one's place."""
    from lab.postgres import succession

    lab = context.lab
    others = [each for each in lab.databases.primaries() if each != place]
    if others:
        raise Refused(
            f"{place} was primary when it stopped, and {listed(others)} is primary now: both would"
            " acknowledge orders",
            "to make it follow, use the step `demote`",
        )
    found = succession.read(lab.engine, lab.databases)
    if place in found.left_down:
        raise Refused(found.told(place), "to make it follow, use the step `demote`")
    if found.heir != place:
        raise Refused(f"{place} is not started as primary: {found.problem}", succession.WAY_OUT)


STEPS: tuple[Step, ...] = (
    Step(
        name="stop",
        title="stop {old}'s server",
        changes="{old}'s server is shut down in good order, which sends standbys the rest of its"
        " WAL, or stopped at once; its machine runs on",
        via=Via.OUT_OF_BAND,
        phase=Phase.FENCE,
        why="a primary that is shut down takes no order that its successor would lack",
        breaks="{old} keeps taking orders while {new} is compared with it",
        seconds=0.5,
        command="lab fault inject stop-clean --node {old}",
        makes=stop,
        repeats=Repeats.OTHERWISE,
        options=(
            Option(
                "mode",
                str,
                CLEAN,
                "in good order, or at once as `fence` does it",
                tuple(_MODES),
            ),
        ),
        act=_stop,
    ),
    Step(
        name="start",
        title="start a stopped server",
        changes="a server that was stopped runs again, as what it is on its disk: a primary, or a"
        " standby",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="if a switchover is given up, its old primary must take orders again",
        breaks="no database takes orders, or a standby is missing when the next fault strikes",
        seconds=1.0,
        command="docker exec CONTAINER pg_ctl start -w, in the container of that database",
        makes=by_name(start),
        repeats=Repeats.OTHERWISE,
        options=(
            node_option("old", "which server: of the runbook's `from` or `to`, or a name", "new"),
        ),
        act=_start,
    ),
)
