"""Was the machine too busy for a drill to say how fast a failover is? Pure, but for its readings.

The kernel counts for how long a process that could run waited for a processor. The users' programs
are asked for that before the fault and when the load ends. No fault touches them, each of their
containers has the same weight as any other machine of the lab, and they are never idle meanwhile:
as long as they wait for a processor, so do shops and databases.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from lab.core.verdict import Comparison, Judgement, Verdict

TOO_BUSY: Final = 0.75
"""Share of waiting beyond which a time says nothing of the failover.

A program that waits for three quarters of the time in which it could work is four times as slow as
it would be alone, and so is every step between fault and recovery.
"""

_TIME: Final = "s"


@dataclass(frozen=True, slots=True)
class Reading:
    """Processor time of one population's program since it began, in seconds: used, and waited for.

    `waited` is None where the kernel does not count it.
    """

    used: float
    waited: float | None


def share(before: Mapping[str, Reading], after: Mapping[str, Reading]) -> float | None:
    """Waiting ÷ (waiting + working) of all programs that were read both times, from 0 to 1.

    None when the kernel counts no waiting, or when none of them did anything.
    """
    waited = used = 0.0
    for name, then in before.items():
        now = after.get(name)
        if now is None or now.waited is None or then.waited is None:
            continue
        waited += max(0.0, now.waited - then.waited)
        used += max(0.0, now.used - then.used)
    whole = waited + used
    return waited / whole if whole > 0 else None


def told(waiting: float) -> str:
    """What a person is told of a machine that was too busy."""
    return (
        f"this machine was too busy: the users' programs waited for a processor in {waiting:.0%} of"
        f" the time in which they had work, and beyond {TOO_BUSY:.0%} a time says nothing of the"
        " failover"
    )


def excused(
    judgements: Iterable[Judgement], waiting: float | None, timed_out: Collection[str] = ()
) -> tuple[Judgement, ...]:
    """Breaches of times become unknown where the machine was too busy; all else stays as it is.

    A time is what is measured in seconds and must not be longer than its limit. `timed_out` names
    the objectives that were missed because a wait ended.
    """
    if waiting is None or waiting <= TOO_BUSY:
        return tuple(judgements)
    return tuple(
        _unknown(each, waiting) if _is_late(each, timed_out) else each for each in judgements
    )


def _is_late(judgement: Judgement, timed_out: Collection[str]) -> bool:
    wanted = judgement.objective
    timed = wanted.unit == _TIME and wanted.comparison is Comparison.AT_MOST
    return judgement.verdict is Verdict.FAIL and (timed or wanted.name in timed_out)


def _unknown(judgement: Judgement, waiting: float) -> Judgement:
    detail = "; ".join(filter(None, [judgement.detail, told(waiting)]))
    return replace(judgement, verdict=Verdict.UNKNOWN, detail=detail)
