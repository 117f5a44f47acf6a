"""What a terminal shows of runbooks: within its width, and in words as well as in colours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from io import StringIO

import pytest
from made_up_runbooks import CAREFUL, SPECS, ordered, runbook
from rich.console import Console, RenderableType
from rich.text import Text

from lab.commands import terminal
from lab.commands.runbook import list as shelf
from lab.commands.runbook import steps
from lab.core.console import Terminal
from lab.runbooks import runbookfile, shipped
from lab.runbooks.checkup import Checkup, check
from lab.runbooks.runbook import Call, Runbook
from lab.runbooks.scenarios import SCENARIOS, scenario
from lab.runbooks.stepgraph import graph
from lab.steps import runbooktext

SHIPPED = [runbookfile.read(path, SPECS) for path in shipped.shipped()]
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


CODES = {"1": "bold", "2": "dim", "31": "red", "32": "green", "33": "yellow", "1;31": "bold red"}


def painted(part: RenderableType) -> set[tuple[str, str]]:
    """What is not in the plain colour: (style, text)."""
    return in_colours(printed(part, width=200, colours=True))


def in_colours(text: str) -> set[tuple[str, str]]:
    """Of a text with codes of a terminal, what is not in the plain colour: (style, text)."""
    told = re.findall(r"\x1b\[([\d;]+)m(.*?)\x1b\[0m", text)
    return {(CODES[code], text.strip()) for code, text in told}


def lines(part: RenderableType, width: int = 200) -> list[str]:
    """What is printed, without spaces at the ends of lines."""
    return [line.rstrip() for line in printed(part, width=width).splitlines()]


def listed(
    monkeypatch: pytest.MonkeyPatch,
    columns: Sequence[str],
    rows: Iterable[Sequence[str | Text]],
    *,
    colours: bool = False,
) -> str:
    """What a list prints."""
    file = StringIO()
    console = Terminal(file=file, width=200, force_terminal=colours, highlight=False, _environ={})
    monkeypatch.setattr(terminal, "out", lambda: console)
    terminal.print_list(columns, rows)
    return file.getvalue()


def checked(book: Runbook, *names: str) -> Checkup:
    return check(book, SPECS, [scenario(name) for name in names])


def everything() -> list[RenderableType]:
    books = [*SHIPPED, LATE, runbook(*CAREFUL)]
    return [
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
    assert "needs: east.db1 can no longer commit (made true by step 5: too late): two" in plain
    assert "\x1b[31mtoo early" in printed(found, width=120, colours=True)


def test_the_list_marks_a_runbook_that_is_printed_as_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odd, other = runbook(*CAREFUL, name="odd", flaw=True), runbook(*CAREFUL)
    rows = [shelf.row(each) for each in (odd, other)]
    assert listed(monkeypatch, shelf.COLUMNS, rows).splitlines() == [
        "runbook  for        what happens",
        "odd      partition  East is lost, west takes over; east.db1 → west.db1; contains a known"
        " mistake",
        "made-up  partition  East is lost, west takes over; east.db1 → west.db1",
    ]
    assert in_colours(listed(monkeypatch, shelf.COLUMNS, rows, colours=True)) == {
        ("dim", "runbook  for        what happens"),
        ("bold", "odd"), ("bold", "made-up"), ("yellow", "contains a known mistake"),
    }  # fmt: skip


def test_a_step_is_told_with_all_that_there_is_to_know_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert lines(runbooktext.step(ROWS["promote"])) == [
        "step             promote: promote the standby",
        "changes          sets the new node's synchronous names, runs pg_ctl promote, makes slots"
        " for its standbys",
        "why              orders need a primary",
        "late or missing  no order can be taken anywhere; if it comes too early, two databases"
        " take orders",
        "path             out-of-band, about 0.3 s, part of the RTO: promote",
        "by hand          docker exec CONTAINER pg_ctl promote -w, in NEW's container",
        "needs that       the old primary can no longer commit; otherwise two primaries take"
        " orders, and the orders of one of them are lost (data)",
        "needs that       the failover was decided; otherwise no decision is on record (cost)",
        "needs that       the lag is known to be within the RPO; otherwise the loss is unknown"
        " (cost)",
        "needs that       in a planned move: a step after the stop of writes (`catch-up`,"
        " `compare`) has shown that the new node has every order; otherwise acknowledged orders"
        " are lost (data)",
        "needs that       in a failover: no other standby within reach has orders that the new node"
        " lacks; otherwise orders that the other standby has are lost (data)",
        "needs that       in a failover: the new node is the most advanced standby within reach;"
        " otherwise orders that another standby has may be lost (cost)",
        "force            promote although another primary is alive: true or false (default:"
        " false)",
        "accept_loss      promote although another standby has received more WAL: true or false"
        " (default: false)",
    ]
    assert not any(line.startswith("by hand") for line in lines(runbooktext.step(ROWS["hold"])))
    shown = listed(monkeypatch, steps.COLUMNS, [steps.row(ROWS["hold"])])
    assert [re.split(" {2,}", line) for line in shown.splitlines()] == [
        ["step", "path", "what it is", "what it changes"],
        ["hold", "in-band", "keep this state for some time",
         "nothing; users stay where they are, and the step counts which region takes their orders"],
    ]  # fmt: skip


def test_a_runbook_is_told_with_what_it_is_for_and_what_each_step_is_told() -> None:
    steps = Call("stop-writes", {"where": "lost"}), Call("fence")
    book = runbook(*steps, promotes=False, why="to see", source="a book")
    assert lines(runbooktext.whole(book, ROWS)) == [
        "made-up: East is lost, west takes over",
        "from → to  east.db1 → west.db1; the primary stays where it is",
        "why        to see",
        "source     a book",
        "partition  the links between the regions are cut; the old primary is alive, and users"
        " still reach it",
        "",
        " 1  stop-writes      stop orders",
        "    changes          each shop that can be reached answers orders with 503; reads work as"
        " before",
        "    why              users are told to come back later, and can still read",
        "    late or missing  east may still write orders to east.db1, and these are lost",
        "    path             in-band, about 0.1 s, part of the RTO: fence",
        "    where            lost: in which regions the shops get this command",
        " 2  fence            fence the old primary",
        "    changes          east.db1's server is stopped, or else its machine is killed; the"
        " proof: neither an open session nor a new one can commit",
        "    why              two primaries that both take orders are worse than none",
        "    late or missing  east.db1 keeps acknowledging orders, and these are lost",
        "    path             out-of-band, about 1 s, part of the RTO: fence",
        "    by hand          lab fault inject stop-immediate --node east.db1",
    ]
    plain = runbooktext.whole(runbook(Call("promote"), flaw=True), ROWS)
    told = lines(plain)
    assert told[:2] == [
        "made-up: East is lost, west takes over (contains a known mistake)",
        "from → to  east.db1 → west.db1",
    ]
    assert told[2].startswith("partition  ")
    assert told[-2:] == [
        "    force            false (default): promote although another primary is alive",
        "    accept_loss      false (default): promote although another standby has received more"
        " WAL",
    ]
    assert ("yellow", "contains a known mistake") in painted(plain)


def test_a_graph_tells_of_each_step_how_it_goes_and_what_it_needs() -> None:
    steps = Call("promote"), Call("fence"), Call("announce")
    found = runbooktext.graph(graph(runbook(*steps), SPECS, scenario("unreachable")))
    assert lines(found) == [
        "What each step needs, in the situation unreachable",
        " 1  promote   too early       needs: east.db1 can no longer commit (nothing makes it true"
        " in time): two primaries take orders, and the orders of one of them are lost",
        "                              needs: the failover was decided (nothing makes it true in"
        " time): no decision is on record",
        "                              needs: the lag is known to be within the RPO (nothing makes"
        " it true in time): the loss is unknown",
        "                              needs: no other standby within reach has orders that"
        " west.db1 lacks (true from the beginning)",
        "                              needs: west.db1 is the most advanced standby within reach"
        " (true from the beginning)",
        " 2  fence     cannot be done  east.db1 cannot be reached: it cannot be fenced",
        " 3  announce  not reached",
        "    the end   stuck           the runbook stops at fence: users of west cannot order;"
        " users of east order at east.db1, but should order at west.db1; east.db1 is also primary,"
        " in addition to west.db1",
    ]


def test_colours_say_how_bad_it_is() -> None:
    stuck = painted(runbooktext.graph(graph(LATE, SPECS, scenario("unreachable"))))
    none = "(nothing makes it true in time)"
    assert stuck >= {
        ("bold", "What each step needs, in the situation unreachable"),
        ("red", "too early"),
        ("red", "cannot be done"), ("green", "done"), ("dim", "not reached"), ("red", "stuck"),
        ("dim", "(made true by step 1)"),
        ("red", "east.db1 cannot be reached: it cannot be fenced"),
        ("yellow", f"needs: the failover was decided {none}: no decision is on record"),
        ("red", f"needs: east.db1 can no longer commit {none}: two primaries take orders, and the"
            " orders of one of them are lost"),
    }  # fmt: skip
    right = painted(runbooktext.graph(graph(LATE, SPECS, scenario("partition"))))
    assert right >= {("green", "right"), ("dim", "not needed"), ("yellow", "too early")}
    found = painted(runbooktext.predicted(checked(LATE, "partition", "region-dead", "unreachable")))
    assert {each for each in found if each[0] != "dim" or each[1] == "none"} == {
        ("red", "some"), ("dim", "none"), ("bold red", "unsafe"), ("yellow", "costly"),
        ("red", "stuck"),
    }  # fmt: skip


def test_a_runbook_that_something_is_wrong_with_has_no_graph_but_the_way_to_find_it() -> None:
    found = runbooktext.riddle("lab runbook check odd")
    assert lines(found) == [
        "contains a known mistake: try to find it. Then run:",
        "  lab runbook check odd",
    ]
    assert painted(found) == {
        ("yellow", "contains a known mistake:"),
        ("bold", "lab runbook check odd"),
    }


def test_the_prediction_is_a_row_for_each_situation() -> None:
    found = checked(LATE, "partition", "region-dead", "unreachable")
    rows = [line.split() for line in printed(runbooktext.predicted(found)).splitlines()]
    assert rows[-3:] == [
        ["partition", "some", "some", "none", "some", "right", "unsafe"],
        ["region-dead", "none", "some", "some", "some", "right", "costly"],
        ["unreachable", "some", "some", "none", "none", "stuck", "unsafe"],
    ]


def test_a_finding_says_where_unless_it_is_everywhere() -> None:
    found = checked(LATE, "partition", "region-dead")
    lines = [text.plain for text in runbooktext.told(found, "late.yaml")]
    assert lines[0] == (
        "late.yaml:10: unsafe: promote comes too early. It needs: east.db1 can no longer commit."
        " Otherwise two primaries take orders, and the orders of one of them are lost (in"
        " partition)"
    )
    assert any(line.endswith("users from the other region find a cold cache") for line in lines)
    assert lines[-2] == ""
    fine = runbooktext.told(checked(runbook(*CAREFUL), "partition"), "fine.yaml")
    assert len([*fine]) == 1


def test_what_no_step_is_to_blame_for_has_no_line() -> None:
    steps = Call("fence"), Call("promote"), Call("repoint")
    lines = [text.plain for text in runbooktext.told(checked(runbook(*steps), "partition"), "x")]
    assert "x: unsafe: at the end: users of east cannot order" in lines


@pytest.mark.parametrize(
    ("steps", "names", "end"),
    [
        (CAREFUL, ("partition",), "is fine in partition: every step has what it needs, and the"),
        (CAREFUL[1:], ("partition",), "is costly in partition: it ends well and keeps every"),
        (CAREFUL, ("partition", "unreachable"), "is unsafe in unreachable: it does not end in"),
        (LATE.steps, ("healthy", "partition"), "is unsafe in healthy and partition: two primaries"),
        (
            (Call("promote"), Call("repoint")), ("region-dead", "partition"),
            "is unsafe in region-dead and partition: in region-dead it does not end in the"
            " intended state; in partition two primaries take orders",
        ),
        (
            (Call("promote"), Call("fence"), Call("repoint")), ("healthy", "region-dead"),
            "is unsafe in healthy and region-dead: in healthy promote may lose orders in reality,"
            " although the model shows no loss; in region-dead it does not end in the intended"
            " state",
        ),
        (
            ordered("SPWTR").steps[:1] + ordered("PWTSR").steps, ("partition",),
            "is unsafe in partition: promote may lose orders in reality, although the model shows"
            " no loss",
        ),
    ],
)  # fmt: skip
def test_the_last_line_says_whether_it_may_be_used(
    steps: tuple[Call, ...], names: tuple[str, ...], end: str
) -> None:
    *_, last = runbooktext.told(checked(runbook(*steps), *names), "x")
    assert last.plain.startswith(f"made-up {end}")


def test_what_a_file_says_is_printed_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    odd = runbook(*CAREFUL, name="odd", title="[red]East[/red] is [bold", why="[/]")
    text = listed(monkeypatch, shelf.COLUMNS, [shelf.row(odd)])
    text += printed(runbooktext.whole(odd, ROWS))
    assert text.count("[red]East[/red] is [bold") == 2
    assert "[/]" in text
