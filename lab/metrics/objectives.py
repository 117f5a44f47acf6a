"""The objectives of every drill, and how objectives are judged by the metrics of a result."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from lab.core import words
from lab.core.verdict import Comparison, Judgement, Objective, Verdict, check
from lab.records.metricrows import find, metric
from lab.records.result import Result
from lab.records.thresholds import PATIENCE

ALWAYS: Final = (
    Objective("acknowledged_before_fault", 1, "writes", Comparison.AT_LEAST,
              "without load there is nothing to lose, and the drill proves nothing",
              Verdict.UNKNOWN),
    Objective("load_pause_seconds", PATIENCE, "s", Comparison.AT_MOST,
              "without attempts to write there are no failures to see",
              Verdict.UNKNOWN),
    Objective("record_gaps", 0, "gaps", Comparison.AT_MOST,
              "the missing part of the record may contain lost orders",
              Verdict.UNKNOWN),
    Objective("unaccounted", 0, "writes", Comparison.AT_MOST,
              "if a lost write is in no database, the measurement itself may be wrong",
              Verdict.UNKNOWN),
    Objective("unexpected", 0, "writes", Comparison.AT_MOST,
              "a user who is told that an order failed will order again"),
    Objective("duplicated", 0, "writes", Comparison.AT_MOST,
              "an idempotency key must be honoured on both sides of a failover"),
)  # fmt: skip


def judge_all(objectives: Iterable[Objective], result: Result) -> tuple[Judgement, ...]:
    """Judge a drill's objectives, then those that hold for every drill and that it did not name.

    An objective that names no metric raises UnknownName: that is a mistake in the drill, not an
    unknown result.
    """
    own = tuple(objectives)
    named = {item.name for item in own if item.baseline is None}
    every = (*own, *(item for item in ALWAYS if item.name not in named))
    for item in every:
        metric(item.name)
    judged = (check(item, partial(find, item.name, result)) for item in every)
    return tuple(_beside_its_baseline(each) for each in judged)


def _beside_its_baseline(judged: Judgement) -> Judgement:
    """With the difference in words, if the figure is worse than in a baseline."""
    baseline, found = judged.objective.baseline, judged.found
    if baseline is None or found is None or judged.verdict is Verdict.PASS:
        return judged
    more = words.number(found - baseline, judged.objective.unit)
    return replace(judged, detail=f"{more} worse than the baseline")
