"""What takes an hour: the same thing done again and again, to see the one time that it goes wrong.

    python tests/endurance.py kills 200         the command line killed at random moments
    python tests/endurance.py runner [NAME …]   runbooks killed between and inside their steps
    python tests/endurance.py alarms 30         minutes of jitter and blips: nobody may be promoted
    python tests/endurance.py switchovers 20    planned ones, under load
    python tests/endurance.py failovers 10      from the decision to the first acknowledged order

On the lab that LAB_NAME names, which is made if it is not there. A line of JSON for each time, and
one with the sum; exit code 1 if anything went wrong.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

from lab import progress, runbookfile, settings, shelf
from lab.clients import Load
from lab.cluster import Lab
from lab.errors import LabError
from lab.faults import acting
from lab.faults.catalogue import aimed, fault, faults
from lab.links import Toxic
from lab.moves.catalogue import specs
from lab.runbook import Runbook
from lab.topology import APP_NAME, DATABASES, REGIONS, WRITER_NAME, link
from lab.wait import pause

NAME = settings.chosen_name(None)
WORK = Path(tempfile.mkdtemp(prefix="endurance-"))
DRILLS = ("zone-loss", "region-loss", "split-brain-fenced", "gray-failure")
ALONE = ("region-loss", "blackout", "engine-restart")


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "lab", *arguments]


def ran(*arguments: str, patience: float = 300) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=WORK, env={**os.environ, "NO_COLOR": "1"}, text=True,
        stdin=subprocess.DEVNULL, capture_output=True, timeout=patience, check=False,
    )  # fmt: skip


def must(*arguments: str) -> None:
    """A command that makes ready for what is tried: if it fails, there is nothing to be said."""
    done = ran(*arguments)
    if done.returncode:
        raise SystemExit(f"lab {' '.join(arguments)} failed:\n{done.stdout}{done.stderr}")


def cut(when: Callable[[subprocess.Popen[str]], None], *arguments: str) -> int | None:
    """Start a command and kill it when `when` returns; its exit code if it ended before."""
    running = subprocess.Popen(
        command(*arguments), cwd=WORK, stdin=subprocess.DEVNULL, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    when(running)
    code = running.poll()
    running.send_signal(signal.SIGKILL)
    running.wait(timeout=10)
    return code


def after(seconds: float) -> Callable[[subprocess.Popen[str]], None]:
    def wait(running: subprocess.Popen[str]) -> None:
        with suppress(subprocess.TimeoutExpired):
            running.wait(timeout=seconds)

    return wait


def tell(**found: object) -> None:
    sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
    sys.stdout.flush()


# ── the command line, killed ─────────────────────────────────────────────────────────────────


def kills(times: int, seed: int = 1) -> bool:
    """Inject, heal and drills, killed at any moment: the next command puts all of it right."""
    chance, bad = random.Random(seed), 0  # noqa: S311 - no secret
    must("up")
    for number in range(1, times + 1):
        what = chance.choice([_inject, _inject, _heal, _drill])
        told, moment, recovery = what(chance)
        problem = _recovered(recovery)
        bad += bool(problem)
        tell(number=number, killed=told, after=round(moment, 2), problem=problem)
    tell(kills=times, seed=seed, not_recovered=bad)
    return not bad


def _inject(chance: random.Random) -> tuple[str, float, tuple[str, ...]]:
    row = chance.choice([each for each in faults() if each.name not in ALONE])
    moment = chance.uniform(0.3, 6.0)
    cut(after(moment), "fault", "inject", row.name, "--for", "2s")
    return f"fault inject {row.name} --for 2s", moment, ("fault", "heal", "--all")


def _heal(chance: random.Random) -> tuple[str, float, tuple[str, ...]]:
    row = chance.choice([each for each in faults() if each.name not in ALONE])
    ran("fault", "inject", row.name)
    moment = chance.uniform(0.3, 4.0)
    cut(after(moment), "fault", "heal", "--all")
    return f"fault heal --all ({row.name})", moment, ("fault", "heal", "--all")


def _drill(chance: random.Random) -> tuple[str, float, tuple[str, ...]]:
    name, moment = chance.choice(DRILLS), chance.uniform(0.3, 40.0)
    cut(after(moment), "drill", name)
    return f"drill {name}", moment, ("up",)


def _recovered(recovery: tuple[str, ...]) -> str:
    """What is wrong after the next command; empty if all is well. The lab is put right then."""
    done = ran(*recovery)
    problem = "" if not done.returncode else f"{' '.join(recovery)}: {_last(done.stderr)}"
    problem = problem or _wrong()
    if problem:
        must("up")
        must("reset")
    return problem


def _wrong() -> str:
    try:
        with Lab.attached(NAME) as lab:
            left = acting.in_force(lab)
            busy = [each.population for each in lab.users.values() if each.stats().running]
    except LabError as error:
        return error.message.splitlines()[0]
    told = [f"in force: {each}" for each in left] + [f"{each}'s users at work" for each in busy]
    return "; ".join(told)


def _last(text: str) -> str:
    return " / ".join(text.strip().splitlines()[-2:])


# ── a runbook, killed ────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Stage:
    """How a runbook's situation is made on a lab in its default topology."""

    commands: tuple[tuple[str, ...], ...] = ()


