"""What a terminal shows of a drill and of a lab, in words that mean one thing each."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from made_up import region_loss
from rich.console import Console, RenderableType

from lab.commands import drill as command
from lab.core.console import Say
from lab.core.topology import EAST_DB1, WEST_DB1
from lab.drills.finding import drills
from lab.drills.livepanel import LiveView, PlainLines
from lab.infra.containers import MachineState
from lab.postgres.server import NodeState
from lab.records.journalfile import Phase, Via
from lab.report import resulttext
from lab.status import panels
from lab.status.look import Status
from lab.testbed.journalwriter import EngineClock, Recorder
from lab.testbed.nodelook import NodeReport, compared

RUNS = tuple(MachineState(place, "running", "", {}) for place in (EAST_DB1, WEST_DB1))
STATUS = Status("lab", "10.91", RUNS, (), (), (), {}, {}, (), ())


def shown(what: RenderableType) -> str:
    text = io.StringIO()
    Console(file=text, width=300).print(what)
    return text.getvalue()


def test_the_time_of_a_step_is_told_from_that_of_a_phase_of_the_same_name(tmp_path: Path) -> None:
    text, view = io.StringIO(), LiveView("Losing a region", {})
    lines = PlainLines(Console(file=text, width=200))
    book = Recorder(EngineClock("boot", 0.0, 0.001), tmp_path / "j.json", (lines, view))
    book.step("detect", Via.IN_BAND, Phase.DETECT, "why", lambda: "seen", started=book.clock.now())
    assert "detect (step took 0.0" in text.getvalue()
    assert re.search(r"detect +took 0\.0", shown(view))
    told = shown(resulttext.summary(region_loss(), "runs/1"))
    assert "Phases of the longest recovery (RTO): detect " in told


def said(text: str, *, terminal: bool) -> tuple[list[str], ...]:
    """What a note, a warning, an error and a line of a drill look like in 80 columns."""
    say, found = Say(), list[list[str]]()
    assert say.console.soft_wrap
    if terminal:
        say.console = Console(width=80, force_terminal=True, highlight=False)
    for tell in (say.note, say.warn, say.error, PlainLines(say.console).said):
        say.console.file = written = io.StringIO()
        tell(text)
        found.append(written.getvalue().splitlines())
    return tuple(found)


LONG = (
    "still in force: east's shop refuses customers' orders since 2026-11-28 10:00:03 UTC, by"
    " 2026-11-28T10-00-03Z-runbook-region-failover"
)


def test_a_terminal_breaks_no_line_inside_a_word_and_puts_it_under_its_beginning() -> None:
    for lines, lead in zip(said(LONG, terminal=True), (2, 2, 0, 11), strict=True):
        plain = [re.sub(r"\x1b\[[\d;]*m", "", each) for each in lines]
        assert max(map(len, plain)) <= 80
        assert all(each.startswith(" " * lead) for each in plain[1:])
        assert " ".join(each.strip() for each in plain).endswith(LONG)


def test_a_drill_is_introduced_and_summed_up_with_further_lines_under_the_first_one() -> None:
    say, written = Say(), io.StringIO()
    say.console = Console(width=80, force_terminal=True, highlight=False, file=written)
    command._introduce(next(each for each in drills() if each.name == "region-loss"), say)
    say.console.print(resulttext.summary(region_loss(), "runs/1"))
    plain = re.sub(r"\x1b\[[\d;]*m", "", written.getvalue()).splitlines()
    table = next(number for number, each in enumerate(plain) if each.startswith("objective"))
    told = [each for each in plain[:table] if each]
    assert [each for each in told if each[:2] != "  "] == ["Losing a region", "East is gone: PASS"]
    first = told.index("  What to expect:") + 1
    expected = told[first : told.index("East is gone: PASS")]
    assert all(re.match(r" {3}\d\. \S| {6}\S", each) for each in expected)


def test_a_log_has_one_line_for_each_thing_that_is_said() -> None:
    assert said(LONG, terminal=False) == (
        [f"  {LONG}"], [f"! {LONG}"], [f"error: {LONG}"], [" " * 11 + LONG]
    )  # fmt: skip


def test_what_is_said_is_no_markup() -> None:
    note, warning, error, _ = said("3 [bold] of [red]", terminal=False)
    assert (note, warning) == (["  3 [bold] of [red]"], ["! 3 [bold] of [red]"])
    assert error == ["error: 3 [bold] of [red]"]


@pytest.mark.parametrize(
    ("unknown", "recovered", "told"),
    [
        (5, 0, "5 orders ended without an answer; 0 of them are on west_db1."),
        (5, 1, "5 orders ended without an answer; 1 of them is on west_db1."),
    ],
)
def test_what_became_of_orders_without_an_answer_names_the_database_that_counts(
    unknown: int, recovered: int, told: str
) -> None:
    found = region_loss().model_copy(update={"unknown": unknown, "recovered": recovered})
    assert told in shown(resulttext.summary(found, "runs/1"))


def test_machines_are_one_line_where_all_of_them_run_and_rows_where_some_do_not() -> None:
    assert "machines  all 2 run\n" in shown(panels.status(STATUS))
    dead = replace(STATUS, machines=(RUNS[0], replace(RUNS[1], status="exited")))
    told = shown(panels.status(dead))
    assert "\n\nnot running" in told
    assert "west.db1" in told
    assert "down" in told
    assert "east.db1" not in told


def _state(timeline: int, lsn: int) -> NodeState:
    return NodeState(
        WEST_DB1, "west_db1", in_recovery=True, timeline=timeline, received=lsn, replayed=lsn,
        replay_age=None, receiver="", synchronous_names="", slots=(),
    )  # fmt: skip


def a_standby(timeline: int, lsn: int, left: int | None) -> str:
    """The row that `lab status` shows of it, beside a primary at 0/5000000 on timeline 3."""
    state = _state(timeline, lsn)
    forks = {} if left is None else {timeline: left}
    found = replace(compared(state, 0x5000000, 3, forks), fresh=True)
    report = NodeReport(WEST_DB1, "running", state, "", None, None, found)
    return shown(panels.status(replace(STATUS, nodes=(report,))))


def test_the_lag_of_a_standby_that_went_another_way_counts_from_the_fork() -> None:
    ahead = a_standby(1, 0x6000000, left=0x5C00000)
    assert (
        "on timeline 1, which its primary left at 0/5C00000; 4.0 MiB of its WAL is on no other node"
    ) in ahead
    assert " 0 B" not in ahead
    assert compared(_state(1, 0x6000000), 0x7000000, 3, {1: 0x5C00000}).lag_bytes == 0x1400000


def test_a_standby_of_an_older_timeline_that_has_nothing_of_its_own_is_only_behind() -> None:
    told = a_standby(2, 0x4000000, left=0x4800000)
    assert "on timeline 2, which its primary left at 0/4800000" in told
    assert "it alone has" not in told
    assert compared(_state(2, 0x4000000), 0x5000000, 3, {2: 0x4800000}).lag_bytes == 0x1000000


def test_a_timeline_that_the_primary_never_had_has_no_lag() -> None:
    assert "on timeline 4, which the primary never had" in a_standby(4, 0x5000000, left=None)


def test_on_the_primarys_own_timeline_lag_is_bytes() -> None:
    assert "it lacks 4.0 KiB" in a_standby(3, 0x4FFF000, left=None)
