"""What a run of a runbook asks a person: whether at all, who decides, and before each step."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias

from lab.commands.terminal import say
from lab.core.errors import UsageError, quoted
from lab.drills.runner import Before
from lab.runbooks.runbook import Call, Runbook, told
from lab.steps.catalogue import step
from lab.steps.context import Ask, agreed

Resting: TypeAlias = Callable[[], AbstractContextManager[None]]
"""What lets others have the lab while a person thinks."""


def asking(runbook: Runbook) -> str:
    """The first step that asks a person something; empty without one."""
    rows = ((step(call.step), call) for call in runbook.steps)
    return next((r.name for r, call in rows if r.asks(r.chosen(call.options))), "")


def refuse_without_person(runbook: Runbook, *, yes: bool) -> None:
    """Raise UsageError, before anything is done, where a step asks and there is no terminal."""
    if not yes and not say().interactive and (name := asking(runbook)):
        raise UsageError(
            f"the step {name} asks a person, and there is no terminal",
            "add --yes to agree beforehand; the time that people take is then left out",
        )


def refuse_when_healthy(found: str, *, yes: bool) -> None:
    """A failover from what works makes an outage of its own: a person must want it."""
    if not found or yes:
        return
    if not say().interactive:
        raise UsageError(found, "break something first (lab fault inject …), or add --yes")
    if not say().agrees(f"{found}. Run it anyway?"):
        raise UsageError("nothing was done", "lab runbook run … --scenario rehearses it")


def asker(*, yes: bool, resting: Resting = nullcontext) -> Ask:
    """Who decides where a runbook wants a person to. The lab is `resting` while they think."""
    if yes:
        return agreed
    if not say().interactive:
        return _refuse_to_decide

    def ask(question: str) -> str:
        with resting():
            return "a person" if say().agrees(question) else ""

    return ask


def _refuse_to_decide(question: str) -> str:
    raise UsageError(
        f"no terminal to ask on: {question}",
        "add --yes to agree beforehand",
    )


def shown(runbook: Runbook, number: int, call: Call) -> None:
    """Show a step: what it changes, why, and how it would be typed."""
    row, console = step(call.step), say().console
    plan = row.seen_from(call, runbook.plan)
    console.print(f"\n[bold]{number}. {row.title}[/bold]  ({row.name}, {row.via})")
    console.print(f"   changes  {told(row.changes, plan)}", highlight=False)
    console.print(f"   why      {call.why or told(row.why, runbook.plan)}", highlight=False)
    if row.command:
        typed = say().typed(told(row.command, plan))
        console.print(f"   by hand  {typed}", highlight=False)


def waiting(runbook: Runbook, resting: Resting = nullcontext) -> Before:
    """Show a step, what it changes and how it would be typed, and wait for a person.

    The lab is `resting` meanwhile: others may break and heal it.
    """

    def before(number: int, call: Call) -> None:
        shown(runbook, number, call)
        console, began = say().console, time.monotonic()
        with resting():
            while answer := say().asked("   Enter does it, Ctrl-C stops here "):
                say().note(f" {quoted(answer)} does nothing: Enter alone does the step")
        console.print(f"   you took {time.monotonic() - began:.1f} s", highlight=False)

    return before
