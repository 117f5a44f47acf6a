"""Every step there is: the rows that the files of this package hold."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

import lab.steps
from lab.core.errors import UnknownName
from lab.runbooks.runbook import Runbook, Spec
from lab.steps.drillsteps import Step
from lab.steps.row import Ask, Move, agreed


@cache
def moves() -> tuple[Move, ...]:
    """Every row, in the order in which a failover uses them and then by name."""
    found: list[Move] = []
    for module in iter_modules(lab.steps.__path__, "lab.steps."):
        found += getattr(import_module(module.name), "MOVES", ())
    return tuple(sorted(found, key=lambda row: row.name))


def move(name: str) -> Move:
    """The step of that name. Raises UnknownName with the nearest."""
    for row in moves():
        if row.name == name:
            return row
    raise UnknownName("step", name, (row.name for row in moves()))


def specs() -> tuple[Spec, ...]:
    """What is to be known of each."""
    return tuple(row.spec for row in moves())


@cache
def looks() -> frozenset[str]:
    """Names of the steps that only look."""
    return frozenset(row.name for row in moves() if row.spec.look)


def steps_of(
    runbook: Runbook, ask: Ask = agreed, *, force: bool = False, by_hand: bool = False
) -> tuple[Step, ...]:
    """A runbook's steps as a drill does them."""
    return tuple(
        move(call.step).step(call, runbook.plan, ask, force=force, by_hand=by_hand)
        for call in runbook.steps
    )


def names() -> Iterable[str]:
    """Their names."""
    return (row.name for row in moves())
