"""A made-up region loss, seen through the whole pure core: for tests and for looking at reports.

Nothing here was measured. It imitates a lab with 50 writes per second and population.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace

from pure_builders import BOOT, header, lines, run, write

from lab.core.verdict import Comparison, Objective, Verdict
from lab.metrics.assemble import assemble, judged
from lab.metrics.classify import classify
from lab.metrics.figures import measure
from lab.metrics.measure import Fork
from lab.metrics.objectives import judge_all
from lab.metrics.placing import Row
from lab.records import ledger
from lab.records.history import Operation, Outcome
from lab.records.journalfile import Journal, Mark, MarkName, Phase, StepRecord, Via
from lab.records.readrows import SeenThenGoneRow, StaleReadRow
from lab.records.result import Result
from lab.records.resultrows import (
    AddressRow,
    BudgetRow,
    IncidentRow,
    LatencyRow,
    MisdirectedRow,
    MovementRow,
    NodeView,
    Opinion,
)
from lab.records.samples import NodeSample, Sample

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
        facts = run(before=BEFORE, after=AFTER)
        measured = assemble(facts, journal(), record, figures)
        return judged(measured, judge_all(objectives, measured))


# --- A page with everything on it ---------------------------------------------------------------

SUBNET = "10.91"


def complete(seed: int = 7) -> Result:
    """The same run with everything filled that other programs measure or sample."""
    chance = random.Random(seed)  # noqa: S311 - made-up figures
    found = region_loss(seed=seed)
    return found.model_copy(
        update={
            "rto_first_seconds": {"east": 3.31, "west": 2.9},
            "full_recovery_seconds": 7.2,
            "latency_limit": 0.5,
            "seconds_over_limit": 4,
            "budgets": _budgets(found),
            "movements": _movements(),
            "misdirected": _misdirected(),
            "stale_reads": _stale(found),
            "seen_then_gone": _gone(found),
            "opinions": _opinions(found),
            "latencies": tuple(_latencies(chance)),
            "addresses": tuple(_addresses()),
            "samples": tuple(_samples(chance)),
            "orphans_file": "orphans.jsonl",
            "incidents": _incidents(),
            "populations": tuple(
                row.model_copy(update={"during": row.before.model_copy(update=_DURING)})
                for row in found.populations
            ),
        }
    )


def _incidents() -> tuple[IncidentRow, ...]:
    rto = {"east": 3.3, "west": 2.9, "max": 3.3}
    return (
        IncidentRow(what="region-loss", started=0.0, ended=20.0, rto_seconds=rto, gap_seconds=2.8),
    )


_DURING = {"acknowledged_per_second": 4.1, "p50": 0.9, "p95": 2.2, "p99": None, "p99_9": None}


def _budgets(found: Result) -> tuple[BudgetRow, ...]:
    spent = found.rto_seconds["max"] or 0.0
    return tuple(
        BudgetRow(
            target=target,
            period_days=30,
            budget_seconds=(1 - target) * 30 * 86400,
            spent_seconds=spent,
            spent=spent / ((1 - target) * 30 * 86400),
        )
        for target in (0.99, 0.999, 0.9999)
    )


def _movements() -> tuple[MovementRow, ...]:
    rows = (("east", True, 45, 45, 3.4, 4.0, 4.6), ("east", False, 5, 3, 6.1, None, None))
    return tuple(
        MovementRow(population=name, honours_ttl=ttl, users=users, moved=moved, t50=a, t80=b, t99=c)
        for name, ttl, users, moved, a, b, c in rows
    )


def _misdirected() -> tuple[MisdirectedRow, ...]:
    rows = (("east", False, 121, 11.9), ("east", True, 96, 4.4), ("west", True, 0, None))
    return tuple(
        MisdirectedRow(population=name, honours_ttl=ttl, operations=many, last=last)
        for name, ttl, many, last in rows
    )


def _stale(found: Result) -> tuple[StaleReadRow, ...]:
    lost = StaleReadRow(
        key=found.lost_ids[0], at=3.9, population="east", region="west", node="west_db1",
        age=3.94, lost=True,
    )  # fmt: skip
    late = lost.model_copy(
        update={"key": f"west-{7:032x}", "at": -4.1, "age": 0.03, "lost": False, "node": None}
    )
    return lost, late


def _gone(found: Result) -> tuple[SeenThenGoneRow, ...]:
    ok = SeenThenGoneRow(
        key=found.lost_ids[0], outcome=Outcome.OK, told_at=-0.04, population="east",
        first_read_at=0.01, reads=2,
    )  # fmt: skip
    warned = {"key": f"east-{8:032x}", "outcome": Outcome.LOCAL, "told_at": -0.02, "reads": 1}
    return ok, ok.model_copy(update=warned)


def _opinions(found: Result) -> tuple[Opinion, ...]:
    return (
        Opinion(
            name="wal",
            question="Does the WAL of the dead primary hold the same lost writes?",
            answer="Yes: the commits after the fork are those that users' records name.",
            verdict=Verdict.PASS,
            tolerance=0,
            unit="writes",
            values={"lost by the users' record": found.lost, "lost by WAL": found.lost},
        ),
        Opinion(
            name="probe",
            question="Does an independent probe see the same interruption?",
            answer="No: it could write 1.3 s earlier than the users.",
            verdict=Verdict.UNKNOWN,
            tolerance=0.5,
            unit="s",
            values={"rto_by_users": 4.61, "rto_by_probe": 3.31, "probe_seen": True, "gap": None},
        ),
    )


def _latencies(chance: random.Random) -> Iterator[LatencyRow]:
    for at in range(-11, 12):
        for name, near in (("east", 0.007), ("west", 0.089)):
            p50 = near * (1 + chance.random() / 5) if at < 0 else 0.006
            p99 = p50 * 2.5
            if 0 <= at < 5:
                slow = None if at < 2 else 3.1 - at / 2
                p50, p99 = slow, (None if at < 4 else 2.4)  # type: ignore[assignment]
            yield LatencyRow(at=at, population=name, started=50, p50=p50, p99=p99)


def _addresses() -> Iterator[AddressRow]:
    for at in range(-11, 12):
        for name, own in (("east", 11), ("west", 12)):
            moved = {True: 0, False: min(45, max(0, (at - 2) * 22))}[own == 12]
            if at >= 0 and moved:
                yield _address(at, name, f"{SUBNET}.0.12", moved)
            if at == 1:
                yield _address(at, name, None, 6)
            if moved < 50:
                yield _address(at, name, f"{SUBNET}.0.{own}", 50 - moved)


def _address(at: int, population: str, address: str | None, count: int) -> AddressRow:
    return AddressRow(at=at, population=population, address=address, count=count)


def _samples(chance: random.Random) -> Iterator[Sample]:
    for n in range(-22, 24):
        at = n / 2 + 0.1
        yield Sample(
            at=at,
            nodes=tuple(_sampled(view, at, chance) for view in BEFORE),
            answers={
                "east": (f"{SUBNET}.0.11",) if at < 0 else None,
                "west": (f"{SUBNET}.0.{11 if -6 < at < -5 else 12}",) if at < 3.3 or at > 4
                else (f"{SUBNET}.0.11", f"{SUBNET}.0.12"),
            },
        )  # fmt: skip


def _sampled(view: NodeView, at: float, chance: random.Random) -> NodeSample:
    if view.node.startswith("east") and at >= 0:
        role = "silent" if at < 0.5 else "gone"
        return NodeSample(node=view.node, role=role)
    role = view.role if at < 2.6 or view.node != "west.db1" else "primary"
    timeline = 1 if at < 2.6 else 2
    if role == "primary" or 0 <= at < 2.6:
        return NodeSample(node=view.node, role=role, timeline=timeline)
    far = view.node.startswith("west") and at < 0
    lag = int((9000 if far else 300) * (0.5 + chance.random()))
    age = 0.05 + chance.random() / 50 if far else 0.002
    return NodeSample(node=view.node, role=role, timeline=timeline, lag_bytes=lag, lag_seconds=age)
