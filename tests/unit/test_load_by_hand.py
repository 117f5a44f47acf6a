"""Users at work outside a drill: the note, the journal that many commands write, what happened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pure_builders import loaded, write

from lab.commands.down import _at_work
from lab.commands.load.standing import Standing, look
from lab.commands.load.start import _load
from lab.core.errors import LabError, UnknownName, UsageError
from lab.core.load import PROFILES, Load
from lab.core.verdict import Verdict
from lab.infra.clients import Clock
from lab.metrics.compute import by_hand
from lab.metrics.incidents import incidents
from lab.records.history import Outcome
from lab.records.journalfile import DONE, FAILED, Journal, Mark, MarkName, Via, from_file
from lab.records.journalmarks import impossible
from lab.records.machineload import Reading
from lab.status import look as status
from lab.testbed import underway
from lab.testbed.journalwriter import EngineClock, Recorder, SharedRecorder
from lab.testbed.underway import Copied, Underway

CLOCK = EngineClock("boot", 0.0, 0.001)


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))


def note(folder: Path) -> Underway:
    return Underway(
        folder, "boot", Load(20, 5), 1, "east.db1", "2026-11-30T10:00:00+00:00",
        calm={"east": Reading(1.0, 0.1)},
    )  # fmt: skip


def lab() -> Any:
    users = SimpleNamespace(clock=lambda: Clock(boot_id="boot", monotonic=1.0))
    return SimpleNamespace(name="lab", users={"east": users})


# ── the note ─────────────────────────────────────────────────────────────────────────────────


def test_a_load_that_is_on_is_noted_until_it_is_forgotten(tmp_path: Path) -> None:
    assert underway.kept("lab") is None
    underway.keep("lab", note(tmp_path))
    assert underway.kept("lab") == underway.need("lab") == note(tmp_path)
    underway.forget("lab")
    underway.forget("lab")
    with pytest.raises(UsageError, match="no users are at work") as caught:
        underway.need("lab")
    assert caught.value.next_step == "put them to work: lab load start"


@pytest.mark.parametrize("content", [b"", b"{", b"{}", b"null", b"\xff"])
def test_a_note_that_cannot_be_read_is_no_missing_one(tmp_path: Path, content: bytes) -> None:
    underway.keep("lab", note(tmp_path))
    [file] = (tmp_path / "state").rglob("lab.load.json")
    file.write_bytes(content)
    assert underway.is_noted("lab")
    with pytest.raises(LabError, match="users may be at work") as caught:
        underway.kept("lab")
    assert (caught.value.exit_code, caught.value.next_step) == (
        3,
        "end them without a record: lab load stop --discard",
    )
    assert "users may be at work" in _at_work("lab")
    assert not underway.recorder(lab()).is_read
    underway.forget("lab")
    assert (underway.is_noted("lab"), underway.kept("lab"), _at_work("lab")) == (False, None, "")


@pytest.mark.parametrize(
    ("rate", "told"),
    [(-1.0, "--rate cannot be -1"), (6000.0, "write a number"), (float("nan"), "--rate")],
)
def test_a_rate_that_no_users_have_is_refused_by_the_name_of_its_flag(
    rate: float, told: str
) -> None:
    with pytest.raises(UsageError) as caught:
        _load("usual", rate, None)
    assert told in f"{caught.value.message} {caught.value.next_step}"


def test_a_profile_is_a_row_and_rates_replace_its_own() -> None:
    assert _load("readers", 7, None) == replace(PROFILES["readers"].load, writes_per_second=7)
    with pytest.raises(UnknownName, match="profile"):
        _load("usal", None, None)


# ── the journal ──────────────────────────────────────────────────────────────────────────────


def test_commands_that_write_into_one_journal_lose_nothing_of_each_other(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    Recorder(CLOCK, path, ()).mark(MarkName.LOAD_STARTED, 1.0)
    one, other = SharedRecorder(CLOCK, path, ()), SharedRecorder(CLOCK, path, ())
    for number in range(3):
        one.mark(MarkName.FAULT_STARTED, 2.0 + number)
        other.step("heal", Via.OUT_OF_BAND, None, "why", lambda: "seen")
    found = from_file(path)
    assert (len(found.events), len(found.steps)) == (4, 3)


def test_without_a_load_nothing_is_written_anywhere(tmp_path: Path) -> None:
    journal = underway.recorder(lab())
    journal.mark(MarkName.FAULT_STARTED, 1.0)
    assert not journal.is_read
    assert [*tmp_path.glob("**/*.json")] == []


def test_a_runbooks_steps_are_copied_with_what_became_of_them(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    Recorder(CLOCK, path, ()).mark(MarkName.LOAD_STARTED, 1.0)
    underway.keep("lab", note(tmp_path))
    shared = underway.recorder(lab())
    own = Recorder(CLOCK, tmp_path / "runbook.json", (Copied(shared),))
    own.mark(MarkName.DETECTED, 2.0)
    own.mark(MarkName.HEALED, 2.5)
    own.step("detect", Via.IN_BAND, None, "why", lambda: "seen")

    def fails() -> str:
        raise LabError("no")

    with pytest.raises(LabError):
        own.step("promote", Via.IN_BAND, None, "why", fails)
    found = from_file(path)
    assert [each.name for each in found.events] == ["load_started", "detected"]
    assert [each.outcome for each in found.steps] == [DONE, FAILED]


@pytest.mark.parametrize(
    ("acts", "planned", "written"), [([], False, 1), ([1.0], False, 1), ([1.0], True, 2)]
)
def test_a_runbook_is_an_event_of_its_own_unless_it_answers_another(
    tmp_path: Path, acts: list[float], planned: bool, written: int
) -> None:
    own = Recorder(CLOCK, tmp_path / "journal.json", ())
    for at in acts:
        own.mark(MarkName.FAULT_STARTED, at)
    underway.begins(own, "West takes over", planned=planned)
    assert len(own.journal.events) == written


# ── what is in it ────────────────────────────────────────────────────────────────────────────


def by_person(*events: tuple[MarkName, float]) -> Journal:
    return Journal("boot", tuple(Mark(name, at) for name, at in events))


TWICE = by_person(
    (MarkName.LOAD_STARTED, 1), (MarkName.FAULT_STARTED, 5), (MarkName.FAULT_PROVEN, 6),
    (MarkName.DETECTED, 7), (MarkName.FAULT_STARTED, 20), (MarkName.FAULT_PROVEN, 21),
    (MarkName.RUNBOOK_STARTED, 40), (MarkName.LOAD_STOPPED, 60),
)  # fmt: skip


def test_by_hand_things_happen_more_than_once_and_in_a_drill_they_do_not() -> None:
    assert impossible(TWICE, by_hand=True) == ""
    assert impossible(TWICE).endswith(" is there twice")
    late = replace(TWICE, events=(*TWICE.events[1:], Mark(MarkName.LOAD_STARTED, 50)))
    assert impossible(late, by_hand=True)


def test_each_thing_that_happened_has_its_own_outage_up_to_the_next_one() -> None:
    """Orders fail at 5 for 3 s, at 20 for 6 s, and not at all at 40."""

    def silent(at: float) -> bool:
        return 5 <= at < 8 or 20 <= at < 26

    writes = [
        write(f"k{number}", Outcome.FAIL if silent(at) else Outcome.OK, start=at)
        for number, at in ((each, 1 + each / 10) for each in range(590))
    ]
    found = incidents(
        TWICE, loaded(writes).writes, 60.0, populations=("east",), window=5.0, patience=1.5
    )
    assert [each.what for each in found] == ["fault_started", "fault_started", "runbook_started"]
    assert [(each.started, each.until) for each in found] == [(5, 20), (20, 40), (40, 60)]
    backs = [back for each in found for back in each.recoveries if back.honours_ttl]
    assert [round(each.seconds or 0, 1) for each in backs] == [3.0, 6.0, 0.0]
    assert [round(each.gap.seconds, 1) for each in found if each.gap] == [3.0, 6.0, 0.1]
    assert (
        incidents(by_person(), loaded(writes).writes, 60.0, populations=(), window=5, patience=1)
        == ()
    )


def test_each_fault_by_hand_must_have_been_seen() -> None:
    [found] = by_hand(TWICE)
    assert found.verdict is Verdict.PASS
    unseen = replace(TWICE, events=tuple(e for e in TWICE.events if e.at != 21))
    [doubted] = by_hand(unseen)
    assert (doubted.verdict, doubted.detail) == (Verdict.UNKNOWN, "1 of 2 faults had no effect")
    assert by_hand(by_person((MarkName.LOAD_STARTED, 1))) == ()


def test_a_load_stands_as_its_users_and_its_journal_say(tmp_path: Path) -> None:
    assert Standing().text().startswith("no users are at work; to put them to work")
    path = tmp_path / "journal.json"
    own = Recorder(CLOCK, path, ())
    own.mark(MarkName.LOAD_STARTED, 10.0)
    own.mark(MarkName.FAULT_STARTED, 12.5, "partition")

    def silent() -> object:
        raise LabError("no answer")

    users = {"east": SimpleNamespace(stats=silent)}
    found = look(cast("Any", SimpleNamespace(users=users)), note(tmp_path))
    told = found.text()
    assert "20 orders/s and 5 reads/s of each population" in told
    assert "east: the users' program does not answer" in told
    assert "+0.0 s  FAULT partition" in told
    assert found.document()["populations"] == {"east": None}


def test_a_surprise_is_told_by_no_command_while_it_lasts(tmp_path: Path) -> None:
    path = tmp_path / "journal.json"
    Recorder(CLOCK, path, ()).mark(MarkName.FAULT_STARTED, 1.0, "freeze east.db1")
    for untold in (False, True):
        found = replace(note(tmp_path), untold=untold)
        underway.keep("lab", found)
        assert status._untold(lab()) is untold
        told = look(cast("Any", SimpleNamespace(users={})), found).text()
        assert ("freeze" in told) is not untold
