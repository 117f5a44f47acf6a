"""Verbs with which a script runs a drill itself; they make the same calls as a drill's rows."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import ClassVar, Final, LiteralString

from lab.core.console import Say
from lab.core.errors import LabError, UnknownName, UsageError
from lab.core.fitting import NAME, Fit, refuse_unfit
from lab.core.load import Load
from lab.core.topology import DATABASES, REGIONS
from lab.drills.collecting import Begun
from lab.drills.drill import Course
from lab.drills.evaluate import evaluate
from lab.drills.livepanel import PlainLines
from lab.drills.row import LASTING, Drill
from lab.records.journalfile import PASSED_OVER, MarkName
from lab.records.result import Result
from lab.runbooks.option import Value
from lab.runbooks.runbook import Call, Repeats
from lab.steps import catalogue
from lab.steps.calling import called, database
from lab.steps.catalogue import do, do_all
from lab.testbed.lab import Lab

_PATH: Final = Fit((str, Path), filled=True, written="the name of a runbook, or of its file")


class Hands:
    """A lab that is up. Each verb waits until it is done, and returns what was seen, in one line.

    `folder` is where the run is kept, `again` the command that does the same once more. Raises
    LabError where a verb cannot do what it says.
    """

    written: ClassVar = "with up() as lab:"
    """How a block with these verbs begins."""

    def __init__(self, drill: Drill, lab: Lab, folder: Path, say: Say, seed: int) -> None:
        self._drill, self._lab, self._seed = drill, lab, seed
        self._course = Course(drill, lab, folder, seed, (PlainLines(say.console),))
        self._begun: Begun | None = None
        self._failure: LabError | None = None
        self._unhealed: str | None = None
        self._over = self._asked_for = self._changed = self._followed = ""
        self.folder = folder
        self.again: tuple[str, ...] = ("python", *sys.argv)

    def load(self, writes: float = 50.0, reads: float = 10.0) -> None:
        """Put the lab into its default topology, and users to work at these rates (1/s)."""
        self._refuse_late("load()")
        drill = replace(self._drill, load=Load(writes, reads))
        if self._asked_for:
            raise UsageError(
                "load() was called before", "one block measures one load: leave it out"
            )
        if self._changed:
            raise UsageError(
                f"load() resets the lab, and would undo {self._changed}", "call load() first"
            )
        self._drill, self._asked_for = drill, "load()"
        self._begun = self._course.begin(self._drill.load)

    def inject(self, fault: str, **aim: Value) -> str:
        """Break something, and see its effect. `aim` is link, node, region or amount."""
        call = self._called("inject", {"fault": fault, **aim})
        self._acts(MarkName.FAULT_STARTED)
        seen = self._done(call)
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
        NAME.refuse("link", link)
        return self.inject("refused", link=link)

    def hold(self, seconds: float) -> str:
        """Hold replication across regions back by so many seconds, before the fault is measured."""
        LASTING.refuse("seconds", seconds)
        return self.arrange("lag-hold", amount=seconds)

    def kill(self, what: str) -> str:
        """Kill a region, or a database's machine."""
        NAME.refuse("what", what)
        if what in (regions := [each.name for each in REGIONS]):
            return self.inject("region-loss", region=what)
        if not _is_database(what):
            raise UnknownName("region or database", what, [*regions, *map(str, DATABASES)])
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

    def run_runbook(self, runbook: str | Path) -> str:
        """Do a whole runbook, and wait until users have been served again for some seconds.

        It is a shipped one's name or a file; a relative path starts at the script's own folder. The
        nodes in its `from` and `to` are those that verbs mean from then on. Raises BadRunbook, and
        LabError for a step that fails.
        """
        self._refuse_late("run_runbook()")
        _PATH.refuse("runbook", runbook)
        drill = replace(self._drill, runbook=str(runbook))
        book = drill.book
        if self._followed:
            raise UsageError(
                f"run_runbook() has run {self._followed}, and a record is about one runbook",
                'what leads to a situation: do("run-runbook", runbook=…), before the fault',
            )
        self._followed, self._changed = book.name, self._changed or "run_runbook()"
        self._drill = replace(drill, runbook=book)
        self._course.follow(book)
        self._acts(MarkName.RUNBOOK_STARTED)
        try:
            do_all(book.steps, self._course.context)
            if self._begun:
                self._course.await_service(self._begun.load)
        except LabError as error:
            self._failure = error
            raise
        return f"{book.name}: {len(book.steps)} steps from {book.plan.old} to {book.plan.new}"

    def wait(self, seconds: float) -> str:
        """Let users work for a while."""
        return self.do("wait", seconds=seconds)

    def do(self, step: str, **options: Value) -> str:
        """Any step with its options: a runbook's (`lab runbook steps`), or a drill's own.

        docs/drills.md lists those.
        """
        call = self._called(step, options)
        row = catalogue.step(step)
        if not (row.look or row.of_drills):
            self._acts(MarkName.RUNBOOK_STARTED)
        return self._done(call)

    def ask(self, node: str, sql: LiteralString) -> list[tuple[object, ...]]:
        """What a database answers to a query, as its superuser."""
        self._refuse_late("ask()")
        refuse_unfit(NAME, node=node, sql=sql)
        # A query has no parameters here, and so a % in it is no place for one.
        return self._lab.databases[database(node)].query(sql.replace("%", "%%"))

    def measure(self) -> Result:
        """End the load, read every database, heal the lab, and write the run's report."""
        self._refuse_late("measure()")
        if self._begun is None:
            raise UsageError("nothing was measured: no users are at work", "call load() first")
        self._over = "measure() has ended the load and healed the lab"
        recorded = self._course.bring_home(self._begun, self._failure)
        recorded = self._course.completed(recorded, self.end())
        # Where nothing was done to users, there is no effect that a probe had to see.
        drill = replace(self._drill, by_hand=recorded.journal.acted is None)
        return evaluate(drill, recorded, self._lab, self.folder, self._seed, self.again)

    def end(self) -> str:
        """Heal the lab, once; why that failed, if it did."""
        self._over = self._over or "the block has ended, and the lab is healed"
        if self._unhealed is None:
            self._unhealed = self._course.put_right()
        return self._unhealed

    def _refuse_late(self, verb: str) -> None:
        if self._over:
            raise UsageError(
                f"{verb} comes too late: {self._over}", f"begin another: {self.written}"
            )

    def _called(self, step: str, options: Mapping[str, Value]) -> Call:
        """The call of a step, before anything is done or written down. Raises UsageError."""
        call = called(step, options)
        self._refuse_late(step)
        return call

    def _done(self, call: Call) -> str:
        if catalogue.step(call.step).repeats is not Repeats.ALWAYS:
            self._changed = self._changed or call.step
        # A script that catches the failure goes on, and its run has a result all the same.
        return do(call, self._course.context, failing=PASSED_OVER).evidence

    def _acts(self, name: MarkName) -> None:
        """Write down when something was done to users for the first time."""
        recorder = self._course.context.recorder
        if recorder.journal.acted is None:
            recorder.mark(name)


def _is_database(name: str) -> bool:
    return name in map(str, DATABASES)
