"""Random records of the stopwatch, logs of an old primary, and verdicts: the project beside us."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from datetime import UTC, datetime

from pure_builders import BOOT

from lab.core.load import WATCH_PREFIX
from lab.core.verdict import Comparison, Found, Objective, Verdict, judge
from lab.core.verdict import worst as their_worst
from lab.metrics.measure import Fork
from lab.metrics.stopwatch import Span, longest_gap, second_opinion
from lab.metrics.traffic import Outage
from lab.metrics.waldump import Commit
from lab.metrics.walopinion import Evidence, Owner, Told
from lab.metrics.walopinion import second_opinion as their_wal
from lab.records.stopwatchrecord import read
from reference.held import Differences, differing
from reference.opinions import (
    Left,
    Log,
    Range,
    Try,
    judged,
    missing,
    pause,
    stopwatch,
    unexplained,
    wal,
    worst,
)

FAULT, OLD, RIVAL, WINNER = 1000.0, "east_db1", "east_db2", "west_db1"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


# ── the stopwatch ────────────────────────────────────────────────────────────────────────────


def watched(seed: int) -> Differences:
    """What both make of one random record of the stopwatch."""
    chance = random.Random(seed)  # noqa: S311 - made-up traffic
    until = FAULT + chance.choice([0.0, 0.5, 2.0, 4.0])
    tries = _tries(chance, until)
    users = _users(chance, pause(tries, FAULT, until))
    source = _record(tries)
    if until <= FAULT:
        return {}
    gap = longest_gap(read(source), FAULT, until)
    theirs = second_opinion(
        source, Outage(users.begin, users.most, users.most - users.least), Span(BOOT, FAULT, until)
    )
    mine = pause(tries, FAULT, until)
    return differing(
        [("gap", (gap.started, gap.at_least, gap.seconds)), ("verdict", theirs.verdict.value)],
        [
            ("gap", (mine.begin, mine.least, mine.most)),
            ("verdict", stopwatch(tries, users, FAULT, until)),
        ],
    )


def _tries(chance: random.Random, until: float) -> list[Try]:
    """A try every few milliseconds, with an outage and perhaps a sleep; some start together."""
    step = chance.choice([1 / 64, 1 / 16, 1 / 8])
    down = FAULT + chance.choice([0.0, 0.5, 1.0]), FAULT + chance.choice([0.25, 1.5, 3.0, 9.0])
    sleep = FAULT + chance.choice([-9.0, 0.0, 0.5, 1.5]), FAULT + chance.choice([0.0, 1.25, 3.0])
    starts = [FAULT - 0.5 + step * n for n in range(int((until - FAULT + 1) / step))]
    tries = []
    for start in starts:
        if sleep[0] < start < sleep[1]:
            continue
        for _ in range(chance.choice([1, 1, 1, 2])):
            end = start + chance.choice([0.0, step, step, 4 * step, 16 * step])
            tries.append(Try(start, end, not down[0] <= start < down[1]))
    return tries


def _users(chance: random.Random, near: Range) -> Range:
    """What the users' history says: nearly the same, or something else."""
    off = chance.choice([0.0, 0.0, 0.03, 0.0625, 0.5])
    return Range(near.begin, near.least + off, near.most + off)


def _record(tries: list[Try]) -> bytes:
    first = {
        "record": "header", "schema": 1, "boot_id": BOOT, "interval": 0.01, "deadline": 1.0,
        "gateways": {"east": "10.91.0.11"},
    }  # fmt: skip
    lines = [
        {
            "record": "attempt", "key": f"{WATCH_PREFIX}{number}", "start": each.start,
            "end": each.end, "gateway": "east", "outcome": "ok" if each.ok else "not",
        }
        for number, each in enumerate(tries)
    ]  # fmt: skip
    return b"".join(json.dumps(line).encode() + b"\n" for line in [first, *lines])


# ── the logs of the old primary, and of one that was promoted beside the winner ──────────────


