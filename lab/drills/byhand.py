"""Verbs with which a script runs a drill itself; they make the same calls as a drill's rows."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, LiteralString, NoReturn

from lab.core.console import Say
from lab.core.errors import LabError, UnknownName, UsageError
from lab.core.fitting import NAME, Fit, refuse_unfit
from lab.core.interrupts import ended
from lab.core.load import Load
from lab.core.topology import DATABASES, REGIONS
from lab.drills import loadrun
from lab.drills.collecting import Begun
from lab.drills.drill import HEALING, Course
from lab.drills.evaluate import evaluate
from lab.drills.livepanel import PlainLines
from lab.drills.row import LASTING, Drill
from lab.infra import settings
from lab.records import runfolders
from lab.records.journalfile import PASSED_OVER, MarkName
from lab.records.result import Result
from lab.runbooks.option import Value
from lab.runbooks.runbook import Call, Plan, Repeats, Runbook
from lab.runbooks.runbookfile import LIMIT_NAME
from lab.steps import catalogue
from lab.steps.calling import called, database
from lab.steps.catalogue import do
from lab.testbed import lifecycle, turns
from lab.testbed.lab import Lab


class Hands:
    """A lab that is up. Each verb waits until it is done, and returns what was seen, in one line.

    `folder` is where the run is kept. Raises LabError where a verb cannot do what it says.
    """

    def __init__(self, drill: Drill, lab: Lab, folder: Path, say: Say, seed: int) -> None:
        self._drill, self._lab, self._seed = drill, lab, seed
        self._course = Course(drill, lab, folder, seed, (PlainLines(say.console),))
        self._begun: Begun | None = None
        self._healed = False
        self._over = self._asked_for = self._changed = ""
        self.folder = folder

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
        recorded = self._course.bring_home(self._begun)
        recorded = self._course.completed(recorded, self.end())
        return evaluate(
            self._drill, recorded, self._lab, self.folder, self._seed, ["python", *sys.argv]
        )

    def end(self) -> str:
        """Heal the lab, once; why that failed, if it did."""
        self._over = self._over or "the block has ended, and the lab is healed"
        if self._healed:
            return ""
        self._healed = True
        return self._course.put_right()

    def _refuse_late(self, verb: str) -> None:
        if self._over:
            raise UsageError(
                f"{verb} comes too late: {self._over}", "begin another: with up() as lab:"
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


class Coming(AbstractContextManager[Hands]):
    """A lab that comes up when its `with` block begins. A verb before that is refused."""

    def __init__(self, block: AbstractContextManager[Hands]) -> None:
        self._block = block

    def __enter__(self) -> Hands:
        """Bring the lab up."""
        return self._block.__enter__()

    def __exit__(self, *raised: Any) -> bool | None:
        """Heal the lab."""
        return self._block.__exit__(*raised)

    def __getattr__(self, name: str) -> NoReturn:
        """Tell how the verbs are reached."""
        if name in vars(Hands):
            raise UsageError(f"{name}() needs a lab that is up", "write: with up() as lab:")
        raise AttributeError(f"{name!r} is no verb", name=name, obj=self)


def up(
    old: str = "east.db1", new: str = "west.db1", *, seed: int = 1, name: str | None = None
) -> Coming:
    """A lab that is up, and healed when the block ends, whatever happens in it.

    `old` is the primary that verbs replace, `new` the node that takes over. Raises UsageError
    for names that are none, before any lab is asked.
    """
    refuse_unfit(NAME, old=old, new=new, **({} if name is None else {"name": name}))
    Fit(int, most=2**63 - 1, example=1).refuse("seed", seed)
    plan = Plan(database(old), database(new))
    if plan.old == plan.new:
        raise UsageError(f"{new} cannot take over from itself", 'write up(old="east.db1", new=…)')
    return Coming(_block(plan, seed, settings.chosen_name(name)))


@contextmanager
def _block(plan: Plan, seed: int, lab_name: str) -> Iterator[Hands]:
    say, title = Say(), _title(sys.argv[0])
    drill = Drill(
        name=title,
        title=title.replace("-", " "),
        situation="A script does it step by step.",
        expectations=(),
        faults=(),
        runbook=Runbook(title, title, plan, (), ()),
        objectives=(),
    )
    folder = runfolders.new_run(title)
    with (
        runfolders.dropped_if_empty(folder),
        turns.exclusive(lab_name, f"run {title}"),
    ):
        loadrun.end_first(lab_name, say)
        lab = lifecycle.up(lab_name, say, to_be_reset=True)
        hands, unhealed = Hands(drill, lab, folder, say, seed), list[str]()
        try:
            yield hands
        finally:
            ended(lambda: None, lambda: unhealed.append(hands.end()), HEALING)
            lab.engine.close()
        if any(unhealed):
            raise LabError(f"the lab could not be healed: {unhealed[0]}", "run: lab up")


def _title(script: str) -> str:
    """What the run of a script is called: folders are named after it."""
    words = re.findall(r"[a-z0-9]+", Path(script).stem.lower())
    return "-".join(words)[:LIMIT_NAME].strip("-") or "script"


def _is_database(name: str) -> bool:
    return name in map(str, DATABASES)
