"""What both steerings see while something happens: what their decision is tuned on.

They check each tenth of a second: any slower pace can be played from that.
"""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from tool import NAME, must, tell

from lab.core.errors import LabError
from lab.core.steering import Steering
from lab.core.topology import REGIONS, WEST_DB1, link
from lab.core.wait import pause
from lab.drills.sightings import Sightings, await_calm
from lab.faults.catalogue import aimed, fault
from lab.infra.clients import Load
from lab.infra.linkstates import Toxic
from lab.patience.recorded import Sequence, append
from lab.testbed import tuning
from lab.testbed.lab import Lab

FAST = Steering(interval=0.1)
SETTLED, AFTER = 2.0, 5.0  # seconds recorded before something happens, and after a loss
CHECKED = ("checks-east:east:app", "checks-west:east:app", "checks-west:west:app",
           "checks-east:west:app")  # fmt: skip
ROADS = ("west:east:sql", "west:east:replication", "users-east:east:app", "users-west:east:app")

Act = Callable[[Lab, random.Random], None]


@dataclass(frozen=True)
class Situation:
    """Something that happens; `seen` is what each steering should believe of a region then.

    As `viewer/region`; nothing where users may not be moved.
    """

    name: str
    act: Act
    seen: tuple[str, ...] = ()


def _blips(where: tuple[str, ...], kinds: tuple[str, ...], least: float, most: float) -> Act:
    def act(lab: Lab, chance: random.Random) -> None:
        ends = time.monotonic() + 40
        while time.monotonic() < ends:
            hit = [link(chance.choice(where))]
            aimed(fault(chance.choice(kinds)), hit).arm(lab)()
            pause(chance.uniform(least, most))
            lab.links.heal(hit)
            pause(chance.uniform(1.5, 3.5))

    return act


def _toxic(where: tuple[str, ...], latency: int, jitter: int) -> Act:
    def act(lab: Lab, chance: random.Random) -> None:
        hit = [link(each) for each in where]
        toxic = Toxic("blip", "latency", "downstream", {"latency": latency, "jitter": jitter})
        lab.links.armed_to_poison(hit, [toxic])()
        pause(15)
        lab.links.heal(hit)

    return act


def _busy(lab: Lab, chance: random.Random) -> None:
    with ExitStack() as stack:
        for _ in range(4):
            loop = stack.enter_context(subprocess.Popen([sys.executable, "-c", "while 1: pass"]))
            stack.callback(loop.kill)
        pause(12)


def _loss(name: str) -> Act:
    def act(lab: Lab, chance: random.Random) -> None:
        fault(name).at().arm(lab)()
        pause(AFTER)

    return act


BOTH = ("east/east", "west/east")
SITUATIONS = (
    Situation("quiet", lambda lab, chance: pause(20)),
    Situation("jitter", _toxic(CHECKED, 60, 50)),
    Situation("delay", _toxic((*CHECKED, "west:east:sql"), 250, 0)),
    Situation("blips", _blips((*CHECKED, *ROADS), ("refused", "silent"), 0.1, 0.4)),
    Situation("writer-blips", _blips(("west:east:sql",), ("refused", "silent"), 0.1, 0.4)),
    Situation("long-blips", _blips((*CHECKED, *ROADS), ("refused", "silent"), 0.5, 1.5)),
    Situation("busy", _busy),
    Situation("resolver-down", _loss("resolver-down")),
    Situation("region-loss", _loss("region-loss"), ("west/east",)),
    Situation("zone-loss", _loss("zone-loss"), BOTH),
    Situation("freeze", _loss("freeze"), BOTH),
    Situation("stop-immediate", _loss("stop-immediate"), BOTH),
    Situation("app-loss", _loss("app-loss"), BOTH),
    Situation("partition", _loss("partition"), ("west/west",)),
    Situation("partition-silent", _loss("partition-silent"), ("west/west",)),
    Situation("users-cut-off", _loss("users-cut-off"), ("east/east",)),
)  # fmt: skip


def record(path: str, times: int = 1, *names: str) -> bool:
    """Write a gzipped line of JSON for each situation, time and steering."""
    must("up")
    chance = random.Random()  # noqa: S311 - no secret
    with Lab.attached(NAME) as lab:
        for take in range(times):
            for each in (each for each in SITUATIONS if not names or each.name in names):
                append(Path(path), _recorded(lab, each, take, chance))
                tell(recorded=each.name)
    return True


def _recorded(
    lab: Lab, situation: Situation, take: int, chance: random.Random
) -> Iterator[Sequence]:
    lab.reset()
    tuning.tune(lab, FAST)
    await_calm(lab, WEST_DB1, FAST)
    for number, users in enumerate(lab.users.values()):
        users.start(Load(writes_per_second=20, reads_per_second=5, users=20), number)
    pause(2)
    seen = Sightings(lab, WEST_DB1)
    with seen.watching():
        pause(SETTLED)
        seen.struck(lambda: situation.act(lab, chance))
    for each in REGIONS:
        lost = tuple(e.split("/")[1] for e in situation.seen if e.startswith(each.name))
        with suppress(LabError):  # it may be what is lost
            yield replace(seen.sequence(situation.name, each, 0.0, lost), take=take)
    lab.stop_load()
