"""The command `lab matrix`: labs side by side, a line per order, a table and a page in the end."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from lab import __version__
from lab.commands.parsing.options import Json, Name, completing
from lab.commands.terminal import chosen_name, out, print_json, say, told_when_interrupted
from lab.core.errors import UnknownName, UsageError

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

    from lab.core.verdict import Verdict
    from lab.runbooks.matrixresults import Grid, Question, Row
    from lab.testbed.lab import Lab


def _scenarios() -> list[str]:
    from lab.runbooks.permutations import SCENARIOS

    return list(SCENARIOS)


def matrix(
    scenario: Annotated[
        list[str] | None,
        typer.Option(
            help="Only this one. May be repeated.", show_default=False,
            autocompletion=completing(_scenarios),
        ),
    ] = None,
    order: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORDER", help="Only this sequence, such as SPWTR. May be repeated.",
            show_default=False,
        ),
    ] = None,
    covering: Annotated[
        bool,
        typer.Option(
            "--covering",
            help="Only a small set of sequences, with each pair of steps in both orders.",
        ),
    ] = False,
    labs: Annotated[int, typer.Option(help="How many labs to use at once.", min=1, max=6)] = 4,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Do a failover's five steps in every order, for real.

    What users see is compared with what was predicted. S stop writes, P promote, W warm caches,
    T shift traffic, R resume writes: 120 orders, with the old primary alive behind a partition and
    with its region dead. Brings its labs up if they are not: lab-m1, lab-m2 and so on.
    """
    raise typer.Exit(
        _run(scenario or [], order or [], covering=covering, labs=labs, name=name, as_json=as_json)
    )


def _run(
    scenarios: list[str],
    wanted: list[str],
    *,
    covering: bool,
    labs: int,
    name: str | None,
    as_json: bool,
) -> int:
    """Play orders; exit code 0 if all agree, 1 if one does not, 4 if one could not be played."""
    from lab.core.interrupts import ended
    from lab.drills import matrix
    from lab.records import runfolders
    from lab.runbooks.matrixresults import Grid

    cells = _cells(scenarios, wanted, covering=covering)
    base = chosen_name(name)
    folder = runfolders.new_series("matrix", len(cells))
    with _dropped_if_nothing_came(folder), _labs(base, min(labs, len(cells))) as up:
        began, begun = time.monotonic(), datetime.now(UTC)
        told = _Told(len(cells))

        def put_back() -> None:
            with say().step("putting the default topology back"):
                matrix.put_back(up)

        rows = ended(
            lambda: matrix.play_all(up, cells, folder, told),
            put_back,
            "wait: the default topology is put back, and the command then ends",
        )
        found = Grid(
            rows=tuple(rows),
            seconds=time.monotonic() - began,
            labs=len(up),
            machine=str(up[0].engine.facts()),
            version=f"lab {__version__}",
            begun=begun.isoformat(timespec="seconds"),
        )
    _keep(found, folder)
    _tell(found, folder, as_json)
    return verdict(found).exit_code


def verdict(found: Grid) -> Verdict:
    """Fail if prediction and observation differ anywhere; unknown if not all was observed."""
    from lab.core.verdict import Verdict

    if found.disagreeing:
        return Verdict.FAIL
    return Verdict.UNKNOWN if found.unplayed else Verdict.PASS


def _cells(scenarios: list[str], wanted: list[str], *, covering: bool) -> list[tuple[str, str]]:
    from lab.runbooks import permutations

    for each in scenarios:
        if each not in permutations.SCENARIOS:
            raise UnknownName("scenario of a matrix", each, permutations.SCENARIOS)
    chosen = [permutations.parse(each) for each in wanted]
    if chosen and covering:
        raise UsageError(
            "--order and --covering are both given", "give one of them: both choose orders"
        )
    if not chosen:
        chosen = list(permutations.covering() if covering else permutations.orders())
    return [(order, where) for where in scenarios or permutations.SCENARIOS for order in chosen]


@contextmanager
def _dropped_if_nothing_came(folder: Path) -> Iterator[None]:
    """Remove a folder in which there is nothing in the end."""
    try:
        yield
    finally:
        with suppress(OSError):
            folder.rmdir()


@contextmanager
def _labs(base: str, count: int) -> Iterator[list[Lab]]:
    """Labs of their own, kept up for the next time: `NAME-m1` and so on."""
    from lab.drills import loadrun
    from lab.testbed import lifecycle, turns

    with ExitStack() as stack:
        up: list[Lab] = []
        for number in range(1, count + 1):
            name = f"{base}-m{number}"
            stack.enter_context(turns.exclusive(name, "run a matrix"))
            stack.enter_context(told_when_interrupted())
            loadrun.end_first(name, say())
            up.append(lifecycle.up(name, say(), to_be_reset=True))
            stack.callback(up[-1].engine.close)
        yield up


class _Told:
    """A line for each order that is through."""

    def __init__(self, total: int) -> None:
        self._total, self._done = total, 0

    def __call__(self, row: Row) -> None:
        self._done += 1
        what = (
            f"not played: {row.problem}"
            if row.observed is None
            else "as predicted"
            if row.agrees
            else f"NOT as predicted: {row.observed}; predicted: {row.predicted}"
        )
        count = f"{self._done:3} of {self._total}"
        say().note(f"{count}  {row.scenario} {row.order}  {row.seconds:4.1f} s  {what}")


def _keep(found: Grid, folder: Path) -> None:
    from lab.records.runfiles import MATRIX
    from lab.report import matrixpage
    from lab.runbooks import matrixresults

    (folder / MATRIX).write_text(matrixresults.to_json(found))
    (folder / "matrix.html").write_text(matrixpage.page(found))


def _tell(found: Grid, folder: Path, as_json: bool) -> None:
    from lab.runbooks import matrixresults

    if as_json:
        print_json(matrixresults.plain(found))
        return
    for where in found.scenarios:
        out().print(_table(found, where))
        for rule in matrixresults.rules(found.of(where)):
            out().print(f"  {rule}", highlight=False)
        out().print()
    agreed = len(found.rows) - len(found.disagreeing) - len(found.unplayed)
    out().print(f"{agreed} of {len(found.rows)} did to users what was predicted", highlight=False)
    out().print(f"  page     {folder / 'matrix.html'}", highlight=False)
    out().print(f"  figures  {folder / 'matrix.json'}", highlight=False)


def _table(found: Grid, where: str) -> Table:
    from lab.core.plaintable import plain_table
    from lab.runbooks.matrixresults import QUESTIONS

    counts = (f">{each}*" for each in ("lost", "two timelines", "stale", "refused until"))
    table = plain_table(where, "order", *(f"{each.title}*" for each in QUESTIONS), *counts)
    for row in found.of(where):
        table.add_row(row.order, *_words(row))
    return table


def _words(row: Row) -> Iterator[Text | str]:
    from rich.text import Text

    from lab.runbooks.matrixresults import QUESTIONS

    if row.observed is None:
        yield Text(row.problem, style="dim")
        return
    for each in QUESTIONS:
        yield _word(each, row)
    yield str(len(row.lost))
    yield str(row.doubled)
    yield str(row.stale)
    yield "the end" if row.outage is None else f"{row.outage:.1f} s"


def _word(question: Question, row: Row) -> Text:
    from rich.text import Text

    seen = row.observed or row.predicted
    bad = question.is_so(seen)
    word = str(seen.end) if question.name == "end" else "some" if bad else "none"
    differs = question.is_so(row.predicted) != bad
    return Text(f"{word} ≠" if differs else word, style="red" if bad else "green")
