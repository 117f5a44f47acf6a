"""What a step works with: a lab as a runbook reaches it, the plan, the options, a person to ask."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from lab.core.errors import LabError, Refused
from lab.core.topology import DATABASES, REGIONS, Place, Region, Replication, link
from lab.runbooks.facts import needs
from lab.runbooks.option import Option, Value
from lab.runbooks.runbook import Fact, Harm, Plan
from lab.runbooks.takeover import topology_after
from lab.testbed.health import reachable

if TYPE_CHECKING:
    from lab.core.lineage import Position
    from lab.postgres.salvage import Keep
    from lab.postgres.server import NodeState
    from lab.testbed.journalwriter import Recorder
    from lab.testbed.lab import Lab

    Stand: TypeAlias = tuple[NodeState, Position]

Ask = Callable[[str], str]
"""Puts a question to a person: in whose name it was agreed to; empty for a no."""


def agreed(_question: str) -> str:
    """Answers without a question: agreed beforehand."""
    return "the command itself, without a question"


UNREAD = Option(
    "accept_unread",
    bool,
    False,
    "continue although some of a node's orders cannot be read; they are lost",
)
_KEPT = Fact(
    "exported",
    "orders that exist only on this node are saved",
    lambda world, _plan: "exported" in world.done,
)
READ = needs(
    _KEPT,
    "orders that exist only on this node are deleted before they are saved to a file",
    Harm.DATA,
    accept_unread=False,
)
"""An option of all steps that give up what a node has, and what they need where it is chosen."""
ACCEPTING = "--accept-loss (or `accept_loss: true` in the file)"
"""How a person says that a loss is accepted."""


Person: TypeAlias = "Callable[[Context], str]"
"""Lets a person act until they are done; what they said in the end."""


def no_person(_context: Context) -> str:
    """No person is there to act."""
    raise Refused("no person acts in this run", "run it with --manual, in a terminal")


def _nothing_to_prove() -> None:
    """A runbook on the lab as it stands has no fault of its own."""


def _nothing_to_do(_step: str) -> None:
    """Nothing is to happen when a step begins."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a step works with.

    `lab` is what a runbook can reach, which a fault may have made less than everything; `whole`
    is the lab as the drill itself reaches it, to break and to heal. `after` gives the topology to
    end in. `options` are those of the step that is done now. `by_hand`: a
    person has seen this step and confirmed it. `await_proof` waits until the effect of the drill's
    faults has been seen, and raises FaultUnseen when it was not. `begins` gets the name of each
    step before the step acts. A step that injects a fault calls `struck` when the
    fault has struck, and looks for the proof afterwards. `person` acts where people do. `run` is
    the name of the folder in which the run began, if that is another one than the recorder's.
    `scripts` is the folder that the runbook's own scripts are in.
    """

    lab: Lab
    whole: Lab
    plan: Plan
    after: Ending
    recorder: Recorder
    options: Mapping[str, Value] = field(default_factory=dict)
    ask: Ask = agreed
    force: bool = False
    by_hand: bool = False
    await_proof: Callable[[], None] = _nothing_to_prove
    begins: Callable[[str], None] = _nothing_to_do
    struck: Callable[[], None] = _nothing_to_prove
    person: Person = no_person
    run: str = ""
    scripts: Path = field(default_factory=Path)

    @property
    def by(self) -> str:
        """In whose name something is set that lasts: a run that goes on keeps its name."""
        return self.run or self.recorder.folder.name

    @property
    def keep(self) -> Keep:
        """What nodes alone have goes to the run's folder before a step gives it up."""
        from lab.postgres.salvage import Keep

        return Keep(self.recorder.folder, bool(self.options[UNREAD.name]))

    def stands(self, places: Iterable[Place] = DATABASES) -> dict[Place, Stand]:
        """What databases say of themselves and where they stand, of those that answer: one look."""
        asked = tuple(places)

        def look(place: Place) -> Stand | None:
            with suppress(LabError):
                # A question to a machine that has just died would wait for the engine's clean-up,
                # and one to a frozen machine for its time-out. Users wait for both.
                engine = self.lab.engine
                if engine.alive([place]) and not engine.state(place).frozen:
                    return self.lab.databases[place].stand()
            return None

        found = zip(asked, self.lab.engine.each(asked, look), strict=True)
        return {place: each for place, each in found if each is not None}

    def number(self, option: str) -> int:
        """An option that is a whole number."""
        return int(str(self.options[option]))

    def amount(self, option: str) -> float:
        """An option that is a number."""
        return float(str(self.options[option]))


class Ending:
    """The topology to end in, by what lives when it is first asked for; later calls give the same.

    `begin` asks ahead whether the regions meet, so that no user waits for it.
    """

    def __init__(self, lab: Lab, plan: Plan) -> None:
        self._lab, self._plan = lab, plan
        self._joined: Future[bool] | None = None
        self._found: Replication | None = None

    def begin(self) -> Future[bool]:
        """Ask, once, beside the caller."""
        if self._joined is None:
            pool = ThreadPoolExecutor(1, "ending")
            self._joined = pool.submit(_joined, self._lab)
            pool.shutdown(wait=False)
        return self._joined

    def anew(self) -> Replication:
        """Ask again, where no user waits: a link that did not answer in time may do so now."""
        self._joined = self._found = None
        return self()

    def __call__(self, alive: Collection[Place] | None = None) -> Replication:
        """The topology. `alive` are the databases that answer, if the caller has just asked."""
        if self._found is None:
            joined = self.begin()
            behind = _behind(self._lab, self._plan.new)
            living = _living(self._lab, self._plan.old) if alive is None else alive
            self._found = topology_after(self._plan, living, behind, joined=joined.result())
        return self._found


def _living(lab: Lab, old: Place) -> Collection[Place]:
    """Databases that answer. The old primary follows nobody in the end: it is not asked."""
    others = [place for place in DATABASES if place != old]
    answers = lab.engine.each(others, lambda place: _answers(lab, place))
    return [place for place, yes in zip(others, answers, strict=True) if yes]


def _answers(lab: Lab, place: Place) -> bool:
    with suppress(LabError):  # the management network may not lead there
        # A frozen machine would keep the question until its time-out, and users wait for this.
        return lab.engine.running(place) and lab.databases[place].answers()
    return False


def _may_run(lab: Lab, place: Place) -> bool:
    """True also for a machine that the management network does not reach: links tell more."""
    with suppress(LabError):
        return lab.engine.running(place)
    return True


def _behind(lab: Lab, node: Place) -> Collection[Place]:
    with suppress(LabError):
        return lab.databases[node].followers()
    return ()


def _joined(lab: Lab) -> bool:
    """True when each region reaches the other, whichever of its machines still answers.

    A dead primary answers no question, and is no partition: shops are asked first.
    """

    def reaches(here: Region) -> bool:
        way = f"{here.name}:{here.other.name}"
        return any(reachable(lab, link(f"{way}:{each}")) for each in ("app", "replication"))

    gateways = [Place(each.name, "gateway") for each in REGIONS]
    # No answer comes by way of a machine that does not run: it is not waited for.
    if not all(lab.engine.each(gateways, lambda place: _may_run(lab, place))):
        return False
    return all(lab.engine.each(REGIONS, reaches))
