"""What figures of a very large record cost, and what links really do: each in its own process."""

from __future__ import annotations

import json
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

from bench_row import Bench, Found, lab_command

MANY = 10_000_000


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


BENCHES = (
    Bench("links: round trip off, of 5 % or 1 ms", "×", 1, True, round_trips),
    Bench("links: bandwidth off", "%", 10, True, bandwidths),
    Bench("figures: ten million operations", "s", 8, True, figures_seconds),
    Bench("figures: ten million operations, memory", "MiB", 1536, True, figures_memory),
    Bench("figures: ten times as many take so many times as long", "", 12, True, figures_growth),
)
