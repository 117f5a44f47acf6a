"""What a drill does beside its runbook: it makes the situation, ends it, and looks at what is left.

No runbook's file may call these rows: an operator breaks nothing, and heals no fault by its name.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING

from lab.core.errors import LabError, UsageError
from lab.core.fitting import NAME, refuse_unfit
from lab.core.topology import DEFAULT_REPLICATION, REGIONS, Place
from lab.core.wait import wait_until
from lab.faults import acting
from lab.faults.catalogue import in_script
from lab.faults.row import Aimed
from lab.postgres import settingnames
from lab.records.journalfile import Via
from lab.runbooks.lookeffects import noted
from lab.runbooks.option import Option, Value
from lab.runbooks.runbook import Call, Step
from lab.steps.calling import database
from lab.steps.context import Context
from lab.testbed import fences

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_NOTICE_SECONDS = 75.0
_THAW_SECONDS = 15.0

_TARGET = (
    Option("link", str, "", "the link that it breaks"),
    Option("node", str, "", "the machine that it breaks"),
    Option("region", str, "", "the region that it breaks"),
    Option("amount", float, 0.0,
           "strength, in the fault's own unit; 0 means the fault's default strength"),
)  # fmt: skip
_AIM = (Option("fault", str, "", "its name, as lab fault list shows it"), *_TARGET)
_ONE_OR_ALL = Option("fault", str, "", "its name; without one, all faults end")


def aim_of(options: Mapping[str, Value]) -> Aimed:
    """The fault that the options of `inject` and `heal` name. Raises UnknownName, UsageError."""
    link, node, region = (str(options.get(each) or "") for each in ("link", "node", "region"))
    amount = float(str(options.get("amount") or 0))
    return in_script(str(options["fault"]), link, node, region, amount or None)


def _aim_or_all(options: Mapping[str, Value]) -> None:
    """Raise UsageError for a target without a fault: all faults end where they are."""
    beside = [name for name in ("link", "node", "region", "amount") if options[name]]
    if options["fault"]:
        aim_of(options)
    elif beside:
        raise UsageError(f"heal names {beside[0]} and no fault", f"leave {beside[0]} out")


def _setting_of(options: Mapping[str, Value]) -> tuple[Place, str, str]:
    """What `configure` is to set, and where. Raises UsageError."""
    refuse_unfit(NAME, **{name: options[name] for name in ("node", "setting", "value")})
    settingnames.refuse_unset(name := str(options["setting"]))
    return database(str(options["node"])), name, str(options["value"])


def call_of(step: str, aimed_at: Aimed, why: str = "") -> Call:
    """The call of `inject` or `heal` that names a fault as it is pointed."""
    aim = aimed_at.aim
    told: dict[str, Value] = {
        "fault": aimed_at.name,
        "link": aim.links[0].name if aim.links != aimed_at.fault.default.links else "",
        "node": str(aim.node) if aim.node else "",
        "region": aim.region.name if aim.region else "",
        "amount": aim.amount or 0.0,
    }
    return Call(step, {name: value for name, value in told.items() if value}, why=why)


def _inject(context: Context) -> str:
    return str(acting.inject(context.whole, aim_of(context.options), context.struck))


def _heal(context: Context) -> str:
    if context.options["fault"]:
        return str(acting.heal(context.whole, aim_of(context.options)))
    return "; ".join(map(str, acting.heal_all(context.whole))) or "no fault was in force"


def _hold_steering(context: Context) -> str:
    pin_home(context.lab, context.by)
    return "both steerings are pinned to their own region: only the runbook changes DNS names"


def pin_home(lab: Lab, by: str) -> None:
    """Pin each steering to its own region: names stay so until a runbook changes them."""
    for each in REGIONS:
        lab.steerings[each].pin(each, by)


def _wait_for_no_standby(context: Context) -> str:
    old = context.lab.databases[context.plan.old]
    old.set_synchronous(None)
    return f"{old} acknowledges as soon as an order is on its own disk"


def _configure(context: Context) -> str:
    """It lasts until the lab is reset, which puts the data directories back."""
    place, name, value = _setting_of(context.options)
    node = context.whole.databases[place]
    if not node.query("SELECT 1 FROM pg_settings WHERE name = %s", (name,)):
        raise UsageError(f"PostgreSQL has no setting {name!r}", f"see them: lab psql {node}")
    node.query(f"ALTER SYSTEM SET {name} = '{value}'")
    node.reload()
    return f"{node}: {name} = {node.query(f'SHOW {name}')[0][0]}"


def _thaw(context: Context) -> str:
    lab, old = context.whole, context.plan.old
    lab.engine.thaw([old])
    wait_until(f"{old} to resume", lab.databases[old].answers, _THAW_SECONDS)
    state = lab.databases[old].state()
    return f"{old} resumed in its old role: {state.role} on timeline {state.timeline}"


def _prove_fence(context: Context) -> str:
    said = fences.intrude(context.whole, context.plan.old)
    if said == fences.COMMITTED:
        raise LabError(f"{context.plan.old} is not fenced: it acknowledged an order")
    return f"an order sent directly to {context.plan.old}: {said}; it was not acknowledged"


def _time_notice(context: Context) -> str:
    """The fault strikes, and the standby's own view is clocked until its upstream is gone."""
    lab, standby, kind = context.whole, context.plan.new, aim_of(context.options)

    def receiver() -> str:
        return lab.databases[standby].state().receiver

    wait_until(f"{standby} to stream", lambda: "streaming" in receiver(), 30, ignoring=(LabError,))
    strike = kind.arm(lab)
    began = time.monotonic()
    strike()
    wait_until(
        f"{standby} to notice that its upstream is gone",
        lambda: not receiver(),
        _NOTICE_SECONDS,
        ignoring=(LabError,),
    )
    took = time.monotonic() - began
    acting.heal(lab, kind)
    return f"{kind}: {standby} noticed after {took:.2f} s"


