"""How much the promotion will cost: what the standby has not received, held against the RPO."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TYPE_CHECKING, LiteralString

from lab.core.errors import LabError, Refused
from lab.core.lsn import format_lsn
from lab.core.topology import Place
from lab.core.words import seconds
from lab.metrics.shortfall import UNSEEN_SECONDS, Ages, Beyond, Shortfall, shortfall
from lab.records.journalfile import Phase, Via
from lab.runbooks.lookeffects import check_lag
from lab.runbooks.option import Option
from lab.runbooks.runbook import Step
from lab.steps.context import ACCEPTING, Context

if TYPE_CHECKING:
    from lab.core.lineage import Position
    from lab.postgres.server import NodeState
    from lab.steps.context import Stand
    from lab.testbed.lab import Lab

_RPO_SECONDS = 300

_HEARD: LiteralString = """
SELECT extract(epoch FROM clock_timestamp())::float8,
       extract(epoch FROM clock_timestamp() - last_msg_receipt_time)::float8,
       CASE WHEN latest_end_lsn <= flushed_lsn
            THEN extract(epoch FROM clock_timestamp() - last_msg_send_time)::float8 END,
       greatest(0, latest_end_lsn - flushed_lsn)::bigint
FROM (SELECT) AS one LEFT JOIN pg_stat_wal_receiver ON true
"""
"""The server's time; how long ago the upstream was heard of; how long ago it sent its last message,
if all that it named by then has arrived; how much of what it named has not."""


def _check_lag(context: Context) -> str:
    """What was flushed and not received, up to the last sign of the old primary."""
    with context.lab.databases[context.plan.new].kept_open():
        return _judged(context)


def _judged(context: Context) -> str:
    plan, lab, limit = context.plan, context.lab, float(context.number("rpo"))
    others = context.stands()
    others.pop(plan.new, None)
    # The standby is asked again, last: what arrives while the others are asked is not missing.
    own = state, _ = lab.databases[plan.new].stand()
    if not state.in_recovery:
        return f"{plan.new} is primary already: its promotion can lose no more orders"
    found = _missing(context, others, own)
    where = f"{format_lsn(state.received)} on timeline {state.timeline}"
    told = f"{plan.new} has received WAL up to {where}. {found.told}"
    if found.seconds is None:
        return _accepted(context, f"{told}. How much would be lost is unknown")
    about = "About " if found.guessed else ""
    told += f". {about}{seconds(found.seconds)} of orders would be lost"
    if found.guessed:
        told += f", and up to {seconds(UNSEEN_SECONDS)} more that the lab cannot see"
    if found.exceeds(limit):
        return _accepted(context, f"{told}. That is more than the RPO of {seconds(limit)}")
    return f"{told}. The RPO is {seconds(limit)}"


def _missing(context: Context, others: Mapping[Place, Stand], own: Stand) -> Shortfall:
    plan, lab = context.plan, context.lab
    # What a copy has of a timeline that the new node has left was lost before.
    there = {p: its for p, its in others.items() if p == plan.old or not its[1].was_left_by(own[1])}
    beyond = {each: _beyond(lab, its, own[1]) for each, its in there.items()}
    old = beyond.pop(plan.old, None)
    copies = tuple(beyond.values())
    with ThreadPoolExecutor(1) as pool:  # users wait for the promotion
        asked = pool.submit(_ages, context, own[0])
        if old is None and lab.engine.alive([plan.old]):
            with suppress(LabError):
                old = _on_disk(lab, plan.old, own[0])
        if old is not None and old.seconds is not None:
            return shortfall(str(plan.old), old, copies, Ages())
        ages, announced = asked.result()
    return shortfall(str(plan.old), old, copies, ages, announced)


def _beyond(lab: Lab, its: Stand, own: Position) -> Beyond:
    """What a server that answers had beyond a standby, with commits and orders if they are told."""
    from lab.metrics.measure import Fork
    from lab.postgres.finalread import read_commits

    (state, position), node = its, lab.databases[its[0].node]
    size, since = position.alone(own), Fork(position.timeline, position.parting(own)[1])
    if not size:
        return Beyond(str(node), 0)
    try:
        commits = read_commits(lab.engine, state.node, since)
        found = [each for each in commits if each.lsn < position.end]
        rows = node.query(
            "SELECT count(*) FROM orders WHERE xmin::text = ANY (%s)",
            ([str(each.xid) for each in found],),
            database="shop",
        )
    except LabError:
        return Beyond(str(node), size)
    return Beyond(str(node), size, tuple(each.at for each in found), int(rows[0][0]))


def _on_disk(lab: Lab, place: Place, state: NodeState) -> Beyond:
    """The same of a server that does not run, read in its machine. Raises LabError."""
    from lab.metrics.measure import Fork
    from lab.postgres.finalread import read_rest

    commits, end = read_rest(lab.engine, place, Fork(state.timeline, state.received))
    size = max(0, end - state.received)
    return Beyond(str(place), size, tuple(each.at for each in commits))


def _ages(context: Context, state: NodeState) -> tuple[Ages, int]:
    """What is known without the old primary; and how much it had named that did not arrive."""
    plan, lab = context.plan, context.lab
    node = lab.databases[plan.new]
    now, heard, complete, announced = node.query(_HEARD)[0]
    found = (_last_commit(lab, plan.new, state, now), complete)
    received = [each for each in found if each is not None]
    signs = {f"{plan.new}'s receiver": heard}
    with suppress(LabError):
        steering = lab.steerings[plan.target].state()
        proofs = [view.proven for view in steering.view.values() if view.proven is not None]
        signs[f"{plan.target.name}'s steering"] = (
            steering.monotonic - max(proofs) if proofs else None
        )
    last = min(((age, by) for by, age in signs.items() if age is not None), default=(None, ""))
    return Ages(min(received, default=None), *last), int(announced or 0)


def _last_commit(lab: Lab, place: Place, state: NodeState, now: float) -> float | None:
    """How long ago the last commit was made that a standby received, also if it is not replayed."""
    from lab.metrics.measure import Fork
    from lab.postgres.finalread import read_rest

    if state.received > state.replayed:
        with suppress(LabError):
            commits, _ = read_rest(lab.engine, place, Fork(state.timeline, state.replayed))
            if commits:
                return now - max(each.at for each in commits).timestamp()
    return state.replay_age


def _accepted(context: Context, loss: str) -> str:
    """A loss that is too much, with its amount, if a person accepted it. Raises Refused."""
    if not context.options["accept_loss"]:
        raise Refused(loss, f"to accept that loss, add {ACCEPTING}")
    return f"{loss}. That loss was accepted (accept_loss)"


STEPS: tuple[Step, ...] = (
    Step(
        name="check-lag",
        title="compare what would be lost with the RPO",
        changes="nothing; stops the runbook if the loss would be greater than allowed, or is"
        " unknown",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="the promotion loses every order that had not arrived",
        breaks="the loss may turn out to be too large after the promotion",
        seconds=0.1,
        command="lab psql {new} -c 'SELECT pg_last_wal_receive_lsn()', and the same on every"
        " other node; compare them",
        makes=check_lag,
        look=True,
        options=(
            Option("rpo", int, _RPO_SECONDS, "longest data-loss window that is allowed", unit="s"),
            Option(
                "accept_loss",
                bool,
                False,
                "continue although the loss exceeds the RPO, or is unknown",
            ),
        ),
        act=_check_lag,
    ),
)
