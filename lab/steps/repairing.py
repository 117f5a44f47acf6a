"""What can be brought back without moving anything."""

from __future__ import annotations

from lab.core.topology import Place
from lab.faults import acting
from lab.faults.catalogue import aimed, fault
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.runbook import Step
from lab.runbooks.servereffects import resolver_restarted
from lab.steps.context import Context


def _restart_resolver(context: Context) -> str:
    dns = Place(context.plan.lost.name, "dns")
    effect = acting.heal(context.lab, aimed(fault("resolver-down"), node=dns))
    context.recorder.mark(MarkName.RESTORED, note=f"{dns} answers again")
    return effect.evidence


STEPS: tuple[Step, ...] = (
    Step(
        name="restart-resolver",
        title="bring the resolver back",
        changes="{lost}'s resolver runs, and its records are published to it again",
        via=Via.OUT_OF_BAND,
        phase=Phase.REPOINT,
        why="the resolver starts without records, so they are published again",
        breaks="users who know no other resolver cannot find any shop",
        seconds=1.0,
        makes=resolver_restarted,
        act=_restart_resolver,
        mends=True,
    ),
)
