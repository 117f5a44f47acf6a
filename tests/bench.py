"""`make bench`: what the lab itself costs, each figure against its limit; exit code 1 on a miss.

Everything is measured on a lab of its own, on this machine, now. Images must be present.
    python tests/bench.py [name …]     only the figures whose name starts so
"""

from __future__ import annotations

import os
import re
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import bench_commands
import bench_drills
import bench_records
from bench_row import Bench, Found, acknowledged, attached, lab_command, rest, work
from rich.console import Console
from rich.table import Table

from lab.core.load import Load
from lab.core.topology import EAST_DB2, Region
from lab.core.wait import pause
from lab.testbed.lab import Lab
from lab.testbed.service import wait_for_service

NAME = "lab-bench"
SATURATING = Load(writes_per_second=300, reads_per_second=0, users=60)
OFFERED = Load(writes_per_second=400, reads_per_second=0, users=60)
MODERATE = Load(writes_per_second=50, reads_per_second=0, users=60)
FROZEN_SECONDS = 25
TIMES = (1, 2, 4)
TIMES_SECONDS, WINDOW = 30, 5


def sustained_writes() -> Found:
    lab_command("up")
    lab_command("reset", "--yes")
    with attached() as lab:
        work(lab, OFFERED)
        pause(3)
        served, failed = goodput(lab, 15)
        rest(lab)
    offered = 2 * OFFERED.writes_per_second
    return Found(served, f"of {offered:g}/s offered; {failed} not served")


def goodput(lab: Lab, seconds: float) -> tuple[float, int]:
    """Acknowledged orders per second, and how many were not acknowledged."""
    begin, first = acknowledged(lab)
    before = [users.stats().totals["write"] for users in lab.users.values()]
    pause(seconds)
    end, last = acknowledged(lab)
    after = [users.stats().totals["write"] for users in lab.users.values()]
    failed = sum(c.fail + c.unknown for c in after) - sum(c.fail + c.unknown for c in before)
    return (last - first) / (end - begin), failed


@dataclass(frozen=True)
class Overload:
    """Acknowledged orders per second at several times the capacity, and what came of it."""

    capacity: float
    rates: dict[int, list[float]]  # by how many times: of WINDOW seconds each
    back: float  # seconds until full service, after the load fell to half
    checks: list[dict[str, Any]]  # by both steerings, of both regions


