"""The command `lab tune`: how patient health checks should be, predicted and tried on a lab."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from lab import __version__
from lab.commands.parsing.options import Json, Name, any_seed, completing
from lab.commands.terminal import chosen_name, out, print_json, say, told_when_interrupted

if TYPE_CHECKING:
    from pathlib import Path

    import rich.table

    from lab.patience.cells import Cell, Loss, Tuned
    from lab.patience.rows import Blip, Patience
    from lab.report.table import Table
    from lab.testbed.lab import Lab


def _patiences() -> list[str]:
    from lab.patience.rows import PATIENCES

    return [each.name for each in PATIENCES]


def _blips() -> list[str]:
    from lab.patience.rows import BLIPS

    return [each.name for each in BLIPS]


def tune(
    patience: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this one: a name, or changes to one, such as 'default fall=5 after=10s'."
            " May be repeated.",
            metavar="'NAME [PART=VALUE …]'", show_default=False,
            autocompletion=completing(_patiences),
        ),
    ] = None,
    blip: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this kind of blip. May be repeated.", metavar="KIND", show_default=False,
            autocompletion=completing(_blips),
        ),
    ] = None,
    length: Annotated[
        list[str] | None,
        typer.Option(
            help="Only blips of this length. One that was never recorded is tried on the lab."
            " May be repeated.",
            metavar="DURATION", show_default=False,
        ),
    ] = None,
    live: Annotated[
        bool,
        typer.Option(
            "--live/--no-live",
            help="Try a tenth of the cells, and a real loss with each patience, on a lab."
        ),
    ] = True,
    seed: Annotated[int, any_seed("The same seed tries the same cells.")] = 1,
    output: Annotated[
        str | None,
        typer.Option(
            "--out", metavar="DIR", show_default=False,
            help="Where tables and picture go (default: a new folder among the runs).",
        ),
    ] = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Compare how patient health checks and runbooks may be.

    Short faults of five kinds and lengths (blips) are played to each patience, as they were
    recorded in a lab: which of them move users, and which would promote a database for nothing? A
    lab then tries a tenth of them, and measures the RTO of a real loss. Brings the lab up if it is
    not, and empties it.
    """
    from lab.patience import rows

    patiences = tuple(map(rows.patience, dict.fromkeys(patience or _patiences())))
    kinds = tuple(map(rows.blip, dict.fromkeys(blip or _blips())))
    lengths = tuple(dict.fromkeys(map(rows.length, length or ()))) or rows.LENGTHS
    lab_name = chosen_name(name)
    folder = _folder(output)
    predict = partial(_predicted, patiences, kinds, lengths, seed)
    found = _tried(predict, lab_name, folder) if live else predict()
    _keep(found, folder)
    _tell(found, folder, as_json)
    raise typer.Exit(found.verdict.exit_code)


def _folder(chosen: str | None) -> Path:
    """The folder for all that is written. Raises UsageError or MachineError."""
    from lab.core import outputfiles
    from lab.records import runfolders

    return runfolders.new_folder("tune") if chosen is None else outputfiles.folder(chosen, "--out")


def _predicted(
    patiences: Sequence[Patience], blips: Sequence[Blip], lengths: Sequence[float], seed: int
) -> Tuned:
    """What recordings say. On a lab that is up, with waits as long as they are there."""
    from lab.core.wait import stretch
    from lab.patience import predicted, recorded
    from lab.patience.cells import Tuned

    began, begun = time.monotonic(), datetime.now(UTC)
    with say().step("playing recorded checks to each patience"):
        known = predicted.takes(recorded.read())
        cells = predicted.cells(patiences, blips, lengths, known, stretch())
        losses = tuple(predicted.loss(each, known) for each in patiences)
    return Tuned(
        patiences=tuple(patiences),
        cells=cells,
        losses=losses,
        seed=seed,
        live=False,
        seconds=time.monotonic() - began,
        machine="recorded checks",
        version=f"lab {__version__}",
        begun=begun.isoformat(timespec="seconds"),
        stretch=stretch(),
    )


def _tried(predict: Callable[[], Tuned], name: str, folder: Path) -> Tuned:
    """The same, with what a lab does."""
    from lab.testbed import lifecycle, turns

    began = time.monotonic()
    with turns.exclusive(name, "tune health checks"), told_when_interrupted():
        lab = lifecycle.up(name, say(), to_be_reset=True)
        try:
            found = _played(predict(), lab, folder)
        finally:
            lab.engine.close()
    return replace(found, live=True, seconds=time.monotonic() - began)


def _played(found: Tuned, lab: Lab, folder: Path) -> Tuned:
    from lab.drills import tune
    from lab.patience.predicted import confirmed

    chosen = confirmed(found.cells, found.seed)
    done = tune.play_cells(lab, chosen, found.patiences, folder, found.seed, _Told(len(chosen)))
    played = {each.place: each for each in done}
    return replace(
        found,
        cells=tuple(played.get(each.place, each) for each in found.cells),
        losses=tuple(_lost(found, lab, folder)),
        machine=str(lab.engine.facts()),
    )


class _Told:
    """A line for each cell that was tried."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0

    def __call__(self, cell: Cell) -> None:
        from lab.report.tunetables import judged

        self._done += 1
        what = f"{cell.patience}, {cell.blip} for {cell.seconds:g} s"
        say().note(f"{self._done:3} of {self._total}  {what}: {judged(cell)}")


def _lost(found: Tuned, lab: Lab, folder: Path) -> Iterator[Loss]:
    """The losses, each with what the lab did."""
    from lab.drills import tune

    for number, each in enumerate(found.patiences, 1):
        with say().step(f"a real loss, {number} of {len(found.patiences)}: {each.name}"):
            where = folder / f"loss-{number}"
            yield tune.lose(lab, found.loss(each.name), each, where, found.seed)


def _keep(found: Tuned, folder: Path) -> None:
    from lab.charts import frontier
    from lab.core.outputfiles import write
    from lab.patience.cells import to_json
    from lab.records.runfiles import TUNE
    from lab.report import tunepage

    for name, text in {
        TUNE: to_json(found),
        "tune.html": tunepage.page(found),
        "tune.md": tunepage.markdown(found),
        tunepage.PICTURE: frontier.svg(found),
    }.items():
        write(folder / name, text, "--out")


def _tell(found: Tuned, folder: Path, as_json: bool) -> None:
    from lab.patience.cells import plain
    from lab.report import tunetables

    if as_json:
        print_json(plain(found))
        return
    for table in tunetables.tables(found):
        out().print(_plain(table))
        out().print(f"  {table.formula}\n", highlight=False)
    for sentence in tunetables.summary(found):
        out().print(f"  {sentence}", highlight=False)
    for what, file in (("page", "tune.html"), ("Markdown", "tune.md"), ("picture", "frontier.svg")):
        out().print(f"  {what:8}  {folder / file}", highlight=False)


def _plain(table: Table) -> rich.table.Table:
    from lab.core.plaintable import plain_table

    signs = {"n": ">{}*", "line": "{}*"}
    titles = (signs.get(each.kind, "{}").format(each.title) for each in table.columns)
    found = plain_table(table.title, *titles, between=2)
    for row in table.rows:
        found.add_row(*row)
    return found
