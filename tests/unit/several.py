"""A made-up series of the made-up region loss: for tests and for looking at pages."""

from __future__ import annotations

from functools import cache

from made_up import region_loss

from lab.core.verdict import Verdict
from lab.records import spread
from lab.records.result import Result
from lab.records.spread import Series, SeriesRun

COMMAND = "lab drill region-loss --seed 7 --repeat 6"


def a_run(seed: int, **changes: object) -> Result:
    """A made-up run with another seed, other figures and perhaps another verdict."""
    return _made_up(seed).model_copy(update={"seed": seed, **changes})


@cache
def _made_up(seed: int) -> Result:
    return region_loss(seed=seed)


def folder(seed: int) -> str:
    """Where the run with that seed would lie."""
    return f"2026-01-02T03-{seed:02}-00Z-region-loss"


def runs() -> list[SeriesRun]:
    """Six runs: one fails, one lacks an RTO, one died."""
    changes: dict[int, dict[str, object]] = {
        7: {},
        8: {"lost": 9, "rpo_seconds": 0.31, "verdict": Verdict.FAIL},
        9: {
            "rto_seconds": {"east": None, "west": 3.4, "max": None},
            "verdict": Verdict.UNKNOWN,
        },
        10: {},
        11: {"lost": 2},
    }
    found = [
        spread.finished(number, seed, folder(seed), a_run(seed, **changes[seed]))
        for number, seed in enumerate(changes, 1)
    ]
    found.append(spread.died(6, 12, folder(12), "waited 20 s for west's shop to take an order"))
    return found


def a_series(*, asked: int = 6, interrupted: bool = False, take: int = 6) -> Series:
    """The first `take` of them as a series."""
    return spread.series(
        drill="region-loss",
        title="East is gone",
        command=COMMAND,
        seed=7,
        asked=asked,
        interrupted=interrupted,
        conditions=spread.conditions(a_run(7)),
        runs=runs()[:take],
    )
