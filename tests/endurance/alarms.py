"""Nothing is wrong, but for jitter and blips: nobody may be promoted."""

from __future__ import annotations

import random
import threading
import time
from typing import Any

from tool import NAME, last_words, must, ran, tell

from lab.core.load import Load
from lab.core.topology import DATABASES, REGIONS, link
from lab.core.wait import pause
from lab.faults.catalogue import aimed, fault
from lab.infra.linkstates import Toxic
from lab.testbed.lab import Lab


def alarms(minutes: int, seed: int = 1) -> bool:
    """Jitter and short blips under load, while a failover runbook waits for its reason."""
    must("up")
    must("reset", "--yes")
    chance, over = random.Random(seed), threading.Event()  # noqa: S311 - no secret
    found: list[str] = []
    with Lab.attached(NAME) as lab:
        events = {each: len(_answers(lab, each)) for each in REGIONS}
        for number, users in enumerate(lab.users.values()):
            users.start(Load(writes_per_second=20, reads_per_second=5, users=20), number)
        watch = threading.Thread(target=_watch, args=(over, found))
        watch.start()
        ends, blips = time.monotonic() + minutes * 60, 0
        try:
            while time.monotonic() < ends and not found:
                blips += 1
                _blip(lab, chance)
                pause(chance.uniform(1.5, 4.0))
        finally:
            over.set()
            watch.join()
            lab.stop_load()
        moved = {each.name: len(_answers(lab, each)) - events[each] for each in REGIONS}
        end = {str(place): lab.databases[place].state().role for place in DATABASES}
    primaries = [place for place, role in end.items() if role == "primary"]
    tell(minutes=minutes, blips=blips, failovers=found, names_moved=moved, primaries=primaries)
    return not found and primaries == ["east.db1"] and not any(moved.values())


def _watch(over: threading.Event, found: list[str]) -> None:
    """Let the runbook look for its reason again and again: it must give up each time."""
    while not over.is_set():
        done = ran("runbook", "run", "region-failover", "--yes", "--fresh")
        tell(detect=last_words(done.stderr))
        if "confirm (" in done.stderr or done.returncode != 1:  # it went beyond `detect`
            found.append(done.stderr)
            return


def _answers(lab: Lab, viewer: Any) -> list[object]:
    return [each for each in lab.steerings[viewer].events() if each.what == "answer"]


def _blip(lab: Lab, chance: random.Random) -> None:
    """Something short, or slow, on one road between the regions or the users' way into one."""
    where = chance.choice(
        ["west:east:replication", "west:east:sql", "checks-west:east:app", "checks-east:east:app",
         "users-east:east:app", "users-west:east:app", "checks-east:west:app"]
    )  # fmt: skip
    kind = chance.choice(["jitter", "refused", "silent"])
    if kind == "jitter":
        toxic = Toxic("blip", "latency", "downstream", {"latency": 60, "jitter": 50})
        lab.links.armed_to_poison([link(where)], [toxic])()
        pause(chance.uniform(0.5, 4.0))
    else:
        aimed(fault(kind), [link(where)]).arm(lab)()
        pause(chance.uniform(0.1, 0.4))
    lab.links.heal([link(where)])
