"""A drill in which a person acts: what they are told, and what they may type at the prompt."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from lab.commands.runbook.questions import shown
from lab.commands.terminal import say
from lab.core.errors import LabError
from lab.core.words import count, seconds
from lab.drills import drill, evaluate
from lab.drills.execution import Plan, Played
from lab.drills.livepanel import PlainLines
from lab.drills.row import Drill
from lab.records import runfolders
from lab.records.journalfile import PASSED_OVER, Mark
from lab.steps import catalogue
from lab.steps.context import Context

if TYPE_CHECKING:
    from lab.testbed.lab import Lab
    from lab.testbed.turns import Turn

_PROMPT: Final = "by hand> "


def play(plan: Plan, lab: Lab, folder: Path, turn: Turn) -> Played:
    """Run the drill once with a person who acts; result.json and report.html are written."""
    chosen, console, seed = plan.judged, say().console, plan.seed
    lines = _Untold(console) if chosen.untold else PlainLines(console)
    person = Person(chosen, lambda: turn.rest(say()))
    recorded = drill.run(chosen, lab, folder, seed, (lines,), person=person)
    with say().step("classifying every operation, measuring, writing the report"):
        found = evaluate.evaluate(_told(chosen), recorded, lab, folder, seed, plan.command(seed))
    if (automatic := _newest_run_of(chosen.name)) is not None:
        say().note(f"beside its runbook: lab report --compare {automatic} {folder.name}")
    return Played(found, recorded.unhealed)


def _newest_run_of(drill_name: str) -> str | None:
    runs = [each for each in runfolders.names() if each.endswith(f"Z-{drill_name}")]
    return runs[-1] if runs else None


def _told(chosen: Drill) -> Drill:
    """The drill as its report names it."""
    if not chosen.untold:
        return replace(chosen, title=f"{chosen.title} (by hand)")
    return replace(chosen, title=f"{chosen.title}: {', '.join(map(str, chosen.faults))}")


class _Untold(PlainLines):
    """Says when something broke, and not what."""

    def marked(self, mark: Mark) -> None:
        """A moment, without how it was seen."""
        super().marked(replace(mark, note=""))


@dataclass
class Person:
    """The prompt of a drill by hand. The lab is others' while the person thinks.

    `hints` counts those that were asked for; `done` are the steps that were done here.
    """

    chosen: Drill
    resting: Callable[[], AbstractContextManager[None]]
    hints: int = 0
    done: int = 0
    began: float = field(default_factory=time.monotonic)

    def __call__(self, context: Context) -> str:
        """Let them act until they are done; what is to be written down of that."""
        self.began = time.monotonic()
        self.help(context)
        while (word := self._asked()) != "done":
            act = VERBS.get(word)
            if act is None:
                say().note(f"nothing is called {word!r} here: {', '.join([*VERBS, 'done'])}")
                continue
            try:
                act(self, context)
            except LabError as error:
                say().error(str(error))
        took = seconds(time.monotonic() - self.began)
        return f"done after {took}: {count(self.done, 'step')} here, {count(self.hints, 'hint')}"

    def _asked(self) -> str:
        with self.resting():
            return say().asked(_PROMPT).strip().lower()

    def help(self, _context: Context) -> None:
        """Say what can be done."""
        say().note(
            "Act now. In another terminal: lab status, lab runbook run, lab psql, docker. Here:"
            " step (do the next step of the runbook), hint, status, help; and done when users are"
            " served again."
        )

    def status(self, context: Context) -> None:
        """What the lab is now."""
        from lab.status import look, panels

        say().console.print(panels.status(look.look(context.whole), say().typed))

    def hint(self, _context: Context) -> None:
        """The next step of the runbook, and how a person would do it."""
        self.hints += 1
        if self.done == len(self.chosen.book.steps):
            say().note("the runbook has no more steps; if users are served, say done")
            return
        shown(self.chosen.book, self.done + 1, self.chosen.book.steps[self.done])

    def step(self, context: Context) -> None:
        """Do the next step of the runbook."""
        steps = self.chosen.book.steps
        if self.done == len(steps):
            say().note("the runbook has no more steps; if users are served, say done")
            return
        catalogue.do(steps[self.done], context, failing=PASSED_OVER)
        self.done += 1


VERBS: Final[Mapping[str, Callable[[Person, Context], None]]] = {
    "step": Person.step,
    "hint": Person.hint,
    "status": Person.status,
    "help": Person.help,
}
"""What may be typed, beside `done`."""
