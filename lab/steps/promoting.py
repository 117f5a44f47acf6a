"""A standby becomes primary, and names lead to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused
from lab.core.lsn import format_lsn
from lab.core.topology import DATABASES, WRITER_NAME, Place, head_name
from lab.core.words import listed
from lab.records.journalfile import Phase, Via
from lab.runbooks.effects import promote, refollow, repoint
from lab.runbooks.facts import (
    ARRIVED,
    CANNOT_COMMIT,
    DECIDED,
    IS_PRIMARY,
    KEEPS_ALL,
    LAG_KNOWN,
    MOST_ADVANCED,
    needs,
)
from lab.runbooks.option import Option
from lab.runbooks.runbook import Harm, Repeats, Step
from lab.runbooks.takeover import heads_after
from lab.steps import gaps
from lab.steps.context import ACCEPTING, READ, UNREAD, Context
from lab.testbed.fences import may_wake_as_primary
from lab.testbed.health import server_is_stopped

if TYPE_CHECKING:
    from lab.postgres.node import Node
    from lab.steps.context import Stand


def _promote(context: Context) -> str:
    """With the standbys that it waits for, and the slots that they need."""
    context.after.begin()
    node = context.lab.databases[context.plan.new]
    with node.kept_open():
        return _promote_at(context, node)


def _promote_at(context: Context, node: Node) -> str:
    looks = context.stands()
    after = context.after(looks)
    if not _forced(context):
        _refuse_beside_a_primary(context, looks)
    told = _with_less_than_others(context, looks)
    names = node.set_synchronous(after.synchronous, None)
    waits = f"synchronous_standby_names = '{names}'"
    told.append(f"{node}: {waits}" if names else f"{node} waits for no standby ({waits})")
    told.append(_promoted(node, looks))
    made = node.ensure_slots(after.standbys_of(context.plan.new))
    slots = "replication slot" + ("s" if len(made) > 1 else "")
    made_now = f"made the {slots} {listed(made)}"
    told.append(made_now if made else "all replication slots that it needs exist")
    return "; ".join(told)


def _promoted(node: Node, looks: Mapping[Place, Stand]) -> str:
    before = looks[node.place][0] if node.place in looks else node.state()
    node.promote()
    after, here = node.stand()
    if after.in_recovery:
        raise LabError(f"{node} is still in recovery after its promotion", f"lab logs {node}")
    if not before.in_recovery:
        return f"{node} was primary already, timeline {after.timeline}"
    # What it had received is not where the new timeline begins: more may have come meanwhile.
    fork = here.forks.get(before.timeline, before.received)
    return f"{node}: timeline {before.timeline} → {after.timeline} at {format_lsn(fork)}"


def _forced(context: Context) -> bool:
    return context.force or bool(context.options["force"])


def _with_less_than_others(context: Context, looks: Mapping[Place, Stand]) -> list[str]:
    """Copies that have more than the one to be promoted, if that was accepted. Raises Refused.

    Asked are those that could be promoted instead: next door, and in the other region as long as
    the plan counts on it. What a lost region has beyond this is a matter of `check-lag`.
    """
    plan, within = context.plan, context.after().members
    if plan.new not in looks or not looks[plan.new][0].in_recovery:
        return []  # it is primary already, or cannot be promoted at all
    rivals = [each for each in looks if each.region is plan.target or each in within]
    more = gaps.ahead(context, looks, rivals)
    if all(each.is_of_a_moment for each in more):
        return [
            f"{each}, all from {plan.old}'s last moment; so small a difference is accepted"
            for each in more
        ]
    if _forced(context) or context.options["accept_loss"]:
        word = "accept_loss" if context.options["accept_loss"] else "force"
        return [*map(str, more), f"that loss was accepted ({word})"]
    better, told = gaps.refusal(more, plan.new)
    raise Refused(
        f"refused: {told}",
        f"{better} can be promoted instead. To promote {plan.new} anyway, add {ACCEPTING}:"
        f" orders that only {better} has are saved to a file before it follows {plan.new}",
    )


def _refuse_beside_a_primary(context: Context, looks: Mapping[Place, Stand]) -> None:
    """The safety net. Raises Refused when another primary would go on taking orders."""
    plan, lab = context.plan, context.lab
    _refuse_beside_a_third(context, looks)
    try:
        if not lab.engine.alive([plan.old]):
            return
        machine = lab.engine.state(plan.old)
        if machine.frozen and not may_wake_as_primary(lab, plan.old):
            return
        state = lab.databases[plan.old].state()
    except LabError as error:
        if _is_stopped(context):
            return
        raise Refused(
            f"refused: {plan.old} may still take orders ({error.message})",
            "fence it first. To cause a split brain on purpose, use --force",
        ) from error
    if state.role == "primary":
        raise Refused(
            f"refused: {plan.old} is alive, primary and not fenced. With {plan.new} promoted, both"
            " would acknowledge orders on two timelines that can never be merged",
            "fence it first. To cause a split brain on purpose, use --force",
        )


def _refuse_beside_a_third(context: Context, looks: Mapping[Place, Stand]) -> None:
    """The runbook may be an old one: a node that it does not name may be primary by now."""
    plan = context.plan
    for place in DATABASES:
        if place in (plan.old, plan.new):
            continue
        if _may_wake(context, place):
            raise Refused(
                f"refused: {place} is frozen and a primary. If {plan.new} is promoted and {place}"
                " resumes, both acknowledge orders",
                f"unfreeze {place} first: lab fault heal freeze --node {place}",
            )
        if place in looks and not looks[place][0].in_recovery:
            raise Refused(
                f"refused: {place} is primary, and this runbook replaces {plan.old}. With"
                f" {plan.new} promoted, both would acknowledge orders",
                f"use a runbook whose `from` is {place}: lab runbook list",
            )


def _may_wake(context: Context, place: Place) -> bool:
    try:
        return may_wake_as_primary(context.lab, place)
    except LabError:  # it is out of reach, as far as this runbook goes
        return False


def _is_stopped(context: Context) -> bool:
    try:
        return server_is_stopped(context.lab, context.plan.old)
    except LabError:
        return False


def _repoint(context: Context) -> str:
    plan, lab = context.plan, context.lab
    if context.options["where"] == "near":
        near, address = plan.target, lab.settings.addresses.inside(plan.new)
        lab.names.publish(near, {WRITER_NAME: address, head_name(near): address})
        return (
            f"{WRITER_NAME} → {plan.new} on {near.name}'s resolver; the other resolver was not"
            " updated"
        )
    delivery = lab.names.point_writer(plan.new, heads_after(plan.lost, context.after()))
    if not delivery.took:
        raise LabError(
            f"no resolver accepted the update of {WRITER_NAME}: {delivery}", "see: lab status"
        )
    return f"{WRITER_NAME} → {plan.new}: {delivery}"


def _refollow(context: Context) -> str:
    """All of the plan's topology, also those behind another one: they may be ahead as well."""
    plan, databases, after = context.plan, context.lab.databases, context.after.anew()
    how = databases.follow_all(after.follows, plan.new, context.keep)
    took = databases.prove(after)
    if not took:
        return _nothing_follows(context)
    behind = after.standbys_of(plan.new)
    twin = next((each for each in behind if each.site == plan.new.site), None)
    if after.synchronous is None and twin is not None:
        databases[plan.new].set_synchronous(twin)
        how.append(f"{plan.new} waits for {twin} from now on")
    return f"{'; '.join(how)}; fresh WAL reaches {', '.join(map(str, took))}"


