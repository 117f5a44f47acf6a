"""Every figure equals that of a second implementation, written from docs/figures.md alone.

A few hundred small runs; `python tests/endurance reference 3000` makes as many as one likes.
"""

from __future__ import annotations

import pytest
from reference.held import Differences, differences, files, joined, record_differences
from reference.histories import made
from reference.witnesses import combined, logged, watched

RUNS = range(100)


def different(found: dict[int, Differences]) -> dict[int, Differences]:
    return {seed: names for seed, names in found.items() if names}


def test_every_figure_of_a_run_equals_the_reference() -> None:
    assert not different({seed: differences(made(seed)) for seed in RUNS[:80]})


def test_what_became_of_each_write_equals_the_reference() -> None:
    runs = joined(made(seed) for seed in RUNS[:40])
    assert not record_differences(runs, files(runs))


def test_a_record_whose_last_line_is_cut_equals_the_reference_without_it() -> None:
    runs = joined(made(seed) for seed in RUNS[40:50])
    whole, kept = files(runs), runs.without_last(runs.names[0])
    assert not record_differences(kept, [whole[0][:-40], *whole[1:]], cut=1)


@pytest.mark.parametrize("opinion", [watched, logged, combined])
def test_second_opinions_and_verdicts_equal_the_reference(opinion: object) -> None:
    assert not different({seed: opinion(seed) for seed in RUNS})  # type: ignore[operator]
