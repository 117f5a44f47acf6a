"""All metrics as tables: those of one run for its report, and the rows for the docs. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.core import words
from lab.records import metricrows
from lab.records.metric import Metric
from lab.records.result import Result
from lab.report.table import Column, Table


def figures(result: Result) -> Table:
    """Every figure of a run that was measured, by the name that objectives take."""
    return Table(
        "All figures",
        (Column("Figure", "code"), Column("Found", "n"), Column("What it is", "line")),
        tuple(_measured(result)),
        "All figures of this run, with the names to use in --objective. docs/figures.md has the"
        " formulas.",
    )


def _measured(result: Result) -> Iterator[tuple[str, ...]]:
    for row in metricrows.METRICS:
        for whom in row.find(result):
            if (value := row.found(result, whom).value) is not None:
                yield row.of_whom(whom).name, words.number(value, row.unit), row.means


HEAD: Final = (
    "Figure", "Unit", "What it is", "How it is measured", "No value", "Shown", "Tolerated",
    "Example",
)  # fmt: skip


def markdown(example: Result) -> str:
    """The rows as a table for the docs, each with what an example says."""
    lines = (HEAD, ["---"] * len(HEAD), *(_cells(row, example) for row in metricrows.METRICS))
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def _cells(row: Metric, example: Result) -> list[str]:
    values = {whom: row.found(example, whom) for whom in row.find(example)}
    told = (f"{whom} {words.number(each.value, row.unit)}" for whom, each in values.items())
    return [
        f"`{row.name}`",
        row.unit,
        row.means,
        row.measured(),
        row.missing,
        row.shown.value,
        row.tolerance.told(row.unit) if row.tolerance else "",
        ", ".join(map(str.strip, told)),
    ]
