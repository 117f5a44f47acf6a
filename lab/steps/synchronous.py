"""Whether the primary waits for a standby before it acknowledges an order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError, Refused
from lab.postgres.following import prove_following
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.runbook import Step
from lab.runbooks.servereffects import go_async, go_sync
from lab.steps.context import Context
from lab.steps.whichnode import present_primary

if TYPE_CHECKING:
    from lab.postgres.node import Node

_PROOF_SECONDS: Final = 5.0


def _go_async(context: Context) -> str:
    """The decision is on record: from now on a loss of the primary may cost orders."""
    primary = present_primary(context)
    before = primary.state().synchronous_names
    if not before:
        return f"{primary} waits for no standby already: nothing is left to do"
    primary.set_synchronous(None)
    by = "by hand" if context.by_hand else "automatic"
    context.recorder.mark(MarkName.DECIDED, note=f"{primary} waits for no standby ({by})")
    return (
        f"{primary}: synchronous_standby_names = '{before}' → ''; it acknowledges an order as soon"
        f" as it is on its own disk ({by})"
    )


def _go_sync(context: Context) -> str:
    """Only for a standby that has caught up: each order would wait for one that has not."""
    primary = present_primary(context)
    twin = context.lab.databases[primary.place.twin]
    before = primary.state().synchronous_names
    if twin.place.server_name in before:
        return f"{primary} waits for {twin} already: nothing is left to do"
    took = _proven(primary, twin)
    names = primary.set_synchronous(twin.place)
    return (
        f"fresh WAL reaches {twin} ({took:.2f} s); {primary}: synchronous_standby_names ="
        f" '{before}' → '{names}'"
    )


def _proven(primary: Node, twin: Node) -> float:
    """How long fresh WAL takes to the standby. Raises Refused if it does not stream it."""
    hint = "lab status shows why; the step `rebuild` makes it anew"
    if twin.place not in primary.followers():
        raise Refused(f"{twin} does not stream from {primary}: each order would wait", hint)
    try:
        return prove_following(primary, [twin], _PROOF_SECONDS)[twin.place]
    except LabError as error:
        raise Refused(
            f"{twin} has not caught up, and each order would wait: {error.message}", hint
        ) from error


STEPS: tuple[Step, ...] = (
    Step(
        name="go-async",
        title="wait for no standby",
        changes="the present primary's synchronous_standby_names is empty: an order is acknowledged"
        " as soon as it is on the primary's disk",
        via=Via.OUT_OF_BAND,
        phase=Phase.DECIDE,
        why="a primary that waits for a standby acknowledges no order while that is gone",
        breaks="every order waits for a standby that does not answer",
        seconds=0.2,
        command="ALTER SYSTEM SET synchronous_standby_names = '', then SELECT pg_reload_conf(), on"
        " the primary",
        makes=go_async,
        act=_go_async,
    ),
    Step(
        name="go-sync",
        title="wait for the standby again",
        changes="the present primary waits for its twin again, which streams and has caught up",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="without a synchronous standby, the loss of a zone may lose orders",
        breaks="acknowledged orders may be on one disk only",
        seconds=0.3,
        command="ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (STANDBY)', then SELECT"
        " pg_reload_conf(), on the primary",
        makes=go_sync,
        act=_go_sync,
    ),
)
