"""Standbys are compared: with the end of the old primary's WAL, and with each other."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused, WaitExpired
from lab.core.lsn import format_lsn
from lab.core.topology import Place
from lab.core.wait import wait_until
from lab.core.words import size
from lab.records.journalfile import Phase, Via
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step
from lab.runbooks.servereffects import choose, compare
from lab.steps import gaps
from lab.steps.context import ACCEPTING, Context
from lab.steps.gaps import gap

if TYPE_CHECKING:
    from lab.core.lineage import Position
    from lab.postgres.node import Node
    from lab.steps.context import Stand

_WITHIN_SECONDS = 15
_LONGEST_SECONDS = 600


# ── compare ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class _End:
    """Where the old primary's WAL ends, and how that is known."""

    at: Position
    known: str

    def told(self, old: Place) -> str:
        return f"{old}'s WAL ends at {_where(self.at)} ({self.known})"


def _where(position: Position) -> str:
    return f"{format_lsn(position.end)} on timeline {position.timeline}"


def _compare(context: Context) -> str:
    lab, plan = context.lab, context.plan
    new = lab.databases[plan.new]
    state, there = new.stand()
    end = _end_of_old(context, there)
    if state.in_recovery:
        there = _awaited(context, new, end)
    missing = gap(lab.engine, plan.old, end.at, there)
    own = f"{plan.new} {'has received' if state.in_recovery else 'is primary and has'} WAL up to"
    told = f"{end.told(plan.old)}; {own} {_where(there)}"
    if missing is None:
        return f"{told}: nothing of it is missing"
    raise Refused(
        f"{told}: {missing}",
        f"see why it does not arrive: lab status; to give up, start {plan.old} again: the step"
        f" `start`; to accept the loss, use `check-lag` with {ACCEPTING}",
    )


def _awaited(context: Context, new: Node, end: _End) -> Position:
    """Where the new node stands once it has all of that, or when the time is up."""

    def complete() -> Position | None:
        position = new.stand()[1]
        return None if end.at.alone(position) else position

    try:
        return wait_until(
            f"{new} to receive what {context.plan.old} wrote",
            complete,
            context.number("within"),
            ignoring=(LabError,),
        )
    except WaitExpired:
        return new.stand()[1]


def _end_of_old(context: Context, there: Position) -> _End:
    """The end of the old primary's WAL, from its server or its disk. Raises Refused."""
    lab, old = context.lab, context.plan.old
    try:
        if not lab.engine.alive([old]):
            raise LabError(f"{old}'s machine does not run")
        node = lab.databases[old]
        if node.answers():
            return _End(node.stand()[1], "its server runs, and said so at the beginning")
        return _end_on_disk(context, node, there)
    except LabError as error:
        raise Refused(
            f"{old} cannot be compared: {error.message}",
            f"use the step `check-lag`: it estimates the loss without {old}",
        ) from error


def _end_on_disk(context: Context, node: Node, there: Position) -> _End:
    from lab.core.lineage import Position
    from lab.metrics.measure import Fork
    from lab.postgres.finalread import forks_on_disk, read_rest

    engine, timeline = context.lab.engine, node.disk().timeline
    forks = forks_on_disk(engine, node, timeline)
    try:
        end, known = node.end_of_shutdown(), "there its clean shutdown is on record"
    except LabError:
        begin = there.end if timeline == there.timeline else max(forks.values(), default=0)
        _, end = read_rest(engine, node.place, Fork(timeline, begin))
        known = "its log, read on its disk"
    return _End(Position(timeline, end, forks), known)


# ── choose ───────────────────────────────────────────────────────────────────────────────────


def _choose(context: Context) -> str:
    """Compare the standbys that answer; the old primary is the one to be replaced."""
    plan, looks = context.plan, context.stands()
    if plan.new in looks and not looks[plan.new][0].in_recovery:
        return f"{plan.new} is primary already: nothing is left to choose"
    able = {p: look for p, look in looks.items() if look[0].in_recovery and p != plan.old}
    if plan.new not in able:
        raise Refused(f"{plan.new} does not answer as a standby", _instead(able))
    found = gaps.ahead(context, looks, able)
    told = f"{plan.new} has received WAL up to {_where(able[plan.new][1])}"
    if not found:
        return f"{told}: no standby has more; {_behind(context, able)}"
    better, sentence = gaps.refusal(found, plan.new)
    if all(each.is_of_a_moment for each in found):
        listed = "; ".join(f"{each}, all from {plan.old}'s last moment" for each in found)
        return f"{told}: {listed}; {_behind(context, able)}"
    if context.options["accept_loss"]:
        return f"{told}: {'; '.join(map(str, found))}; that loss was accepted (accept_loss)"
    raise Refused(
        f"refused: {sentence}",
        f"run a runbook with `to: {better}`; to continue with {plan.new} anyway, add {ACCEPTING}",
    )


def _instead(able: Mapping[Place, Stand]) -> str:
    """Which standby could be promoted, and is the most advanced: by timeline, then by LSN."""
    if not able:
        return "no other standby answers: lab status"
    best = max(able, key=lambda each: (able[each][1].timeline, able[each][1].end))
    return f"{best} is the most advanced that answers: run a runbook with `to: {best}`"


def _behind(context: Context, able: Mapping[Place, Stand]) -> str:
    """How far the other standbys are behind the new node."""
    new = context.plan.new
    own = able[new][1]
    others = [
        f"{place} is {size(own.alone(here))} behind" if own.alone(here) else f"{place} has the same"
        for place, (_, here) in able.items()
        if place != new and not here.alone(own)
    ]
    return _joined(others)


def _joined(others: Iterable[str]) -> str:
    return ", ".join(others) or "no other standby answers"


STEPS: tuple[Step, ...] = (
    Step(
        name="compare",
        title="compare the ends of both WALs",
        changes="nothing; waits until {new} has received all WAL of {old}, and stops the runbook if"
        " that does not arrive",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="a promotion loses nothing only if the last byte of WAL has arrived",
        breaks="{new} may be promoted without the last orders, and no step notices",
        seconds=0.3,
        command="pg_controldata in {old}'s container once its server is shut down, beside"
        " lab psql {new} -c 'SELECT pg_last_wal_receive_lsn()'",
        makes=compare,
        look=True,
        repeats=Repeats.ALWAYS,
        options=(
            Option(
                "within",
                int,
                _WITHIN_SECONDS,
                "how long to wait for the rest of the WAL",
                most=_LONGEST_SECONDS,
                unit="s",
            ),
        ),
        act=_compare,
    ),
    Step(
        name="choose",
        title="choose the most advanced standby",
        changes="nothing; stops the runbook if another standby has received more than {new}, except"
        " for {old}'s last moment",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="orders that only another standby has are lost",
        breaks="{new} is promoted without orders that another standby has",
        seconds=0.2,
        command="lab psql {new} -c 'SELECT pg_last_wal_receive_lsn()', and the same on every"
        " other standby; compare timelines first",
        makes=choose,
        look=True,
        repeats=Repeats.ALWAYS,
        options=(
            Option(
                "accept_loss",
                bool,
                False,
                "continue although another standby has received more WAL",
            ),
        ),
        act=_choose,
    ),
)