def _nothing_follows(context: Context) -> str:
    """Raises LabError where another database answers: it should have followed."""
    plan, databases = context.plan, context.lab.databases
    others = (place for place in DATABASES if place not in (plan.old, plan.new))
    if answering := [place for place in others if databases[place].answers()]:
        raise LabError(
            f"no standby follows {plan.new}, and {listed(answering)} could",
            "see what keeps them apart: lab status",
        )
    return f"no other database answers: {plan.new} has no standby"


STEPS: tuple[Step, ...] = (
    Step(
        name="promote",
        title="promote the standby",
        changes="sets {new}'s synchronous names, runs pg_ctl promote, makes slots for its standbys",
        via=Via.OUT_OF_BAND,
        phase=Phase.PROMOTE,
        why="orders need a primary",
        breaks="no order can be taken anywhere; if it comes too early, two databases take orders",
        seconds=0.3,
        command="docker exec CONTAINER pg_ctl promote -w, in {new}'s container",
        makes=promote,
        needs=(
            needs(
                CANNOT_COMMIT,
                "two primaries take orders, and the orders of one of them are lost",
                Harm.DATA,
            ),
            needs(DECIDED, "no decision is on record"),
            needs(LAG_KNOWN, "the loss is unknown"),
            needs(ARRIVED, "acknowledged orders are lost", Harm.DATA, planned=True),
            needs(
                KEEPS_ALL, "orders that the other standby has are lost", Harm.DATA, planned=False
            ),
            needs(MOST_ADVANCED, "orders that another standby has may be lost", planned=False),
        ),
        options=(
            Option("force", bool, False, "promote although another primary is alive"),
            Option(
                "accept_loss", bool, False, "promote although another standby has received more WAL"
            ),
        ),
        act=_promote,
    ),
    Step(
        name="repoint",
        title="re-point the writer",
        changes="writer.lab.test resolves to {new}, on each resolver that can be reached or only"
        " on {target}'s",
        via=Via.OUT_OF_BAND,
        phase=Phase.REPOINT,
        why="shops find the primary by a name",
        breaks="the promoted database gets no writes; if it comes too early, no shop can write",
        seconds=0.1,
        command="an RFC 2136 update of writer.lab.test; look with: lab dig writer",
        makes=repoint,
        repeats=Repeats.OTHERWISE,
        needs=(
            needs(IS_PRIMARY, "shops are sent to a database that takes no writes", Harm.OUTAGE),
        ),
        options=(Option("where", str, "everywhere", "on which resolvers", ("everywhere", "near")),),
        act=_repoint,
    ),
    Step(
        name="refollow",
        title="standbys follow the new primary",
        changes="standbys of {old} follow {new}: re-pointed, or rewound, or rebuilt",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="each standby that follows is one more copy of every order",
        breaks="the other region gets no new orders: if this region is lost next, they are lost"
        " too",
        seconds=1.0,
        makes=refollow,
        needs=(needs(IS_PRIMARY, "there is no primary to follow yet"), READ),
        options=(UNREAD,),
        act=_refollow,
    ),
)
