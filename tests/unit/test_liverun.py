"""A runbook on the lab as it stood is a run like any other: found, shown, reconciled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.commands.runbook import liverun as command
from lab.commands.runbook.run import Wanted
from lab.core.errors import Refused, UsageError
from lab.drills import reconcile, runner
from lab.drills.runner import Manner
from lab.metrics import orphans
from lab.metrics.orphans import OrderRow
from lab.records import liverun, runfolders
from lab.records.journalfile import Journal, StepRecord, Via, to_json
from lab.records.liverun import LiveRun
from lab.report import folders
from lab.runbooks import runbookfile, shipped
from lab.steps.catalogue import vocabulary
from lab.testbed import inforce
from lab.testbed.runbookprogress import Progress

FIRST, SECOND = "2026-11-28T10-00-03Z-runbook-failback", "2026-11-28T10-02-00Z-runbook-failback"
FAILBACK = replace(runbookfile.read(shipped.find("failback"), vocabulary()), source="failback")
RUN = LiveRun(
    lab="lab", runbook="failback", title="East is back, and takes over again",
    command="lab runbook run failback", started="2026-11-28T10:00:03+00:00",
    steps=("return", "export-orphans", "rewind"),
)  # fmt: skip
STEP = StepRecord("return", Via.OUT_OF_BAND, 5.0, 6.5, "done", "booted east.db1", "why")
NO = StepRecord("rewind", Via.OUT_OF_BAND, 7.0, 8.0, "failed", "[refused] <b>", "why")


def row(number: int) -> OrderRow:
    return OrderRow(number, f"east-{number}", "bob", 1, 1, 100, "east", 1, "2026-11-28 10:00:00+00")


@pytest.fixture
def shelves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A failback that was cut after it had written orders down, and the one that went on."""
    monkeypatch.setenv("LAB_RUNS", str(tmp_path))
    for name in (FIRST, SECOND):
        (tmp_path / name).mkdir()
        (tmp_path / name / "journal.json").write_text(to_json(Journal("boot", (), (STEP, NO))))
    alone = orphans.collect({"east_db1": tuple(map(row, range(800)))}, lambda _key: None)
    (tmp_path / FIRST / "orphans-east_db1-timeline-1.csv").write_text(orphans.to_csv(alone))
    liverun.keep(tmp_path / FIRST, RUN)
    went_on = {"earlier": (FIRST,), "ended": "2026-11-28T10:02:09+00:00", "seen": "east is back"}
    liverun.seal(tmp_path / SECOND, RUN.model_copy(update=went_on))
    return tmp_path


def test_the_newest_run_is_a_live_one_and_has_a_page(shelves: Path) -> None:
    folder, found = folders.load(None)
    assert folder.name == SECOND
    assert isinstance(found, LiveRun)
    assert found.outcome == "done"
    page = folders.write_page(folder, found).read_text()
    for part in (
        "East is back, and takes over again", "<strong>Seen:</strong> east is back",
        "booted east.db1 (why)", "[refused] &lt;b&gt;", "1.50 s",
        f'href="../{FIRST}/report.html"', f"../{FIRST}/orphans-east_db1-timeline-1.csv",
        f"lab reconcile {SECOND}",
    ):  # fmt: skip
        assert part in page, part


def test_a_run_that_was_killed_is_a_run_that_was_cut(shelves: Path) -> None:
    _, found = folders.load(FIRST)
    assert isinstance(found, LiveRun)
    assert found.outcome == "cut"
    (shelves / FIRST / "journal.json").unlink()
    assert (
        "interrupted before it could record how it ended"
        in folders.write_page(shelves / FIRST, found).read_text()
    )


@pytest.mark.parametrize("name", [FIRST, SECOND])
def test_the_orders_that_a_failback_wrote_down_are_reconciled_from_its_folder(
    shelves: Path, name: str
) -> None:
    found = reconcile.load(runfolders.find_run(name))
    assert len(found) == 800
    assert found[7].order == row(7)


def test_a_run_that_wrote_no_order_down_has_none(shelves: Path) -> None:
    (shelves / FIRST / "orphans-east_db1-timeline-1.csv").unlink()
    with pytest.raises(UsageError, match="left no orphans"):
        reconcile.load(runfolders.find_run(SECOND))


ORPHANS = f"../{FIRST}/orphans-east_db1-timeline-1.csv"


