"""Every step there is, and the one way in which all of them are done."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import lab.steps
from lab.core.errors import UnknownName
from lab.records.journalfile import StepRecord
from lab.runbooks.runbook import Call, Step, told
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


def do(call: Call, context: Context, started: float | None = None) -> StepRecord:
    """Do a step and write it down; it began now, or when `started` says. Raises LabError."""
    row = step(call.step)
    if row.mends:
        context.await_proof()
    chosen = replace(context, options=row.chosen(call.options))
    return context.recorder.step(
        row.name, row.via, row.phase, call.why or told(row.why, context.plan),
        lambda: row.act(chosen), started, prepares=row.prepares,
    )  # fmt: skip


def do_all(calls: Iterable[Call], context: Context, started: float | None = None) -> None:
    """One after the other; the first one began when `started` says, if that is given."""
    for call in calls:
        do(call, context, started)
        started = None