REGION_LOST = Stage((("fault", "inject", "blackout"),))
STAGES = {
    "failback": Stage((
        ("fault", "inject", "region-loss"), ("runbook", "run", "region-failover", "--yes"),
    )),
    "region-failover-west": Stage((
        ("runbook", "run", "switchover"), ("fault", "inject", "blackout", "--region", "west"),
    )),
    "zone-failover": Stage((("fault", "inject", "zone-loss"),)),
    "switchover": Stage(),
    "drain": Stage(),
    "monthly-drill": Stage(),
}  # fmt: skip


def runner(*names: str) -> bool:
    """Every runbook cut between and inside all of its steps ends as one that was not cut."""
    must("up")
    books = [runbookfile.read(path, specs()) for path in shelf.shipped()]
    bad = points = 0
    for book in [each for each in books if not names or each.name in names]:
        expected, lengths = _uncut(book)
        for done in range(len(book.steps)):
            for part in (0.0, 0.5):
                points += 1
                problem = _resumed(book, done, part * lengths[done], expected)
                bad += bool(problem)
                tell(runbook=book.name, cut_after=done, then=book.steps[done].step,
                     inside=bool(part), problem=problem)  # fmt: skip
    tell(points=points, wrong=bad)
    return not bad


def _make_ready(book: Runbook) -> None:
    must("reset")
    progress.forget(NAME)
    for each in STAGES.get(book.name, REGION_LOST).commands:
        must(*each)


def _uncut(book: Runbook) -> tuple[dict[str, object], list[float]]:
    """How it ends, and how long each step takes."""
    _make_ready(book)
    done = ran("runbook", "run", book.name, "--yes", "--json")
    if done.returncode:
        raise SystemExit(f"{book.name} does not end by itself:\n{done.stderr}")
    return _end(), [step["seconds"] for step in json.loads(done.stdout)]


def _resumed(book: Runbook, steps: int, seconds: float, expected: dict[str, object]) -> str:
    _make_ready(book)

    def reached(running: subprocess.Popen[str]) -> None:
        while running.poll() is None:
            found = progress.kept(NAME)
            if found is not None and found.done >= steps:
                pause(seconds)
                return
            pause(0.002)

    code = cut(reached, "runbook", "run", book.name, "--yes")
    if code == 0:
        return "it had ended before it was killed"
    done = ran("runbook", "run", book.name, "--yes")
    if done.returncode:
        return f"not resumed: {_last(done.stderr)}"
    found = _end()
    return "; ".join(
        f"{key}: {found[key]} instead of {expected[key]}" for key in found
        if found[key] != expected[key]
    )  # fmt: skip


