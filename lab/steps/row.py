"""A step as a row: its `Spec`, which is all that thinking about it needs, and how it is done.

A few of them per file of this package, in `MOVES`: that is all it takes to add one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from lab.core.errors import LabError
from lab.core.topology import DATABASES, Place
from lab.runbooks.facts import needs
from lab.runbooks.runbook import Call, Fact, Harm, Option, Plan, Spec, Value, told
from lab.steps.drillsteps import Context, Step

if TYPE_CHECKING:
    from lab.core.lineage import Position
    from lab.postgres.salvage import Keep
    from lab.postgres.server import NodeState

    Stand: TypeAlias = tuple[NodeState, Position]

Ask = Callable[[str], str]
"""Puts a question to a person: in whose name it was agreed to; empty for a no."""


def agreed(_question: str) -> str:
    """Answers without a question: agreed beforehand."""
    return "the command (--yes, or a rehearsal)"


UNREAD = Option("accept_unread", bool, False, "give up unread what cannot be read of a node")
_KEPT = Fact(
    "exported", "what a node alone has is kept", lambda world, _plan: "exported" in world.done
)
READ = needs(
    _KEPT, "orders that a node alone has are thrown away unread", Harm.DATA, accept_unread=False
)
"""An option of all steps that give up what a node has, and what they need where it is chosen."""
ACCEPTING = "--accept-loss (or `accept_loss: true` in the file)"
"""How a person says that a loss is accepted."""


@dataclass(frozen=True, slots=True)
class Deed:
    """What a step is done with: the lab as it can be reached, the plan, the options, a person.

    `by_hand`: a person has seen this step and confirmed it.
    """

    context: Context
    plan: Plan
    options: Mapping[str, Value]
    ask: Ask = agreed
    force: bool = False
    by_hand: bool = False

    @property
    def keep(self) -> Keep:
        """What nodes alone have goes to the run's folder before a step gives it up."""
        from lab.postgres.salvage import Keep

        unread = bool(self.options[UNREAD.name])
        return Keep(self.context.recorder.folder, unread)

    def stands(self, places: Iterable[Place] = DATABASES) -> dict[Place, Stand]:
        """What databases say of themselves and where they stand, of those that answer: one look."""
        lab, asked = self.context.lab, tuple(places)

        def look(place: Place) -> Stand | None:
            with suppress(LabError):
                return lab.databases[place].stand()
            return None

        found = zip(asked, lab.engine.each(asked, look), strict=True)
        return {place: each for place, each in found if each is not None}

    def number(self, option: str) -> int:
        """An option that is a whole number."""
        return int(str(self.options[option]))


@dataclass(frozen=True, slots=True)
class Move:
    """One row. `act` makes true what the step is for, or raises LabError; it gives its evidence.

    `mends` as in `Step`.
    """

    spec: Spec
    act: Callable[[Deed], str]
    mends: bool = False

    @property
    def name(self) -> str:
        """The name that a runbook calls it by."""
        return self.spec.name

    def step(
        self,
        call: Call,
        plan: Plan,
        ask: Ask = agreed,
        *,
        force: bool = False,
        by_hand: bool = False,
    ) -> Step:
        """The step of a drill that this is, once a runbook has called it."""
        options = self.spec.chosen(call.options)
        return Step(
            name=self.spec.name,
            via=self.spec.via,
            phase=self.spec.phase,
            why=told(self.spec.why, plan),
            act=lambda context: self.act(Deed(context, plan, options, ask, force, by_hand)),
            mends=self.mends,
            prepares=self.spec.prepares,
        )
