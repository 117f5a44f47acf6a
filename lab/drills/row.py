"""A drill as a row: what happens, what to expect, which runbook is run, how the run is judged."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from lab.core.errors import Unfit, UnknownName
from lab.core.fitting import NAME, Fit
from lab.core.load import Load
from lab.core.steering import Steering
from lab.core.verdict import Objective
from lab.faults.row import Aimed
from lab.runbooks import runbookfile, shipped
from lab.runbooks.runbook import Call, Plan, Runbook
from lab.steps import catalogue
from lab.steps.affirming import BY_HAND

ENDLESS = float("inf")


@dataclass(frozen=True, slots=True)
class Timed:
    """A step at a moment: so many seconds after the faults, or after the runbook's `step` begins.

    With 0 seconds, what this one strikes has struck before that step acts.
    """

    at: float
    call: Call
    step: str = ""

    @property
    def moment(self) -> str:
        """The moment in words: `at 3 s`, `when promote begins`."""
        if not self.step:
            return f"at {self.at:g} s"
        return f"{self.at:g} s after {self.step} begins" if self.at else f"when {self.step} begins"


MOMENT: Final = Fit(float, "s", most=3600, example=3)
LASTING: Final = Fit(float, "s", above=True, most=3600, example=5)
_STEPS: Final = Fit(Call, many=True, written='step("wait", seconds=5)')
_FIELDS: Final[Mapping[str, Fit]] = {
    "name": NAME,
    "title": NAME,
    "situation": NAME,
    "expectations": Fit(str, many=True, filled=True, written='"a sentence"'),
    "faults": Fit(Aimed, many=True, written='fault("region-loss")'),
    "runbook": Fit((str, Runbook), filled=True, written="the name of a runbook, or of its file"),
    "objectives": Fit(Objective, many=True, written='at_most("rto_seconds", 10, "why")'),
    "leads": _STEPS,
    "arrange": _STEPS,
    "meanwhile": Fit(Timed, many=True, written='*later(fault("delay"), at=3)'),
    "afterwards": _STEPS,
    "load": Fit(Load, written="Load(writes_per_second=50)"),
    "steering": Fit(Steering, written="Steering(interval=1, alone=5)"),
    "window": Fit(float, "s", above=True, most=3600, example=5),
    "bound": Fit(float, "s", above=True, most=7 * 86_400, endless=True, example=300),
    "pattern": Fit(str, choices=runbookfile.PATTERNS),
    "by_hand": Fit(bool),
    "one_of": Fit(Aimed, many=True, written='fault("region-loss")'),
    "untold": Fit(bool),
}


@dataclass(frozen=True, slots=True)
class Drill:
    """One drill: what happens, what is expected, what is done about it, what it is judged by.

    The faults strike one right after the other, and the runbook begins with the first of them: its
    first step waits until the fault is noticed. `runbook` is the name of a shipped one, or a file;
    a relative path starts where the drill's `file` is, if it has one. `leads` are done first, under
    load; figures are of what comes after them, once users are served steadily. `arrange` is done
    before the faults, `meanwhile` at moments after them, `afterwards` once users are served again.

    `added` are the faults among them that a command line added, in its words. `by_hand`: a person
    acts instead of the runbook, whose steps are offered one by one. Of the faults in `one_of` the
    seed chooses one. Faults that are `untold` are named by the report alone.

    `window` is for how many seconds service must stay up before the drill counts it as back.
    `bound` is for how many seconds it may last on a machine of usual speed, from the reset to the
    last final read; healing comes after that. It is `ENDLESS` where a user says how long it lasts.
    `expectations` are for the learner, in the order in which they can be checked.
    """

    name: str
    title: str
    situation: str
    expectations: tuple[str, ...]
    faults: tuple[Aimed, ...]
    runbook: str | Runbook
    objectives: tuple[Objective, ...]
    leads: tuple[Call, ...] = ()
    arrange: tuple[Call, ...] = ()
    meanwhile: tuple[Timed, ...] = ()
    afterwards: tuple[Call, ...] = ()
    load: Load = field(default_factory=Load)
    steering: Steering = field(default_factory=Steering)
    window: float = 5.0
    bound: float = 300.0
    pattern: str = "hot-single-writer"
    file: Path | None = None
    added: tuple[str, ...] = ()
    by_hand: bool = False
    one_of: tuple[Aimed, ...] = ()
    untold: bool = False

    def __post_init__(self) -> None:
        """Raise Unfit for a field that cannot mean anything: no lab is emptied for that."""
        for name, fit in _FIELDS.items():
            fit.refuse(name, getattr(self, name))
        _refuse_twice("faults", [str(each) for each in self.faults])
        own = [each for each in self.objectives if each.baseline is None]
        _refuse_twice("objectives", [f"{each.name} {each.comparison.sign}" for each in own])
        late = max((each.at for each in self.meanwhile), default=-math.inf)
        if late >= self.bound:
            raise Unfit(
                "meanwhile", f"has a step at {late:g} s", f"write less than bound: {self.bound:g} s"
            )

    @property
    def named(self) -> str:
        """What `lab drill` calls it: its file, or its name if a package installs it."""
        return str(self.file) if self.file else self.name

    @property
    def book(self) -> Runbook:
        """Its runbook, read if it is named. Raises BadRunbook, UnknownName."""
        if isinstance(self.runbook, Runbook):
            return self.runbook
        folder = self.file.parent if self.file else Path()
        return runbookfile.read(shipped.find(self.runbook, folder), catalogue.vocabulary())

    def read(self) -> Drill:
        """The drill with its runbook read, once, and its objectives in their metrics' units.

        No file is read while users wait. Raises BadRunbook, and UnknownName for a metric or a step.
        """
        from lab.records.metricrows import figure

        known = tuple(replace(each, unit=figure(each.name).unit) for each in self.objectives)
        chosen = replace(self, runbook=self.book, objectives=known)
        chosen.refuse_no_step()
        return chosen

    def refuse_no_step(self) -> None:
        """Raise UnknownName for a moment at a step that the runbook does not have."""
        for step in (each.step for each in self.meanwhile if each.step):
            known = [each.step for each in self.book.steps]
            if step not in known:
                raise UnknownName(f"step in {self.book.name}", step, known)

    @property
    def calls(self) -> tuple[Call, ...]:
        """All that it does; what happens meanwhile comes last."""
        beside = (each.call for each in self.meanwhile)
        return (*self.leads, *self.arrange, *self.acts, *self.afterwards, *beside)

    @property
    def acts(self) -> tuple[Call, ...]:
        """What is done about the faults: the runbook, or what a person does."""
        return (Call(BY_HAND),) if self.by_hand else self.book.steps

    @property
    def recorded_as(self) -> str:
        """What its runs' folders are called."""
        return f"{self.name}-{BY_HAND}" if self.by_hand else self.name

    def of_seed(self, seed: int) -> Drill:
        """The drill with the fault that a seed chooses, if it chooses one."""
        if not self.one_of:
            return self
        chosen = random.Random(seed).choice(self.one_of)  # noqa: S311 - no secret
        return replace(self, faults=(chosen,))

    def played_by_a_person(self) -> Drill:
        """The same drill with a person who acts, without a time limit."""
        return replace(self, by_hand=True, bound=ENDLESS)


def without_runbook(name: str, title: str, situation: str, plan: Plan) -> Drill:
    """What people or scripts do, as the drill that its figures are computed of."""
    return Drill(
        name=name,
        title=title,
        situation=situation,
        expectations=(),
        faults=(),
        runbook=Runbook(name, title, plan, (), ()),
        objectives=(),
    )


def _refuse_twice(field: str, told: Sequence[str]) -> None:
    for word, times in Counter(told).items():
        if times > 1:
            raise Unfit(field, f"cannot hold {word} more than once", "leave one of them out")