def _end() -> dict[str, object]:
    """What can be seen of a lab from outside: databases, names, shops."""
    with Lab.attached(NAME, dark=True) as lab:
        found: dict[str, object] = {}
        for place in DATABASES:
            found[str(place)] = _asked(lambda place=place: _node(lab, place))  # type: ignore[misc]
        for each in REGIONS:
            for name in (APP_NAME, WRITER_NAME):
                found[f"{name} in {each.name}"] = _asked(
                    lambda each=each, name=name: lab.names.ask(each, name)  # type: ignore[misc]
                )
            found[f"{each.name}'s shop"] = _asked(lambda each=each: lab.guests[each].ready()[0])  # type: ignore[misc]
        return found


def _node(lab: Lab, place: Any) -> str:
    state = lab.databases[place].state()
    return f"{state.role} on timeline {state.timeline}, waits for {state.synchronous_names!r}"


def _asked(question: Callable[[], object]) -> object:
    try:
        return question()
    except LabError:
        return "does not answer"


# ── nothing is wrong ─────────────────────────────────────────────────────────────────────────


def alarms(minutes: int, seed: int = 1) -> bool:
    """Jitter and short blips under load, while a failover runbook waits for its reason."""
    must("up")
    must("reset")
    chance, over = random.Random(seed), threading.Event()  # noqa: S311 - no secret
    found: list[str] = []
    with Lab.attached(NAME) as lab:
        events = {each: len(_answers(lab, each)) for each in REGIONS}
        for number, users in enumerate(lab.users.values()):
            users.start(Load(writes_per_second=20, reads_per_second=5, users=20), number)
        watch = threading.Thread(target=_watch, args=(over, found))
        watch.start()
        ends, blips = time.monotonic() + minutes * 60, 0
        while time.monotonic() < ends and not found:
            blips += 1
            _blip(lab, chance)
            pause(chance.uniform(1.5, 4.0))
        over.set()
        watch.join()
        lab.stop_load()
        moved = {each.name: len(_answers(lab, each)) - events[each] for each in REGIONS}
        end = {str(place): lab.databases[place].state().role for place in DATABASES}
    primaries = [place for place, role in end.items() if role == "primary"]
    tell(minutes=minutes, blips=blips, failovers=found, names_moved=moved, primaries=primaries)
    return not found and primaries == ["east.db1"] and not any(moved.values())


def _watch(over: threading.Event, found: list[str]) -> None:
    """Let the runbook look for its reason again and again: it must give up each time."""
    while not over.is_set():
        done = ran("runbook", "run", "region-failover", "--yes", "--fresh")
        tell(detect=_last(done.stderr))
        if "confirm (" in done.stderr or "waited" not in done.stderr:  # it went beyond `detect`
            found.append(done.stderr)
            return


def _answers(lab: Lab, viewer: Any) -> list[object]:
    response = lab.steerings[viewer]._send("GET", "/events?after=0")
    return [each for each in response.json() if each["what"] == "answer"]


def _blip(lab: Lab, chance: random.Random) -> None:
    """Something short, or slow, on one road between the regions or the users' way into one."""
    where = chance.choice(
        ["west:east:replication", "west:east:sql", "checks-west:east:app", "checks-east:east:app",
         "users-east:east:app", "users-west:east:app", "checks-east:west:app"]
    )  # fmt: skip
    kind = chance.choice(["jitter", "refused", "silent"])
    if kind == "jitter":
        toxic = Toxic("blip", "latency", "downstream", {"latency": 60, "jitter": 50})
        lab.links.armed_to_poison([link(where)], [toxic])()
        pause(chance.uniform(0.5, 4.0))
    else:
        aimed(fault(kind), [link(where)]).arm(lab)()
        pause(chance.uniform(0.1, 0.4))
    lab.links.heal([link(where)])


# ── planned, and not ─────────────────────────────────────────────────────────────────────────


