"""What commands take, and what a lab costs at rest."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import tempfile
import time
from functools import partial
from pathlib import Path

from bench_row import Bench, Found, acknowledged, attached, lab_command, rest, work

from lab.core.load import Load
from lab.core.topology import PLACES
from lab.core.wait import pause, wait_until


def from_nothing() -> Found:
    lab_command("down", "--yes")
    started = time.monotonic()
    up, _ = lab_command("up")
    with attached() as lab:
        work(lab, Load())
        wait_until("an order to be acknowledged", lambda: acknowledged(lab)[1] > 0, timeout=20)
        total = time.monotonic() - started
        rest(lab)
    return Found(total, f"of that `lab up` {up:.1f} s")


def again_and_again(command: str, times: int, *options: str) -> Found:
    """A command on a lab that is up."""
    lab_command("up")
    took = [lab_command(command, *options)[0] for _ in range(times)]
    return Found(statistics.median(took), f"median of {', '.join(f'{t:.1f}' for t in took)}")


def answers_at_once() -> Found:
    commands = (
        "--help", "drill --list", "fault list", "fault inject --help", "runbook list",
        "runbook show region-failover", "runbook steps", "runbook check region-failover",
        "matrix --help", "report --help",
    )  # fmt: skip
    took = {
        each: statistics.median(lab_command(*each.split())[0] for _ in range(5))
        for each in commands
    }
    slowest = max(took, key=lambda each: took[each])
    return Found(took[slowest], f"the slowest, of five each: lab {slowest}")


def beside_the_work() -> Found:
    """What a command takes beside its strike and proof, or its steps."""
    commands = (
        "fault inject refused", "fault heal refused", "fault inject region-loss",
        "runbook run region-failover --yes",
    )  # fmt: skip
    rests: dict[str, list[float]] = {each: [] for each in commands}
    for _ in range(3):
        lab_command("reset", "--yes")
        for each in commands:
            seconds, ran = lab_command(*each.split(), "--json")
            reported = sum(part["seconds"] for part in json.loads(ran.stdout))
            rests[each].append(seconds - reported)
    lab_command("reset", "--yes")
    found = {each: statistics.median(rest) for each, rest in rests.items()}
    told = ", ".join(f"{each} {rest:.2f} s" for each, rest in found.items())
    return Found(max(found.values()), f"medians of three: {told}")


def memory() -> Found:
    lab_command("up")
    with attached() as lab:
        used = {place: lab.engine.memory_and_cpu(place)[0] for place in PLACES}
    most = max(used, key=lambda place: used[place])
    total = sum(used.values()) / 2**20
    return Found(total, f"{len(used)} containers, most: {most} {used[most] / 2**20:.0f} MiB")


def idle_cpu() -> Found:
    """Over 65 s, so that every health probe (one a minute) is in it once."""
    lab_command("up")
    with attached() as lab:
        pause(3)
        before = {place: lab.engine.memory_and_cpu(place)[1] for place in PLACES}
        started = time.monotonic()
        pause(65)
        span = time.monotonic() - started
        after = {place: lab.engine.memory_and_cpu(place)[1] for place in PLACES}
    shares = {place: (after[place] - before[place]) / span * 100 for place in PLACES}
    top = sorted(shares, key=lambda place: -shares[place])[:3]
    return Found(sum(shares.values()), ", ".join(f"{p} {shares[p]:.1f} %" for p in top))


def check_in_ci() -> Found:
    """The job for other repositories, from nothing: libraries from the index, and a check."""
    root = Path(__file__).resolve().parent.parent
    with tempfile.TemporaryDirectory() as folder:
        started = time.monotonic()
        ran = subprocess.run(
            [root / ".ci" / "action" / "check"],
            cwd=root,
            env={
                **os.environ,
                "LAB_VENV": f"{folder}/venv",
                "LAB_RUNBOOKS": "chaos/runbooks/*.yaml",
            },
            capture_output=True,
            text=True,
            check=False,
        )
    checked = ran.stdout.count("\nscenario ")
    if checked < 10:
        raise SystemExit(f".ci/action/check failed:\n{ran.stderr}")
    return Found(time.monotonic() - started, f"{checked} runbooks")


BENCHES = (
    Bench("check in CI: libraries and all runbooks", "s", 20, True, check_in_ci),
    Bench("start: nothing running to users writing", "s", 8, True, from_nothing),
    Bench("idle: memory of all containers", "MiB", 600, True, memory),
    Bench("idle: CPU of all containers", "% of a core", 15, True, idle_cpu),
    Bench("commands that run nothing: the slowest", "s", 0.4, True, answers_at_once),
    Bench("status", "s", 1, True, partial(again_and_again, "status", 5)),
    Bench("commands that act: beside steps, strike and proof", "s", 0.5, True, beside_the_work),
    Bench("reset", "s", 4, True, partial(again_and_again, "reset", 3, "--yes")),
)
