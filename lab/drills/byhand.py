"""Verbs with which a script runs a drill itself; they make the same calls as a drill's rows."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import LiteralString

from lab.core.console import Say
from lab.core.errors import LabError, UsageError
from lab.core.interrupts import ended
from lab.core.load import Load
from lab.core.topology import REGIONS, Place
from lab.drills.drill import HEALING, Begun, Course
from lab.drills.evaluate import evaluate
from lab.drills.livepanel import PlainLines
from lab.drills.row import Drill
from lab.infra import settings
from lab.records import runfolders
from lab.records.journalfile import MarkName
from lab.records.result import Result
from lab.runbooks.option import Value
from lab.runbooks.runbook import Call, Plan, Runbook
from lab.steps import catalogue
from lab.steps.catalogue import do
from lab.testbed import lifecycle
from lab.testbed.lab import Lab


class Hands:
    """A lab that is up. Each verb waits until it is done, and returns what was seen, in one line.

    `folder` is where the run is kept. Raises LabError where a verb cannot do what it says.
    """

    def __init__(self, drill: Drill, lab: Lab, folder: Path, say: Say, seed: int) -> None:
        self._drill, self._lab, self._seed = drill, lab, seed
        self._course = Course(drill, lab, folder, seed, (PlainLines(say.console),))
        self._begun: Begun | None = None
        self._over = False
        self.folder = folder

    def load(self, writes: float = 50.0, reads: float = 10.0) -> None:
        """Put the lab into its default topology, and users to work at these rates (1/s)."""
        self._drill = replace(self._drill, load=Load(writes, reads))
        self._begun = self._course.begin(self._drill.load)

    def inject(self, fault: str, **aim: Value) -> str:
        """Break something, and see its effect. `aim` is link, node, region or amount."""
        self._acts(MarkName.FAULT_STARTED)
        seen = self.do("inject", fault=fault, **aim)
        self._course.context.recorder.mark(MarkName.FAULT_PROVEN, note=seen)
        return seen

    def arrange(self, fault: str, **aim: Value) -> str:
        """Break something before the fault that is measured."""
        return self.do("inject", fault=fault, **aim)

    def heal(self, fault: str = "", **aim: Value) -> str:
        """End a fault, or all of them, and see that it is over."""
        return self.do("heal", fault=fault, **aim)

    def cut(self, link: str) -> str:
        """Close a link at its gateway: connections end, and new ones are refused."""
        return self.inject("refused", link=link)

    def hold(self, seconds: float) -> str:
        """Hold replication across regions back by so many seconds, before the fault is measured."""
        return self.arrange("lag-hold", amount=seconds)

    def kill(self, what: str) -> str:
        """Kill a region, or a database's machine."""
        if what in [each.name for each in REGIONS]:
            return self.inject("region-loss", region=what)
        return self.inject("zone-loss", node=what)

    def fence(self) -> str:
        """Stop the old primary by the strongest way that reaches it, and prove it."""
        return self.do("fence")

    def promote(self, **options: Value) -> str:
        """Promote the new node with `pg_ctl`. Refuses beside a primary that may take orders."""
        return self.do("promote", **options)

    def repoint(self, **options: Value) -> str:
        """Lead the writer's name to the new primary."""
        return self.do("repoint", **options)

    def wait(self, seconds: float) -> str:
        """Let users work for a while."""
        return self.do("wait", seconds=seconds)

    def do(self, step: str, **options: Value) -> str:
        """Any step with its options: a runbook's (`lab runbook steps`), or a drill's own.

        docs/drills.md lists those.
        """
        row = catalogue.step(step)
        if not (row.look or row.of_drills):
            self._acts(MarkName.RUNBOOK_STARTED)
        return do(Call(step, options), self._course.context).evidence

    def ask(self, node: str, sql: LiteralString) -> list[tuple[object, ...]]:
        """What a database answers to a query, as its superuser."""
        return self._lab.databases[Place.parse(node)].query(sql)

    def measure(self) -> Result:
        """End the load, read every database, heal the lab, and write the run's report."""
        if self._begun is None:
            raise UsageError("nothing was measured: no users are at work", "call load() first")
        recorded = self._course.bring_home(self._begun)
        recorded = self._course.completed(recorded, self.end())
        return evaluate(
            self._drill, recorded, self._lab, self.folder, self._seed, ["python", *sys.argv]
        )

    def end(self) -> str:
        """Heal the lab, once; why that failed, if it did."""
        if self._over:
            return ""
        self._over = True
        return self._course.put_right()

    def _acts(self, name: MarkName) -> None:
        """Write down when something was done to users for the first time."""
        recorder = self._course.context.recorder
        if recorder.journal.acted is None:
            recorder.mark(name)


@contextmanager
def up(
    old: str = "east.db1", new: str = "west.db1", *, seed: int = 1, name: str | None = None
) -> Iterator[Hands]:
    """A lab that is up, and healed when the block ends, whatever happens in it.

    `old` is the primary that verbs replace, `new` the node that takes over.
    """
    say, lab_name = Say(), settings.chosen_name(name)
    title = Path(sys.argv[0]).stem.replace("_", "-") or "script"
    drill = Drill(
        name=title,
        title=title.replace("-", " "),
        situation="A script does it step by step.",
        expectations=(),
        faults=(),
        runbook=Runbook(title, title, Plan(Place.parse(old), Place.parse(new)), (), ()),
        objectives=(),
    )
    folder = runfolders.new_run(title)
    with (
        runfolders.dropped_if_empty(folder),
        lifecycle.exclusive(lab_name, f"run {title}"),
    ):
        lab = lifecycle.up(lab_name, say, to_be_reset=True)
        hands, unhealed = Hands(drill, lab, folder, say, seed), list[str]()
        try:
            yield hands
        finally:
            ended(lambda: None, lambda: unhealed.append(hands.end()), HEALING)
            lab.engine.close()
        if any(unhealed):
            raise LabError(f"the lab could not be healed: {unhealed[0]}", "run: lab up")
