"""What happened one after the other in a run by hand, and how long users could not write each time.

Pure. Times are CLOCK_MONOTONIC seconds, durations are seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.metrics.recovery import Recovery, recoveries
from lab.metrics.traffic import Outage, longest_outage
from lab.records.columns import Operations
from lab.records.journalfile import ACTS, Journal


@dataclass(frozen=True, slots=True)
class Incident:
    """A fault, or a runbook that was no answer to one: `what` in words, and when it began.

    It lasts until the next one begins, or users stop: `until`. `recoveries` are the RTOs of the
    groups of users, counted from `started`; `gap` is the longest time in which no write of any user
    went through.
    """

    what: str
    started: float
    until: float
    recoveries: tuple[Recovery, ...]
    gap: Outage | None


def incidents(
    journal: Journal,
    writes: Operations,
    until: float,
    *,
    populations: Iterable[str],
    window: float,
    patience: float,
) -> tuple[Incident, ...]:
    """Each of them, in order. `until` is when users stopped, `populations` those that worked."""
    acts = [mark for mark in journal.events if mark.name in ACTS]
    ends = [*(mark.at for mark in acts[1:]), until][: len(acts)]
    return tuple(
        Incident(
            act.note or act.name.value,
            act.at,
            end,
            recoveries(
                writes, act.at, end, populations=populations, window=window, patience=patience
            ),
            longest_outage(writes, act.at, max(act.at, end)),
        )
        for act, end in zip(acts, ends, strict=True)
    )
