"""Runs as a person reads them in a terminal: a series, two sides compared, one computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.core import words
from lab.core.plaintable import plain_table
from lab.core.verdict import Verdict
from lab.records.compare import Comparison, Row, Side
from lab.records.metricrows import metric
from lab.records.spread import Series, SeriesRun
from lab.report.seriespages import counted

if TYPE_CHECKING:
    from lab.metrics.recompute import Recomputed

VERDICT_STYLE = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNKNOWN: "yellow"}
Typed = Callable[[str], str]
_JUDGED_STYLE = {"better": "green", "worse": "red"}
_DIFFERENCES = 30
"""How many of them a terminal shows."""


def _verdict(verdict: Verdict) -> Text:
    return Text(verdict.value, style=VERDICT_STYLE[verdict])


# ── a series ─────────────────────────────────────────────────────────────────────────────────


def spread(series: Series, folder: str, typed: Typed = str) -> RenderableType:
    """What a series ends with: every run, then the spread of its figures."""
    ended = len(series.runs)
    short = f" of {series.asked}" if ended < series.asked else ""
    head = f"{series.title}, {ended}{short} runs: {series.verdict.value.upper()}"
    why = {True: "interrupted: ", False: "cut short: "}[series.interrupted] if short else ""
    figures: list[RenderableType] = [_spread(series), Text()] if series.spread else []
    return Group(
        Text(head, style=f"bold {VERDICT_STYLE[series.verdict]}"),
        Text(f"  {why}{counted(series)}"),
        Text(),
        _runs(series),
        *_errors(series.runs),
        Text(),
        *figures,
        Text(f"  pictures  {folder}/spread.html"),
        Text(f"  figures   {folder}/spread.json"),
        Text(f"  again     {typed(series.command)}"),
    )


def _runs(series: Series) -> Table:
    names = [row.figure for row in series.spread if row.headline]
    rows = [metric(name) for name in names]
    table = plain_table(
        "runs", ">run", ">seed", "verdict", *(f">{_short(row.title)}*" for row in rows), between=2
    )
    for run in series.runs:
        cells = (
            "–"
            if (value := run.figures.get(row.name)) is None
            else words.number(value, _bare(row.unit))
            for row in rows
        )
        table.add_row(str(run.number), str(run.seed), _verdict(run.verdict), *cells)
    return table


def _short(title: str) -> str:
    return title.replace("slowest users", "max")


def _bare(unit: str) -> str:
    """Counts stand without a unit where their column says what they count."""
    return unit if unit in ("s", "bytes") else ""


def _errors(runs: Iterable[SeriesRun]) -> list[Text]:
    died = [(run, f"died: {run.error}") for run in runs if run.error]
    again = [
        (run, f"was unknown before: {words.listed(run.earlier)}") for run in runs if run.earlier
    ]
    return [Text(f"  run {run.number} {told}", style="yellow") for run, told in (*died, *again)]


def _spread(series: Series) -> Table:
    table = plain_table("spread", "figure", ">median", ">least", ">most", "measured", between=2)
    for row in series.spread:
        if row.headline:
            ends = (
                "" if value is None else words.number(value, row.unit)
                for value in (row.minimum, row.maximum)
            )
            measured = f"{row.measured} of {row.runs}"
            table.add_row(row.title, words.number(row.median, row.unit), *ends, measured)
    return table


# ── two sides ────────────────────────────────────────────────────────────────────────────────


def compare(found: Comparison) -> RenderableType:
    """What `lab report --compare` prints."""
    return Group(
        _side("A", found.a),
        _side("B", found.b),
        Text(),
        *(Text(f"  ! {note}", style="yellow") for note in found.notes),
        *([Text()] if found.notes else []),
        _compared([row for row in found.rows if _telling(row)]),
        *(Text(f"  {line}", style="dim") for line in _below(found.rows)),
    )


def _side(letter: str, side: Side) -> Text:
    return Text.assemble(
        (f"{letter} ", "bold"), side.title, ": ", _verdict(side.verdict), (f"  {side.name}", "dim")
    )


def _telling(row: Row) -> bool:
    """Whether a row is worth a line of a terminal; the page has all of them."""
    return row.headline or row.judgement != "same"


def _below(rows: Sequence[Row]) -> list[str]:
    left_out = sum(not _telling(row) for row in rows)
    lines = [f"and {words.count(left_out, 'figure')} that are the same"] if left_out else []
    if any(row.a_range or row.b_range for row in rows):
        lines.append("of a series: the median, its range, in how many runs it was measured")
    return lines


def _compared(rows: Iterable[Row]) -> Table:
    table = plain_table("", "figure*", ">A*", ">B*", ">B − A", ">B ÷ A", "B is*", between=2)
    for row in rows:
        judged = Text(
            f"{row.sign} {row.judgement}".strip(), style=_JUDGED_STYLE.get(row.judgement, "")
        )
        if row.overlap:
            judged.append(" (chance?)", style="dim")
        table.add_row(
            row.title,
            _with_range(row.a, row.a_range),
            _with_range(row.b, row.b_range),
            row.difference,
            row.ratio,
            judged,
        )
    return table


def _with_range(value: str, span: str) -> Text:
    return Text.assemble(value, (f"\n{span}", "dim")) if span else Text(value)


# ── computed again ───────────────────────────────────────────────────────────────────────────


def recomputed(found: Recomputed) -> RenderableType:
    """What `lab report --recompute` prints."""
    notes = [Text(f"  ! {note}", style="yellow") for note in found.notes]
    if not found.differences:
        return Group(Text(f"all {found.figures:,} figures are the same"), *notes)
    table = plain_table("", "figure*", "in the folder*", "computed from the raw record*", between=2)
    for row in found.differences[:_DIFFERENCES]:
        table.add_row(*(Text(text) for text in (row.what, row.kept, row.computed)))
    more = len(found.differences) - _DIFFERENCES
    below = [Text(f"  … and {more:,} more", style="dim")] if more > 0 else []
    count = words.count(len(found.differences), "difference")
    return Group(table, *below, Text(f"{count}, of {found.figures:,} figures"), *notes)
