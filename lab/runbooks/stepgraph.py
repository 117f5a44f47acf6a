"""A runbook as a graph: which step makes true what another one needs. Pure.

The edges are found by playing the runbook on the model, so they may differ between situations:
a dead primary needs no step that keeps it from committing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass

from lab.runbooks.checkup import Checked, Went, Word, check
from lab.runbooks.model import World
from lab.runbooks.option import Value
from lab.runbooks.predict import End
from lab.runbooks.runbook import UNSAFE, Call, Fact, Plan, Runbook, Step, Stuck, told
from lab.runbooks.scenarios import Scenario

BEGINNING = 0
"""Who makes true what was so before the first step."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What a step needs, and the number of the step that makes it true; None if none does.

    `violated` says that it was not true in time; `consequence` is what comes of that.
    """

    says: str
    maker: int | None
    violated: bool = False
    consequence: str = ""
    unsafe: bool = False

    @property
    def origin(self) -> str:
        """Where it comes from, in words."""
        if self.maker is None:
            return "nothing makes it true in time"
        if self.maker == BEGINNING:
            return "true from the beginning"
        return f"made true by step {self.maker}" + (": too late" if self.violated else "")


@dataclass(frozen=True, slots=True)
class Node:
    """A step with its number, from 1, and what it needs."""

    number: int
    went: Went
    edges: tuple[Edge, ...]

    @property
    def word(self) -> Word:
        """How it goes."""
        return self.went.word

    @property
    def unsafe(self) -> bool:
        """True when it is here that harm is done."""
        return self.word is Word.CANNOT or any(each.unsafe for each in self.edges)


@dataclass(frozen=True, slots=True)
class Graph:
    """A runbook in one situation. `lacking` is what is wrong in the end, in sentences."""

    runbook: Runbook
    scenario: Scenario
    nodes: tuple[Node, ...]
    end: End
    lacking: tuple[str, ...]

    def __str__(self) -> str:
        """All of it in words, for who cannot see it."""
        steps = (f"{each.number} {each.went.call}: {_told(each)}" for each in self.nodes)
        return ". ".join([*steps, "; ".join([f"The end: {self.end}", *self.lacking])]) + "."

    def as_json(self) -> dict[str, object]:
        """All of it as data."""
        return {
            "scenario": self.scenario.name,
            "end": self.end,
            "lacking": self.lacking,
            "steps": [
                {
                    "number": each.number,
                    "step": each.went.call.step,
                    "word": each.word,
                    "reason": each.went.reason,
                    "needs": [asdict(edge) for edge in each.edges],
                }
                for each in self.nodes
            ],
        }


def _told(node: Node) -> str:
    needs = (
        f"needs that {each.says}, {each.origin}{f', {each.consequence}' if each.violated else ''}"
        for each in node.edges
    )
    return "; ".join(filter(None, [node.word, node.went.reason, *needs]))


def options_of(call: Call) -> str:
    """What a step is told, as a runbook says it."""
    return ", ".join(f"{name}: {said(value)}" for name, value in call.options.items())


def said(value: Value) -> str:
    """An option's value as a runbook says it."""
    if isinstance(value, tuple):
        return f"[{', '.join(map(str, value))}]"
    return str(value).lower() if isinstance(value, bool) else str(value)


def graph(runbook: Runbook, specs: Iterable[Step], scenario: Scenario) -> Graph:
    """A runbook's steps and what they need, as they go in a situation."""
    rows = {each.name: each for each in specs}
    [checked] = check(runbook, rows.values(), [scenario]).checked
    course = _Course(runbook, rows, _worlds(checked))
    nodes = (
        Node(number, went, tuple(course.edges(number, went)))
        for number, went in enumerate(checked.steps, 1)
    )
    return Graph(runbook, scenario, tuple(nodes), checked.prediction.vector.end, _lacking(checked))


def _lacking(checked: Checked) -> tuple[str, ...]:
    missing = (each.sentence for each in checked.missing)
    return tuple(filter(None, [*missing, checked.ending]))


def _worlds(checked: Checked) -> tuple[World, ...]:
    """The one before the first step and those after each; a step that is not reached makes none."""
    worlds = checked.prediction.worlds
    return worlds + worlds[-1:] * (len(checked.steps) + 1 - len(worlds))


_Holds = Callable[[World], bool]


def _holding(fact: Fact, plan: Plan) -> _Holds:
    return lambda world: fact.holds(world, plan)


@dataclass(frozen=True, slots=True)
class _Course:
    """A runbook as it was played: `worlds` are the one before the first step, and after each."""

    runbook: Runbook
    rows: Mapping[str, Step]
    worlds: Sequence[World]

    def edges(self, number: int, went: Went) -> Iterator[Edge]:
        """A step that changes nothing breaks nothing by being where it is."""
        row = self.rows[went.call.step]
        plan = row.seen_from(went.call, self.runbook.plan)
        reached = went.word is not Word.NOT_REACHED
        for each in row.needed(went.call, self.worlds[number - 1]) if reached else ():
            says, holds = told(each.fact.says, plan), _holding(each.fact, plan)
            if holds(self.worlds[number - 1]):
                yield Edge(says, self._made_before(holds, number))
            elif went.word is not Word.NOT_NEEDED:
                late, consequence = self._made_after(holds, number), told(each.otherwise, plan)
                yield Edge(says, late, True, consequence, each.harm in UNSAFE)

    def _made_before(self, holds: _Holds, number: int) -> int:
        """The last step before one that made true what was not."""
        made = (step for step in range(number - 1, 0, -1) if self._makes(holds, step))
        return next(made, BEGINNING)

    def _made_after(self, holds: _Holds, number: int) -> int | None:
        """The first step after one that makes it true, or would have, had it come in time."""
        later = range(number + 1, len(self.worlds))
        made = (step for step in later if self._makes(holds, step))
        return next(made, next((s for s in later if self._would_make(holds, s, number)), None))

    def _makes(self, holds: _Holds, step: int) -> bool:
        before, after = self.worlds[step - 1 : step + 1]
        return holds(after) and not holds(before)

    def _would_make(self, holds: _Holds, step: int, number: int) -> bool:
        """Whether a step makes it true when it is done in place of another one."""
        call, plan = self.runbook.steps[step - 1], self.runbook.plan
        row = self.rows[call.step]
        with suppress(Stuck):
            states = row.makes(self.worlds[number - 1], plan, row.chosen(call.options))
            return holds(states[-1])
        return False
