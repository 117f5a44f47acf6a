"""A blip on a lab that is up, under load: what steerings, users and a runbook make of it.

Recordings are made the same way, with steerings that check at their fastest.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from lab.core.errors import Refused
from lab.core.interrupts import ended
from lab.core.load import Load
from lab.core.topology import REGIONS
from lab.core.wait import pause
from lab.drills.sightings import Sightings, await_calm
from lab.faults.catalogue import aimed, fault
from lab.patience.cells import Outcome
from lab.patience.recorded import Sequence
from lab.patience.rows import Blip, Patience
from lab.records.runfiles import JOURNAL
from lab.runbooks.runbook import Call, Plan
from lab.steps.catalogue import do
from lab.steps.context import Context, Ending
from lab.testbed import tuning
from lab.testbed.journalwriter import Recorder
from lab.testbed.lab import Lab

LOAD: Final = Load(writes_per_second=20, reads_per_second=5, users=20)
HEALING: Final = "wait: the links are being healed, and the command then ends"
_LEAD_SECONDS: Final = 2.0
_TAIL_SECONDS: Final = 3.0
"""What is seen before a blip, and at least after it."""


@dataclass(frozen=True, slots=True)
class Looks:
    """The two looks of a runbook at a loss, and between which nodes it moves the primary."""

    detect: Call
    confirm: Call
    plan: Plan


@dataclass(frozen=True, slots=True)
class Episode:
    """What both steerings saw of a blip, and what came of it."""

    sequences: tuple[Sequence, ...]
    outcome: Outcome


def begin(lab: Lab) -> None:
    """Default topology, and users at work."""
    lab.reset()
    for number, users in enumerate(lab.users.values()):
        users.start(LOAD, number)


def play(
    lab: Lab,
    blip: Blip,
    seconds: float,
    used: Patience,
    looks: Looks,
    chance: Random,
    folder: Path | None,
) -> Episode:
    """One blip of so many seconds. Raises LabError if all is not well before it, or not again.

    Without a folder for its journal, no runbook looks for a loss: there is no alarm.
    """
    tuning.tune(lab, used.steering)
    calm = partial(await_calm, lab, looks.plan.new, used.steering)
    calm()
    strike = aimed(fault(blip.fault), blip.links, amount=blip.amount).arm(lab)
    seen = Sightings(lab, looks.plan.new)

    def hit() -> None:
        seen.struck(strike)
        pause(seconds)

    with seen.watching():
        pause(_LEAD_SECONDS + chance.uniform(0, used.steering.interval))
        with _looking(lab, looks, seen, folder) if folder else nullcontext([False] * 2) as found:
            ended(hit, lab.set_links, HEALING)
            pause(_TAIL_SECONDS)
            calm()
    east, west = (seen.moved(each) for each in REGIONS)
    return Episode(
        tuple(seen.sequence(blip.name, each, seconds, ()) for each in REGIONS),
        Outcome(east, west, *found),
    )


@contextmanager
def _looking(lab: Lab, looks: Looks, seen: Sightings, folder: Path) -> Iterator[list[bool]]:
    """A runbook looks for a loss meanwhile. In the end: whether it found one, and confirmed it.

    Raises LabError if it could not look.
    """
    over, found = threading.Event(), list[bool]()
    folder.mkdir(parents=True, exist_ok=True)
    context = Context(
        lab.obeying_cuts(), lab, looks.plan, Ending(lab, looks.plan),
        Recorder(seen.clock, folder / JOURNAL, ()), await_proof=partial(_refuse_after, over),
    )  # fmt: skip
    with ThreadPoolExecutor(1, "looks") as pool:
        looking = pool.submit(_look, context, looks, over)
        try:
            yield found
        finally:
            over.set()
        found += looking.result()


def _refuse_after(over: threading.Event) -> None:
    """What `detect` waits for where nothing is wrong: here for nothing, but for the blip's end."""
    if over.is_set():
        raise Refused("the blip is over", "nothing was lost")


def _look(context: Context, looks: Looks, over: threading.Event) -> tuple[bool, bool]:
    """Look for a loss again and again, until one is noticed or all is over."""
    while not over.is_set():
        try:
            do(looks.detect, context)
        except Refused:
            continue  # nothing is lost
        try:
            do(looks.confirm, context)
        except Refused:
            return True, False
        return True, True
    return False, False
