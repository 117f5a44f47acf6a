"""A fault in the middle of a run, as rows of a drill: when it strikes, and when it ends. Pure."""

from __future__ import annotations

from dataclasses import replace

from lab.drills.row import Timed
from lab.faults.row import Aimed
from lab.runbooks.runbook import Call
from lab.steps.arranging import aim_of, call_of

INJECT, HEAL = "inject", "heal"


def timed(call: Call, at: float | str) -> Timed:
    """A step so many seconds after the drill's faults, or when a step of that name begins."""
    return Timed(0.0, call, at) if isinstance(at, str) else Timed(at, call)


def strikes(aimed: Aimed, at: float | str, lasting: float | None = None) -> tuple[Timed, ...]:
    """It strikes at that moment, and ends so many seconds later."""
    struck = timed(call_of(INJECT, aimed), at)
    if lasting is None:
        return (struck,)
    return (struck, replace(struck, at=struck.at + lasting, call=call_of(HEAL, aimed)))


def before(aimed: Aimed) -> tuple[Call, ...]:
    """It is in force, with all of its effect, before the drill's faults strike."""
    growing = aimed.fault.grows(aimed.aim)
    why = f"the effect of {aimed} is whole after that time"
    wait = (Call("wait", {"seconds": growing}, why=why),) if growing else ()
    return (call_of(INJECT, aimed), *wait)


def ends(aimed: Aimed, at: float) -> Timed:
    """It ends so many seconds after the drill's faults."""
    return timed(call_of(HEAL, aimed), at)


def is_strike(call: Call) -> bool:
    """True for what injects a fault: without it the run is another one."""
    return call.step == INJECT


def planned(call: Call) -> str:
    """What was to happen: `partition was to strike`, `heal partition was to come`."""
    of = f" {aim_of(call.options)}" if call.options.get("fault") else ""
    return f"{of.strip()} was to strike" if is_strike(call) else f"{call.step}{of} was to come"