def switchovers(times: int) -> bool:
    """Planned switchovers under load: the longest time without an order, and what was lost."""
    pauses, bad = [], 0
    for number in range(1, times + 1):
        result = _rehearsed("switchover", "healthy", number)
        began, ended = _longest_pause(result)
        pauses.append(round(ended - began, 3))
        beyond = _unserved(result, began, ended)
        bad += bool(result["lost"] or beyond or result["verdict"] != "pass")
        tell(number=number, pause=pauses[-1], lost=result["lost"], verdict=result["verdict"],
             errors_beyond_the_pause=beyond, why=_why(result))  # fmt: skip
    tell(switchovers=times, longest=max(pauses), median=sorted(pauses)[times // 2], wrong=bad)
    return not bad and max(pauses) <= 2.0


def failovers(times: int) -> bool:
    """Automatic failovers of a dead region: from the decision to the first acknowledged order."""
    took = []
    for number in range(1, times + 1):
        result = _rehearsed("region-failover", "region-dead", number)
        decided = next(each for each in _steps(result) if each["name"] == "decide")["ended"]
        first = min(
            each["end"] for each in _history(result)
            if each["kind"] == "write" and each["outcome"] == "ok" and each["timeline"] > 1
        )  # fmt: skip
        took.append(first - decided)
        tell(number=number, decision_to_order=round(first - decided, 3), verdict=result["verdict"],
             steps={each["name"]: round(each["ended"] - each["started"], 2)
                    for each in result["steps"]})  # fmt: skip
    tell(failovers=times, longest=round(max(took), 3), median=round(sorted(took)[times // 2], 3))
    return max(took) <= 1.5


def _rehearsed(name: str, where: str, seed: int) -> dict[str, Any]:
    done = ran("runbook", "run", name, "--scenario", where, "--json", "--seed", str(seed))
    if not done.stdout:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def _folder(result: dict[str, Any]) -> Path:
    """The newest run of that drill."""
    return max(WORK.glob(f"runs/*{result['drill']}*"), key=lambda path: path.stat().st_mtime)


def _steps(result: dict[str, Any]) -> list[dict[str, Any]]:
    """Steps on the clock of the history; those of a result begin with the fault."""
    steps: list[dict[str, Any]] = json.loads((_folder(result) / "journal.json").read_text())[
        "steps"
    ]
    return steps


def _history(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The users' operations."""
    for line in (_folder(result) / "history.jsonl").read_text().splitlines():
        found = json.loads(line)
        if found["record"] == "op":
            yield found


def _longest_pause(result: dict[str, Any]) -> tuple[float, float]:
    """Of the population that waits longest for an order, from the first step on: begin and end."""
    pauses = (_pause_of(result, each.name) for each in REGIONS)
    return max(pauses, key=lambda pair: pair[1] - pair[0])


def _pause_of(result: dict[str, Any], population: str) -> tuple[float, float]:
    since = _steps(result)[0]["started"]
    ends = sorted(
        each["end"] for each in _history(result)
        if each["kind"] == "write" and each["outcome"] == "ok" and each["population"] == population
    )  # fmt: skip
    later = [each for each in ends if each >= since]
    return max(pairwise(later), key=lambda pair: pair[1] - pair[0])


def _unserved(result: dict[str, Any], began: float, ended: float) -> int:
    """Orders that were not settled although no part of them fell into the pause."""
    return sum(
        each["kind"] == "write"
        and each["outcome"] != "ok"
        and (each["end"] < began or each["start"] > ended)
        for each in _history(result)
    )


def _why(result: dict[str, Any]) -> list[str]:
    return [f"{r['name']}: {r['detail']}" for r in result["objectives"] if r["verdict"] != "pass"]


def main(arguments: list[str]) -> int:
    kinds: dict[str, Callable[..., bool]] = {
        "kills": kills, "runner": runner, "alarms": alarms,
        "switchovers": switchovers, "failovers": failovers,
    }  # fmt: skip
    if not arguments or arguments[0] not in kinds:
        raise SystemExit(__doc__)
    chosen, *rest = arguments
    return 0 if kinds[chosen](*(int(each) if each.isdecimal() else each for each in rest)) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
