"""Switchovers and failovers under load, and how long they kept users from working."""

from __future__ import annotations

import json
from itertools import pairwise
from typing import Any

from tool import folder_of, operations, ran, tell

from lab.core.topology import REGIONS
from lab.records.history import Kind, Operation, Outcome
from lab.records.runfiles import HISTORY, JOURNAL


def switchovers(times: int) -> bool:
    """Planned switchovers under load: the longest time without an order, and what was lost."""
    pauses, bad = [], 0
    for number in range(1, times + 1):
        result = _rehearsed("switchover", "healthy", number)
        began, ended = _longest_pause(result)
        pauses.append(round(ended - began, 3))
        beyond = _unserved(result, began, ended)
        bad += bool(result["lost"] or beyond or result["verdict"] != "pass")
        tell(number=number, pause=pauses[-1], lost=result["lost"], verdict=result["verdict"],
             errors_beyond_the_pause=beyond, why=_why(result))  # fmt: skip
    tell(switchovers=times, longest=max(pauses), median=sorted(pauses)[times // 2], wrong=bad)
    return not bad and max(pauses) <= 2.0


def failovers(times: int) -> bool:
    """Automatic failovers of a dead region: from the decision to the first acknowledged order."""
    took = []
    for number in range(1, times + 1):
        result = _rehearsed("region-failover", "region-dead", number)
        decided = next(each for each in _steps(result) if each["name"] == "decide")["ended"]
        first = min(
            each.end for each in _history(result) if _taken(each) and (each.timeline or 0) > 1
        )  # fmt: skip
        took.append(first - decided)
        tell(number=number, decision_to_order=round(first - decided, 3), verdict=result["verdict"],
             steps={each["name"]: round(each["ended"] - each["started"], 2)
                    for each in result["steps"]})  # fmt: skip
    tell(failovers=times, longest=round(max(took), 3), median=round(sorted(took)[times // 2], 3))
    return max(took) <= 1.5


def _rehearsed(name: str, where: str, seed: int) -> dict[str, Any]:
    done = ran("runbook", "run", name, "--scenario", where, "--json", "--seed", str(seed))
    if not done.stdout:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _steps(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps on the clock of the history; those of a result begin with the fault."""
    steps: list[dict[str, Any]] = json.loads((folder_of(result) / JOURNAL).read_text())["steps"]
    return steps


def _history(result: dict[str, Any]) -> list[Operation]:
    return operations(folder_of(result) / HISTORY)


def _taken(each: Operation) -> bool:
    return each.kind is Kind.WRITE and each.outcome is Outcome.OK


def _longest_pause(result: dict[str, Any]) -> tuple[float, float]:
    """Of the population that waits longest for an order, from the first step on: begin and end."""
    pauses = (_pause_of(result, each.name) for each in REGIONS)
    return max(pauses, key=lambda pair: pair[1] - pair[0])


def _pause_of(result: dict[str, Any], population: str) -> tuple[float, float]:
    since = _steps(result)[0]["started"]
    ends = sorted(
        each.end for each in _history(result) if _taken(each) and each.population == population
    )  # fmt: skip
    later = [each for each in ends if each >= since]
    return max(pairwise(later), key=lambda pair: pair[1] - pair[0])


def _unserved(result: dict[str, Any], began: float, ended: float) -> int:
    """Orders that were not settled although no part of them fell into the pause."""
    return sum(
        each.kind is Kind.WRITE
        and each.outcome is not Outcome.OK
        and (each.end < began or each.start > ended)
        for each in _history(result)
    )


def _why(result: dict[str, Any]) -> list[str]:
    return [f"{r['name']}: {r['detail']}" for r in result["objectives"] if r["verdict"] != "pass"]
