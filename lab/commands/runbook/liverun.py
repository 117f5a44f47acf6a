"""A runbook that runs on the lab as it stands."""

from __future__ import annotations

import shlex
import time
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Final

from lab.commands.runbook import questions
from lab.commands.runbook.run import Wanted
from lab.commands.terminal import chosen_name, out, print_json, say, told_when_interrupted
from lab.core.errors import LabError
from lab.core.words import count
from lab.drills import livepanel, runner
from lab.drills.runner import Manner
from lab.infra import settings
from lab.records import liverun, runfolders
from lab.records.journalfile import DONE, Journal
from lab.records.liverun import LiveRun
from lab.runbooks.runbook import Runbook
from lab.testbed import inforce, runbookprogress, turns, underway
from lab.testbed.journalwriter import Observer
from lab.testbed.lab import Lab

_FLAGS: Final = ("manual", "yes", "force", "accept_loss")
"""Options of a run on the lab as it stands that belong to the command that does it again."""

Watched = AbstractContextManager[tuple[Observer, ...]]


def run(runbook: Runbook, name: str | None, wanted: Wanted) -> int:
    """Run it on the lab as it stands; 0 when every step is done."""
    questions.refuse_without_person(runbook, yes=wanted.yes)
    began = time.monotonic()
    lab_name = chosen_name(name)
    folder = runfolders.new_run(f"runbook-{runbook.name}")
    with (
        runfolders.dropped_if_empty(folder),
        turns.leading(lab_name, f"run the runbook {runbook.name}") as turn,
        told_when_interrupted(),
        Lab.attached(lab_name, dark=True) as lab,
    ):
        begin, cut = runner.unfinished(lab, runbook, fresh=wanted.fresh)
        if runbook.promotes and not wanted.force:
            runner.refuse_the_wrong_way(lab, runbook.plan)
        if cut:
            say().note(cut)
        record = _record(runbook, lab_name, begin, wanted)
        if not runbook.planned:
            questions.refuse_when_healthy(runner.is_healthy(lab, runbook.plan), yes=wanted.yes)
        resting = partial(turn.rest, say())
        manner = Manner(
            ask=questions.asker(yes=wanted.yes, resting=resting),
            before=questions.waiting(runbook, resting) if wanted.manual else runner.at_once,
            force=wanted.force,
            between=turn.give_way,
        )
        watched = watching(runbook, lab, wanted)
        shared = underway.recorder(lab)
        underway.begins(shared, runbook.title, planned=runbook.planned)
        manner = replace(manner, observers=(underway.Copied(shared),))
        journal = _run(lab, runbook, begin, folder, manner, record, watched)
    _tell(journal, folder, wanted, time.monotonic() - began)
    return 0


def _record(
    runbook: Runbook, lab_name: str, begin: runbookprogress.Progress, wanted: Wanted
) -> LiveRun:
    """What is to be known of the run, before it begins."""
    flags = [f"--{flag.replace('_', '-')}" for flag in _FLAGS if getattr(wanted, flag)]
    named = ["--name", lab_name] if lab_name != settings.DEFAULT_NAME else []
    command = ["lab", "runbook", "run", runbook.source or runbook.name, *flags, *named]
    return LiveRun(
        lab=lab_name,
        runbook=runbook.name,
        title=runbook.title,
        command=shlex.join(command),
        started=_now(),
        steps=tuple(each.step for each in runbook.steps),
        seen=begin.seen,
        earlier=begin.folders,
    )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _ended(lab: Lab, folder: Path, run: LiveRun, stopped: str = "") -> None:
    """Write down how it ended, and say what is still in force and which command ends that."""
    lasting, files = tuple(map(str, inforce.look(lab))), liverun.orphan_files(folder, run)
    ends = {"ended": _now(), "stopped": stopped, "in_force": lasting, "orphans": files}
    liverun.seal(folder, run.model_copy(update=ends))
    for each in lasting:
        say().warn(f"still in force: {each}")
    if lasting:
        say().note(f"to remove these settings, run: {inforce.ENDS}")
    if files:
        say().note(f"orders that only a lost machine has: lab reconcile {folder}")


def watching(runbook: Runbook, lab: Lab, wanted: Wanted) -> Watched:
    """A live view, unless a step asks a question: that needs a terminal that rests."""
    if wanted.manual or (questions.asking(runbook) and not wanted.yes):
        return nullcontext((livepanel.PlainLines(say().console),))
    return livepanel.watching(say(), runbook.title, lab.users)


def _run(
    lab: Lab,
    runbook: Runbook,
    begin: runbookprogress.Progress,
    folder: Path,
    manner: Manner,
    record: LiveRun,
    watched: Watched,
) -> Journal:
    """Run what is left. What the run leaves in force is said below the view of its steps."""
    liverun.keep(folder, record)
    try:
        with watched as observers:
            manner = replace(manner, observers=(*observers, *manner.observers))
            journal = runner.run(lab, runbook, begin, folder, manner)
    except LabError as error:  # it stays what it is: its exit code tells a no from a broken lab
        _ended(lab, folder, record, error.message)
        error.next_step = (
            f"{error.next_step or 'see what is wrong: lab status'}; the same command continues at"
            f" this step, --fresh begins anew; see what was done: lab report {folder}"
        )
        raise
    except KeyboardInterrupt:
        again = record.command.removesuffix(f" --name {record.lab}")  # a note names the lab itself
        say().note(f"to continue this run: {again}")
        _ended(lab, folder, record, "the run was interrupted")
        raise
    _ended(lab, folder, record)
    return journal


def _tell(journal: Journal, folder: Path, wanted: Wanted, whole: float) -> None:
    """What was done. The run took `whole` seconds, of which its steps are a part."""
    if wanted.as_json:
        print_json([{"name": each.name, "seconds": each.ended - each.started,
                     "outcome": each.outcome, "evidence": each.evidence}
                    for each in journal.steps])  # fmt: skip
        return
    took = sum(each.ended - each.started for each in journal.steps)
    rest = f"the run took {whole:.1f} s, with its looks at the lab and its questions"
    out().print(f"{_counted(journal)} in {took:.1f} s; {rest}; journal: {folder}/journal.json")


def _counted(journal: Journal) -> str:
    """How many steps were done, and how often one of them failed before or was passed over."""
    outcomes = Counter(each.outcome for each in journal.steps)
    told = [f"{count(outcomes.pop(DONE, 0), 'step')} done"]
    return ", ".join([*told, *(f"{times} {outcome}" for outcome, times in outcomes.items())])
