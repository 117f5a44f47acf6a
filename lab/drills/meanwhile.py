"""What a drill does at set moments while its runbook runs."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress

from lab.core.errors import LabError
from lab.drills.row import Timed
from lab.steps.catalogue import do
from lab.steps.context import Context


class Meanwhile:
    """Steps that are done one after the other, each at its moment after `begin`.

    An interrupted `begin` may have begun: `give_up` ends it too.
    """

    def __init__(self, planned: Iterable[Timed], context: Context) -> None:
        self._planned = sorted(planned, key=lambda each: each.at)
        self._context = context
        self._over = threading.Event()
        self._work: Future[None] | None = None

    def begin(self) -> None:
        """Begin to count."""
        pool = ThreadPoolExecutor(1, "meanwhile")
        self._work = pool.submit(self._run, time.monotonic())
        pool.shutdown(wait=False)

    def _run(self, began: float) -> None:
        for each in self._planned:
            if self._over.wait(max(0.0, began + each.at - time.monotonic())):
                return
            do(each.call, self._context)

    def wait(self) -> None:
        """Wait until all of it is done. Raises LabError when a step cannot be done."""
        if self._work is not None:
            self._work.result()

    def give_up(self) -> None:
        """End after the step that is under way. May be repeated."""
        self._over.set()
        with suppress(LabError):
            self.wait()
