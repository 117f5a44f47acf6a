"""Predictions against what happens: `lab runbook check` must say what users then see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path

from sequences import made
from tool import WORK, last_words, must, operations, ran, tell

from lab.core.topology import Place
from lab.drills.observedmatrix import Evidence, observe
from lab.records import journalfile, result
from lab.records.journalfile import FAILED, MarkName
from lab.records.result import Result
from lab.records.runfiles import HISTORY, JOURNAL, RESULT
from lab.runbooks import checkup, runbookfile, shipped
from lab.runbooks.checkup import Checked
from lab.runbooks.predict import Vector
from lab.runbooks.runbook import Harm, Runbook
from lab.runbooks.scenarios import scenario
from lab.steps.catalogue import steps, vocabulary

PAUSE = 2.0
"""The model has no times: between two steps users always have enough of it."""

AGREE, DIFFER, NO_ANSWER = "agree", "differ", "no answer"
"""How a case went. There is no answer where the machine was too busy."""

TRIES, BUSY, _SHOWN = 3, 0.2, 160
"""How often a case is tried, and the share of time for which programs may wait for a processor."""


@dataclass(frozen=True)
class Case:
    """A runbook's file, and the situation in which it is checked and rehearsed."""

    path: Path
    runbook: Runbook
    scenario: str


def agreement(what: int | str = "shipped", *more: int | str) -> bool:
    """`SEED [TIMES]`: shipped runbooks in all their situations, then what the seed makes.

    Or a part of that: `shipped [NAME [SITUATION …]]`, `made SEED [TIMES [FIRST]]`.
    """
    must("up")
    parts: dict[str, Callable[..., Iterator[Case]]] = {"shipped": _shipped, "made": _made}
    cases = parts[what](*more) if isinstance(what, str) else chain(_shipped(), _made(what, *more))
    counts = Counter(map(_compared, cases))
    tell(agreement=what, **counts)
    return not counts[DIFFER] and not counts[NO_ANSWER]


def _shipped(only: str = "", *scenarios: str) -> Iterator[Case]:
    for path in shipped.shipped():
        book = runbookfile.read(path, vocabulary())
        if only in ("", book.name):
            yield from (Case(path, book, each) for each in scenarios or book.scenarios)


def _made(seed: int, times: int = 30, first: int = 1) -> Iterator[Case]:
    for number in range(first, first + times):
        found = made(seed, number)
        path = WORK / f"{found.runbook.name}.yaml"
        path.write_text(found.text, encoding="utf-8")
        yield Case(path, runbookfile.read(path, vocabulary()), found.scenario)


# ── one of them ──────────────────────────────────────────────────────────────────────────────


def _compared(case: Case) -> str:
    """Check, rehearse and compare; the word for how it went.

    On a busy machine users wait for a processor, and meet what no step has to do with. A run that
    differs there is done again.
    """
    [checked] = checkup.check(case.runbook, steps(), [scenario(case.scenario)]).checked
    for seed in range(1, TRIES + 1):
        folder, said = _rehearsed(case, seed)
        if folder is None:
            tell(**_head(case), agree=NO_ANSWER, problem=said)
            continue
        found = result.from_file(folder / RESULT)
        predicted, seen = checked.prediction.vector, observed(folder, found, case.runbook)
        wrong = [*_differences(predicted, seen), *_losses(checked, found)]
        busy = float(str(found.settings.get("processor_wait_share") or 0))
        word = AGREE if not wrong else NO_ANSWER if busy > BUSY else DIFFER
        tell(**_head(case), agree=word, predicted=str(predicted), observed=str(seen),
             differ=wrong, level=checked.level, lost=found.lost,
             lucky=_may_lose(checked) and not found.lost, verdict=found.verdict, busy=busy,
             steps=_gone(folder), folder=str(folder))  # fmt: skip
        if word != NO_ANSWER:
            return word
    return NO_ANSWER


def _head(case: Case) -> dict[str, str]:
    return {"runbook": case.runbook.name, "scenario": case.scenario}


def _rehearsed(case: Case, seed: int) -> tuple[Path | None, str]:
    """The run's folder; None, and what the command said, if it did nothing to users."""
    before = {*WORK.glob("runs/*")}
    # The model shows what comes without the safety net.
    done = ran("runbook", "run", str(case.path), "--scenario", case.scenario,
               "--pause", f"{PAUSE:g}s", "--force", "--json", "--seed", str(seed))  # fmt: skip
    folders = [each for each in {*WORK.glob("runs/*")} - before if _is_seen(each)]
    return (folders[0], "") if folders else (None, last_words(done.stderr))


def _is_seen(folder: Path) -> bool:
    """True for a run that came to its result after its fault was proven, if it has one."""
    if not (folder / RESULT).is_file():
        return False
    marks = result.from_file(folder / RESULT).marks
    return bool({MarkName.FAULT_PROVEN, MarkName.RUNBOOK_STARTED} & marks.keys())


def observed(folder: Path, found: Result, runbook: Runbook) -> Vector:
    """What users saw, read from a run's folder."""
    journal = journalfile.from_file(folder / JOURNAL)
    meant = runbook.ends_at
    primaries = [Place.parse(v.node).server_name for v in found.after if v.role == "primary"]
    failed = [each.name for each in journal.steps if each.outcome == FAILED]
    return observe(
        Evidence(
            operations=operations(folder / HISTORY),
            struck=journal.acted or 0.0,
            settled=max(each.ended for each in journal.steps),
            stopped=journal.at(MarkName.LOAD_STOPPED) or 0.0,
            kept=frozenset(),  # the result has counted what was lost
            primary=meant.server_name,
            primaries=primaries,
            failed="".join(failed[:1]),
        )
    ).vector


# ── the difference ───────────────────────────────────────────────────────────────────────────


def _differences(predicted: Vector, seen: Vector) -> Iterator[str]:
    was = asdict(predicted)
    for name, value in asdict(seen).items():
        if value != was[name]:
            yield f"{name}: predicted {was[name]}, observed {value}"


def _losses(checked: Checked, found: Result) -> Iterator[str]:
    """Without a fault no order may be lost unless the check says that one may be."""
    if found.lost and not checked.prediction.scenario.faults and not _may_lose(checked):
        yield f"lost: predicted none, observed {found.lost}"


def _may_lose(checked: Checked) -> bool:
    """True where it is unsafe for the orders: a lucky run loses none."""
    return any(each.harm is Harm.DATA for each in checked.violations)


def _gone(folder: Path) -> list[str]:
    """The steps that were done and what became of each, without the pauses between them."""
    rows = journalfile.from_file(folder / JOURNAL).steps
    return [f"{each.name}: {each.outcome}: {each.evidence[:_SHOWN]}" for each in rows
            if each.name != "wait"]  # fmt: skip
