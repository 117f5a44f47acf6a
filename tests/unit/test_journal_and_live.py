"""Writing the journal and showing it, without a lab."""

from __future__ import annotations

import io
import itertools
import re
from pathlib import Path
from typing import Any, cast

import pytest
from rich.console import Console

from lab.core.errors import LabError
from lab.drills.livepanel import LiveView, PlainLines
from lab.infra.clients import Clock, Counts, UsersStats
from lab.records.journalfile import MarkName, Phase, Via, from_file
from lab.testbed.journalwriter import EngineClock, Recorder


def recorder(path: Path, *observers: PlainLines | LiveView) -> Recorder:
    return Recorder(EngineClock("boot", 0.0, 0.001), path, observers)


def test_the_clock_keeps_the_reading_with_the_shortest_trip() -> None:
    readings = itertools.count(1000.0)
    clock = EngineClock.calibrate(lambda: Clock(boot_id="b", monotonic=next(readings)), samples=5)
    assert clock.boot_id == "b"
    assert 0 <= clock.error < 0.1


def test_a_program_that_has_only_just_started_is_asked_again() -> None:
    answers = iter([LabError("not yet"), LabError("not yet")])

    def read() -> Clock:
        for each in answers:
            raise each
        return Clock(boot_id="b", monotonic=1.0)

    assert EngineClock.awaited(read).boot_id == "b"


def test_the_journal_is_on_disk_after_every_entry(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    book = recorder(path)
    book.mark(MarkName.FAULT_STARTED, at=5.0)
    assert from_file(path).at(MarkName.FAULT_STARTED) == 5.0
    book.step("fence", Via.OUT_OF_BAND, Phase.FENCE, "why", lambda: "seen", prepares=True)
    [step] = from_file(path).steps
    assert (step.evidence, step.prepares) == ("seen", True)
    assert from_file(path) == book.journal


def test_a_step_that_fails_is_written_down_before_the_error_goes_on(tmp_path: Path) -> None:
    book = recorder(tmp_path / "journal.json")

    def fails() -> str:
        raise LabError("no such luck")

    with pytest.raises(LabError):
        book.step("promote", Via.OUT_OF_BAND, Phase.PROMOTE, "why", fails)
    step = book.journal.steps[0]
    assert (step.outcome, step.evidence) == ("failed", "no such luck")


def test_plain_lines_give_times_from_the_fault_on(tmp_path: Path) -> None:
    text = io.StringIO()
    book = recorder(tmp_path / "j.json", PlainLines(Console(file=text, width=200)))
    book.mark(MarkName.FAULT_STARTED, note="dark")
    book.step("detect", Via.IN_BAND, Phase.DETECT, "why", lambda: "[seen] it")
    lines = text.getvalue().splitlines()
    assert lines[0].endswith("+0.00 s FAULT: dark")
    assert "in-band) [seen] it" in lines[1]


def stats(monotonic: float, ok: int, fail: int) -> UsersStats:
    return UsersStats(
        boot_id="b", monotonic=monotonic, running=True, population="east", in_flight=0,
        totals={"write": Counts(ok=ok, fail=fail)}, acknowledged_by_region={},
        answers={"10.91.0.11": 3, "10.91.0.12": 1},
    )  # fmt: skip


EVIDENCE = (
    "the update of writer.lab.test → west.db1: updated on west's resolver; east's resolver is"
    " pending (east's resolver does not run: east.dns is stopped)"
)


def working(path: Path, steps: int) -> LiveView:
    """A view of a runbook under way, with users in both regions."""
    view = LiveView("Losing a region", cast("Any", {"east": None, "west": None}))
    book = recorder(path, view)
    book.mark(MarkName.FAULT_STARTED, note="power or network of a whole region is gone")
    for number in range(steps):
        book.step(f"re-point the writer {number}", Via.IN_BAND, None, "why", lambda: EVIDENCE)
    view.began("verify", "a status word proves nothing: an order that is answered ok does")
    for meter in view._meters:
        for each in range(100):
            meter.take(stats(float(each), 90 * each, 20 * each))
    return view


def drawn(view: LiveView, height: int) -> list[str]:
    text = io.StringIO()
    Console(file=text, width=80, height=height).print(view)
    return text.getvalue().splitlines()


@pytest.mark.parametrize("height", [24, 50])
def test_the_live_view_fits_a_terminal_of_80_columns(tmp_path: Path, height: int) -> None:
    lines = drawn(working(tmp_path / "j.json", 30), height)
    assert len(lines) < height  # the cursor stands below
    assert {len(each) for each in lines} == {80}
    told = re.sub(r"[│\s]+", " ", " ".join(lines))
    assert "re-point the writer 29" in told  # the latest
    assert "an order that is answered ok does" in told  # and what goes on
    for population in ("east", "west"):
        [row] = [each for each in lines if each.startswith(f"│ {population} ")]
        assert re.search(r"90 ok/s +20 failed/s +█+ +10\.91\.0\.11 75%, 10\.91\.0\.12 25% │", row)


def test_a_view_that_is_over_shows_all_steps_and_nothing_under_way(tmp_path: Path) -> None:
    view = working(tmp_path / "j.json", 30)
    with view.shown(Console(file=io.StringIO(), width=80, height=24)):
        pass
    told = " ".join(drawn(view, 24))
    assert all(f"re-point the writer {number}" in told for number in range(30))
    assert "a status word" not in told


def test_the_live_view_shows_steps_rates_and_where_users_go(tmp_path: Path) -> None:
    view = LiveView("Losing a region", {})
    book = recorder(tmp_path / "j.json", view)
    book.mark(MarkName.FAULT_STARTED)
    book.step("promote", Via.OUT_OF_BAND, Phase.PROMOTE, "why", lambda: "timeline 1 → 2")
    view.began("verify", "a status word proves nothing")
    from lab.drills.livepanel import _Meter

    meter = _Meter("east")
    view._meters.append(meter)
    meter.take(stats(1.0, 0, 0))
    meter.take(stats(2.0, 90, 10))
    text = io.StringIO()
    Console(file=text, width=140).print(view)
    meter.take(stats(3.0, 0, 0))  # the lab was reset: users count anew
    meter.take(stats(3.5, 20, 0))
    assert list(meter.history) == [90.0, 40.0]
    Console(file=io.StringIO(), width=140).print(view)
    for part in ("promote", "timeline 1 → 2", "verify", "90 ok/s", "10 failed/s", "10.91.0.11 75%"):
        assert part in text.getvalue()
