"""What a drill does beside its runbook: before it, and at set moments while it runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Final

from lab.core.errors import EngineGone, FaultUnseen, LabError, TooBusy, Unplayed
from lab.core.wait import wait_until
from lab.drills.row import Timed
from lab.drills.strikes import is_strike, planned
from lab.runbooks.runbook import Call
from lab.steps.catalogue import attempt, do
from lab.steps.context import Context

_STRIKE_SECONDS: Final = 60.0
"""A strike is over by then (see `lab.faults.acting`), also one that needs preparation."""

_EVERY_SECONDS: Final = 0.005
"""Users wait for a step that waits for a strike."""

_SAYS_ENOUGH: Final = (FaultUnseen, TooBusy, EngineGone, Unplayed)
_AIM: Final = ("fault", "link", "node", "region")


class Meanwhile:
    """Steps that are done beside a runbook, each at its moment.

    Steps about one fault are done one after the other. No fault waits for the proof of another one.
    An interrupted `begin` may have begun: `give_up` ends it too.
    """

    def __init__(self, rows: Iterable[Timed], context: Context) -> None:
        self._begun = False
        lanes = dict[tuple[object, ...], list[Timed]]()
        for each in sorted(rows, key=lambda each: each.at):
            aim = (each.call.options.get(name) for name in _AIM)
            lanes.setdefault((each.step, *aim), []).append(each)
        self._lanes = [_Lane(each, context) for each in lanes.values()]

    def begin(self) -> None:
        """Begin to count."""
        self._begun = True
        self._begin("")

    def reach(self, step: str) -> None:
        """A step of the runbook begins: what strikes now has struck when this returns.

        Raises WaitExpired when a strike does not come to its end.
        """
        for each in self._begin(step):
            each.await_strike()

    def _begin(self, step: str) -> list[_Lane]:
        reached = [each for each in self._lanes if each.first.step == step]
        for each in reached:
            each.begin()
        return reached

    def wait(self) -> None:
        """Wait until all that was begun is done. Raises LabError when a step cannot be done."""
        for each in self._lanes:
            each.wait()

    def finish(self) -> None:
        """The runbook is over: no fault strikes any more. The rest is done at its moment.

        Raises LabError when a step cannot be done, Unplayed for a moment that never came.
        """
        missed = [each for each in self._lanes if each.is_missed()]
        self.wait()
        if missed and self._begun:
            raise Unplayed("; ".join(each.why_missed for each in missed))

    def give_up(self) -> None:
        """End after the steps that are under way. May be repeated."""
        for each in self._lanes:
            each.end()
        for each in self._lanes:
            with suppress(LabError):
                each.wait()


class _Lane:
    """Steps about one fault, in a thread of their own, from a moment that they count from."""

    def __init__(self, rows: Sequence[Timed], context: Context) -> None:
        self._rows, self._acted = rows, False
        self._over, self._struck, self._lock = (
            threading.Event(),
            threading.Event(),
            threading.Lock(),
        )
        self._context = replace(context, struck=self._struck.set)
        self._work: Future[None] | None = None

    @property
    def first(self) -> Timed:
        """What comes first."""
        return self._rows[0]

    @property
    def why_missed(self) -> str:
        """What did not happen, and why."""
        never = self._work is None
        why = "that step never began" if never else "the runbook ended before"
        return f"{planned(self.first.call)} {self.first.moment}: {why}"

    def begin(self) -> None:
        """Begin to count, at the first call."""
        if self._work is None:
            pool = ThreadPoolExecutor(1, "meanwhile")
            self._work = pool.submit(self._run, time.monotonic())
            pool.shutdown(wait=False)

    def await_strike(self) -> None:
        """Wait until a fault that is due at once has struck, or cannot. Raises WaitExpired."""
        if is_strike(self.first.call) and not self.first.at:
            what = f"{planned(self.first.call)} {self.first.moment}: the strike"
            wait_until(what, self._struck.is_set, _STRIKE_SECONDS, _EVERY_SECONDS)

    def wait(self) -> None:
        """Wait until all of it is done, if it was begun. Raises LabError when a step failed."""
        if self._work is not None:
            self._work.result()

    def is_missed(self) -> bool:
        """True for a strike that did not come, and for a moment that cannot come any more."""
        with self._lock:
            due = self._work is not None and not is_strike(self.first.call)
            if self._acted or due:
                return False
            self._over.set()
            return True

    def end(self) -> None:
        """Let the step that is under way be the last one."""
        self._over.set()

    def _run(self, began: float) -> None:
        try:
            for each in self._rows:
                self._over.wait(max(0.0, began + each.at - time.monotonic()))
                if not self._may_act():
                    return
                _play(each.call, self._context)
        finally:
            self._struck.set()

    def _may_act(self) -> bool:
        with self._lock:
            self._acted = self._acted or not self._over.is_set()
            return not self._over.is_set()


def led_to(calls: Iterable[Call], context: Context) -> None:
    """Do what leads to a situation. Raises Unplayed when that is not reached."""
    for each in calls:
        _play(each, context, attempt)


def _play(call: Call, context: Context, way: Callable[[Call, Context], object] = do) -> None:
    """Do it. A failure is none of the runbook's: the run is not what was asked for."""
    try:
        way(call, context)
    except _SAYS_ENOUGH:
        raise
    except LabError as error:
        raise Unplayed(error.message, error.next_step) from error
