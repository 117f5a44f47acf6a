"""A made-up region loss, seen through the whole pure core: for tests and for looking at reports.

Nothing here was measured. It imitates a lab with 50 writes per second and population.
"""

from __future__ import annotations

import random
from dataclasses import replace

from pure_builders import BOOT, header, lines, run, write

from lab import ledger
from lab.assemble import assemble
from lab.classify import Row, classify
from lab.figures import measure
from lab.history import Operation, Outcome
from lab.measure import Fork
from lab.objectives import judge_all
from lab.record import Journal, Mark, MarkName, Phase, StepRecord, Via
from lab.result import NodeView, Result
from lab.verdict import Comparison, Objective

FAULT = 1000.0
PROMOTED = 1002.9
IN, OUT = Via.IN_BAND, Via.OUT_OF_BAND

STEPS = (
    ("detect", IN, 0.0, 1.84, "west's steering sees east as down: time-out", Phase.DETECT),
    ("confirm", OUT, 1.84, 1.91, "the engine confirms: 7 machines do not run", Phase.DECIDE),
    ("decide", OUT, 1.91, 1.92, "automatic: two independent looks agree", Phase.DECIDE),
    ("fence the old primary", OUT, 1.92, 2.05, "east.db1 is proven dead", Phase.FENCE),
    ("set synchronous names", OUT, 2.05, 2.2, "west.db1: 'ANY 1 (west_db2)'", Phase.PROMOTE),
    ("promote", OUT, 2.2, 2.62, "west.db1: timeline 1 → 2 at 0/5A00108", Phase.PROMOTE),
    ("ensure slots", OUT, 2.62, 2.7, "made west_db2", Phase.PROMOTE),
    ("re-point the writer", OUT, 2.7, 2.81, "took: dns-west; pending: dns-east", Phase.REPOINT),
    ("verify by a real order", IN, 2.81, 3.3, "answered ok by west_db1, and found", None),
    ("users are steered", IN, 3.3, 3.9, "app.lab.test → 10.91.0.12", None),
)

OBJECTIVES = (
    Objective("rto_seconds", 10, "s", Comparison.AT_MOST, "users must be able to order again"),
    Objective("rpo_seconds", 5, "s", Comparison.AT_MOST, "a moment is lost, not minutes"),
    Objective("split_brain_writes", 0, "writes", Comparison.AT_MOST, "it cannot be merged"),
)

BEFORE = (
    NodeView(node="east.db1", role="primary", timeline=1),
    NodeView(node="east.db2", role="standby", follows="east.db1", sync=True, timeline=1),
    NodeView(node="west.db1", role="standby", follows="east.db1", timeline=1),
    NodeView(node="west.db2", role="standby", follows="west.db1", timeline=1),
)
AFTER = (
    NodeView(node="east.db1", role="dead"),
    NodeView(node="east.db2", role="dead"),
    NodeView(node="west.db1", role="primary", timeline=2),
    NodeView(node="west.db2", role="standby", follows="west.db1", sync=True, timeline=2),
)


def journal() -> Journal:
    """The marks and steps of the made-up runbook."""
    marks = {
        MarkName.DRILL_STARTED: -14.0,
        MarkName.STEADY: -8.0,
        MarkName.FAULT_STARTED: 0.0,
        MarkName.FAULT_PROVEN: 0.35,
        MarkName.DETECTED: 1.61,
        MarkName.DECIDED: 1.92,
        MarkName.RESTORED: 3.3,
        MarkName.LOAD_STOPPED: 12.0,
        MarkName.HEALED: 25.0,
    }
    steps = tuple(
        StepRecord(name, via, FAULT + a, FAULT + b, "done", proof, "so that users can order", phase)
        for name, via, a, b, proof, phase in STEPS
    )
    return Journal(BOOT, tuple(Mark(name, FAULT + at) for name, at in marks.items()), steps)


def population(name: str, chance: random.Random) -> list[Operation]:
    """Writes of one population: east's database answers, dies, and west's takes over."""
    return [
        _write(f"{name}-{n:032x}", name, FAULT - 11.0 + n / 50 + chance.random() / 50, chance)
        for n in range(23 * 50)
    ]


def _write(key: str, name: str, start: float, chance: random.Random) -> Operation:
    mine = chance.random() >= 0.1
    base = write(key, start=start, population=name, user=chance.randrange(40), honours_ttl=mine)
    after = start - FAULT
    if after < 0.02:
        near = 0.006 if name == "east" else 0.088
        return replace(
            base,
            end=start + near + chance.expovariate(300),
            region=name,
            lsn=f"0/{0x5A00108 + int(after * 60_000) + 4000:X}",
            xid=str(70_000 + int(after * 100)),
        )
    back = 3.2 + chance.random() * (1.4 if mine else 8.0)
    if name == "west":
        back = 2.9
    if after >= back:
        told = {"region": "west", "node": "west_db1", "timeline": 2}
        return replace(base, end=start + 0.006 + chance.expovariate(200), **told)  # type: ignore[arg-type]
    outcome = Outcome.UNKNOWN if after < 0.2 else Outcome.FAIL
    blank = {"region": None, "node": None, "timeline": None, "xid": None, "lsn": None}
    took = 1.6 if outcome is Outcome.UNKNOWN else 0.9
    return replace(base, outcome=outcome, end=start + took, **blank)  # type: ignore[arg-type]


def region_loss(objectives: tuple[Objective, ...] = OBJECTIVES, seed: int = 7) -> Result:
    """The whole way from a history to a result."""
    chance = random.Random(seed)  # noqa: S311 - made-up traffic
    east, west = population("east", chance), population("west", chance)
    done = [w for w in (*east, *west) if w.outcome is Outcome.OK]
    kept = {w.key: Row() for w in done if w.timeline == 2 or w.end < FAULT - 0.045}
    dead = {w.key: Row() for w in done if w.timeline == 1}
    cut = [w for w in (*east, *west) if w.outcome is Outcome.UNKNOWN]
    kept |= {w.key: Row() for w in cut[:3]}
    reads = {"west_db1": kept, "east_db1": dead, "east_db2": dead}
    with ledger.load(header() + lines(east), header("west") + lines(west)) as record:
        found = classify(record, reads, "west_db1", {"east_db1", "east_db2"})
        figures = measure(record, journal(), found, Fork(1, 0x5A00108), dead={"10.91.0.11"})
        judged = judge_all(objectives, figures)
        facts = run(before=BEFORE, after=AFTER)
        return assemble(facts, journal(), record, figures, judged)
