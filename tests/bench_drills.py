"""How fast drills are, what they lose, and whether their second opinions agree."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from bench_row import Bench, Found, lab_command

ZONE_LOSSES = 10
OPINIONS = 20


@cache
def region_loss() -> dict[str, Any]:
    """One run, with the `seconds` that the command took."""
    seconds, ran = lab_command("drill", "region-loss", "--json")
    return {**json.loads(ran.stdout), "seconds": seconds}


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
    wanted = {name: steps[name] for name in ("promote", "repoint")}
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


@cache
def opinions() -> tuple[dict[str, Any], ...]:
    """Results of alternating drills, each with both second opinions."""
    found = []
    for number in range(OPINIONS):
        drill = ("region-loss", "zone-loss")[number % 2]
        _, ran = lab_command("drill", drill, "--json", "--seed", str(number))
        found.append(json.loads(ran.stdout))
    return tuple(found)


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


BENCHES = (
    Bench("region-loss: whole drill", "s", 25, True, whole_drill),
    Bench("region-loss: users write again", "s", 10, True, region_rto),
    Bench("region-loss: promote and re-point", "s", 1, True, promote_and_repoint),
    Bench("zone-loss: lost or not passed, ten in a row", "", 0, True, zone_losses),
    Bench("opinions: stopwatch and history, furthest apart", "ms", 50, True, stopwatch_agrees),
    Bench("opinions: WAL and history, disagreements", "", 0, True, wal_agrees),
)
