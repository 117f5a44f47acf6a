"""`make bench`: what the lab itself costs, each figure against its limit; exit code 1 on a miss.

Everything is measured on a lab of its own, on this machine, now. Images must be present.
    python tests/bench.py [name …]     only the figures whose name starts so
"""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from lab import settings
from lab.cluster import Lab
from lab.load import Load
from lab.service import wait_for_service
from lab.topology import PLACES, Region
from lab.wait import pause, wait_until

NAME = "lab-bench"
SATURATING = Load(writes_per_second=300, reads_per_second=0, users=60)
OFFERED = Load(writes_per_second=400, reads_per_second=0, users=60)
TIMES = (1, 2, 4)
TIMES_SECONDS, WINDOW = 30, 5
ZONE_LOSSES = 10
OPINIONS = 20
MANY = 10_000_000


@dataclass(frozen=True)
class Found:
    """A measured value; `detail` says what it is made of."""

    value: float
    detail: str = ""


@dataclass(frozen=True)
class Bench:
    """One figure: its limit, which way it is meant, and how it is measured."""

    name: str
    unit: str
    limit: float
    at_most: bool
    measure: Callable[[], Found]

    def holds(self, found: Found) -> bool:
        """True when the value is within the limit."""
        return found.value <= self.limit if self.at_most else found.value >= self.limit


def lab_command(*arguments: str) -> tuple[float, subprocess.CompletedProcess[str]]:
    """Run the command line; seconds it took, and what it said. Raises when the lab is broken."""
    started = time.monotonic()
    ran = subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode in {2, 3}:
        raise SystemExit(f"lab {' '.join(arguments)} failed:\n{ran.stderr}")
    return time.monotonic() - started, ran


@contextmanager
def attached() -> Iterator[Lab]:
    with Lab.attached(settings.chosen_name(None)) as lab:
        yield lab


def work(lab: Lab, load: Load) -> None:
    for number, users in enumerate(lab.users.values()):
        users.start(load, number)


def rest(lab: Lab) -> None:
    for users in lab.users.values():
        users.stop()


def acknowledged(lab: Lab) -> tuple[float, int]:
    stats = [users.stats() for users in lab.users.values()]
    return time.monotonic(), sum(s.totals["write"].ok for s in stats if "write" in s.totals)


def from_nothing() -> Found:
    lab_command("down")
    started = time.monotonic()
    up, _ = lab_command("up")
    with attached() as lab:
        work(lab, Load())
        wait_until("an order to be acknowledged", lambda: acknowledged(lab)[1] > 0, timeout=20)
        total = time.monotonic() - started
        rest(lab)
    return Found(total, f"of that `lab up` {up:.1f} s")


def reset() -> Found:
    lab_command("up")
    times = [lab_command("reset")[0] for _ in range(3)]
    return Found(statistics.median(times), f"median of {', '.join(f'{t:.1f}' for t in times)}")


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


def status() -> Found:
    lab_command("up")
    times = [lab_command("status")[0] for _ in range(5)]
    return Found(statistics.median(times), f"median of {', '.join(f'{t:.1f}' for t in times)}")


def beside_the_work() -> Found:
    """What a command takes beside its strike and proof, or its steps."""
    commands = (
        "fault inject refused", "fault heal refused", "fault inject region-loss",
        "runbook run region-failover --yes",
    )  # fmt: skip
    rests: dict[str, list[float]] = {each: [] for each in commands}
    for _ in range(3):
        lab_command("reset")
        for each in commands:
            seconds, ran = lab_command(*each.split(), "--json")
            reported = sum(part["seconds"] for part in json.loads(ran.stdout))
            rests[each].append(seconds - reported)
    lab_command("reset")
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


def sustained_writes() -> Found:
    lab_command("up")
    lab_command("reset")
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
    lab_command("reset")
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


_runs: dict[str, dict[str, Any]] = {}


def region_loss() -> dict[str, Any]:
    if not _runs:
        seconds, ran = lab_command("drill", "region-loss", "--json")
        _runs["result"] = json.loads(ran.stdout)
        _runs["result"]["seconds"] = seconds
    return _runs["result"]


def whole_drill() -> Found:
    lab_command("up")
    found = region_loss()
    return Found(found["seconds"], f"verdict {found['verdict']}, {found['lost']} lost")


def region_rto() -> Found:
    found = region_loss()
    words = [f"{k} {v:.2f} s" for k, v in found["rto_seconds"].items() if v is not None]
    worst = found["rto_seconds"]["max"]
    return Found(float("inf") if worst is None else worst, ", ".join(words))


def promote_and_repoint() -> Found:
    steps = {s["name"]: s["ended"] - s["started"] for s in region_loss()["steps"]}
    wanted = {name: steps[name] for name in ("promote", "re-point the writer")}
    return Found(sum(wanted.values()), ", ".join(f"{k} {v:.2f} s" for k, v in wanted.items()))


def zone_losses() -> Found:
    lost, times = 0, []
    for seed in range(ZONE_LOSSES):
        _, ran = lab_command("drill", "zone-loss", "--json", "--seed", str(seed))
        result = json.loads(ran.stdout)
        lost += result["lost"] + (result["verdict"] != "pass")
        times.append(result["rto_seconds"]["max"] or float("inf"))
    return Found(
        lost, f"{ZONE_LOSSES} runs; users back after {min(times):.1f} to {max(times):.1f} s"
    )


