"""Recorded checks, played to the decision again at the pace that it asks for."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from steering.checks import Check, Kind
from steering.decide import State, Thresholds, View, choose

REGIONS = {"e": "east", "w": "west"}
SLACK = 0.02  # seconds that a recorded check may have begun too early for the pace
READY = View().after(Check("", 0.0, 0.0, Kind.READY), Thresholds(), View())


@dataclass(frozen=True)
class Sequence:
    """What a steering saw (seconds since its beginning), and which regions were really lost."""

    name: str
    viewer: str
    lost: tuple[str, ...]
    struck: float
    checks: tuple[Check, ...]


@dataclass
class Played:
    """When users were moved, and when each region was no longer believed ready."""

    moves: list[float] = field(default_factory=list)
    fell: dict[str, list[float]] = field(default_factory=lambda: {"east": [], "west": []})
    states: dict[str, State] = field(default_factory=dict)
    asked: int = 0


def read(path: Path) -> Iterator[Sequence]:
    """The sequences in a file, one a line."""
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            told = json.loads(line)
            checks = tuple(
                Check(REGIONS[region], began / 1000, (began + took) / 1000, Kind(kind))
                for region, began, took, kind in told["checks"]
            )
            yield Sequence(
                told["name"], told["viewer"], tuple(told["lost"]), told["struck"] / 1000, checks
            )


def play(
    sequence: Sequence, limits: Thresholds, interval: float, urgent: float, phase: float = 0.0
) -> Played:
    """What the decision makes of a sequence; the first check begins after `phase` seconds."""
    played = Played()
    views = {"east": READY, "west": READY}
    due = {"east": phase, "west": phase}
    under_way: list[Check] = []
    at_own = True
    for check in sorted(sequence.checks, key=lambda each: each.began):
        for done in sorted((c for c in under_way if c.ended <= check.began), key=lambda c: c.ended):
            under_way.remove(done)
            at_own = _believe(played, views, done, sequence.viewer, at_own, limits)
            if any(view.doubted for view in views.values()):
                due = {name: min(at, done.ended) for name, at in due.items()}
        if check.began < due[check.region] - SLACK:
            continue
        doubted = any(view.doubted for view in views.values())
        due[check.region] = check.began + (urgent if doubted else interval)
        under_way.append(check)
        played.asked += 1
    played.states = {name: view.state or State.DOWN for name, view in views.items()}
    return played


def _believe(
    played: Played, views: dict[str, View], check: Check, viewer: str, at_own: bool,
    limits: Thresholds,
) -> bool:  # fmt: skip
    other = next(name for name in views if name != check.region)
    before = views[check.region]
    views[check.region] = after = before.after(check, limits, views[other])
    if (after.state or 0) < (before.state or 0):
        played.fell[check.region].append(check.ended)
    foreign = next(name for name in views if name != viewer)
    rule = choose(views[viewer], views[foreign], at_own, limits, check.ended)
    if rule is not None and rule.choose_own != at_own:
        played.moves.append(check.ended)
        return rule.choose_own
    return at_own