def ended(shelves: Path, **changes: object) -> Path:
    """The run that went on, whose record names the orders of the one before."""
    run = liverun.load(shelves / SECOND).model_copy(update={"orphans": (ORPHANS,), **changes})
    liverun.seal(shelves / SECOND, run)
    return shelves / SECOND


@pytest.mark.parametrize("name", ["journal.json", "runbook.json"])
def test_a_run_that_ended_is_refused_when_a_file_of_it_is_not_what_was_written(
    shelves: Path, name: str
) -> None:
    path = ended(shelves) / name
    path.write_text(path.read_text().replace("booted east.db1", "booted nothing") + "\n")
    with pytest.raises(UsageError, match=f"{name} is changed"):
        folders.load(SECOND)
    path.unlink()
    with pytest.raises(UsageError):
        folders.load(SECOND)


def test_a_run_that_ended_is_refused_without_its_checksums(shelves: Path) -> None:
    (ended(shelves) / "SHA256SUMS").unlink()
    with pytest.raises(UsageError, match="SHA256SUMS is gone"):
        folders.load(SECOND)
    with pytest.raises(UsageError, match="SHA256SUMS is gone"):
        reconcile.load(shelves / SECOND)


def test_orders_that_a_run_names_and_that_are_gone_are_missed(shelves: Path) -> None:
    ended(shelves)
    assert len(reconcile.load(shelves / SECOND)) == 800
    (shelves / FIRST / "orphans-east_db1-timeline-1.csv").unlink()
    with pytest.raises(UsageError, match=r"orphans-east_db1-timeline-1\.csv is gone"):
        reconcile.load(shelves / SECOND)


def test_an_earlier_folder_that_no_disk_can_hold_is_refused(shelves: Path) -> None:
    run = liverun.load(shelves / FIRST).model_copy(update={"earlier": ("x" * 5000,)})
    liverun.keep(shelves / SECOND, run)
    with pytest.raises(UsageError, match="names a folder that cannot be read: x"):
        reconcile.load(shelves / SECOND)


def test_what_measured_nothing_has_no_figures_to_compare_or_compute(shelves: Path) -> None:
    with pytest.raises(UsageError, match="it measured nothing"):
        folders.side(SECOND)
    with pytest.raises(UsageError, match="it measured nothing"):
        folders.run_of(shelves / SECOND)
    assert runfolders.names() == [FIRST, SECOND]


def test_a_damaged_record_is_refused(shelves: Path) -> None:
    (shelves / SECOND / "runbook.json").write_text('{"schema_version": 2}')
    with pytest.raises(UsageError, match="schema 2"):
        folders.load(SECOND)


def test_how_a_run_ended_is_written_down_with_what_is_in_force(
    shelves: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = list[str]()
    say = SimpleNamespace(warn=told.append, note=told.append)
    lasting = inforce.InForce("east's shop refuses customers' orders")

    def stops(*_: object) -> Any:
        raise Refused("the runbook stopped at rewind (3 of 8): no")

    @contextmanager
    def view() -> Iterator[tuple[()]]:
        try:
            yield ()
        finally:
            told.append("the view of its steps ends")

    monkeypatch.setattr(command, "say", lambda: say)
    monkeypatch.setattr(inforce, "look", lambda _lab: (lasting,))
    monkeypatch.setattr(runner, "run", stops)
    begin = Progress("failback", folders=(FIRST,), seen="booted east.db1")
    record = command._record(FAILBACK, "other", begin, Wanted(yes=True, accept_loss=True))
    assert record.command == "lab runbook run failback --yes --accept-loss --name other"
    lab = cast("Any", SimpleNamespace(name="other"))
    with pytest.raises(Refused):
        command._run(lab, FAILBACK, begin, shelves / SECOND, Manner(), record, view())
    found = liverun.load(shelves / SECOND)
    assert found.outcome == "stopped"
    assert found.stopped == "the runbook stopped at rewind (3 of 8): no"
    assert found.in_force == (str(lasting),)
    assert found.orphans == (f"../{FIRST}/orphans-east_db1-timeline-1.csv",)
    assert told == [
        "the view of its steps ends",
        f"still in force: {lasting}",
        "to remove these settings, run: lab runbook run reopen --fresh",
        f"orders that only a lost machine has: lab reconcile {shelves / SECOND}",
    ]
