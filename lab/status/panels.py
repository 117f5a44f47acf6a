"""Status and checks as a person reads them in a terminal.

A drill's summary is in another module. It loads all that figures are made with, and `lab status`
must not wait for that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain, repeat
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from lab.core.lsn import format_lsn
from lab.core.plaintable import plain_table
from lab.core.topology import DATABASES, ONE_WAY_DELAY_MS, ZONE
from lab.core.words import either, seconds, size
from lab.report.runtables import Typed
from lab.status.catalogue import findings
from lab.status.look import NAMES_SHOWN, Status
from lab.status.plan import plan

if TYPE_CHECKING:
    from lab.postgres.server import NodeState
    from lab.postgres.serverprofile import Profile
    from lab.status.plan import Step
    from lab.status.row import Finding
    from lab.testbed.doctor import Check
    from lab.testbed.nodelook import NodeReport

_OLD_SECONDS = 1.0
_NEXT = {
    (False, False): "next",
    (False, True): "next, one of these; lab status shows what is left",
    (True, False): "next, in this order; lab status shows what is left",
    (True, True): "next, in this order, one command per number; lab status shows what is left",
}
_CHECK_SIGN = {"ok": "[green]✓[/green]", "warn": "[yellow]![/yellow]", "broken": "[red]✗[/red]"}


# ── status ───────────────────────────────────────────────────────────────────────────────────


def status(found: Status, typed: Typed = str) -> RenderableType:
    """Everything that `lab status` prints, with commands as they are typed here."""
    parts: list[RenderableType] = [
        Text(f"lab {found.name}  subnet {found.subnet}.0.0/16", style="bold"),
        *_findings(tuple(each.as_typed(typed) for each in findings(found)), typed),
        _nodes(found),
        _servers(found),
        _machines(found),
        _links(found),
        _names(found),
        _traffic(found),
    ]
    return Group(*[each for part in parts for each in (part, Text())][:-1])


def _narrow(title: str, *columns: str) -> Table:
    """A table that fits into 80 columns."""
    table = plain_table(title, *columns)
    table.padding = (0, 1)
    return table


def _findings(all_of_them: tuple[Finding, ...], typed: Typed) -> Iterator[RenderableType]:
    """What was found, and the commands in the one order in which they are to be run."""
    if not any(each.wrong for each in all_of_them):
        good = Text("nothing is wrong", style="green")
        yield Group(good, _listed(all_of_them)) if all_of_them else good
    else:
        yield _listed(all_of_them)
    if steps := plan(all_of_them):
        yield Group(Text(typed(_NEXT[_kind(steps)]), style="bold"), _steps(steps))


def _kind(steps: tuple[Step, ...]) -> tuple[bool, bool]:
    """Whether there are several steps, and whether one of them is a choice."""
    return len(steps) > 1, any(len(each.ways) > 1 for each in steps)


def _listed(all_of_them: Iterable[Finding]) -> Table:
    table = Table.grid(padding=(0, 1))
    for each in all_of_them:
        sign, style = ("✗", "red") if each.wrong else ("·", "dim")
        table.add_row(Text(sign, style=style), Text(each.says))
    return table


def _steps(steps: Iterable[Step]) -> Table:
    table = Table.grid(padding=(0, 1))
    for number, step in enumerate(steps, 1):
        for sign, way in zip(chain((f"{number}.",), repeat("or")), step.ways, strict=False):
            does = Text(f"  # {way.does}", style="dim")
            table.add_row(sign, Text.assemble((way.command, "bold"), does))
    return table


def _nodes(found: Status) -> Table:
    table = _narrow("databases", "node", "role", "timeline", "received", "replayed", "follows*")
    for report in found.nodes:
        table.add_row(str(report.place), *_node(report, found))
    return table


def _node(report: NodeReport, found: Status) -> tuple[RenderableType, ...]:
    state = report.state
    if state is None:
        waits = report.place in found.replaced
        role = Text("waits", style="yellow") if waits else Text("silent", style="red")
        told = "was replaced, needs a failback" if waits else report.reason
        return role, "", "", "", Text(told)
    return (
        Text(state.role, style="green" if report.primary else ""),
        str(state.timeline),
        format_lsn(state.received),
        "" if report.primary else format_lsn(state.replayed),
        _primary(report) if report.primary else _standby(report),
    )


def _primary(report: NodeReport) -> Text:
    told = f"commits wait for {either(report.waits_for) or 'no standby'}"
    return Text.assemble(told, _own(report))


def _standby(report: NodeReport) -> Text:
    followed = str(report.upstream) if report.upstream else "no node"
    if report.through:
        followed += f" through {report.through}"
    told, style = _flow(report)
    return Text.assemble(followed, ": ", (told, style), _own(report))


def _own(report: NodeReport) -> tuple[str, str]:
    has = report.alone_bytes or (report.following.alone_bytes if report.following else 0)
    return f"; {size(has)} of its WAL is on no other node" if has else "", "red"


def _flow(report: NodeReport) -> tuple[str, str]:
    """What a fresh record proved of a standby, or how far behind it is where none was written."""
    found, state = report.following, report.state
    if found is None or state is None:
        return "silent" if report.upstream or report.through else "not compared", "yellow"
    if found.proof is not None:
        return "fresh WAL is replayed", "dim"
    if found.lag_bytes is None:
        return f"on timeline {state.timeline}, which the primary never had", "red"
    if found.left is not None:
        left = format_lsn(found.left)
        return f"on timeline {state.timeline}, which its primary left at {left}", "red"
    if found.arrived is not None:
        paused = report.profile is not None and report.profile.paused
        why = "replay is paused" if paused else "replay is slow"
        return f"fresh WAL arrives, is not replayed: {why}", "red"
    return f"{_still(report)}{_age(state)}", "red"


def _still(report: NodeReport) -> str:
    found = report.following
    lag = found.lag_bytes or 0 if found else 0
    if found is not None and not found.fresh:
        return f"lacks {size(lag)} of its WAL" if lag else "has all of its WAL"
    return f"fresh WAL does not arrive; it lacks {size(lag)}"


def _age(state: NodeState) -> str:
    old = (state.replay_age or 0.0) > _OLD_SECONDS
    return f"; its last change is {seconds(state.replay_age)} old" if old else ""


def _servers(found: Status) -> Table:
    table = _narrow(
        "servers",
        "node",
        "connections left",
        "sessions waiting",
        "slot for",
        "WAL kept",
        "until slot lost*",
    )
    for report in found.nodes:
        if report.profile is not None:
            for row in _server(report, report.profile):
                table.add_row(*row)
    return table


def _server(report: NodeReport, said: Profile) -> Iterator[tuple[RenderableType, ...]]:
    """A row for each slot; the first one says what is true of the whole server."""
    left = f"{said.connections_left} of {said.room}"
    waiting = f"{said.waiting}, {seconds(said.longest)}" if said.longest else str(said.waiting)
    own: tuple[str, ...] = (str(report.place), left, waiting if report.primary else "")
    known = {place.server_name: str(place) for place in DATABASES}
    for slot in said.slots:
        kept = size(slot.retained) if slot.retained is not None else ""
        until = size(max(0, slot.left)) if slot.left is not None else "never"
        lost = Text("lost: must be rebuilt", style="red")
        yield (*own, known.get(slot.name, slot.name), kept, lost if slot.lost else until)
        own = ("", "", "")
    if any(own):
        yield (*own, "", "", "")


def _machines(found: Status) -> RenderableType:
    away = [each for each in found.machines if not each.running]
    if not away:
        return Text.assemble(("machines  ", "bold"), (f"all {len(found.machines)} run", "green"))
    table = _narrow("not running", "machine", "state")
    for machine in away:
        state = "frozen" if machine.frozen else "missing" if machine.status == "absent" else "down"
        table.add_row(str(machine.place), Text(state, style="red"))
    return table


def _links(found: Status) -> RenderableType:
    other = [each for each in found.links if not each.usual]
    if not other and not found.unreachable_gateways:
        told = f"all {len(found.links)} open, {ONE_WAY_DELAY_MS} ms each way between the regions"
        return Text.assemble(("links  ", "bold"), (told, "green"))
    table = _narrow("links not as usual", "link", "port", "in force*")
    for state in other:
        style = "" if state.open else "red"
        table.add_row(state.link.name, str(state.link.purpose.port), Text(str(state), style=style))
    for gateway in found.unreachable_gateways:
        table.add_row(f"every link of {gateway}", "all", Text("no answer", style="red"))
    return table


def _names(found: Status) -> Table:
    table = _narrow("names", "name", *(f"asked in {region}*" for region in found.leads))
    for name in NAMES_SHOWN:
        short = name.removesuffix(f".{ZONE}")
        table.add_row(short, *(Text(leads[name]) for leads in found.leads.values()))
    shops = (Text(found.ready[region]) for region in found.leads)
    table.add_row(Text("the shop", style="dim"), *shops)
    return table


def _traffic(found: Status) -> Table:
    table = _narrow("users", "population", "writes", "reads", "writes since the start*")
    for each in found.traffic:
        if each.stats is None:
            table.add_row(each.population, Text("no answer", style="red"), "", "")
            continue
        writes = each.stats.totals.get("write")
        counts = f"{writes.ok} ok, {writes.fail} fail, {writes.unknown} unknown" if writes else ""
        rate = f"{each.writes_per_second:.0f}/s" if each.stats.running else "idle"
        table.add_row(each.population, rate, f"{each.reads_per_second:.0f}/s", counts)
    return table


# ── doctor ───────────────────────────────────────────────────────────────────────────────────


def checks(found: Iterable[Check], typed: Typed = str) -> RenderableType:
    """What `lab doctor` prints, with commands as they are typed here."""
    table = plain_table("", "", "check", "found*", "what to do*")
    table.show_header = False
    for each in found:
        advice = Text(typed(each.advice))
        table.add_row(_CHECK_SIGN[each.state], each.name, Text(each.found), advice)
    return table