@cache
def overload() -> Overload:
    """Offer several times what the lab carries, then half of it."""
    lab_command("up")
    lab_command("reset", "--yes")
    with attached() as lab:
        # Half of it first: with connections yet to be made the capacity would look small, and
        # the goodput would look large beside it.
        work(lab, OFFERED.times(0.5))
        pause(8)
        offer(lab, 2 * OFFERED.writes_per_second)
        pause(3)
        capacity, rates = goodput(lab, 15)[0], {}
        seen = {name: len(checks(lab, name)) for name in lab.steerings}
        for times in TIMES:
            offer(lab, capacity * times)
            rates[times] = [goodput(lab, WINDOW)[0] for _ in range(TIMES_SECONDS // WINDOW)]
        offer(lab, capacity / 2)
        fell = time.monotonic()
        wait_for_service(lab, capacity / 4, 1.0, 60)
        back = time.monotonic() - fell - 1.0
        made = [each for name, count in seen.items() for each in checks(lab, name)[count:]]
        rest(lab)
    return Overload(capacity, rates, back, made)


def offer(lab: Lab, rate: float) -> None:
    """So many orders per second from now on, half of them by each population."""
    for users in lab.users.values():
        users.change(replace(OFFERED, writes_per_second=rate / 2))


def checks(lab: Lab, region: Region) -> list[dict[str, Any]]:
    """All health checks that a region's steering has made through the gateways."""
    answer = lab.steerings[region]._send("GET", "/checks?after=0")
    return list(answer.json())


def goodput_share() -> Found:
    found = overload()
    worst = min(rate for rates in found.rates.values() for rate in rates)
    told = ", ".join(f"{n}x {statistics.mean(r):.0f}/s" for n, r in found.rates.items())
    return Found(
        worst / found.capacity * 100,
        f"the worst {WINDOW} s of all; capacity {found.capacity:.0f}/s; means: {told}",
    )


def full_service() -> Found:
    return Found(overload().back, "until all of half the capacity is acknowledged for 1 s")


def health_checks() -> Found:
    made = overload().checks
    took = [each["ended"] - each["began"] for each in made]
    other = Counter(each["kind"] for each in made if each["kind"] != "ready")
    told = ", ".join(f"{count} {kind}" for kind, count in other.items()) or "all of them ready"
    return Found(max(took), f"the slowest of {len(made)}; {told}")


def thawed() -> Found:
    """Commits hang while the standby that they wait for is frozen; then it goes on."""
    lab_command("up")
    lab_command("reset", "--yes")
    rate = MODERATE.writes_per_second
    with attached() as lab:
        work(lab, MODERATE)
        wait_for_service(lab, rate, 3.0, 60)
        lab.engine.freeze([EAST_DB2])
        pause(FROZEN_SECONDS)
        lab.engine.thaw([EAST_DB2])
        went_on = time.monotonic()
        wait_for_service(lab, rate, 1.0, 60)
        back = time.monotonic() - went_on - 1.0
        rest(lab)
    return Found(back, f"frozen for {FROZEN_SECONDS} s; until all is acknowledged for 1 s")


def recording() -> Found:
    """Time spent on writing history lines, as a share of all CPU time of the users' processes.

    An upper bound of what recording takes from their rate: it would be all of it if they were
    short of CPU.
    """
    lab_command("up")
    lab_command("reset", "--yes")
    with attached() as lab:
        work(lab, SATURATING)
        pause(3)
        before = [users.stats() for users in lab.users.values()]
        pause(15)
        after = [users.stats() for users in lab.users.values()]
        rest(lab)
    spent = sum(
        b.recording_seconds - a.recording_seconds for a, b in zip(before, after, strict=True)
    )
    cpu = sum(b.cpu_seconds - a.cpu_seconds for a, b in zip(before, after, strict=True))
    return Found(100 * spent / cpu, f"{spent:.2f} s of {cpu:.1f} s CPU")


LOADS = (
    Bench("load: acknowledged writes", "1/s", 700, False, sustained_writes),
    Bench(
        "overload: goodput at 1, 2 and 4 times, at worst", "% of capacity", 80, False, goodput_share
    ),
    Bench("overload: full service after the load fell", "s", 3, True, full_service),
    Bench("overload: health checks, the slowest answer", "s", 0.8, True, health_checks),
    Bench("freeze: full service after the standby thaws", "s", 2, True, thawed),
    Bench("recording: share of the users' CPU time", "%", 5, True, recording),
)
BENCHES = (*bench_commands.BENCHES, *LOADS, *bench_drills.BENCHES, *bench_records.BENCHES)


def main(wanted: list[str]) -> int:
    """Measure, print a table, and say by the exit code whether all limits hold."""
    console = Console(highlight=False)
    table = Table(box=None, header_style="dim")
    for column in ("figure", "measured", "limit", "", "made of"):
        table.add_column(column)
    missed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(LAB_NAME=NAME, LAB_RUNS=str(Path(folder) / "runs"))
        try:
            for bench in BENCHES:
                if wanted and not any(re.match(name, bench.name) for name in wanted):
                    continue
                found = bench.measure()
                holds = bench.holds(found)
                missed += not holds
                sign = "≤" if bench.at_most else "≥"
                console.print(f"[dim]{bench.name}: {found.value:.2f} {bench.unit}[/dim]")
                table.add_row(
                    bench.name,
                    f"{found.value:.2f} {bench.unit}",
                    f"{sign} {bench.limit:g}",
                    "[green]ok[/green]" if holds else "[red]missed[/red]",
                    found.detail,
                )
        finally:
            lab_command("down", "--yes")
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