def _prove_order(context: Context) -> str:
    left = acting.in_force(context.whole)
    if left:
        raise LabError(f"still in force: {', '.join(map(str, left))}")
    took = context.whole.databases.prove(DEFAULT_REPLICATION)
    return f"no fault in force; fresh WAL reaches {', '.join(map(str, took))}"


STEPS: tuple[Step, ...] = (
    Step(
        name="inject",
        title="inject a fault",
        changes="the fault is in force, and a probe has seen its effect",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="faults that are in force when the next one comes decide how much it costs",
        breaks="the situation is not the one that the drill is about",
        seconds=1.0,
        makes=noted("injected"),
        act=_inject,
        options=_AIM,
        fits=aim_of,
        of_drills=True,
    ),
    Step(
        name="heal",
        title="heal a fault, or all",
        changes="the fault is over, and a probe has confirmed that",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="the next step must start without this fault",
        breaks="the next step runs while this fault is still in force",
        seconds=2.0,
        makes=noted("healed"),
        act=_heal,
        options=(_ONE_OR_ALL, *_TARGET),
        fits=_aim_or_all,
        of_drills=True,
    ),
    Step(
        name="hold-steering",
        title="keep users in their own region",
        changes="both steerings are pinned: health checks do not move users",
        via=Via.IN_BAND,
        phase=None,
        why="health checks must not move users while the runbook moves them",
        breaks="health checks move users before the runbook does",
        seconds=0.1,
        makes=noted("held-steering"),
        act=_hold_steering,
        of_drills=True,
    ),
    Step(
        name="wait-for-no-standby",
        title="acknowledge without a standby",
        changes="{old} waits for no standby before it acknowledges an order",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="without a synchronous standby, the drill shows what one protects against",
        breaks="every order waits for the standby in the other zone",
        seconds=0.1,
        makes=noted("asynchronous"),
        act=_wait_for_no_standby,
        of_drills=True,
    ),
    Step(
        name="configure",
        title="change a setting of PostgreSQL",
        changes="the node uses the new value, until the next reset of the lab",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="with a value shorter than the default, the effect shows sooner",
        breaks="the effect comes only after PostgreSQL's default time",
        seconds=0.2,
        makes=noted("configured"),
        act=_configure,
        options=(
            Option("node", str, "", "which database"),
            Option("setting", str, "", "the setting's name"),
            Option("value", str, "", "its value, with a unit that PostgreSQL accepts"),
        ),
        fits=_setting_of,
        of_drills=True,
    ),
    Step(
        name="thaw",
        title="thaw {old}",
        changes="{old}'s frozen machine resumes in its old role",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a machine that resumes does not know that time has passed: it still acts as primary",
        breaks="the drill does not show what a returning primary does",
        seconds=1.0,
        makes=noted("thawed"),
        act=_thaw,
        of_drills=True,
    ),
    Step(
        name="prove-fence",
        title="prove the fence",
        changes="nothing; the step fails if {old} acknowledges an order that is sent directly to"
        " it",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a fence counts only if a session that declares itself read-write cannot commit",
        breaks="the drill trusts a fence that does not work",
        seconds=0.5,
        makes=noted("fence-proven"),
        act=_prove_fence,
        look=True,
        of_drills=True,
    ),
    Step(
        name="time-notice",
        title="measure how soon a standby notices a fault",
        changes="the fault strikes and ends; the step measures how long {new} takes to notice it",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="one kind of cut ends connections, another leaves them silent",
        breaks="there is nothing to compare the other kind with",
        seconds=2.0,
        makes=noted("timed"),
        act=_time_notice,
        options=_AIM,
        fits=aim_of,
        of_drills=True,
    ),
    Step(
        name="prove-order",
        title="prove that nothing is broken",
        changes="nothing; no fault may be in force, and every standby must receive fresh WAL",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a fault that is left over mixes with the effect of the next one",
        breaks="effects of this fault are taken for effects of the next one",
        seconds=1.0,
        makes=noted("order-proven"),
        act=_prove_order,
        look=True,
        of_drills=True,
    ),
)
