"""What a terminal shows of runbooks: within its width, and in words as well as in colours."""

from __future__ import annotations

from io import StringIO

import pytest
from made_up_runbooks import CAREFUL, SPECS, ordered, runbook
from rich.console import Console, RenderableType

from lab import runbookfile, runbooktext, shelf
from lab.checkup import Checkup, check
from lab.runbook import Call, Runbook
from lab.scenarios import SCENARIOS, scenario
from lab.stepgraph import graph

SHIPPED = [runbookfile.read(path, SPECS) for path in shelf.shipped()]
ROWS = {row.name: row for row in SPECS}
LATE = ordered("PTSRW")


def printed(*parts: RenderableType, width: int = 80, colours: bool = False) -> str:
    console = Console(
        file=StringIO(), width=width, force_terminal=colours, highlight=False, _environ={}
    )
    for part in parts:
        console.print(part)
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def checked(book: Runbook, *names: str) -> Checkup:
    return check(book, SPECS, [scenario(name) for name in names])


def everything() -> list[RenderableType]:
    books = [*SHIPPED, LATE, runbook(*CAREFUL)]
    return [
        runbooktext.shelf(books),
        runbooktext.steps(SPECS),
        *(runbooktext.step(row) for row in SPECS),
        *(runbooktext.whole(book, ROWS) for book in books),
        *(runbooktext.graph(graph(book, SPECS, each)) for book in books for each in SCENARIOS),
        *(runbooktext.predicted(check(book, SPECS, SCENARIOS)) for book in books),
    ]


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_wider_than_the_terminal_and_nothing_is_cut_off(width: int) -> None:
    text = printed(*everything(), width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text


def test_what_is_told_in_colours_is_told_in_words_as_well() -> None:
    found = runbooktext.graph(graph(LATE, SPECS, scenario("partition")))
    plain = printed(found, width=120)
    assert "\x1b" not in plain
    assert "promote        too early" in plain
    assert "warm-caches    not needed" in plain
    assert "needs: east.db1 can no longer commit (made by 5: too late): two primaries" in plain
    assert "\x1b[31mtoo early" in printed(found, width=120, colours=True)


def test_the_prediction_is_a_row_for_each_situation() -> None:
    found = checked(LATE, "partition", "region-dead", "unreachable")
    rows = [line.split() for line in printed(runbooktext.predicted(found)).splitlines()]
    assert rows[-3:] == [
        ["partition", "some", "some", "none", "some", "right", "unsafe"],
        ["region-dead", "none", "some", "some", "some", "right", "costly"],
        ["unreachable", "some", "some", "none", "some", "stuck", "unsafe"],
    ]


def test_a_finding_says_where_unless_it_is_everywhere() -> None:
    found = checked(LATE, "partition", "region-dead")
    lines = [text.plain for text in runbooktext.told(found, "late.yaml")]
    assert lines[0] == (
        "late.yaml:10: unsafe: promote comes before it is true that east.db1 can no longer commit:"
        " two primaries take orders, and one side's are lost (in partition)"
    )
    assert any(line.endswith("those who arrive find a cold cache") for line in lines)


def test_what_no_step_is_to_blame_for_has_no_line() -> None:
    steps = Call("fence"), Call("promote"), Call("repoint")
    lines = [text.plain for text in runbooktext.told(checked(runbook(*steps), "partition"), "x")]
    assert "x: unsafe: at the end: users of east cannot order" in lines


@pytest.mark.parametrize(
    ("steps", "names", "end"),
    [
        (CAREFUL, ("partition",), "is fine in partition: each step comes when all that it needs"),
        (CAREFUL[1:], ("partition",), "is costly in partition: no order is lost and it ends well"),
        (CAREFUL, ("partition", "unreachable"), "is unsafe in unreachable: it does not end as"),
        (LATE.steps, ("healthy", "partition"), "is unsafe in healthy and partition: two primaries"),
        (
            ordered("SPWTR").steps[:1] + ordered("PWTSR").steps, ("partition",),
            "is unsafe in partition: promote may lose orders, though no user of the model does",
        ),
    ],
)  # fmt: skip
def test_the_last_line_says_whether_it_may_be_used(
    steps: tuple[Call, ...], names: tuple[str, ...], end: str
) -> None:
    *_, last = runbooktext.told(checked(runbook(*steps), *names), "x")
    assert last.plain.startswith(f"made-up {end}")


def test_what_a_file_says_is_printed_as_it_is() -> None:
    odd = runbook(*CAREFUL, name="odd", title="[red]East[/red] is [bold", why="[/]")
    text = printed(runbooktext.shelf([odd]), runbooktext.whole(odd, ROWS))
    assert text.count("[red]East[/red] is [bold") == 2
    assert "[/]" in text
