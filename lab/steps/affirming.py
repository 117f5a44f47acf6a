"""A line of a runbook that a person does: the lab asks, and writes down who affirmed it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from lab.core.errors import Refused
from lab.core.words import seconds
from lab.records.journalfile import Via
from lab.runbooks.lookeffects import affirmed
from lab.runbooks.option import Option
from lab.runbooks.runbook import Repeats, Step

if TYPE_CHECKING:
    from lab.steps.context import Context

BY_HAND: Final = "by-hand"
"""The step in which a person acts."""


def _affirm(context: Context) -> str:
    text, began = str(context.options["text"]), time.monotonic()
    name = context.ask(f"{text}. Is that done?")
    if not name:
        raise Refused(
            f"a person did not affirm: {text}",
            "do what the line says, and run the same command again",
        )
    return f"affirmed by {name} after {seconds(time.monotonic() - began)}: {text}"


STEPS: tuple[Step, ...] = (
    Step(
        name="manual",
        title="ask a person to affirm a line",
        changes="nothing in the lab; a person is asked, and what they affirm is written down, with"
        " who said yes and how long that took",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a team's runbook has lines that no program does: a call, a form, a look at a screen",
        breaks="what only people do is left out of the rehearsal, and so is the time that it takes",
        seconds=0.1,
        makes=affirmed,
        repeats=Repeats.OTHERWISE,
        options=(Option("text", str, "", "what the person does, in one line"),),
        main="text",
        asks=lambda _options: True,
        act=_affirm,
    ),
    Step(
        name=BY_HAND,
        title="let a person act",
        changes="what a person does",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a person who has done it once is quicker the second time",
        breaks="the time to think and to type is in no figure",
        seconds=60.0,
        makes=affirmed,
        of_drills=True,
        act=lambda context: context.person(context),
    ),
)
