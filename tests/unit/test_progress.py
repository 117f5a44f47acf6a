"""How far a runbook has come, kept between processes, and of which incident that is."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.core.errors import Refused, UsageError
from lab.drills import runner
from lab.drills.runner import Manner
from lab.infra.clients import Clock
from lab.runbooks import runbookfile, shipped
from lab.runbooks.runbook import Call, Runbook
from lab.steps import catalogue
from lab.testbed import runbookprogress
from lab.testbed.runbookprogress import Progress, Sight

LOOKS = catalogue.looks()
FAILOVER = runbookfile.read(shipped.find("region-failover"), catalogue.vocabulary())
FAILBACK = runbookfile.read(shipped.find("failback"), catalogue.vocabulary())
LAB = cast("Any", SimpleNamespace(name="lab"))
LOST = Sight({}, received=5_000, booted="2026-11-28T10:00:00Z")
"""East is dead: no database is primary, and west.db1 receives nothing more."""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))


def cut(done: int, runbook: Runbook = FAILOVER, sight: Sight | None = LOST) -> Progress:
    """A note of a run that was cut."""
    return Progress(
        runbook.name, runbookprogress.mark_of(runbook, done, LOOKS), done,
        tuple(map(str, runbook.steps)), "2026-11-28 10:00:03 UTC", "west sees east as down",
        str(runbook.plan.old), str(runbook.plan.new), runbook.planned, sight,
    )  # fmt: skip


def test_what_is_kept_is_read_back_and_forgotten() -> None:
    assert runbookprogress.kept("lab") is None
    runbookprogress.keep("lab", cut(5).further(6, "mark", "not told", LOST))
    assert runbookprogress.kept("lab") == replace(cut(6), mark="mark")
    runbookprogress.forget("lab")
    runbookprogress.forget("lab")
    assert runbookprogress.kept("lab") is None


@pytest.mark.parametrize("text", ["", "{", '{"runbook": 1}', "\x00"])
def test_a_damaged_note_is_none(text: str) -> None:
    runbookprogress.keep("lab", cut(5))
    runbookprogress.note_of("lab").write_text(text)
    assert runbookprogress.kept("lab") is None


def with_option(runbook: Runbook, step: str, **options: Any) -> Runbook:
    steps = (
        Call(step, {**each.options, **options}) if each.step == step else each
        for each in runbook.steps
    )
    return replace(runbook, steps=tuple(steps))


def test_the_mark_changes_with_the_steps_that_are_done_and_not_with_those_to_come() -> None:
    mark = runbookprogress.mark_of(FAILOVER, 6, LOOKS)
    same = (
        replace(FAILOVER, title="another", name="other"),
        with_option(FAILOVER, "check-lag", accept_loss=True),
        with_option(FAILOVER, "decide", approval="human"),
        replace(FAILOVER, steps=FAILOVER.steps[:-1]),
    )
    assert {runbookprogress.mark_of(each, 6, LOOKS) for each in same} == {mark}
    others = (
        replace(FAILOVER, steps=FAILOVER.steps[1:]),
        with_option(FAILOVER, "fence", strength="any"),
        replace(FAILOVER, plan=FAILBACK.plan),
    )
    assert mark not in {runbookprogress.mark_of(each, 6, LOOKS) for each in others}


# ── one incident, or another ─────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("now", "why"),
    [
        (LOST, ""),
        (replace(LOST, received=None, booted=""), ""),  # they cannot be asked now
        (replace(LOST, primaries={"west.db1": 2}, received=None), ""),  # the cut step promoted it
        (replace(LOST, primaries={"east.db1": 1}), "east.db1 is primary on timeline 1 by now"),
        (replace(LOST, primaries={"east.db2": 2}), "east.db2 is primary on timeline 2 by now"),
        (replace(LOST, booted="2026-11-29T08:00:00Z"), "east.db1's machine was booted since"),
        (replace(LOST, received=5_001), "west.db1 has received WAL of east.db1 since"),
    ],
)
def test_what_was_heard_of_the_lost_region_since_tells_another_incident(
    now: Sight, why: str
) -> None:
    assert runbookprogress.over(cut(5), now) == why


def test_who_was_primary_goes_on_only_on_its_timeline() -> None:
    found = cut(8, sight=Sight({"west.db1": 2}))
    assert runbookprogress.over(found, Sight({"west.db1": 2})) == ""
    assert runbookprogress.over(found, Sight()) == ""
    said = "west.db1 is primary on timeline 4 by now"
    assert runbookprogress.over(found, Sight({"west.db1": 4})) == said


def test_wal_that_arrives_ends_no_planned_move() -> None:
    found = cut(3, FAILBACK, Sight({"west.db1": 2}, received=10))
    assert runbookprogress.over(found, Sight({"west.db1": 2}, received=11)) == ""


def test_a_note_of_an_older_lab_is_of_no_incident_that_can_be_told() -> None:
    assert runbookprogress.over(cut(5, sight=None), LOST)


# ── where to begin ───────────────────────────────────────────────────────────────────────────


def begin(
    monkeypatch: pytest.MonkeyPatch, runbook: Runbook, now: Sight, *, fresh: bool = False
) -> tuple[int, str]:
    """After how many steps a runbook begins, and what a person is told."""
    monkeypatch.setattr(runner, "sight", lambda *_: now)
    found, told = runner.unfinished(LAB, runbook, fresh=fresh)
    assert found.steps == tuple(map(str, runbook.steps))
    return found.done, told


def test_a_run_of_this_incident_goes_on_after_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    runbookprogress.keep("lab", cut(5))
    done, told = begin(monkeypatch, FAILOVER, LOST)
    assert done == 5
    assert told == (
        "continuing after 5 of 14 steps (seen then: west sees east as down), begun at 2026-11-28"
        " 10:00:03 UTC; steps that only check are run again"
    )


def test_the_primary_goes_on_writing_while_a_run_that_promotes_nothing_is_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    book = runbookfile.read(shipped.find("standby-loss"), catalogue.vocabulary())
    lives = Sight({"east.db1": 1}, received=100, booted="x")
    monkeypatch.setattr(runner, "sight", lambda *_: lives)
    anew, _ = runner.unfinished(LAB, book, fresh=True)
    runbookprogress.keep("lab", replace(anew, done=3, mark=runbookprogress.mark_of(book, 3, LOOKS)))
    done, told = begin(monkeypatch, book, replace(lives, received=200))
    assert (done, told.partition(",")[0]) == (3, "continuing after 3 of 5 steps")


def test_a_run_of_another_incident_begins_at_its_first_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runbookprogress.keep("lab", cut(5))
    done, told = begin(monkeypatch, FAILOVER, replace(LOST, booted="2026-11-29T08:00:00Z"))
    assert done == 0
    assert told.endswith("that incident is over, because east.db1's machine was booted since")


def test_a_loss_that_is_accepted_now_goes_on_where_it_was_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runbookprogress.keep("lab", cut(5))
    accepting = with_option(FAILOVER, "check-lag", accept_loss=True)
    assert begin(monkeypatch, accepting, LOST)[0] == 5


@pytest.mark.parametrize("done", [0, 3])
def test_a_run_that_has_only_looked_is_in_the_way_of_none(
    monkeypatch: pytest.MonkeyPatch, done: int
) -> None:
    runbookprogress.keep("lab", cut(done))
    assert begin(monkeypatch, FAILBACK, LOST) == (0, "")


def test_a_run_that_has_done_something_about_this_incident_must_be_given_up_by_name(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runbookprogress.keep("lab", cut(5))
    with pytest.raises(UsageError, match="region-failover of 2026-11-28") as caught:
        begin(monkeypatch, FAILBACK, LOST)
    assert "--fresh abandons it and begins failback" in caught.value.next_step
    done, told = begin(monkeypatch, FAILBACK, LOST, fresh=True)
    assert done == 0
    assert told.startswith("beginning anew, and abandoning region-failover of 2026-11-28")


def test_another_runbook_is_free_once_the_incident_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    runbookprogress.keep("lab", cut(5))
    done, told = begin(monkeypatch, FAILBACK, Sight({"east.db1": 1}))
    assert done == 0
    assert "is over, because east.db1 is primary on timeline 1 by now" in told


def played(
    monkeypatch: pytest.MonkeyPatch, folder: Path, begin: Progress, refuses: str = ""
) -> list[str]:
    """Steps that a failover does from there on, one of which may refuse."""
    did, names = list[str](), set[str]()

    def do(call: Call, context: Any, *_more: object) -> Any:
        did.append(call.step)
        names.add(context.by)
        if call.step == refuses:
            raise Refused("too much would be lost")
        return SimpleNamespace(evidence=f"{call.step} is done")

    users = {"east": SimpleNamespace(clock=lambda: Clock(boot_id="boot", monotonic=1.0))}
    lab = cast("Any", SimpleNamespace(name="lab", users=users, obeying_cuts=lambda: None))
    monkeypatch.setattr(catalogue, "do", do)
    monkeypatch.setattr(runner, "_state", lambda *_: None)
    try:
        runner.run(lab, FAILOVER, begin, folder, Manner())
    finally:
        assert names == {(*begin.folders, folder.name)[0]}  # in whose name all of it is done
    return did


def test_a_run_that_stops_says_where_and_goes_on_in_the_name_of_the_first(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    first.mkdir()
    second.mkdir()
    stopped = r"^the runbook stopped at check-lag \(5 of 14\): too much would be lost$"
    with pytest.raises(Refused) as caught:
        played(monkeypatch, first, cut(0), refuses="check-lag")
    assert re.match(stopped, caught.value.message)
    found = runbookprogress.kept("lab")
    assert found is not None
    assert (found.done, found.folders, found.seen) == (4, ("first",), "west sees east as down")
    assert played(monkeypatch, second, found)[-1] == "announce"


def test_a_run_that_goes_on_looks_again_and_does_nothing_twice(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    did = played(monkeypatch, tmp_path, cut(5))
    assert did[:3] == ["confirm", "decide", "check-lag"]  # `stop-writes` follows from `detect`
    assert did[3:] == [str(each) for each in FAILOVER.steps[5:]]
    assert runbookprogress.kept("lab") is None
