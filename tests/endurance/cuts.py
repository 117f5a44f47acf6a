"""A runbook, killed between and inside its steps, and resumed."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tool import NAME, at_step, cut, last_words, must, ran, tell

from lab.core.errors import LabError, WaitExpired
from lab.core.topology import APP_NAME, DATABASES, REGIONS, WRITER_NAME
from lab.core.wait import pause, wait_until
from lab.drills.rehearsal import faults_of
from lab.faults.row import Aimed
from lab.runbooks import runbookfile, shipped
from lab.runbooks.runbook import Runbook
from lab.runbooks.scenarios import scenario
from lab.steps.catalogue import vocabulary
from lab.testbed import runbookprogress
from lab.testbed.lab import Lab


@dataclass(frozen=True)
class Stage:
    """How a runbook's situation is made on a lab in its default topology."""

    commands: tuple[tuple[str, ...], ...] = ()


_SETTLE_SECONDS = 8.0
AFTER_A_FAILOVER = {
    "failback": Stage((
        ("fault", "inject", "region-loss"), ("runbook", "run", "region-failover", "--yes"),
    )),
    "region-failover-west": Stage((
        ("runbook", "run", "switchover"), ("fault", "inject", "blackout", "--region", "west"),
    )),
    "return-west": Stage((
        ("runbook", "run", "switchover"), ("fault", "inject", "blackout", "--region", "west"),
        ("runbook", "run", "region-failover-west", "--yes"),
    )),
    "zone-failback": Stage((
        ("fault", "inject", "zone-loss"), ("runbook", "run", "zone-failover", "--yes"),
    )),
}  # fmt: skip


def _stage(book: Runbook) -> Stage:
    """The first situation that a runbook is for."""
    return AFTER_A_FAILOVER.get(book.name) or Stage(
        tuple(_injected(each) for each in faults_of(scenario(book.scenarios[0]), book.plan))
    )


def _injected(what: Aimed) -> tuple[str, ...]:
    node, region = what.aim.node, what.aim.region
    aim = {"--node": node and str(node), "--region": region and region.name}
    options = (word for option, at in aim.items() if at for word in (option, at))
    return ("fault", "inject", what.name, *options)


def runner(*names: str) -> bool:
    """Every runbook cut between and inside all of its steps ends as one that was not cut."""
    must("up")
    paths = [shipped.find(name).absolute() for name in names] or shipped.shipped()
    bad = points = 0
    for book in [runbookfile.read(path, vocabulary()) for path in paths]:
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
    must("reset", "--yes")
    runbookprogress.forget(NAME)
    for each in _stage(book).commands:
        must(*each)


def _uncut(book: Runbook) -> tuple[dict[str, object], list[float]]:
    """How it ends, and how long each step takes."""
    _make_ready(book)
    done = ran("runbook", "run", str(book.file), "--yes", "--json")
    if done.returncode:
        raise SystemExit(f"{book.name} does not end by itself:\n{done.stderr}")
    pause(_SETTLE_SECONDS)  # health checks and names follow what was done
    return _end(), [step["seconds"] for step in json.loads(done.stdout)]


def _resumed(book: Runbook, steps: int, seconds: float, expected: dict[str, object]) -> str:
    _make_ready(book)
    code = cut(at_step(steps, seconds), "runbook", "run", str(book.file), "--yes")
    if code == 0 or runbookprogress.kept(NAME) is None:
        return "it had ended before it was killed"
    done = ran("runbook", "run", str(book.file), "--yes")
    if done.returncode:
        return f"not resumed: {last_words(done.stderr)}"
    with suppress(WaitExpired):
        wait_until("the same end", lambda: _end() == expected, 2 * _SETTLE_SECONDS, every=0.5)
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
