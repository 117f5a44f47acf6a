"""The block in which verbs have a lab: `with up() as lab:`. It is healed when the block ends."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from lab.core.console import Say
from lab.core.errors import LabError, UsageError
from lab.core.fitting import NAME, Fit, refuse_unfit
from lab.core.interrupts import ended
from lab.drills.byhand import Hands
from lab.drills.drill import HEALING
from lab.drills.execution import Held, held
from lab.drills.row import Drill, without_runbook
from lab.infra import settings
from lab.records import runfolders
from lab.runbooks.runbook import Plan
from lab.runbooks.runbookfile import LIMIT_NAME
from lab.steps.calling import database
from lab.testbed import turns

H = TypeVar("H", bound=Hands)


class Coming(AbstractContextManager[H]):
    """A lab that comes up when its `with` block begins. A verb before that is refused."""

    def __init__(self, kind: type[H], block: AbstractContextManager[H]) -> None:
        self._kind, self._block = kind, block

    def __enter__(self) -> H:
        """Bring the lab up."""
        return self._block.__enter__()

    def __exit__(self, *raised: Any) -> bool | None:
        """Heal the lab."""
        return self._block.__exit__(*raised)

    def __getattr__(self, name: str) -> NoReturn:
        """Tell how the verbs are reached."""
        if hasattr(self._kind, name):
            raise UsageError(f"{name}() needs a lab that is up", f"write: {self._kind.written}")
        raise AttributeError(f"{name!r} is no verb", name=name, obj=self)


def up(
    old: str = "east.db1", new: str = "west.db1", *, seed: int = 1, name: str | None = None
) -> Coming[Hands]:
    """A lab that is up, and healed when the block ends, whatever happens in it.

    `old` is the primary that verbs replace, `new` the node that takes over. Raises UsageError
    for names that are none, before any lab is asked.
    """
    if name is not None:
        refuse_unfit(NAME, name=name)
    script = Path(sys.argv[0])
    title = slug(script.stem).replace("-", " ") or "script"
    drill = by_hand(title, "script", script, old, new)
    return Coming(Hands, _block(drill, refuse_no_seed(seed), settings.chosen_name(name)))


def by_hand(title: str, kind: str, file: Path, old: str, new: str) -> Drill:
    """What a script or a test does step by step, as a drill. Raises UsageError for wrong names.

    A relative path of a runbook starts in the folder of `file`.
    """
    refuse_unfit(NAME, title=title, old=old, new=new)
    plan = Plan(database(old), database(new))
    if plan.old == plan.new:
        raise UsageError(f"{new} cannot take over from itself", 'write up(old="east.db1", new=…)')
    drill = without_runbook(slug(title), title, f"A {kind} does it step by step.", plan)
    return replace(drill, file=file)


def refuse_no_seed(seed: int) -> int:
    """The seed. Raises Unfit for what is none."""
    Fit(int, most=2**63 - 1, example=1).refuse("seed", seed)
    return seed


@contextmanager
def _block(drill: Drill, seed: int, lab_name: str) -> Iterator[Hands]:
    say = Say()
    with (
        turns.exclusive(lab_name, f"run {drill.name}"),
        held(lab_name, say) as lab,
        hands_on(Hands, drill, lab, seed, say) as hands,
    ):
        yield hands


@contextmanager
def hands_on(kind: type[H], drill: Drill, lab: Held, seed: int, say: Say) -> Iterator[H]:
    """The verbs for one run, and healing in the end, whatever happens. Raises LabError without it.

    What is not in order in the end is looked at when the lab is needed again.
    """
    folder = runfolders.new_run(drill.name)
    with runfolders.dropped_if_empty(folder):
        try:
            hands = kind(drill, lab.up(), folder, say, seed)
        except LabError:
            lab.close()
            raise
        try:
            yield hands
        finally:
            ended(lambda: None, hands.end, HEALING)
            if hands.end():
                lab.close()
        if hands.end():
            raise LabError(f"the lab could not be healed: {hands.end()}", "run: lab up")


def slug(title: str) -> str:
    """What a run is called: folders are named after it."""
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(words)[:LIMIT_NAME].strip("-")