def recording() -> Found:
    """Time spent on writing history lines, as a share of all CPU time of the users' processes.

    An upper bound of what recording takes from their rate: it would be all of it if they were
    short of CPU.
    """
    lab_command("up")
    lab_command("reset")
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


_opinions: list[dict[str, Any]] = []


def opinions() -> list[dict[str, Any]]:
    """Results of alternating drills, each with both second opinions."""
    for number in range(len(_opinions), OPINIONS):
        drill = ("region-loss", "zone-loss")[number % 2]
        _, ran = lab_command("drill", drill, "--json", "--seed", str(number))
        _opinions.append(json.loads(ran.stdout))
    return _opinions


def stopwatch_agrees() -> Found:
    found = [row for run in opinions() for row in run["opinions"] if row["name"] == "stopwatch"]
    apart = [row["values"].get("apart", float("inf")) for row in found]
    upper = sorted(abs(row["values"].get("difference", float("inf"))) for row in found)
    return Found(
        max(apart) * 1000,
        f"{len(apart)} drills; upper ends {upper[len(upper) // 2] * 1000:.0f} ms apart (median),"
        f" {upper[-1] * 1000:.0f} ms at most",
    )


def wal_agrees() -> Found:
    found = [row for run in opinions() for row in run["opinions"] if row["name"] == "wal"]
    bad = [row for row in found if row["verdict"] != "pass"]
    lost = sum(row["values"]["lost"] for row in found)
    return Found(len(bad), f"of {len(found)} drills, {lost} lost writes in all")


@cache
def figures(operations: int) -> dict[str, float]:
    """The figures of a made-up record of that size, measured in a process of its own."""
    script = Path(__file__).with_name("bench_figures.py")
    ran = subprocess.run(
        [sys.executable, str(script), str(operations)], capture_output=True, text=True, check=True
    )
    found: dict[str, float] = json.loads(ran.stdout)
    return found


def figures_seconds() -> Found:
    found = figures(MANY)
    parts = ("read", "classify", "measure")
    return Found(found["total"], ", ".join(f"{name} {found[name]:.1f} s" for name in parts))


def figures_memory() -> Found:
    return Found(figures(MANY)["peak_mib"], "peak of the process that reads and measures")


def figures_growth() -> Found:
    small, large = figures(MANY // 10), figures(MANY)
    return Found(
        large["total"] / small["total"], f"{small['total']:.2f} s and {large['total']:.2f} s"
    )


@cache
def links() -> dict[str, Any]:
    """What links really do; measured once."""
    lab_command("up")
    ran = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("bench_faults.py")), "links"],
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(ran.stdout))


def round_trips() -> Found:
    """How far the worst round trip is off: in parts of what is allowed, 5 % or 1 ms."""
    bare, *rows = links()["round_trips"]
    off = [
        abs(row["median_ms"] - row["wanted_ms"]) / max(1.0, row["wanted_ms"] * 0.05) for row in rows
    ]
    told = ", ".join(f"{row['wanted_ms']} → {row['median_ms']:.2f} ms" for row in rows)
    return Found(max(off), f"bare link {bare['median_ms']:.2f} ms; {told}")


def bandwidths() -> Found:
    rows = links()["bandwidths"]
    off = [abs(row["measured_kib"] / row["wanted_kib"] - 1) * 100 for row in rows]
    told = ", ".join(f"{row['wanted_kib']} → {row['measured_kib']:.1f} KiB/s" for row in rows)
    return Found(max(off), told)


BENCHES = (
    Bench("start: nothing running to users writing", "s", 8, True, from_nothing),
    Bench("idle: memory of all containers", "MiB", 600, True, memory),
    Bench("idle: CPU of all containers", "% of a core", 15, True, idle_cpu),
    Bench("commands that run nothing: the slowest", "s", 0.4, True, answers_at_once),
    Bench("status", "s", 1, True, status),
    Bench("commands that act: beside steps, strike and proof", "s", 0.5, True, beside_the_work),
    Bench("reset", "s", 4, True, reset),
    Bench("load: acknowledged writes", "1/s", 700, False, sustained_writes),
    Bench(
        "overload: goodput at 1, 2 and 4 times, at worst", "% of capacity", 80, False, goodput_share
    ),
    Bench("overload: full service after the load fell", "s", 3, True, full_service),
    Bench("overload: health checks, the slowest answer", "s", 0.8, True, health_checks),
    Bench("region-loss: whole drill", "s", 25, True, whole_drill),
    Bench("region-loss: users write again", "s", 10, True, region_rto),
    Bench("region-loss: promote and re-point", "s", 1, True, promote_and_repoint),
    Bench("zone-loss: lost or not passed, ten in a row", "", 0, True, zone_losses),
    Bench("recording: share of the users' CPU time", "%", 5, True, recording),
    Bench("opinions: stopwatch and history, furthest apart", "ms", 50, True, stopwatch_agrees),
    Bench("opinions: WAL and history, disagreements", "", 0, True, wal_agrees),
    Bench("links: round trip off, of 5 % or 1 ms", "×", 1, True, round_trips),
    Bench("links: bandwidth off", "%", 10, True, bandwidths),
    Bench("figures: ten million operations", "s", 8, True, figures_seconds),
    Bench("figures: ten million operations, memory", "MiB", 1536, True, figures_memory),
    Bench("figures: ten times as many take so many times as long", "", 12, True, figures_growth),
)


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
            lab_command("down")
    console.print(table)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
