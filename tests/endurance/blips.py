"""Recordings of blips and of a real loss, which `lab tune` predicts from; and `lab tune` itself."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from tool import NAME, must, ran, tell

from lab.core.steering import Steering
from lab.core.topology import WEST, WEST_DB1
from lab.core.wait import pause
from lab.drills import blips, sightings, tune
from lab.faults.catalogue import fault
from lab.patience import recorded
from lab.patience.predicted import LOSS
from lab.patience.rows import BLIPS, LENGTHS, Patience
from lab.testbed import tuning
from lab.testbed.lab import Lab

FAST = Patience("recorded", Steering(interval=recorded.PACE, urgent=recorded.PACE))
LEAD, LOST = 2.0, 15.0  # seconds recorded before a loss, and of it
BUDGET = 12 * 60  # seconds for all of `lab tune` on two cores, where the lab is up


def record(path: str, times: int = 1, first: int = 0) -> bool:
    """Write a gzipped line of JSON for each blip, length, time and steering, and for losses."""
    must("up")
    chance = random.Random()  # noqa: S311 - no secret
    with Lab.attached(NAME) as lab:
        blips.begin(lab)
        for take in range(first, first + times):
            for blip in BLIPS:
                for seconds in LENGTHS:
                    done = blips.play(lab, blip, seconds, FAST, tune.looks(FAST), chance, None)
                    keep(path, done.sequences, take)
                    tell(take=take, blip=blip.name, seconds=seconds, outcome=str(done.outcome))
            keep(path, [_loss(lab)], take)
            tell(take=take, loss=LOSS)
            blips.begin(lab)
        lab.reset()
    return True


def keep(path: str, found: Iterable[recorded.Sequence], take: int) -> None:
    recorded.append(Path(path), [replace(each, take=take) for each in found])


def _loss(lab: Lab) -> recorded.Sequence:
    tuning.tune(lab, FAST.steering)
    sightings.await_calm(lab, WEST_DB1, FAST.steering)
    seen = sightings.Sightings(lab, WEST_DB1)
    strike = fault(LOSS).at().arm(lab)
    with seen.watching():
        pause(LEAD)
        seen.struck(strike)
        pause(LOST)
    return seen.sequence(LOSS, WEST, 0.0, ("east",))


def tuned(seed: int = 1, *options: str) -> bool:
    """Five patiences, five kinds of blips: a tenth of the cells and all losses as predicted."""
    must("up")
    began = time.monotonic()
    done = ran("tune", "--seed", str(seed), "--json", *options, patience=2 * BUDGET)
    seconds = time.monotonic() - began
    found = json.loads(done.stdout) if done.returncode in (0, 1, 4) else {}
    played = [each for each in found.get("cells", []) if each["live"] or each["problem"]]
    tell(
        code=done.returncode, seconds=round(seconds), cells=len(found.get("cells", [])),
        live=len(played), losses=found.get("losses"), said=done.stderr[-2000:],
    )  # fmt: skip
    return done.returncode == 0 and seconds <= BUDGET
