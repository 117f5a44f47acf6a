"""Incidents in a row on one lab, while customers of its own order: no order may be missing."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from episodes import Act, Cut, Episode, Timed, episode
from tool import NAME, WORK, at_step, cut, last_words, must, ran, tell
from writer import REGIONS, Answers, Customer, Found, held, in_exports, in_primaries

from lab.core.paths import state_dir
from lab.core.wait import pause
from lab.runbooks import runbookfile, shipped
from lab.steps.catalogue import vocabulary

_HOME_SECONDS = 60.0
_SHOWN = 5
RUNS = WORK / os.environ.get("LAB_RUNS", "runs")


@dataclass(frozen=True)
class Ended:
    """How an episode ended: what is wrong, how many runs were cut, and if the engine restarted."""

    problem: str
    cuts: int
    disturbed: bool


def incidents(minutes: int, seed: int = 1, only: int = 0) -> bool:
    """Episodes of a seed until the time is over, or one of them alone; orders never stop."""
    must("up")
    must("reset", "--yes")
    answers, sums, bad = Answers(WORK / "answers.jsonl"), Counter[str](), 0
    found = Found(0, 0, ())
    with _ordering(answers):
        for each in _episodes(minutes, seed, only):
            began, before = time.monotonic(), found
            ended = _played(each)
            if ended.problem:
                _begin_anew(answers)
            found = _audited(answers)
            wrong = bool(found.missing or answers.stale or (ended.problem and not ended.disturbed))
            bad += wrong
            sums.update({each.kind: 1, "cuts": ended.cuts, "disturbed": int(ended.disturbed)})
            tell(number=each.number, kind=each.kind, acts=[str(one.act) for one in each.acts],
                 seconds=round(time.monotonic() - began), cuts=ended.cuts,
                 acknowledged=found.acknowledged - before.acknowledged,
                 exported=found.exported - before.exported, **_lost(found, answers),
                 problem=ended.problem, disturbed=ended.disturbed)  # fmt: skip
            if found.missing or answers.stale:
                break
    found = _audited(answers)
    tell(seed=seed, episodes=dict(sums), acknowledged=found.acknowledged, exported=found.exported,
         **_lost(found, answers), wrong=bad, answers=str(answers.file), runs=str(RUNS))  # fmt: skip
    return not bad and not found.missing


def _lost(found: Found, answers: Answers) -> dict[str, object]:
    """What may never be, as numbers with a few keys to look for."""
    keys = [*found.missing, *answers.stale][:_SHOWN]
    return {"missing": len(found.missing), "on_old_timeline": len(answers.stale), "keys": keys}


def _episodes(minutes: int, seed: int, only: int) -> Iterator[Episode]:
    if only:
        yield episode(seed, only)
        return
    end, number = time.monotonic() + minutes * 60, 1
    while time.monotonic() < end:
        yield episode(seed, number)
        number += 1


@contextmanager
def _ordering(answers: Answers) -> Iterator[None]:
    customers = [Customer(NAME, each, answers) for each in REGIONS]
    for each in customers:
        each.start()
    try:
        yield
    finally:
        for each in customers:
            each.end()


def _audited(answers: Answers) -> Found:
    told = answers.keys()  # before the databases are read: what is told meanwhile does not count
    return held(told, in_primaries(NAME), in_exports(RUNS, state_dir()))


# ── playing ──────────────────────────────────────────────────────────────────────────────────


def _played(each: Episode) -> Ended:
    booted, cuts = _booted(), 0
    problem = ""
    for one in each.acts:
        pause(one.pause)
        cuts += sum(_cut(one.act, where) for where in one.cuts)
        problem = _done(one)
        if problem:
            break
    problem = problem or _away_from_home()
    return Ended(problem, cuts, _booted() != booted)


def _cut(act: Act, where: Cut) -> bool:
    """Kill a run of the act's runbook; False if it had ended before."""
    steps = len(runbookfile.read(shipped.find(act.runbook), vocabulary()).steps)
    return cut(at_step(int(where.share * steps), where.seconds), *act.words) is None


def _done(one: Timed) -> str:
    """Do it; what is wrong with how it ended, empty if nothing is."""
    act = one.act
    done = ran(*act.words)
    said = " ".join((done.stdout + done.stderr).split())
    if done.returncode == act.ends and act.says in said:
        return ""
    wanted = f"{act.ends}{f' and {act.says!r}' if act.says else ''}"
    problem = f"{act} ended with {done.returncode} instead of {wanted}: {last_words(done.stderr)}"
    return f"{problem}; lab status: {_status_kept()}"


def _away_from_home() -> str:
    """Why the lab is not as it was before the incident; empty once it is."""
    end, found = time.monotonic() + _HOME_SECONDS, _out_of_order()
    while found and time.monotonic() < end:
        pause(1.0)
        found = _out_of_order()
    return found and f"not as before: {found}; lab status: {_status_kept()}"


def _out_of_order() -> str:
    done = ran("status", "--json")
    if done.returncode:
        return last_words(done.stderr)
    found = json.loads(done.stdout)
    wrong = [each["name"] for each in found["findings"]]
    states = [each["state"] for each in found["nodes"] if each["state"]]
    primaries = [each["server_name"] for each in states if not each["in_recovery"]]
    if primaries != ["east_db1"]:
        wrong.append(f"primary: {', '.join(primaries) or 'none'}")
    return ", ".join(wrong)


def _status_kept() -> str:
    """What `lab status` says now, in a file: the next command changes it."""
    path = WORK / f"status-{time.time():.0f}.txt"
    path.write_text(ran("status").stdout, encoding="utf-8")
    return str(path)


def _booted() -> str:
    """When the users' machines booted: no incident touches them, a restart of the engine does."""
    asked = ["docker", "inspect", "-f", "{{.State.StartedAt}}", f"{NAME}-users-east"]
    return subprocess.run(asked, text=True, capture_output=True, check=False).stdout


def _begin_anew(answers: Answers) -> None:
    """The next episode must not meet what this one left. What customers ordered is exported."""
    ran("up")  # it says so where a person must decide; a reset decides
    must("reset", "--yes")
    answers.forget_timelines()
