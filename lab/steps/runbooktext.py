"""Runbooks, their steps and what checking them found, as a person reads that in a terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.text import Text

from lab.core import words
from lab.core.plaintable import plain_table
from lab.runbooks.checkup import Checked, Checkup, Finding, Level, Word
from lab.runbooks.predict import End, Vector
from lab.runbooks.runbook import Call, Runbook, Step
from lab.runbooks.runbook import told as filled
from lab.runbooks.scenarios import scenario
from lab.runbooks.stepgraph import Edge, Graph, Node, said
from lab.steps import listing

_LEVEL_STYLE = {Level.FINE: "green", Level.COSTLY: "yellow", Level.UNSAFE: "bold red"}
_WORD_STYLE = {
    Word.DONE: "green",
    Word.NOT_NEEDED: "dim",
    Word.NOT_REACHED: "dim",
    Word.EARLY: "yellow",
    Word.CANNOT: "red",
}
AS_FOUND = "contains a known mistake"
"""What a runbook is called that something is wrong with; what it is must be found."""


def _mark(book: Runbook, before: str, after: str = "") -> Iterator[str | tuple[str, str]]:
    if book.flaw:
        yield from (before, (AS_FOUND, "yellow"), after)


def way(book: Runbook) -> str:
    """Who takes over from whom: `east.db1 → west.db1`."""
    return filled("{old} → {new}", book.plan)


def step(row: Step) -> RenderableType:
    """Everything about one step."""
    table = plain_table("", "", "*", between=2)
    for name, text in _said_of(row):
        table.add_row(Text(name, style="dim"), Text(text))
    return table


def _said_of(row: Step) -> Iterator[tuple[str, str]]:
    yield "step", f"{row.name}: {listing.of_any(row.title)}"
    yield "changes", listing.of_any(row.changes)
    yield "why", listing.of_any(row.why)
    yield "late or missing", listing.of_any(row.breaks)
    yield "path", listing.path(row)
    if row.main:
        yield "written", listing.written(row).replace("`", "")
    if row.command:
        yield "by hand", listing.by_hand(row)
    for each in row.needs:
        yield "needs that", f"{listing.need(each)} ({each.harm})"
    for option in row.options:
        yield option.name, listing.option(option)


# ── one runbook ──────────────────────────────────────────────────────────────────────────────


def whole(book: Runbook, rows: Mapping[str, Step]) -> RenderableType:
    """What a runbook is for, and each of its steps."""
    head = Text.assemble((f"{book.name}: {book.title}", "bold"), *_mark(book, " (", ")"))
    facts = plain_table("", "", "*", between=2)
    for name, text in _facts(book):
        facts.add_row(Text(name, style="dim"), Text(text))
    table = plain_table("", "", "", "*", between=2)
    for number, call in enumerate(book.steps, 1):
        row = rows[call.step]
        title = Text(filled(row.title, book.plan), style="bold")
        table.add_row(Text(f"{number:>2}"), Text(call.step, style="bold"), title)
        for name, text in _of_step(row, call, book):
            table.add_row("", Text(name, style="dim"), Text(text))
    return Group(head, facts, Text(), table)


def _facts(book: Runbook) -> Iterator[tuple[str, str]]:
    yield "from → to", way(book) + ("" if book.promotes else "; the primary stays where it is")
    if book.why:
        yield "why", book.why
    if book.source:
        yield "source", book.source
    for name in book.scenarios:
        yield name, scenario(name).told


def _of_step(row: Step, call: Call, book: Runbook) -> Iterator[tuple[str, str]]:
    plan = row.seen_from(call, book.plan)
    yield "changes", filled(row.changes, plan)
    yield "why", filled(row.why, plan)
    yield "late or missing", filled(row.breaks, plan)
    yield "path", listing.path(row)
    if row.command:
        yield "by hand", filled(row.command, plan)
    for option in row.options:
        given = option.name in call.options
        value = said(call.options.get(option.name, option.default))
        yield option.name, f"{value}{'' if given else ' (default)'}: {option.told}"


# ── its graph ────────────────────────────────────────────────────────────────────────────────


def graph(found: Graph) -> RenderableType:
    """Which step needs what, and who makes it true."""
    head = Text(f"What each step needs, in the situation {found.scenario.name}", style="bold")
    table = plain_table("", "", "", "", "*", between=2)
    for node in found.nodes:
        mark = Text(node.word, style="red" if node.unsafe else _WORD_STYLE[node.word])
        table.add_row(f"{node.number:>2}", Text(node.went.call.step), mark, _needs(node))
    right = found.end is End.RIGHT
    mark = Text(found.end, style="green" if right else "red")
    table.add_row("", "the end", mark, Text("\n".join(found.lacking), style="red"))
    return Group(head, table)


def riddle(command: str) -> Text:
    """What stands instead of the graph of a runbook that something is wrong with."""
    return Text.assemble(
        (f"{AS_FOUND}: ", "yellow"),
        "try to find it. Then run:\n",
        (f"  {command}", "bold"),
    )


def _needs(node: Node) -> Text:
    lines = [Text(node.went.reason, style="red")] if node.went.reason else []
    return Text("\n").join([*lines, *map(_need, node.edges)])


def _need(edge: Edge) -> Text:
    if not edge.violated:
        return Text.assemble(f"needs: {edge.says} ", (f"({edge.origin})", "dim"))
    text = f"needs: {edge.says} ({edge.origin}): {edge.consequence}"
    return Text(text, style="red" if edge.unsafe else "yellow")


# ── what checking found ──────────────────────────────────────────────────────────────────────


def predicted(found: Checkup) -> RenderableType:
    """What is predicted for each situation, as a table."""
    table = plain_table(
        "", "scenario", "split-brain\nwrites", "write\nerrors", "read\nerrors", "cold\nreads",
        "end", "level", between=2,
    )  # fmt: skip
    for each in found.checked:
        level = Text(each.level, style=_LEVEL_STYLE[each.level])
        table.add_row(each.scenario, *_cells(each.prediction.vector), level)
    return table


def _cells(vector: Vector) -> Iterator[Text]:
    yield _some(vector.split_brain, "red")
    yield from map(_some, (vector.write_errors, vector.read_errors, vector.cold_reads))
    yield Text(vector.end, style="" if vector.end is End.RIGHT else "red")


def _some(seen: bool, style: str = "") -> Text:
    return Text("some", style=style) if seen else Text("none", style="dim")


def told(found: Checkup, file: str) -> Iterator[Text]:
    """Every violation on a line of its own, and one that says whether it may be used."""
    findings = found.findings
    yield from (_finding(each, found, file) for each in findings)
    if findings:
        yield Text()
    yield _verdict(found)


def notes(book: Runbook, rows: Mapping[str, Step]) -> Iterator[tuple[int, str]]:
    """What a check has to say of steps that is no mistake: each with its line."""
    for call in book.steps:
        row = rows[call.step]
        if text := row.note(row.chosen(call.options)):
            yield call.line, text


def noted(found: Checkup, rows: Mapping[str, Step], file: str) -> Iterator[Text]:
    """The same as compilers print it."""
    for line, text in notes(found.runbook, rows):
        yield Text.assemble(f"{file}:{line}: ", ("note", "cyan"), f": {text}")


def _finding(each: Finding, found: Checkup, file: str) -> Text:
    """As compilers print theirs: `FILE:LINE: level: sentence (in scenario)`."""
    line = each.violation.line
    where = f"{file}:{line}" if line else file
    level = (each.level.value, _LEVEL_STYLE[each.level])
    return Text.assemble(
        f"{where}: ", level, f": {each.violation.sentence}", (found.among(each), "dim")
    )


@dataclass(frozen=True, slots=True)
class Foreseen:
    """A check as a test reads it: the worst level, and findings as `lab runbook check` prints them.

    `steps` are the runbook's, in order.
    """

    level: Level
    unsafe: tuple[str, ...]
    costly: tuple[str, ...]
    steps: tuple[str, ...]


def foreseen(found: Checkup, file: str) -> Foreseen:
    """A check as tests read it."""

    def lines(level: Level) -> tuple[str, ...]:
        findings = (each for each in found.findings if each.level is level)
        return tuple(_finding(each, found, file).plain for each in findings)

    steps = tuple(each.step for each in found.runbook.steps)
    return Foreseen(found.level, lines(Level.UNSAFE), lines(Level.COSTLY), steps)


def _verdict(found: Checkup) -> Text:
    meant = [each for each in found.checked if each.level is found.level]
    where = words.listed([each.scenario for each in meant])
    level = (found.level.value, _LEVEL_STYLE[found.level])
    because = _because(found.level, meant)
    return Text.assemble(f"{found.runbook.name} is ", level, f" in {where}: {because}")


def _because(level: Level, worst: Sequence[Checked]) -> str:
    """What is so in all of the worst situations; else each reason with those where it is so."""
    if level is Level.FINE:
        return "every step has what it needs, and the runbook ends well"
    if level is Level.COSTLY:
        return (
            "it ends well and keeps every order that can be kept, but it is slower or costs more"
            " than necessary, or does not know its loss"
        )
    where: dict[str, list[str]] = {}
    for each in worst:
        where.setdefault(_harm(each), []).append(each.scenario)
    if len(where) == 1:
        return next(iter(where))
    return "; ".join(f"in {words.listed(names)} {harm}" for harm, names in where.items())


def _harm(checked: Checked) -> str:
    """The worst that a runbook does in a situation in which it is unsafe."""
    if checked.prediction.vector.split_brain:
        return "two primaries take orders, and the orders of one of them are lost"
    if checked.prediction.vector.end is not End.RIGHT:
        return "it does not end in the intended state"
    culprits = (wrong.step for wrong in checked.violations if wrong.unsafe)
    steps = words.listed([*dict.fromkeys(culprits)])
    return f"{steps} may lose orders in reality, although the model shows no loss"
