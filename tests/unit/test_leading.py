"""What leads to a situation is done first, and no figure of the run is about it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import packed
import pytest
from contexts import context

from lab.core.errors import LabError, Refused, TooBusy, UnknownName, Unplayed, WaitExpired
from lab.core.load import Load
from lab.core.topology import EAST_DB1, WEST_DB1
from lab.core.verdict import Verdict
from lab.drills import evidence
from lab.drills.meanwhile import led_to
from lab.infra.clients import Counts
from lab.metrics import contradictions, rawrecord
from lab.metrics.compute import compute
from lab.metrics.rawrecord import Raw
from lab.postgres import finalread
from lab.records import duckdbstore
from lab.records.journalfile import MarkName, from_file
from lab.records.result import Result
from lab.records.runfiles import OPENING
from lab.report import sentences
from lab.runbooks.runbook import Call, Plan
from lab.steps import catalogue
from lab.steps.calling import called
from lab.steps.context import Context
from lab.testbed import service
from lab.testbed.journalwriter import EngineClock, Recorder

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

CLOCK = EngineClock("boot", 0.0, 0.0)


# ── a whole runbook as one step ──────────────────────────────────────────────────────────────


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(CLOCK, tmp_path / "journal.json", ())


def ran(monkeypatch: pytest.MonkeyPatch, recorder: Recorder, **options: str) -> list[Context]:
    """Run a runbook whose steps do nothing; the context of each of them."""
    did = list[Context]()

    def act(given: Context) -> str:
        did.append(given)
        given.recorder.mark(MarkName.RESTORED)
        return "done"

    real = catalogue.step
    monkeypatch.setattr(
        catalogue,
        "step",
        lambda name: real(name) if name == "run-runbook" else replace(real(name), act=act),
    )
    lab = SimpleNamespace(obeying_cuts=lambda: SimpleNamespace(within="reach"))
    call = called("run-runbook", options)
    catalogue.do(call, context(lab, recorder=recorder, force=True))
    return did


def test_a_whole_runbook_is_one_step_of_the_run_and_has_a_journal_of_its_own(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder, tmp_path: Path
) -> None:
    did = ran(monkeypatch, recorder, runbook="zone-failover", old="west.db1", new="west.db2")
    assert [each.name for each in recorder.journal.steps] == ["run-runbook"]
    assert recorder.journal.events == ()
    told = recorder.journal.steps[0].evidence
    assert "zone-failover from west.db1 to west.db2: 10 steps" in told
    assert told.endswith("west.db2 is primary")
    beside = from_file(tmp_path / "journal-1-zone-failover.json")
    assert len(beside.steps) == len(did) == 10
    assert {each.plan.old for each in did} == {WEST_DB1}
    assert {str(cast("Any", each.lab).within) for each in did} == {"reach"}
    assert not any(each.force for each in did)
    assert did[0].recorder.folder == tmp_path


def test_a_runbook_may_end_before_a_step_and_each_has_another_journal(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder, tmp_path: Path
) -> None:
    assert len(ran(monkeypatch, recorder, runbook="return-west", until="follow")) == 3
    assert len(ran(monkeypatch, recorder, runbook="return-west")) == 6
    names = sorted(each.name for each in tmp_path.glob("journal-*.json"))
    assert names == ["journal-1-return-west.json", "journal-2-return-west.json"]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"runbook": "regoin-failover"}, "runbook called 'regoin-failover'"),
        ({"runbook": "failback", "until": "folow"}, "step in failback called 'folow'"),
        ({"runbook": "failback", "old": "esat.db1"}, "database called 'esat.db1'"),
    ],
)
def test_what_it_names_is_looked_up_before_any_lab_is_asked(
    options: dict[str, str], told: str
) -> None:
    with pytest.raises(UnknownName, match=told):
        called("run-runbook", options)


@pytest.mark.parametrize(
    ("raised", "kind"),
    [(Refused("no"), Unplayed), (LabError("broken"), Unplayed), (TooBusy("busy"), TooBusy)],
)
def test_a_situation_that_is_not_reached_is_no_verdict_on_the_runbook(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder, raised: LabError, kind: type[LabError]
) -> None:
    def act(_given: Context) -> str:
        raise raised

    row = replace(catalogue.step("wait"), act=act)
    monkeypatch.setattr(catalogue, "step", lambda _name: row)
    with pytest.raises(kind, match=raised.message):
        led_to([Call("wait")], context(recorder=recorder))


# ── the steady state that follows, and what the primary holds then ───────────────────────────


class Users:
    """A population: each look is 0.6 s after the one before."""

    def __init__(self, *counts: Counts) -> None:
        self._seen = enumerate(counts)

    def stats(self) -> Any:
        number, counts = next(self._seen)
        return SimpleNamespace(monotonic=0.6 * number, totals={"write": counts})


def grown(fails: int, looks: int = 12) -> Iterator[Counts]:
    """Orders at 50/s, of which one fails at each of the first looks."""
    return (Counts(ok=30 * n, fail=min(n, fails)) for n in range(looks))


@pytest.mark.parametrize(("fails", "looks"), [(0, 6), (3, 9)])
def test_users_have_settled_when_no_order_has_failed_for_a_while(fails: int, looks: int) -> None:
    lab = cast("Lab", SimpleNamespace(users={"east": Users(*grown(fails))}))
    streak = service._Streak(lab, 45.0, flawless=True)
    seen = [streak.seconds() >= service.STEADY_SECONDS for _ in range(looks)]
    assert seen == [*[False] * (looks - 1), True]


def test_users_who_do_not_settle_leave_nothing_to_measure(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    def expired(*_: object, **__: object) -> None:
        raise WaitExpired("users to be served", 60, None)

    monkeypatch.setattr(service, "wait_for_service", expired)
    with pytest.raises(TooBusy, match="no steady state after what led to the situation"):
        service.settle(cast("Lab", None), Load(), recorder)


def test_the_steady_state_is_written_down_when_it_has_lasted(recorder: Recorder) -> None:
    service.mark_steady(Load(), recorder)
    [mark] = recorder.journal.events
    assert mark.name is MarkName.STEADY
    assert CLOCK.now() - mark.at >= service.STEADY_SECONDS


def test_a_run_that_begins_without_its_primary_is_another_run(recorder: Recorder) -> None:
    node = SimpleNamespace(is_primary=lambda: False)
    lab = cast("Lab", SimpleNamespace(databases={EAST_DB1: node}))
    with pytest.raises(Unplayed, match=r"east\.db1 as primary, and it is none"):
        evidence.held_by(lab, recorder, Plan(EAST_DB1, WEST_DB1))


def test_the_primary_is_read_after_the_moment_that_is_noted(
    monkeypatch: pytest.MonkeyPatch, recorder: Recorder
) -> None:
    read = list[float]()
    monkeypatch.setattr(finalread, "read_living", lambda _node: read.append(CLOCK.now()) or {})
    lab = cast(
        "Lab", SimpleNamespace(databases={EAST_DB1: SimpleNamespace(is_primary=lambda: True)})
    )
    held = evidence.held_by(lab, recorder, Plan(EAST_DB1, WEST_DB1))
    assert held.orders == {}
    assert held.at <= read[0]


# ── figures ──────────────────────────────────────────────────────────────────────────────────


def led(folder: Path, lacking: int) -> tuple[Raw, Result]:
    """A split brain, as if its first `lacking` lost orders had been gone when it began."""
    raw = packed.unpack("split-brain", folder).raw
    whole = compute(raw).result
    ends = sorted(row.acknowledged_at for row in whole.lost_writes)
    acted = raw.journal.acted or 0.0
    keys = [row.key for row in sorted(whole.lost_writes, key=lambda row: row.acknowledged_at)]
    duckdbstore.to_parquet(rawrecord.read_file(folder, OPENING), dict.fromkeys(keys[lacking:], 1))
    inputs = raw.inputs.model_copy(update={"opening": acted + ends[lacking - 1]})
    return replace(raw, inputs=inputs), whole


def test_what_was_lost_before_is_no_loss_of_the_measured_part(tmp_path: Path) -> None:
    raw, whole = led(tmp_path, 3)
    found = compute(raw).result
    assert (found.lost_earlier, found.lost) == (3, whole.lost - 3)
    assert {*found.lost_earlier_ids} | {*found.lost_ids} == {*whole.lost_ids}
    assert found.acknowledged == whole.acknowledged
    assert (found.rpo_seconds or 0) <= (whole.rpo_seconds or 0)
    [wal] = [each for each in found.opinions if each.name == "wal"]
    assert wal.verdict is Verdict.PASS
    assert wal.values["lost before the measured part"] == 3
    assert "3 acknowledged writes were lost before" in sentences.earlier(found)
    assert sentences.earlier(whole) == ""
    assert f"reads/{OPENING}.parquet" in raw.files


def test_an_opening_read_is_older_than_what_is_measured(tmp_path: Path) -> None:
    raw = packed.unpack("region-loss", tmp_path).raw
    acted = raw.journal.acted or 0.0
    for at, told in ((acted - 1, ""), (acted + 1, "opening is later than the fault")):
        inputs = raw.inputs.model_copy(update={"opening": at})
        objection = contradictions.inputs_json(inputs, raw.journal)
        assert objection.startswith(told) and bool(objection) is bool(told)