def logged(seed: int) -> Differences:
    """What both make of random logs."""
    chance = random.Random(seed)  # noqa: S311 - made-up traffic
    log = _log(chance)
    told = {
        key: Told(outcome, timeline, None if xid is None else str(xid), server)
        for key, (outcome, server, timeline, xid) in log.told.items()
    }
    servers = sorted({OLD, *(server for server, _, _ in log.commits)})
    lost = [(key, told[key].timeline, told[key].xid) for key in log.lost]
    evidence = {server: _evidence(log, server) for server in servers}
    theirs = their_wal(lost, told.get, OLD, evidence, promoted=True, fork="0/10")
    absent, strange = len(missing(log)), len(unexplained(log))
    names = ("commits", "not in the WAL", "disagreements")
    return differing(
        [("verdict", theirs.verdict.value), *((name, theirs.values[name]) for name in names)],
        [("verdict", wal(log)),
         *zip(names, (len(log.commits), absent, absent + strange), strict=True)],
    )  # fmt: skip


def _evidence(log: Log, server: str) -> Evidence:
    """What one server's disk says."""
    own = [(timeline, xid) for name, timeline, xid in log.commits if name == server]
    commits = tuple(Commit(timeline, xid, 1000 + xid, NOW) for timeline, xid in own)
    owners = {
        xid: Owner(left.table, left.key, "guest-1" if left.guest else "east-1")
        for (name, xid), left in log.rows.items()
        if name == server
    }
    return Evidence(commits, owners, branches=(Fork(2, 700),) if server == RIVAL else ())


def _log(chance: random.Random) -> Log:
    """Commits after a fork, most of them explained; half of the runs have a second primary."""
    branches = [(OLD, 1), (RIVAL, 2)][: chance.choice([1, 2])]
    many = [range(700, 700 + chance.randrange(8)) for _ in branches]
    commits = [(*each, xid) for each, xids in zip(branches, many, strict=True) for xid in xids]
    log = Log([], {}, commits, {})
    for server, timeline, xid in log.commits:
        _add(chance, log, server, timeline, xid)
    if log.told and chance.random() < 0.3:
        key = chance.choice(list(log.told))
        log.lost.extend([key] if key not in log.lost else [])
    if log.rows and chance.random() < 0.2:
        log.rows[chance.choice(list(log.rows))] = chance.choice(list(log.rows.values()))
    return replace(log, commits=[each for each in log.commits if chance.random() < 0.9])


def _add(chance: random.Random, log: Log, server: str, timeline: int, xid: int) -> None:
    """One commit, the row it left, and what a user was told; some names have an epoch."""
    key, kind = f"k{server}{xid}", chance.randrange(12)
    named = xid + chance.choice([0, 2**32, 7 * 2**32])
    if kind < 4:
        log.told[key] = ("ok", server, timeline, named)
        log.lost.append(key)
    elif kind < 7:
        log.told[key] = (chance.choice(["unknown", "local", "fail", "ok"]), server, None, None)
    elif kind == 7:
        # By another commit: one of the winner or of the other primary may have the same numbers.
        other, by = chance.choice([timeline, 2, None]), chance.choice([OLD, RIVAL, WINNER])
        log.told[key] = ("ok", by, other, named + chance.choice([0, 1, 99]))
    tables = {8: Left("customers"), 9: Left("readiness"), 10: Left("orders", f"watch-{xid}")}
    if chance.random() < 0.9:
        log.rows[server, xid] = tables.get(kind, Left("orders", key, guest=chance.random() < 0.3))


# ── verdicts ─────────────────────────────────────────────────────────────────────────────────


def combined(seed: int) -> Differences:
    """What both make of a few figures against their objectives."""
    chance = random.Random(seed)  # noqa: S311 - made-up figures
    theirs, ours = [], []
    for _ in range(chance.randrange(4)):
        found = chance.choice([None, float("nan"), 0.0, 1.0, 2.0])
        bound, limit = chance.choice([None, 0.5, 1.0, 1.5]), chance.choice([0.0, 1.0, 1.5])
        comparison, breach = chance.choice(list(Comparison)), chance.choice(["fail", "unknown"])
        objective = Objective("x", limit, "s", comparison, "", Verdict(breach))
        theirs.append(judge(objective, Found(found, at_least=bound)).verdict)
        ours.append(judged(found, bound, limit, comparison.value, breach))
    return differing(
        [("verdicts", [each.value for each in theirs]), ("worst", their_worst(theirs).value)],
        [("verdicts", ours), ("worst", worst(ours))],
    )
