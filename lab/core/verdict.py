"""Pass, fail or unknown: figures against objectives.

The order of verdicts is fail over unknown over pass, the worst wins, as Jepsen merges checks
(`merge-valid`: false over unknown over true). A proven breach stays a breach whatever else could
not be seen; a run in which something could not be seen must not pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar, Final


class Verdict(StrEnum):
    """The outcome of one objective, or of a whole drill."""

    PASS = "pass"  # noqa: S105 - not a password
    UNKNOWN = "unknown"
    FAIL = "fail"

    @property
    def exit_code(self) -> int:
        """What the process ends with: 0 pass, 1 fail, 4 unknown."""
        return _EXIT[self]


_EXIT: Final[Mapping[Verdict, int]] = {Verdict.PASS: 0, Verdict.FAIL: 1, Verdict.UNKNOWN: 4}
_BADNESS: Final = tuple(Verdict)


class Comparison(StrEnum):
    """How a figure is held against its limit."""

    AT_MOST = "at_most"
    AT_LEAST = "at_least"
    EXACTLY = "exactly"

    @property
    def sign(self) -> str:
        """As people write it before the limit."""
        return _SIGN[self]


_SIGN: Final[Mapping[Comparison, str]] = {
    Comparison.AT_MOST: "≤",
    Comparison.AT_LEAST: "≥",
    Comparison.EXACTLY: "=",
}

HOLDS: Final[Mapping[Comparison, Callable[[float, float], bool]]] = {
    Comparison.AT_MOST: lambda found, limit: found <= limit,
    Comparison.AT_LEAST: lambda found, limit: found >= limit,
    Comparison.EXACTLY: lambda found, limit: found == limit,
}


@dataclass(frozen=True, slots=True)
class Objective:
    """A promise: the figure called `name` against `limit`, and why it matters.

    `breach` is the verdict when it does not hold: UNKNOWN for figures that say that the
    measurement itself needs an explanation. `baseline` is the value of another run, if the limit
    is what this run may differ from it.
    """

    __pydantic_config__: ClassVar[Mapping[str, bool]] = {"allow_inf_nan": False}

    name: str
    limit: float
    unit: str
    comparison: Comparison
    why: str
    breach: Verdict = Verdict.FAIL
    baseline: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A measured value, or None with the reason; a lower bound of it may still be known."""

    value: float | None
    detail: str = ""
    at_least: float | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """One objective with what was found and what follows from it."""

    objective: Objective
    verdict: Verdict
    found: float | None
    detail: str = ""


def judge(objective: Objective, found: Found) -> Judgement:
    """Hold what was found against the objective.

    A value that is missing or not a number is unknown, unless its lower bound is already above
    an at-most limit: that is a breach.
    """
    value = found.value
    if value is None or math.isnan(value):
        beyond = found.at_least is not None and found.at_least > objective.limit
        breached = beyond and objective.comparison is Comparison.AT_MOST
        verdict = objective.breach if breached else Verdict.UNKNOWN
        return Judgement(objective, verdict, None, found.detail or "not measured")
    holds = HOLDS[objective.comparison](value, objective.limit)
    verdict = Verdict.PASS if holds else objective.breach
    return Judgement(objective, verdict, value, found.detail)


def check(objective: Objective, probe: Callable[[], Found]) -> Judgement:
    """Judge what `probe` finds; a probe that crashes makes the verdict unknown, never a pass."""
    try:
        return judge(objective, probe())
    except Exception as error:
        detail = f"the check crashed: {type(error).__name__}: {error}"
        return Judgement(objective, Verdict.UNKNOWN, None, detail)


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The worst of several; of none it is unknown: a drill that judged nothing proved nothing."""
    return max(verdicts, key=_BADNESS.index, default=Verdict.UNKNOWN)
