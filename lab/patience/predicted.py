"""Which cells there are, what recordings say of each, and which of them a lab confirms. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from math import ceil
from random import Random
from typing import Final

from apps.steering.decide import Thresholds
from lab.core.topology import REGIONS
from lab.patience import recorded
from lab.patience.alarm import alarm
from lab.patience.cells import QUESTIONS, Cell, Loss, Outcome
from lab.patience.recorded import PACE
from lab.patience.replay import play
from lab.patience.rows import LOST, Blip, Patience

LOSS: Final = "region-loss"
"""The drill that is a real loss, and the name of its recordings."""

LIVE_SHARE: Final = 0.1
_PHASES: Final = 5
"""Replays of each recording: the first check of one begins anywhere in its interval."""

Takes = Mapping[tuple[str, float], tuple[Mapping[str, recorded.Sequence], ...]]
"""By name and length: the recordings of it, each with what both viewers saw, by their region."""


def takes(sequences: Iterable[recorded.Sequence]) -> Takes:
    """Recordings, sorted."""
    found = defaultdict[tuple[str, float], dict[int, dict[str, recorded.Sequence]]](dict)
    for each in sequences:
        found[each.name, each.lasting].setdefault(each.take, {})[each.viewer] = each
    return {key: tuple(by_take.values()) for key, by_take in found.items()}


def cells(
    patiences: Iterable[Patience],
    blips: Sequence[Blip],
    lengths: Sequence[float],
    known: Takes,
    stretch: float = 1.0,
) -> tuple[Cell, ...]:
    """What recordings say of each patience, kind of blip and length."""
    return tuple(
        cell(each, blip, seconds, known, stretch)
        for each in patiences
        for blip in blips
        for seconds in lengths
    )


def cell(
    patience: Patience, blip: Blip, seconds: float, known: Takes, stretch: float = 1.0
) -> Cell:
    """What recordings say of a blip."""
    outcomes = [
        _outcome(patience, take, phase, stretch)
        for take in known.get((blip.name, seconds), ())
        for phase in _phases(patience)
    ]
    effects = {each.name: sum(map(each.of, outcomes)) for each in QUESTIONS}
    return Cell(patience.name, blip.name, seconds, len(outcomes), effects)


def loss(patience: Patience, known: Takes) -> Loss:
    """When a real loss is noticed, by recordings."""
    moments = [
        found.at - seen.struck
        for take in known.get((LOSS, 0.0), ())
        for phase in _phases(patience)
        for seen in [take[LOST.other.name]]
        if (found := alarm(play(seen, _limits(patience), phase), seen, patience.after, phase))
    ]
    return Loss(patience.name, noticed=tuple(sorted(moments)))


def confirmed(cells: Sequence[Cell], seed: int, share: float = LIVE_SHARE) -> tuple[Cell, ...]:
    """The cells that a lab is to confirm, in their order.

    A tenth of all, chosen by the seed among those of which all replays end alike: any other one can
    contradict no prediction. And all those that no recording decides.
    """
    firm = [each for each in cells if each.firm]
    number = min(ceil(len(cells) * share), len(firm))
    chosen = Random(seed).sample(firm, number)  # noqa: S311 - no secret
    return tuple(each for each in cells if each in chosen or not each.replays)


def _outcome(
    patience: Patience, take: Mapping[str, recorded.Sequence], phase: float, stretch: float
) -> Outcome:
    limits = _limits(patience)
    played = {name: play(seen, limits, phase) for name, seen in take.items()}
    moved = {name: bool(each.moves) for name, each in played.items()}
    watching = LOST.other.name
    found = alarm(played[watching], take[watching], patience.after, phase, stretch)
    east, west = (moved[each.name] for each in REGIONS)
    return Outcome(east, west, found is not None, found is not None and found.confirmed)


def _phases(patience: Patience) -> Iterator[float]:
    """None where checks follow each other faster than the recorded ones."""
    used = patience.steering
    if min(used.interval, used.urgent) >= PACE:
        yield from (used.interval * number / _PHASES for number in range(_PHASES))


def _limits(patience: Patience) -> Thresholds:
    return Thresholds(**asdict(patience.steering))
