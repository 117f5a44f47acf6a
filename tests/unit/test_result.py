"""result.json has every field that is promised, and survives being written and read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from pure_builders import BOOT, header, lines, loaded, run, write

from lab.core.errors import UsageError
from lab.core.verdict import Comparison, Objective, Verdict
from lab.metrics.assemble import assemble, judged
from lab.metrics.classify import classify
from lab.metrics.figures import measure
from lab.metrics.measure import Fork
from lab.metrics.objectives import judge_all
from lab.metrics.placing import Row
from lab.records import journalfile, ledger, result
from lab.records.history import Location, Outcome
from lab.records.journalfile import Journal, Mark, MarkName, Phase, StepRecord, Via
from lab.records.result import Result

PROMISED = {
    "drill",
    "pattern",
    "seed",
    "verdict",
    "acknowledged",
    "lost",
    "lost_ids",
    "recovered",
    "unexpected",
    "duplicated",
    "unknown",
    "orphaned",
    "rpo_seconds",
    "rpo_wal_bytes",
    "rto_seconds",
    "rto_phases",
    "split_brain_writes",
    "split_brain_seconds",
    "steps",
    "objectives",
}

JOURNAL = Journal(
    BOOT,
    (
        Mark(MarkName.DRILL_STARTED, 88.0),
        Mark(MarkName.STEADY, 90.0),
        Mark(MarkName.FAULT_STARTED, 100.0, "gateway-east closed"),
        Mark(MarkName.DETECTED, 101.0),
        Mark(MarkName.DETECTED, 105.0),
        Mark(MarkName.LOAD_STOPPED, 129.5),
        Mark(MarkName.HEALED, 138.0),
    ),
    (
        StepRecord(
            "promote west.db1", Via.OUT_OF_BAND, 102.0, 102.5, "done", "timeline 2", "a primary",
            Phase.PROMOTE,
        ),
        StepRecord("rebuild east.db1", Via.IN_BAND, 131.0, 133.0, "failed", "no WAL", "redundancy"),
    ),
)  # fmt: skip


def a_result() -> Result:
    writes = [
        write(f"k{n}", Outcome.FAIL if 100 <= 90 + n / 10 < 104 else Outcome.OK, start=90 + n / 10)
        for n in range(400)
    ]
    writes += [
        write("ghost", Outcome.UNKNOWN, start=99.9),
        write("soft", Outcome.LOCAL, start=99.9),
    ]
    row = {w.key: Row() for w in writes if w.outcome is Outcome.OK} | {"ghost": Row()}
    row.pop("k99")
    objectives = (Objective("lost", 5, "writes", Comparison.AT_MOST, "asynchronous"),)
    reads = {"west_db1": row, "east_db1": {"k99": Row()}}
    with ledger.load(header() + lines(writes) + b'{"record":"op"') as whole:
        found = classify(whole, reads, "west_db1", {"east_db1"})
        figures = measure(whole, JOURNAL, found, Fork(1, 4))
        measured = assemble(run(), JOURNAL, whole, figures)
        return judged(measured, judge_all(objectives, measured))


def test_everything_that_is_promised_is_there() -> None:
    assert json.loads(result.to_json(a_result())).keys() >= PROMISED


def test_figures_are_those_that_were_measured() -> None:
    found = a_result()
    assert found.verdict is Verdict.PASS
    assert (found.acknowledged, found.lost, found.orphaned, found.unaccounted) == (360, 1, 1, 0)
    assert (found.recovered, found.unknown, found.local, found.local_lost) == (1, 1, 1, 1)
    assert found.lost_ids == ("k99",)
    assert found.rpo_seconds == pytest.approx(0.09)
    assert found.rpo_wal_bytes == 12
    assert found.rto_seconds == {"east": pytest.approx(4.01), "max": pytest.approx(4.01)}
    assert (found.split_brain_writes, found.split_brain_seconds) == (0, 0.0)
    assert found.cut_lines == 1
    assert sum(row.winner + row.loser_only + row.nowhere for row in found.outcomes) == 402
    assert sum(row.count for row in found.traffic) == 402


def test_times_are_relative_to_the_fault() -> None:
    found = a_result()
    assert found.time_zero == "fault_started"
    assert found.marks["steady"] == -10.0
    assert found.marks["detected"] == 1.0  # the first mark of a name counts
    assert (found.steps[0].started, found.steps[0].ended) == (2.0, 2.5)
    assert found.duration == 50.0


def test_a_lost_write_says_what_its_user_saw_and_where_it_is() -> None:
    [lost] = a_result().lost_writes
    assert lost.acknowledged_at == pytest.approx(-0.09)
    assert (lost.key, lost.region, lost.node, lost.timeline) == ("k99", "east", "east_db1", 1)
    assert (lost.location, lost.found_on) == (Location.LOSER_ONLY, ("east_db1",))


def test_phases_name_the_time_of_the_promotion() -> None:
    phases = {row.phase: row.seconds for row in a_result().rto_phases}
    assert phases[Phase.DETECT] == 1.0
    assert phases[Phase.PROMOTE] == 0.5
    assert phases[Phase.FENCE] is None


def test_a_result_survives_being_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(result.to_json(a_result()))
    assert result.from_file(path) == a_result()


def test_a_result_of_another_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "result.json"
    path.write_text(
        result.to_json(a_result()).replace('"schema_version": 2', '"schema_version": 1')
    )
    with pytest.raises(UsageError, match=r"is of result schema 1, but this lab reads schema 2"):
        result.from_file(path)


def test_a_journal_survives_being_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    path.write_text(journalfile.to_json(JOURNAL))
    assert journalfile.from_file(path) == JOURNAL


def test_what_is_no_journal_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    path.write_text('{"boot_id": 7}')
    with pytest.raises(UsageError, match="is no journal"):
        journalfile.from_file(path)


def test_without_any_mark_time_begins_with_the_first_write() -> None:
    journal = Journal(BOOT)
    with loaded([write("k", start=5.0)]) as whole:
        figures = measure(whole, journal, classify(whole, {"w": {"k": Row()}}, "w", set()))
        found = judged(assemble(run(), journal, whole, figures), ())
    assert found.time_zero == "first write"
    assert found.verdict is Verdict.UNKNOWN
    assert found.rpo_seconds is None
    assert found.rto_seconds == {"max": None}
