"""What a lab does with blips and losses at several patiences, set beside what recordings say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final, TypeVar

from lab.core.errors import EngineGone, EngineMissing, LabError
from lab.core.interrupts import ended
from lab.drills import blips, drill, evaluate
from lab.drills.blips import Looks
from lab.drills.finding import drill as found_drill
from lab.drills.row import ENDLESS, Drill
from lab.patience import rows
from lab.patience.cells import Cell, Loss
from lab.patience.predicted import LOSS
from lab.patience.rows import Patience
from lab.records import machineload
from lab.records.journalfile import MarkName
from lab.runbooks.runbook import Call
from lab.testbed import service, tuning
from lab.testbed.lab import Lab

_Tried = TypeVar("_Tried", Cell, Loss)
_DETECT, _CONFIRM = "detect", "confirm"
_PUTTING_BACK: Final = "wait: the default thresholds are put back, and the command then ends"
_NO_CELLS_PROBLEM: Final = (EngineGone, EngineMissing)


def play_cells(
    lab: Lab,
    cells: Sequence[Cell],
    patiences: Sequence[Patience],
    folder: Path,
    seed: int,
    told: Callable[[Cell], None],
) -> list[Cell]:
    """Play these cells, one after the other, and put the lab back; `told` hears of each."""
    by_name = {each.name: each for each in patiences}
    chance, found = Random(seed), list[Cell]()  # noqa: S311 - no secret

    def play_all() -> list[Cell]:
        blips.begin(lab)
        for number, each in enumerate(cells, 1):
            where = folder / f"{number:02}-{each.blip}-{each.seconds:g}s"
            found.append(_played(lab, each, by_name[each.patience], where, chance))
            told(found[-1])
        return found

    return ended(play_all, lambda: _put_back(lab), _PUTTING_BACK)


def _put_back(lab: Lab) -> None:
    with suppress(LabError):  # whatever comes next resets the lab
        lab.stop_load()
    tuning.restore(lab)


def _played(lab: Lab, cell: Cell, used: Patience, folder: Path, chance: Random) -> Cell:
    """The cell with what the lab did. One that could not be played says why."""
    blip, before = rows.blip(cell.blip), service.readings(lab)
    try:
        done = blips.play(lab, blip, cell.seconds, used, looks(used), chance, folder)
    except _NO_CELLS_PROBLEM:
        raise
    except LabError as error:
        with suppress(LabError):  # the next one begins with a lab that is in order
            blips.begin(lab)
        return replace(cell, problem=_first_line(error))
    waiting = machineload.share(before, service.readings(lab))
    return excused(replace(cell, live=done.outcome), waiting)


def excused(tried: _Tried, waiting: float | None) -> _Tried:
    """Where the machine was too busy, what differs from the prediction says nothing."""
    if waiting is None or waiting <= machineload.TOO_BUSY or tried.agrees:
        return tried
    return replace(tried, problem=machineload.told(waiting))


def lose(lab: Lab, loss: Loss, used: Patience, folder: Path, seed: int) -> Loss:
    """A real loss of the region with one patience, measured as the drill that it is."""
    folder.mkdir(parents=True)
    (folder / "logs").mkdir()
    chosen = drill_with(used)
    try:
        recorded = drill.run(chosen, lab, folder, seed, ())
        command = ["lab", "tune", "--patience", used.name, "--seed", str(seed)]
        result = evaluate.evaluate(chosen, recorded, lab, folder, seed, command)
    except _NO_CELLS_PROBLEM:
        raise
    except LabError as error:
        return replace(loss, problem=_first_line(error))
    began = recorded.journal.at(MarkName.FAULT_STARTED)
    noticed = recorded.journal.at(MarkName.DETECTED)
    if began is None or noticed is None:
        return replace(loss, problem="the loss was not noticed")
    found = replace(loss, live_noticed=noticed - began, rto=result.rto_seconds)
    return excused(found, recorded.waiting)


def drill_with(used: Patience) -> Drill:
    """The drill of a real loss, with these thresholds, and a runbook that is as patient."""
    chosen = found_drill(LOSS)
    steps = tuple(_patient(each, used) for each in chosen.book.steps)
    book = replace(chosen.book, steps=steps)
    return replace(chosen, runbook=book, steering=used.steering, bound=ENDLESS)


def looks(used: Patience) -> Looks:
    """The steps of its runbook that look at a loss."""
    book = drill_with(used).book
    detect, confirm = (
        next(each for each in book.steps if each.step == name) for name in (_DETECT, _CONFIRM)
    )
    return Looks(detect, confirm, book.plan)


def _patient(call: Call, used: Patience) -> Call:
    if call.step != _DETECT:
        return call
    return replace(call, options={**call.options, "after": used.after})


def _first_line(error: LabError) -> str:
    return error.message.partition("\n")[0]
