"""Every step there is, and the one way in which all of them are done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import lab.steps
from lab.core.errors import EngineGone, FaultUnseen, LabError, TooBusy, UnknownName
from lab.core.wait import pause
from lab.records.journalfile import FAILED, PASSED_OVER, RETRIED, Phase, StepRecord
from lab.runbooks.runbook import Call, Step, after_failure, told
from lab.steps.context import Context


@cache
def steps() -> tuple[Step, ...]:
    """Every row, by name: whatever a module of this package keeps in `STEPS`."""
    found: list[Step] = []
    for module in iter_modules(lab.steps.__path__, "lab.steps."):
        found += getattr(import_module(module.name), "STEPS", ())
    return tuple(sorted(found, key=lambda row: row.name))


def step(name: str) -> Step:
    """The step of that name. Raises UnknownName with the nearest."""
    for row in steps():
        if row.name == name:
            return row
    raise UnknownName("step", name, (row.name for row in steps()))


@cache
def vocabulary() -> tuple[Step, ...]:
    """The rows that a runbook's file may call."""
    return tuple(row for row in steps() if not row.of_drills)


@cache
def of_drills() -> tuple[Step, ...]:
    """The rows that drills alone may call."""
    return tuple(row for row in steps() if row.of_drills)


@cache
def looks() -> frozenset[str]:
    """Names of the steps that only look."""
    return frozenset(row.name for row in steps() if row.look)


def looks_again(*, changed: bool) -> frozenset[str]:
    """Names of the steps that a run that was cut does again when it goes on.

    Once it has `changed` something, what it noticed lies behind it: that may be mended by now.
    """
    return frozenset(
        row.name for row in steps() if row.look and not (changed and row.phase is Phase.DETECT)
    )


_RETRY_SECONDS = 1.0
_NO_FAILURE_OF_A_STEP = (FaultUnseen, TooBusy, EngineGone)
"""What ends a run: a fault without an effect, a machine that is too busy, a lost engine."""


def do(
    call: Call, context: Context, started: float | None = None, failing: str = FAILED
) -> StepRecord:
    """Do a step and write it down; it began now, or when `started` says. Raises LabError.

    `failing` is the word for its outcome if it fails.
    """
    row = step(call.step)
    if row.mends:
        context.await_proof()
    chosen = replace(context, options=row.chosen(call.options))

    def act() -> str:
        context.begins(row.name)
        return row.act(chosen)

    return context.recorder.step(
        row.name, row.via, row.phase, call.why or told(row.why, context.plan),
        act, started, prepares=row.prepares, failing=failing,
    )  # fmt: skip


def attempt(call: Call, context: Context, started: float | None = None) -> StepRecord | None:
    """Do a step, as often as its call says; None when it failed and the runbook goes on.

    Raises LabError when it failed and the runbook stops.
    """
    for _ in range(call.retry):
        try:
            return do(call, context, started, RETRIED)
        except _NO_FAILURE_OF_A_STEP:
            raise
        except LabError:
            pause(_RETRY_SECONDS)
            started = None
    if not call.may_fail:
        return do(call, context, started)
    try:
        return do(call, context, started, PASSED_OVER)
    except _NO_FAILURE_OF_A_STEP:
        raise
    except LabError:
        return None


def do_all(calls: Iterable[Call], context: Context, started: float | None = None) -> None:
    """One after the other; the first one began when `started` says, if that is given."""
    number, every = 0, tuple(calls)
    while number < len(every):
        done = attempt(every[number], context, started)
        number = after_failure(every, number) if done is None else number + 1
        started = None
