"""Status and drill results as a person reads them in a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab import words
from lab.doctor import Check
from lab.evaluate import FAULT_SEEN, RUNBOOK
from lab.objectives import ALWAYS
from lab.postgres import format_lsn
from lab.result import ObjectiveRow, Result
from lab.status import NAMES_SHOWN, NodeReport, Status
from lab.stopwatch import AGREES
from lab.verdict import Comparison, Verdict
from lab.walopinion import WAL_AGREES

_VERDICT_STYLE = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNKNOWN: "yellow"}
_CHECK_SIGN = {"ok": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "broken": "[red]✗[/red]"}
_COMPARISON = {Comparison.AT_MOST: "≤", Comparison.AT_LEAST: "≥", Comparison.EXACTLY: "="}
LOST_SHOWN = 5
STANDING = {
    FAULT_SEEN.name,
    RUNBOOK.name,
    AGREES.name,
    WAL_AGREES.name,
    *(each.name for each in ALWAYS),
}
"""Judged in every drill; shown here only when they do not hold."""


def _table(title: str, *columns: str) -> Table:
    table = Table(
        title=title, title_justify="left", title_style="bold", box=None, pad_edge=False,
        padding=(0, 2), header_style="dim",
    )  # fmt: skip
    for column in columns:
        # A column whose name ends in `*` may be broken over lines, the others never are.
        wraps = column.endswith("*")
        table.add_column(column.rstrip("*"), overflow="fold", no_wrap=not wraps)
    return table


# ── status ───────────────────────────────────────────────────────────────────────────────────


def status(found: Status) -> RenderableType:
    """Everything that `lab status` prints."""
    parts: list[RenderableType] = [
        Text(f"lab {found.name}  subnet {found.subnet}.0.0/16", style="bold")
    ]
    if len(found.primaries) != 1:
        listed = " and ".join(map(str, found.primaries)) or "none"
        parts.append(Text(f"primaries: {listed}. Exactly one is expected.", style="bold red"))
    if found.faults:
        parts.append(_faults(found))
    parts += [_nodes(found), _machines(found), _links(found), _names(found), _traffic(found)]
    return Group(*[each for part in parts for each in (part, Text())][:-1])


def _faults(found: Status) -> Table:
    table = _table("faults in force", "fault*", "end it")
    for text in found.faults:
        table.add_row(Text(text, style="red"), "lab fault heal --all")
    return table


def _nodes(found: Status) -> Table:
    table = _table("databases", "node", "role", "timeline", "WAL", "lag", "waits for", "follows*")
    for report in found.nodes:
        table.add_row(str(report.place), *_node(report))
    return table


def _node(report: NodeReport) -> tuple[str, ...]:
    state = report.state
    if state is None:
        return (f"[red]{report.machine}[/red]", "", "", "", "", report.reason)
    role = "[green]primary[/green]" if state.role == "primary" else "standby"
    lag = ""
    if report.following is not None:
        age = f", {state.replay_age:.1f} s" if state.replay_age else ""
        lag = f"{report.following.lag_bytes} B{age}"
    return (
        role,
        str(state.timeline),
        format_lsn(state.replayed),
        lag,
        state.synchronous_names,
        _follows(report),
    )


def _follows(report: NodeReport) -> str:
    if report.following is None:
        return ""
    whom = str(report.upstream) if report.upstream else "nobody in reach"
    if report.through:
        whom += f" through {report.through}"
    if report.following.proof is None:
        return f"[red]{whom}: fresh WAL does not arrive[/red]"
    return f"{whom} [dim](proven in {report.following.proof * 1000:.0f} ms)[/dim]"


def _machines(found: Status) -> Table:
    table = _table("machines that do not run", "machine", "state")
    stopped = [each for each in found.machines if not each.running]
    for machine in stopped:
        table.add_row(str(machine.place), f"[red]{machine.status}[/red]")
    if not stopped:
        table.add_row("[green]none: all of them run[/green]", "")
    return table


def _links(found: Status) -> Table:
    table = _table("links", "link", "listens for", "in force")
    for state in found.links:
        text = str(state) if state.open else f"[red]{state}[/red]"
        table.add_row(state.link.name, f"port {state.link.purpose.port}", text)
    for gateway in found.unreachable_gateways:
        table.add_row(gateway, "", "[red]no answer[/red]")
    return table


def _names(found: Status) -> Table:
    table = _table("names", "name", *(f"asked in {region}" for region in found.answers))
    for name in NAMES_SHOWN:
        table.add_row(name, *(answers[name] for answers in found.answers.values()))
    table.add_row("[dim]the shop there[/dim]", *(found.ready[region] for region in found.answers))
    return table


def _traffic(found: Status) -> Table:
    table = _table("users", "population", "acknowledged writes", "reads", "since the start")
    for each in found.traffic:
        if each.stats is None:
            table.add_row(each.population, "[red]no answer[/red]", "", "")
            continue
        writes = each.stats.totals.get("write")
        counts = f"{writes.ok} ok, {writes.fail} fail, {writes.unknown} unknown" if writes else ""
        rate = f"{each.writes_per_second:.0f}/s" if each.stats.running else "idle"
        table.add_row(each.population, rate, f"{each.reads_per_second:.0f}/s", counts)
    return table


# ── doctor ───────────────────────────────────────────────────────────────────────────────────


def checks(found: Iterable[Check]) -> RenderableType:
    """What `lab doctor` prints."""
    table = _table("", "", "check", "found*", "what to do*")
    table.show_header = False
    for each in found:
        table.add_row(_CHECK_SIGN[each.state], each.name, Text(each.found), Text(each.advice))
    return table


# ── a drill's result ─────────────────────────────────────────────────────────────────────────


def summary(result: Result, folder: str) -> RenderableType:
    """What a drill ends with: sentences for a learner, then objectives, then where the rest is."""
    style = _VERDICT_STYLE[result.verdict]
    return Group(
        Text(f"{result.title}: {result.verdict.value.upper()}", style=f"bold {style}"),
        Text(),
        *(Text.from_markup(f"  {line}") for line in _sentences(result)),
        Text(),
        _objectives(result.objectives),
        Text(f"  and {_standing(result.objectives)} checks that hold for every drill", style="dim"),
        Text(),
        *(Text(f"  second opinion, {each.name}: {each.answer}") for each in result.opinions),
        Text(),
        *_lost(result),
        Text(f"  report   {folder}/report.html"),
        Text(f"  figures  {folder}/result.json"),
        Text(f"  again    {result.command}"),
    )


def _sentences(result: Result) -> list[str]:
    lines = [
        f"[bold]{result.acknowledged}[/bold] orders were acknowledged;"
        f" [bold]{result.lost}[/bold] of them {'is' if result.lost == 1 else 'are'} not in the"
        " database that counts now"
        + (
            f" ({result.orphaned} on a machine that does not count any more)."
            if result.orphaned
            else "."
        ),
    ]
    if result.lost and result.rpo_seconds is not None:
        lines.append(
            f"Going back {result.rpo_seconds * 1000:.0f} ms from the moment it happened (the RPO)."
        )
    for name, seconds in result.rto_seconds.items():
        if name == "max":
            continue
        back = (
            "did not come back" if seconds is None else f"could order again after {seconds:.2f} s"
        )
        lines.append(f"Users in the {name} {back}.")
    phases = [f"{row.phase.value} {row.seconds:.2f} s" for row in result.rto_phases if row.seconds]
    if phases:
        lines.append(f"Of that: {', '.join(phases)}.")
    lines.append(
        f"{result.unknown} orders ended with no answer; {result.recovered} of those are there."
    )
    if result.split_brain_writes:
        lines.append(
            f"[red]{result.split_brain_writes} orders were taken by two primaries at once,"
            f" for {result.split_brain_seconds:.1f} s.[/red]"
        )
    return lines


def _standing(rows: Iterable[ObjectiveRow]) -> int:
    return sum(row.name in STANDING and row.verdict is Verdict.PASS for row in rows)


def _objectives(rows: Iterable[ObjectiveRow]) -> Table:
    table = _table("", "objective", "limit", "measured", "verdict", "why it matters*")
    shown = [row for row in rows if row.name not in STANDING or row.verdict is not Verdict.PASS]
    for row in shown:
        style = _VERDICT_STYLE[row.verdict]
        table.add_row(
            row.name,
            f"{_COMPARISON[row.comparison]} {words.limit(row.limit, row.unit)}",
            words.number(row.found, row.unit),
            f"[{style}]{row.verdict.value}[/{style}]",
            Text(row.why if row.verdict is Verdict.PASS else _reasons(row)),
        )
    return table


def _reasons(row: ObjectiveRow) -> str:
    return "; ".join(filter(None, [row.detail, row.why]))


def _lost(result: Result) -> list[RenderableType]:
    if not result.lost_writes:
        return []
    table = _table("lost orders", "client key", "acknowledged", "by", "found on*")
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
