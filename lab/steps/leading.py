"""What leads to a situation, under load, before anything is measured: a whole runbook was run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import takewhile
from typing import TYPE_CHECKING

from lab.core.errors import UnknownName
from lab.core.topology import DEFAULT_REPLICATION
from lab.records.journalfile import Via
from lab.records.runfiles import leading_journal
from lab.runbooks import runbookfile, shipped
from lab.runbooks.lookeffects import noted
from lab.runbooks.option import Option, Value
from lab.runbooks.runbook import Plan, Runbook, Step
from lab.steps import catalogue
from lab.steps.calling import database
from lab.steps.context import UNREAD, Context, Ending, agreed
from lab.steps.returning import switched_over

if TYPE_CHECKING:
    from lab.records.journalfile import Mark, StepRecord
    from lab.testbed.journalwriter import Recorder


class _Aside:
    """Tells of a runbook's steps among the notes of the run that it led to."""

    def __init__(self, recorder: Recorder, runbook: str) -> None:
        self._recorder, self._runbook = recorder, runbook

    def marked(self, mark: Mark) -> None:
        """The run has marks of its own."""

    def began(self, step: str, why: str) -> None:
        """A step is told when it ends."""

    def ended(self, record: StepRecord) -> None:
        """Tell of a step with its evidence."""
        self._recorder.say(f"{self._runbook}: {record.name}: {record.evidence}")

    def said(self, text: str) -> None:
        """Tell of it."""
        self._recorder.say(text)


def _book(options: Mapping[str, Value]) -> Runbook:
    """The runbook that the options name, as far as it is to be run. Raises UsageError."""
    name, until = str(options["runbook"]), str(options["until"])
    book = runbookfile.read(shipped.find(name), catalogue.vocabulary())
    known = [each.step for each in book.steps]
    if until and until not in known:
        raise UnknownName(f"step in {book.name}", until, known)
    old, new = (str(options[each]) for each in ("old", "new"))
    plan = Plan(database(old) if old else book.plan.old, database(new) if new else book.plan.new)
    steps = tuple(takewhile(lambda each: each.step != until, book.steps))
    return replace(book, plan=plan, steps=steps)


def _run_runbook(context: Context) -> str:
    """With a plan, an ending and a journal of its own: no figure of the run is about it."""
    book, recorder = _book(context.options), _recorder_beside(context)
    reached = context.whole.obeying_cuts()
    own = replace(
        context, lab=reached, plan=book.plan, after=Ending(reached, book.plan), recorder=recorder,
        options={}, ask=agreed, force=False, scripts=book.folder,
    )  # fmt: skip
    catalogue.do_all(book.steps, own)
    steps = recorder.journal.steps
    took = steps[-1].ended - steps[0].started if steps else 0.0
    return (
        f"{book.name} from {book.plan.old} to {book.plan.new}: {len(steps)} steps in {took:.1f} s;"
        f" {book.ends_at} is primary"
    )


def _recorder_beside(context: Context) -> Recorder:
    from lab.testbed.journalwriter import Recorder

    run, name = context.recorder, str(context.options["runbook"])
    number = 1 + sum(each.name == _NAME for each in run.journal.steps)
    stem = shipped.find(name).stem
    path = run.folder / leading_journal(number, stem)
    return Recorder(run.clock, path, (_Aside(run, stem),))


def _move_primary(context: Context) -> str:
    """A switchover from the default primary to the one at which the run begins."""
    to = str(context.options["to"])
    plan = Plan(DEFAULT_REPLICATION.primary, database(to) if to else context.plan.old)
    if plan.old == plan.new:
        return f"{plan.new} is primary already"
    unread = {UNREAD.name: UNREAD.default}
    return switched_over(replace(context, lab=context.whole, plan=plan, options=unread))


_NAME = "run-runbook"

STEPS: tuple[Step, ...] = (
    Step(
        name="move-primary",
        title="begin at another primary",
        changes="{old}, or the node in `to`, becomes primary by a switchover, and all other"
        " databases follow it",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="the run begins with another primary than the default one",
        breaks="the runbook finds another primary than it expects",
        seconds=3.0,
        makes=noted("moved-primary"),
        act=_move_primary,
        options=(Option("to", str, "", "which database; by default the old primary"),),
        fits=lambda options: options["to"] and database(str(options["to"])),
        of_drills=True,
    ),
    Step(
        name=_NAME,
        title="run a whole runbook",
        changes="what the steps of that runbook change; the run's folder gets a journal of them",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a failover leads to the situation that the run begins in",
        breaks="the situation is not the one that the drill is about",
        seconds=10.0,
        makes=noted("led-there"),
        act=_run_runbook,
        options=(
            Option("runbook", str, "", "the name of a shipped one, or a file"),
            Option("old", str, "", "the primary that it replaces; by default that in its `from`"),
            Option("new", str, "", "the node that takes over; by default that in its `to`"),
            Option("until", str, "", "the step before which it ends; by default all are done"),
        ),
        main="runbook",
        fits=_book,
        of_drills=True,
    ),
)
