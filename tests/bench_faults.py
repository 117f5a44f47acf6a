"""What links really do, and how long each fault takes to show and to go, on a lab that is up.

python tests/bench_faults.py links      configured against measured, as JSON
python tests/bench_faults.py faults     every fault, as a Markdown table for docs/faults.md
python tests/bench_faults.py faults NAME …   these alone
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from lab.core.errors import LabError
from lab.core.topology import EAST_DB1, WEST_DB1, link
from lab.core.wait import pause, wait_until
from lab.faults import acting
from lab.faults.catalogue import aimed, fault, faults
from lab.faults.row import Aimed, Fault, Takes
from lab.infra import settings
from lab.infra.linkstates import Toxic
from lab.infra.probe import ping
from lab.testbed.lab import Lab

ROUND_TRIPS_MS = (1, 10, 40, 100, 300)
RATES_KIB = (64, 256, 1024)
QUESTIONS = 40
ROUNDS = 3
_RATE_SECONDS = 6.0


@contextmanager
def attached() -> Iterator[Lab]:
    with Lab.attached(settings.chosen_name(None)) as lab:
        yield lab


def round_trips(lab: Lab) -> list[dict[str, float]]:
    """Configured against measured round trip, on a link that has no delay of its own.

    The bare link's own round trip is measured with it and is not taken off.
    """
    where, found = link("users-east:east:app"), []
    for wanted in (0, *ROUND_TRIPS_MS):
        # Half of it each way; a whole number of milliseconds is all that Toxiproxy takes.
        there, back = wanted // 2, wanted - wanted // 2
        toxics = [
            Toxic("fidelity", "latency", way, {"latency": late})
            for way, late in (("upstream", there), ("downstream", back))
            if late
        ]
        lab.links.armed_to_poison([where], toxics)()
        answers = ping(lab.engine, lab.settings, where, QUESTIONS, 5.0).answers
        lab.links.heal([where])
        found.append({"wanted_ms": wanted, "median_ms": statistics.median(answers) * 1000})
    return found


def bandwidths(lab: Lab) -> list[dict[str, float]]:
    """Configured against measured bytes of WAL per second through the replication link."""
    return [{"wanted_kib": rate, "measured_kib": _bandwidth(lab, rate)} for rate in RATES_KIB]


def _bandwidth(lab: Lab, rate: int) -> float:
    chosen = aimed(fault("bandwidth"), amount=float(rate))
    primary, standby = lab.databases[EAST_DB1], lab.databases[WEST_DB1]
    chosen.arm(lab)()
    try:
        primary.write_wal(round(rate * 1024 * (_RATE_SECONDS + 6)))
        pause(2.0)  # what was buffered before the limit has arrived
        began, before = time.monotonic(), standby.lsn()
        pause(_RATE_SECONDS)
        arrived, took = standby.lsn() - before, time.monotonic() - began
    finally:
        lab.links.heal(chosen.aim.links)
    end = primary.lsn()
    wait_until("the standby to catch up", lambda: standby.lsn() >= end, 60, ignoring=(LabError,))
    return arrived / took / 1024


def fail_over(lab: Lab) -> None:
    """East's standby next door takes over, and the old primary stays down."""
    command = [sys.executable, "-m", "lab"]
    for words in (("fault", "inject", "crash"), ("runbook", "run", "zone-failover", "--yes")):
        subprocess.run([*command, *words, "--name", lab.name], check=True)


def times(lab: Lab, row: Fault) -> tuple[list[float], list[float]]:
    """Seconds from the call to proof, and from healing to proof, several times over."""
    struck: list[float] = []
    healed: list[float] = []
    for _ in range(ROUNDS):
        if row.after_failover:
            fail_over(lab)
        chosen: Aimed = row.at()
        struck.append(acting.inject(lab, chosen).seconds)
        healed.append(acting.heal(lab, chosen).seconds)
        if row.after_failover:
            lab.reset()
    return struck, healed


def table(lab: Lab, names: Sequence[str] = ()) -> Iterator[str]:
    yield "| fault | target | proven after | gone after |"
    yield "|---|---|---|---|"
    for row in [fault(name) for name in names] or faults():
        struck, healed = times(lab, row)
        target = "" if row.takes is Takes.NOTHING else row.default
        yield f"| {row.name} | {target} | {_told(struck)} | {_told(healed)} |"


def _told(seconds: list[float]) -> str:
    return f"{statistics.median(seconds):.2f} s ({min(seconds):.2f}–{max(seconds):.2f})"


def main(what: str, *names: str) -> None:
    with attached() as lab:
        lab.reset()
        if what == "links":
            found = {"round_trips": round_trips(lab), "bandwidths": bandwidths(lab)}
            json.dump(found, sys.stdout)
        else:
            for line in table(lab, names):
                print(line, flush=True)  # noqa: T201 - the result


if __name__ == "__main__":
    main(*sys.argv[1:])
