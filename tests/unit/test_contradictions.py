"""What a drill knew of its end cannot contradict itself; a folder in which it does is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import packed
import pytest

from lab.core.errors import UsageError
from lab.core.verdict import Verdict
from lab.metrics import rawrecord
from lab.metrics.compute import compute
from lab.metrics.contradictions import disks_json, inputs_json
from lab.metrics.rawrecord import Disks, Inputs
from lab.records import runfiles
from lab.records.journalfile import Journal, StepRecord, Via
from lab.records.result import Result

Change = Callable[[dict[str, Any]], object]


@cache
def sound(name: str) -> Path:
    folder = Path(mkdtemp(prefix="lab-contradictions-"))
    packed.with_orphans(name, folder)
    return folder


def changed(folder: Path, name: str, file: str, change: Change) -> Path:
    """A recorded run, one of whose documents was changed."""
    run = Path(shutil.copytree(sound(name), folder / name))
    document = json.loads((run / file).read_text())
    change(document)
    (run / file).write_text(json.dumps(document))
    return run


INPUTS: dict[str, tuple[Change, str]] = {
    "not promoted": (
        lambda i: i.update(promoted=False, fork=None),
        "promoted is false, east_db1 was primary and west_db1 is the winner",
    ),
    "never replaced": (
        lambda i: i.update(old="west_db1"),
        "promoted is true, west_db1 was primary and west_db1 is the winner",
    ),
    "a fork of no node": (
        lambda i: i.update(promoted=False, old="west_db1"),
        "there is a fork, and no node was promoted",
    ),
    "no loser": (lambda i: i.update(losers=[]), "east_db1 was replaced and is no loser"),
    "lost and won": (
        lambda i: i["losers"].append("west_db1"),
        "west_db1 is the winner and a loser",
    ),
    "a fork before the log": (lambda i: i["fork"].update(lsn=-5), "no log has a fork at -5 bytes"),
    "a fork beyond it": (lambda i: i["fork"].update(lsn=2**64), "no log has a fork"),
    "timeline 0": (lambda i: i["fork"].update(timeline=0), "no log has a fork"),
    "a fork at nothing": (lambda i: i["fork"].update(lsn=0), "no log has a fork at 0 bytes"),
    "the winner's own timeline": (
        lambda i: i["fork"].update(timeline=2),
        "the fork is on timeline 2, and west_db1 left it for timeline 2",
    ),
    "a later timeline": (
        lambda i: i["fork"].update(timeline=7),
        "the fork is on timeline 7, and west_db1 left it for timeline 2",
    ),
    "an earlier timeline": (
        lambda i: i["run"]["before"][0].update(timeline=2),
        "the fork is on timeline 1, and east_db1 was on timeline 2 before",
    ),
    "one population": (
        lambda i: i.update(populations=["west"]),
        "users east are missing in populations",
    ),
    "written by none of them": (
        lambda i: i.update(written={"east": 1, "north": 1}),
        "users north are in written, and not in populations",
    ),
    "samples less": (
        lambda i: i["entries"][runfiles.INPUTS].update(samples=5),
        "5 samples were recorded, but it has 0",
    ),
    "no populations": (lambda i: i.pop("populations"), "populations: missing"),
    "no rate": (lambda i: i.pop("operations_per_second"), "operations_per_second: missing"),
    "rate 0": (lambda i: i.update(operations_per_second=0.0), "operations_per_second is 0"),
    "another rate": (
        lambda i: i.update(operations_per_second=1.0),
        "operations_per_second is 1, and its settings say 60",
    ),
}


def without(where: str, at: int) -> Change:
    """One entry of a list is missing."""
    return lambda document: document[where].pop(at)


MISSING = {
    f"{where}, at {at}": (runfiles.JOURNAL, without(where, at), f" {where} were recorded, but")
    for where in ("events", "steps")
    for at in (0, 1, -1)
}
"""Entries at the beginning, in the middle and at the end."""


def of_old(change: Change) -> Change:
    return lambda document: change(document["disks"]["east_db1"])


DISKS: dict[str, tuple[Change, str]] = {
    "commits twice": (
        of_old(lambda d: d["evidence"].update(commits=d["evidence"]["commits"] * 2)),
        "east_db1 has commit 2138 twice",
    ),
    "before the fork": (
        of_old(lambda d: d["evidence"]["commits"][0].update(lsn=7)),
        "commit 2138 of east_db1 is not after the fork at",
    ),
    "another timeline": (
        of_old(lambda d: d["evidence"]["commits"][0].update(timeline=3)),
        "commit 2138 of east_db1 is not after the fork at",
    ),
    "a commit less": (
        of_old(lambda d: d["evidence"]["commits"].pop(0)),
        "12 commits of east_db1 were recorded, but it has 11",
    ),
    "a row less": (
        of_old(lambda d: d["rows"].pop(0)),
        "2 rows of east_db1 were recorded, but it has 1",
    ),
    "no disk": (lambda d: d["disks"].clear(), "12 commits of east_db1 were recorded"),
    "of the winner": (
        lambda d: d["disks"].update(west_db1=d["disks"]["east_db1"]),
        "west_db1 is no loser",
    ),
}


REFUSED = {
    **MISSING,
    **{name: (runfiles.INPUTS, *each) for name, each in INPUTS.items()},
    **{name: (runfiles.DISKS, change, told) for name, (change, told) in DISKS.items()},
}


@pytest.mark.parametrize(("file", "change", "told"), REFUSED.values(), ids=REFUSED)
def test_inputs_and_disks_that_contradict_themselves_or_each_other_are_refused(
    tmp_path: Path, file: str, change: Change, told: str
) -> None:
    run = changed(tmp_path, "region-loss", file, change)
    with pytest.raises(UsageError, match=f"{file} is") as caught:
        rawrecord.load(run)
    assert told in caught.value.message


@pytest.mark.parametrize("fork", [None, {"timeline": 1, "lsn": 2**60}])
def test_commits_without_a_fork_before_them_are_refused(tmp_path: Path, fork: object) -> None:
    run = changed(tmp_path, "region-loss", runfiles.INPUTS, lambda i: i.update(fork=fork))
    with pytest.raises(UsageError, match="fork"):
        rawrecord.load(run)


def test_a_step_that_failed_without_a_failure_is_refused(tmp_path: Path) -> None:
    run = changed(
        tmp_path, "region-loss", runfiles.JOURNAL, lambda j: j["steps"][2].update(outcome="failed")
    )
    with pytest.raises(UsageError, match="failure is null, and the step 'decide' failed"):
        rawrecord.load(run)


# --- What can be ------------------------------------------------------------------------------


def inputs_of(change: Change) -> Inputs:
    document = json.loads((sound("region-loss") / rawrecord.INPUTS).read_text())
    change(document)
    return Inputs.model_validate_json(json.dumps(document))


def stays(**more: object) -> Change:
    """The primary is where it was."""
    return lambda i: i.update(promoted=False, old="west_db1", fork=None, **more)


SOUND: dict[str, Change] = {
    "as it was recorded": lambda i: None,
    "a fork at the first byte of a log": lambda i: i["fork"].update(lsn=1),
    "a fork at the last one": lambda i: i["fork"].update(lsn=2**64 - 1),
    "no fork was found": lambda i: i.update(fork=None),
    "no failover": stays(losers=[]),
    "no failover, and a standby that died": stays(),
    "no views of any node": lambda i: i["run"].update(before=[], after=[]),
    "no timeline of the old primary": lambda i: i["run"]["before"][0].update(timeline=None),
    "a standby that tells another timeline": lambda i: i["run"]["before"][0].update(
        role="standby", timeline=7
    ),
    "another primary before": lambda i: i["run"]["before"].insert(
        0, {"node": "east.db2", "role": "primary", "timeline": 7}
    ),
    "another primary after": lambda i: i["run"]["after"].insert(
        0, {"node": "east.db1", "role": "primary", "timeline": 1}
    ),
    "one rate is not among its settings": lambda i: (
        i["run"]["settings"].pop("reads_per_second"), i.update(operations_per_second=7.0),
    ),
    "one rate is no number": lambda i: i["run"]["settings"].update(reads_per_second="many"),
    "a rate that was rounded": lambda i: i.update(operations_per_second=60.00000000001),
}  # fmt: skip


@pytest.mark.parametrize("change", SOUND.values(), ids=SOUND)
def test_inputs_that_a_drill_can_write_are_taken(change: Change) -> None:
    assert inputs_json(inputs_of(change), Journal("boot")) == ""


def test_a_failure_explains_a_step_that_failed() -> None:
    step = StepRecord("decide", Via.IN_BAND, 1.0, 2.0, "failed", "", "")
    given = inputs_of(lambda i: i.update(failure={"reason": "no decision"}))
    assert inputs_json(given, Journal("boot", (), (step,))) == ""


FIRST = {"timeline": 1, "xid": 9, "lsn": 38622144, "at": "2026-01-05T00:00:00Z"}


@pytest.mark.parametrize("commits", [None, [], [FIRST]])
def test_a_disk_tells_commits_after_the_fork_or_none(commits: object) -> None:
    disk = {"evidence": {"commits": commits, "owners": {}, "problem": ""}}
    found = Disks.model_validate_json(json.dumps({"disks": {"east_db1": disk}}))
    assert disks_json(inputs_of(lambda i: None), found.disks) == ""


def test_a_node_that_was_promoted_by_itself_has_commits_of_a_timeline_of_its_own() -> None:
    branch = {"timeline": 2, "lsn": 38622144}
    for timeline, objected in ((2, False), (3, True)):
        commits = [{**FIRST, "timeline": timeline}]
        disk = {"evidence": {"commits": commits, "owners": {}, "branches": [branch]}}
        found = Disks.model_validate_json(json.dumps({"disks": {"east_db2": disk}}))
        assert bool(disks_json(inputs_of(lambda i: None), found.disks)) is objected


# --- What can be, and leaves the verdict open --------------------------------------------------


def opinion(found: Result) -> tuple[Verdict, str]:
    [wal] = [each for each in found.opinions if each.name == "wal"]
    return wal.verdict, wal.answer


UNKNOWN: dict[str, tuple[str, str, Change, str]] = {
    "no fork was found": (
        "zone-loss", runfiles.INPUTS, lambda i: i.update(fork=None), "it is not known where",
    ),
    "the old primary was not read": (
        "zone-loss", runfiles.INPUTS, lambda i: i.update(reads=["east_db2"]),
        "east_db1 was not read",
    ),
    "no disk was examined": (
        "zone-loss", runfiles.DISKS, lambda d: d.pop("disks"), "east_db1 was not read",
    ),
    "no disk told the rows": (
        "region-loss", runfiles.DISKS, of_old(lambda d: d.update(rows=[])),
        "is on a loser, and no disk told its row",
    ),
    "one row is missing": (
        "region-loss", runfiles.DISKS, of_old(lambda d: d["rows"].pop()), "no disk told its row",
    ),
}  # fmt: skip


@pytest.mark.parametrize(("name", "file", "change", "told"), UNKNOWN.values(), ids=UNKNOWN)
def test_an_end_of_which_something_is_not_known_leaves_the_verdict_open(
    tmp_path: Path, name: str, file: str, change: Change, told: str
) -> None:
    run = changed(tmp_path, name, file, change)
    given = Inputs.model_validate_json((run / runfiles.INPUTS).read_text())
    disks = Disks.model_validate_json((run / runfiles.DISKS).read_text())
    rawrecord.keep(run, given, disks.disks)  # as if the drill had counted that
    found = compute(rawrecord.load(run)).result
    verdict, answer = opinion(found)
    assert (found.verdict, verdict) == (Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert told in answer


def test_a_loser_that_was_not_read_leaves_the_verdict_open(tmp_path: Path) -> None:
    run = changed(tmp_path, "region-loss", runfiles.INPUTS, lambda i: i["reads"].remove("east_db2"))
    found = compute(rawrecord.load(run)).result
    [gaps] = [each for each in found.objectives if each.name == "record_gaps"]
    assert (found.verdict, gaps.verdict, gaps.found) == (Verdict.UNKNOWN, Verdict.UNKNOWN, 1)
    assert gaps.detail == "east_db2 could not be read at the end"


def test_lost_orders_whose_lines_are_missing_leave_the_verdict_open(tmp_path: Path) -> None:
    """The old primary still has them, and no other node does."""
    run = changed(tmp_path, "region-loss", runfiles.INPUTS, dict)
    raw = rawrecord.load(run)
    lost = {write.key.encode() for write in compute(raw).result.lost_writes}
    lines = raw.history.read_bytes().splitlines(keepends=True)
    raw.history.write_bytes(
        b"".join(line for line in lines if not any(key in line for key in lost))
    )
    found = compute(raw).result
    [gaps] = [each for each in found.objectives if each.name == "record_gaps"]
    assert (found.lost, found.verdict, gaps.verdict) == (0, Verdict.UNKNOWN, Verdict.UNKNOWN)
    assert (gaps.found, gaps.detail) == (
        len(lost), f"no record has {len(lost)} orders of users that other nodes alone hold",
    )  # fmt: skip
