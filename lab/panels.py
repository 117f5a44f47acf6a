"""Status and checks as a person reads them in a terminal.

Apart from a drill's summary, which needs all that figures are made with: `lab status` must not wait
for that.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab import inforce
from lab.lsn import format_lsn
from lab.status import NAMES_SHOWN, Following, NodeReport, Status
from lab.verdict import Verdict
from lab.words import size

if TYPE_CHECKING:
    from lab.doctor import Check
    from lab.server import NodeState

VERDICT_STYLE = {Verdict.PASS: "green", Verdict.FAIL: "red", Verdict.UNKNOWN: "yellow"}
_CHECK_SIGN = {"ok": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "broken": "[red]✗[/red]"}


def plain_table(title: str, *columns: str) -> Table:
    """A table without lines; a column whose name ends in `*` may be broken over lines."""
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
    if found.in_force:
        parts.append(_in_force(found))
    parts += [_nodes(found), _machines(found), _links(found), _names(found), _traffic(found)]
    return Group(*[each for part in parts for each in (part, Text())][:-1])


def _faults(found: Status) -> Table:
    table = plain_table("faults in force", "fault*", "end it")
    for text in found.faults:
        table.add_row(Text(text, style="red"), "lab fault heal --all")
    return table


def _in_force(found: Status) -> Table:
    table = plain_table("set by runbooks and operators", "in force*", "since", "by*", "end it*")
    for each in found.in_force:
        table.add_row(Text(each.what, style="yellow"), each.since, each.by, inforce.ENDS)
    return table


def _nodes(found: Status) -> Table:
    table = plain_table(
        "databases", "node", "role", "timeline", "WAL", "lag*", "waits for", "follows*"
    )
    for report in found.nodes:
        table.add_row(str(report.place), *_node(report))
    return table


def _node(report: NodeReport) -> tuple[str, ...]:
    state = report.state
    if state is None:
        return (f"[red]{report.machine}[/red]", "", "", "", "", report.reason)
    role = "[green]primary[/green]" if state.role == "primary" else "standby"
    return (
        role,
        str(state.timeline),
        format_lsn(state.replayed),
        _lag(state, report.following) if report.following else "",
        state.synchronous_names,
        _follows(report),
    )


def _lag(state: NodeState, found: Following) -> str:
    """LSNs of two timelines cannot be compared: what the node lacks counts from where they part."""
    if found.lag_bytes is None:
        return f"[red]on timeline {state.timeline}, which the primary never had[/red]"
    if found.left is not None:
        alone = f"; {size(found.alone_bytes)} that the primary has not" if found.alone_bytes else ""
        return f"[red]on timeline {state.timeline}, left at {format_lsn(found.left)}{alone}[/red]"
    age = f", {state.replay_age:.1f} s" if state.replay_age else ""
    return f"{found.lag_bytes} B{age}"


def _follows(report: NodeReport) -> str:
    if report.following is None:
        return ""
    followed = str(report.upstream) if report.upstream else "no node in reach"
    if report.through:
        followed += f" through {report.through}"
    if report.following.proof is None:
        return f"[red]{followed}: fresh WAL does not arrive[/red]"
    return f"{followed} [dim](proven in {report.following.proof * 1000:.0f} ms)[/dim]"


def _machines(found: Status) -> RenderableType:
    stopped = [each for each in found.machines if not each.running]
    if not stopped:
        return Text.assemble(("machines  ", "bold"), (f"all {len(found.machines)} run", "green"))
    table = plain_table("not running", "machine", "state")
    for machine in stopped:
        table.add_row(str(machine.place), f"[red]{machine.status}[/red]")
    return table


def _links(found: Status) -> Table:
    table = plain_table("links", "link", "listens for", "in force")
    for state in found.links:
        text = str(state) if state.open else f"[red]{state}[/red]"
        table.add_row(state.link.name, f"port {state.link.purpose.port}", text)
    for gateway in found.unreachable_gateways:
        table.add_row(gateway, "", "[red]no answer[/red]")
    return table


def _names(found: Status) -> Table:
    table = plain_table("names", "name", *(f"asked in {region}" for region in found.answers))
    for name in NAMES_SHOWN:
        table.add_row(name, *(answers[name] for answers in found.answers.values()))
    table.add_row("[dim]the shop there[/dim]", *(found.ready[region] for region in found.answers))
    return table


def _traffic(found: Status) -> Table:
    table = plain_table("users", "population", "acknowledged writes", "reads", "since the start")
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
    table = plain_table("", "", "check", "found*", "what to do*")
    table.show_header = False
    for each in found:
        table.add_row(_CHECK_SIGN[each.state], each.name, Text(each.found), Text(each.advice))
    return table
