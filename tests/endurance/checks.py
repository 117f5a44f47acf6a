"""What both steerings see while something happens: what their decision is tuned on.

They check each tenth of a second: any slower pace can be played from that.
"""

from __future__ import annotations

import gzip
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tool import NAME, must, tell

from lab.core.errors import LabError
from lab.core.steering import Steering
from lab.core.topology import REGIONS, link
from lab.core.wait import pause, wait_until
from lab.faults.catalogue import aimed, fault
from lab.infra.clients import Load
from lab.infra.linkstates import Toxic
from lab.testbed import tuning
from lab.testbed.lab import Lab

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
    with gzip.open(Path(path), "at", encoding="utf-8") as file, Lab.attached(NAME) as lab:
        for _ in range(times):
            for each in (each for each in SITUATIONS if not names or each.name in names):
                for line in _recorded(lab, each, chance):
                    file.write(json.dumps(line, separators=(",", ":")) + "\n")
                file.flush()
                tell(recorded=each.name)
    return True


def _recorded(lab: Lab, situation: Situation, chance: random.Random) -> list[dict[str, object]]:
    lab.reset()
    tuning.tune(lab, Steering(interval=0.1))
    wait_until("both regions to take orders", lambda: _calm(lab), 60, ignoring=(LabError,))
    for number, users in enumerate(lab.users.values()):
        users.start(Load(writes_per_second=20, reads_per_second=5, users=20), number)
    pause(2)
    before = {each.name: len(_checks(lab, each.name)) for each in REGIONS}
    began = time.monotonic()
    pause(SETTLED)
    struck = time.monotonic()
    situation.act(lab, chance)
    lines = [_line(lab, situation, viewer, began, struck) for viewer in before]
    lab.stop_load()
    return [each for each in lines if each["checks"]]


def _line(
    lab: Lab, situation: Situation, viewer: str, began: float, struck: float
) -> dict[str, object]:
    try:
        seen = [each for each in _checks(lab, viewer) if each["began"] >= began]
    except LabError:
        seen = []
    lost = [each.split("/")[1] for each in situation.seen if each.startswith(viewer)]
    return {
        "name": situation.name, "viewer": viewer, "lost": lost,
        "struck": round((struck - began) * 1000),
        "checks": [
            [each["region"][0], round((each["began"] - began) * 1000),
             round((each["ended"] - each["began"]) * 1000), each["kind"]]
            for each in sorted(seen, key=lambda each: each["ended"])
        ],
    }  # fmt: skip


def _checks(lab: Lab, viewer: str) -> list[dict[str, object]]:
    region = next(each for each in REGIONS if each.name == viewer)
    return lab.steerings[region]._send("GET", "/checks?after=0").json()


def _calm(lab: Lab) -> bool:
    views = [view.state for each in REGIONS for view in lab.steerings[each].state().view.values()]
    return views == ["ready"] * 4
