"""Figures of random runs, by the project and by the reference of tests/reference."""

from __future__ import annotations

import sys
from pathlib import Path

from tool import tell

TESTS = Path(__file__).parent.parent
TOGETHER = 100
"""So many runs are read and classified as one record."""


def reference(times: int, first: int = 0) -> bool:
    """Runs of the seeds from `first` on: a line for each that differs, with the figures."""
    sys.path += [str(TESTS), str(TESTS / "unit")]
    from reference.held import Differences, differences, files, joined, record_differences
    from reference.histories import made
    from reference.witnesses import combined, logged, watched

    def figures(seed: int) -> Differences:
        return differences(made(seed))

    bad = 0
    for begin in range(first, first + times, TOGETHER):
        seeds = range(begin, min(begin + TOGETHER, first + times))
        runs = joined(map(made, seeds))
        found = [("record", begin, record_differences(runs, files(runs)))]
        for look in (figures, watched, logged, combined):
            found += [(look.__name__, seed, look(seed)) for seed in seeds]
        for what, seed, names in found:
            bad += bool(names)
            if names:
                tell(what=what, seed=seed, differences={k: repr(v) for k, v in names.items()})
    tell(reference=times, different=bad)
    return not bad
