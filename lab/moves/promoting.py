"""A standby becomes primary, and names lead to it."""

from __future__ import annotations

from lab import steps
from lab.effects import promote, refollow, repoint
from lab.errors import LabError, Refused
from lab.facts import CANNOT_COMMIT, DECIDED, IS_PRIMARY, LAG_KNOWN, needs
from lab.fences import may_wake_as_primary
from lab.moves.row import Deed, Move
from lab.record import Phase, Via
from lab.runbook import Harm, Option, Spec
from lab.topology import DATABASES, Place


def _promote(deed: Deed) -> str:
    """With the standbys that it waits for, and the slots that they need."""
    plan, context = deed.plan, deed.context
    if not deed.force and not deed.options["force"]:
        _refuse_beside_a_primary(deed)
    done = (each.act(context) for each in (steps.SYNCHRONOUS, steps.PROMOTE, steps.SLOTS))
    return f"{plan.new}: {'; '.join(done)}"


def _refuse_beside_a_primary(deed: Deed) -> None:
    """The safety net. Raises Refused when another primary would go on taking orders."""
    plan, lab = deed.plan, deed.context.lab
    _refuse_beside_a_third(deed)
    try:
        machine = lab.engine.state(plan.old)
        if machine.stopped or (machine.frozen and not may_wake_as_primary(lab, plan.old)):
            return
        state = lab.databases[plan.old].state()
    except LabError as error:
        if _is_stopped(deed):
            return
        raise Refused(
            f"refused: {plan.old} may still take orders ({error.message})",
            f"fence it first, or see what happens: --force promotes {plan.new} beside it",
        ) from error
    if state.role == "primary":
        raise Refused(
            f"refused: {plan.old} is alive, primary and not fenced. With {plan.new} promoted, both"
            " would acknowledge orders on two timelines that can never be merged",
            "fence it first, or see it happen: --force",
        )


def _refuse_beside_a_third(deed: Deed) -> None:
    """The runbook may be an old one: a node that it does not name may be primary by now."""
    plan, lab = deed.plan, deed.context.lab

    primaries = lab.databases.primaries()
    for place in DATABASES:
        if place in (plan.old, plan.new):
            continue
        if _may_wake(deed, place):
            raise Refused(
                f"refused: {place} is frozen and a primary. With {plan.new} promoted, it would"
                " acknowledge orders beside it when it goes on",
                f"end that first: lab fault heal freeze --node {place}",
            )
        if place in primaries:
            raise Refused(
                f"refused: {place} is primary, and this runbook replaces {plan.old}. With"
                f" {plan.new} promoted, both would acknowledge orders",
                f"a runbook that begins at {place} is wanted: lab runbook list",
            )


def _may_wake(deed: Deed, place: Place) -> bool:
    try:
        return may_wake_as_primary(deed.context.lab, place)
    except LabError:  # it is out of reach, as far as this runbook goes
        return False


def _is_stopped(deed: Deed) -> bool:
    try:
        return deed.context.lab.engine.run_code(deed.plan.old, ["pg_ctl", "status"])[0] == 3
    except LabError:
        return False


def _repoint(deed: Deed) -> str:
    if deed.options["where"] == "everywhere":
        return steps.REPOINT.act(deed.context)
    from lab import scenes

    return scenes.REPOINT_NEAR.act(deed.context)


def _refollow(deed: Deed) -> str:
    """Those of the plan's topology who do not follow the new primary yet."""
    plan, databases, after = deed.plan, deed.context.lab.databases, deed.context.takeover.after
    arrows = [each for each in after.follows if each.upstream == plan.new]
    how = [f"{each.standby} {databases.follow(each, plan.new)}" for each in arrows]
    took = databases.prove(after)
    twin = next((each.standby for each in arrows if each.standby.site == plan.new.site), None)
    if after.synchronous is None and twin is not None:
        databases[plan.new].set_synchronous(twin)
        how.append(f"{plan.new} waits for {twin} from now on")
    return f"{'; '.join(how)}; fresh WAL reaches {', '.join(map(str, took)) or 'no standby'}"


MOVES = (
    Move(
        Spec(
            name="promote",
            title="promote the standby",
            changes="{new}: synchronous names set, pg_ctl promote, slots for its standbys made",
            via=Via.OUT_OF_BAND,
            phase=Phase.PROMOTE,
            why="orders need a primary",
            breaks="no order can be taken anywhere; too early, two databases take them",
            seconds=0.3,
            command="lab psql {new} -c 'SELECT pg_promote()'",
            makes=promote,
            needs=(
                needs(
                    CANNOT_COMMIT, "two primaries take orders, and one side's are lost", Harm.DATA
                ),
                needs(DECIDED, "no decision is on record"),
                needs(LAG_KNOWN, "the loss is unknown"),
            ),
            options=(Option("force", bool, False, "promote beside a primary that is alive"),),
        ),
        _promote,
    ),
    Move(
        Spec(
            name="repoint",
            title="re-point the writer",
            changes="writer.lab.test leads to {new}, on each resolver in reach or on the near one",
            via=Via.OUT_OF_BAND,
            phase=Phase.REPOINT,
            why="shops find the primary by a name",
            breaks="the promoted database gets no writes; too early, no shop can write at all",
            seconds=0.1,
            command="an RFC 2136 update of writer.lab.test; look with: lab dig writer",
            makes=repoint,
            needs=(
                needs(IS_PRIMARY, "shops are sent to a database that takes no writes", Harm.OUTAGE),
            ),
            options=(
                Option("where", str, "everywhere", "on which resolvers", ("everywhere", "near")),
            ),
        ),
        _repoint,
    ),
    Move(
        Spec(
            name="refollow",
            title="standbys follow the new primary",
            changes="who followed {old} follows {new}: re-pointed, or rewound, or rebuilt",
            via=Via.OUT_OF_BAND,
            phase=None,
            why="the next fault finds as many copies of an order as there are standbys that follow",
            breaks="the other region stays where it was, and the next loss costs all since then",
            seconds=1.0,
            makes=refollow,
            needs=(needs(IS_PRIMARY, "there is no primary to follow yet"),),
        ),
        _refollow,
    ),
)
