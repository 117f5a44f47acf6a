"""A drill's result as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from lab.core import words
from lab.core.plaintable import plain_table
from lab.core.verdict import Verdict
from lab.metrics.compute import FAULT_SEEN, RUNBOOK
from lab.metrics.objectives import ALWAYS
from lab.metrics.stopwatch import AGREES
from lab.metrics.walopinion import WAL_AGREES
from lab.records.result import Result
from lab.records.resultrows import ObjectiveRow
from lab.report import reporttables, sentences
from lab.report.runtables import VERDICT_STYLE, Typed

LOST_SHOWN = 5
STANDING = {
    FAULT_SEEN.name,
    RUNBOOK.name,
    AGREES.name,
    WAL_AGREES.name,
    *(each.name for each in ALWAYS),
}
"""Judged in every drill; shown here only when they do not hold."""


# ── a drill's result ─────────────────────────────────────────────────────────────────────────


def summary(result: Result, folder: str, typed: Typed = str) -> RenderableType:
    """What a drill ends with: sentences for a learner, then objectives, then where the rest is."""
    style = VERDICT_STYLE[result.verdict]
    return Group(
        Text(f"{result.title}: {result.verdict.value.upper()}", style=f"bold {style}"),
        Text(),
        *(_indented(Text.from_markup(line)) for line in _sentences(result)),
        Text(),
        *_incidents(result),
        *_objectives(result.objectives),
        Text(
            f"  and {_standing(result.objectives)} standard checks, which apply to every drill: all"
            " passed",
            style="dim",
        ),
        *_kept_up(result.objectives),
        Text(),
        *(
            _indented(Text(f"second opinion, {each.name}: {each.answer}"))
            for each in result.opinions
        ),
        Text(),
        *_lost(result),
        Text(f"  report   {folder}/report.html"),
        Text(f"  figures  {folder}/result.json"),
        Text(f"  again    {typed(result.command)}"),
    )


def _indented(text: Text) -> Padding:
    """A text whose further lines stand under the first one."""
    return Padding(text, (0, 0, 0, 2))


def _sentences(result: Result) -> list[str]:
    lines = [
        f"[bold]{result.acknowledged}[/bold] orders were acknowledged; [bold]{result.lost}[/bold]"
        f" of them {_are(result.lost)} missing from {result.winner}, the final primary"
        + (f"; {result.orphaned} of these {_are(result.orphaned)} still on another node."
           if result.orphaned else "."),
    ]  # fmt: skip
    if before := sentences.earlier(result):
        lines.append(before)
    if result.lost and result.rpo_seconds is not None:
        lines.append(f"Data-loss window (RPO): {result.rpo_seconds * 1000:.0f} ms.")
    for name, seconds in result.rto_seconds.items():
        if name == "max":
            continue
        back = (
            "did not come back" if seconds is None else f"could order again after {seconds:.2f} s"
        )
        lines.append(f"Users in the {name} {back}{_again(result, name)}.")
    lines += [
        f"Users in the {row.population} {sentences.pause(row)}." for row in sentences.pauses(result)
    ]
    phases = [f"{row.phase.value} {row.seconds:.2f} s" for row in result.rto_phases if row.seconds]
    if phases:
        lines.append(f"Phases of the longest recovery (RTO): {', '.join(phases)}.")
    lines.append(
        f"{result.unknown} orders ended without an answer;"
        f" {result.recovered} of them {_are(result.recovered)} on {result.winner}."
    )
    if gone := sentences.seen_then_gone(result):
        lines.append(f"[red]{gone}[/red]")
    if result.split_brain_writes:
        lines.append(
            f"[red]{result.split_brain_writes} orders were acknowledged by an old primary while a"
            f" new one took orders, during {result.split_brain_seconds:.1f} s.[/red]"
        )
    return lines


def _again(result: Result, population: str) -> str:
    """A second outage after the first return; empty if there was none."""
    rows = (each for each in result.recoveries if each.honours_ttl)
    found = (each.relapsed for each in rows if each.population == population)
    relapsed = next((each for each in found if each is not None), None)
    return "" if relapsed is None else f", but were interrupted later, at {words.moment(relapsed)}"


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _standing(rows: Iterable[ObjectiveRow]) -> int:
    return sum(row.name in STANDING and row.verdict is Verdict.PASS for row in rows)


def _objectives(rows: Iterable[ObjectiveRow]) -> list[Table]:
    """The table; none where people asked for nothing and all standard checks passed."""
    table = plain_table("", "objective", "limit", "measured", "verdict", "why it matters*")
    for row in rows:
        if row.verdict is Verdict.PASS and (row.name in STANDING or row.baseline is not None):
            continue
        style = VERDICT_STYLE[row.verdict]
        table.add_row(
            row.name,
            f"{row.comparison.sign} {words.limit(row.limit, row.unit)}",
            words.number(row.found, row.unit),
            f"[{style}]{row.verdict.value}[/{style}]",
            Text(row.why if row.verdict is Verdict.PASS else _reasons(row)),
        )
    return [table] if table.row_count else []


def _kept_up(rows: Iterable[ObjectiveRow]) -> list[Text]:
    """How many figures are no worse than in a baseline, if there is one."""
    kept = [row for row in rows if row.baseline is not None and row.verdict is Verdict.PASS]
    figures = words.count(len(kept), "figure")
    return [Text(f"  and {figures} no worse than in the baseline", style="dim")] if kept else []


def _reasons(row: ObjectiveRow) -> str:
    return "; ".join(filter(None, [row.detail, row.why]))


def _incidents(result: Result) -> list[RenderableType]:
    """What happened in a run by hand; nothing for a drill."""
    found = reporttables.incidents(result)
    if not found.rows:
        return []
    table = plain_table("", "what happened*", *(each.title.lower() for each in found.columns[1:]))
    for row in found.rows:
        table.add_row(*row)
    return [table, Text()]


def _lost(result: Result) -> list[RenderableType]:
    if not result.lost_writes:
        return []
    table = plain_table(
        "lost orders", "client key", "acknowledged at (fault = 0)", "by", "found on*"
    )
    for row in result.lost_writes[:LOST_SHOWN]:
        table.add_row(
            row.key,
            f"{row.acknowledged_at * 1000:+.0f} ms",
            str(row.node),
            ", ".join(row.found_on) or "no machine",
        )
    rest = len(result.lost_writes) - LOST_SHOWN
    more = [Text(f"  … and {rest} more in the report", style="dim")] if rest > 0 else []
    return [table, *more, Text()]
