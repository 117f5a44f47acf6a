"""What a step is given, of which a test says only what it is about."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

from lab.core.topology import EAST_DB1, WEST_DB1, Replication
from lab.runbooks.runbook import Plan
from lab.steps.context import Context, Ending


class Known(Ending):
    """A topology that nothing has to be asked for."""

    def __init__(self, after: Replication) -> None:
        self._found = after
        self._joined = Future()

    def anew(self) -> Replication:
        return self()


def context(
    lab: object = None,
    plan: Plan = Plan(EAST_DB1, WEST_DB1),  # noqa: B008 - it cannot be changed
    after: Replication = Replication(WEST_DB1, None, ()),  # noqa: B008 - it cannot be changed
    recorder: object = None,
    **more: Any,
) -> Context:
    """A context whose lab and recorder are as much as the test needs."""
    whole = cast("Any", lab)
    return Context(whole, whole, plan, Known(after), cast("Any", recorder), **more)
