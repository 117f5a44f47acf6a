"""The decision on checks that were recorded in a running lab, at five phases of its pace each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from apps.steering.decide import Thresholds
from lab.patience.recorded import Sequence, read
from lab.patience.replay import Played, play

CHECKS = Path(__file__).parent / "checks"
INTERVAL, PHASES = 0.5, 5
SETS = pytest.mark.parametrize(
    "name", sorted(each.name.partition(".")[0] for each in CHECKS.glob("*.gz"))
)
ABOVE = {"long-blips"}  # noise that lasts longer than what users are to sit out


def played(name: str, *, lost: bool) -> Iterator[tuple[Sequence, Played]]:
    for each in read(CHECKS / f"{name}.jsonl.gz"):
        if bool(each.lost) is lost and each.name not in ABOVE:
            for phase in range(PHASES):
                start = phase * INTERVAL / PHASES
                yield each, play(each, Thresholds(), start)


@SETS
def test_noise_moves_no_user(name: str) -> None:
    found = [(each.name, each.viewer, one.moves) for each, one in played(name, lost=False)]
    assert found
    assert not [each for each in found if each[2]]


@SETS
def test_every_loss_is_noticed(name: str) -> None:
    found = [
        (each.name, each.viewer, region)
        for each, one in played(name, lost=True)
        for region in each.lost
        if not any(moment >= each.struck for moment in one.fell(region))
    ]
    assert not found


@SETS
def test_a_decision_that_believes_every_check_is_moved_by_the_same_noise(name: str) -> None:
    rash = Thresholds(1, 1, *[0.0] * 7)
    noise = [each for each in read(CHECKS / f"{name}.jsonl.gz") if each.name == "blips"]
    assert any(play(each, rash).moves for each in noise)
