"""A journal whose marks no drill can have written is refused, and says which marks those are."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import packed
import pytest
from made_up import journal

from lab.core.errors import UsageError
from lab.metrics import rawrecord
from lab.records import runfiles
from lab.records.journalfile import Journal, Mark, MarkName, StepRecord, Via
from lab.records.journalmarks import impossible

ONCE = (
    MarkName.DRILL_STARTED,
    MarkName.LOAD_STARTED,
    MarkName.STEADY,
    MarkName.FAULT_STARTED,
    MarkName.FAULT_PROVEN,
    MarkName.LOAD_STOPPED,
    MarkName.HEALED,
)


def marked(**at: float) -> Journal:
    return Journal("boot", tuple(Mark(MarkName(name), each) for name, each in at.items()))


SOUND = marked(
    drill_started=1, load_started=8, steady=9, fault_started=12, detected=13, decided=14,
    fault_proven=14.1, restored=19, load_stopped=27, healed=40,
)  # fmt: skip


def moved(name: MarkName, at: float) -> Journal:
    """The sound journal with one mark at another moment, in the same place of the file."""
    return replace(
        SOUND, events=tuple(replace(e, at=at) if e.name == name else e for e in SOUND.events)
    )


def test_the_journals_of_drills_are_taken() -> None:
    assert impossible(SOUND) == ""
    assert impossible(journal()) == ""
    assert impossible(Journal("boot")) == ""


@pytest.mark.parametrize("name", ONCE)
def test_a_mark_that_a_drill_writes_once_is_not_there_twice(name: MarkName) -> None:
    [mark] = [each for each in SOUND.events if each.name == name]
    assert impossible(replace(SOUND, events=(mark, *SOUND.events))) == f"{name} is there twice"


@pytest.mark.parametrize("name", [MarkName.DETECTED, MarkName.DECIDED, MarkName.RESTORED])
def test_a_mark_that_steps_write_may_be_there_for_each_of_them(name: MarkName) -> None:
    found = [*SOUND.events[:-2], Mark(name, 20.0), *SOUND.events[-2:]]
    assert impossible(replace(SOUND, events=tuple(found))) == ""


def test_a_run_has_a_fault_or_a_first_step_and_not_both() -> None:
    both = replace(SOUND, events=(*SOUND.events[:4], Mark(MarkName.RUNBOOK_STARTED, 12.0)))
    assert impossible(both) == "fault_started and runbook_started are both there"


@pytest.mark.parametrize(
    ("name", "at", "told"),
    [
        (MarkName.FAULT_STARTED, 15, "fault_started is later than fault_proven"),
        (MarkName.FAULT_PROVEN, 11, "fault_started is later than fault_proven"),
        (MarkName.FAULT_PROVEN, 28, "fault_proven is later than load_stopped"),
        (MarkName.DECIDED, 11, "fault_started is later than decided"),
        (MarkName.DETECTED, 14.2, "decided is before detected, and was written after it"),
        (MarkName.DECIDED, 12.5, "decided is before detected, and was written after it"),
        (MarkName.RESTORED, 13.5, "restored is before decided, and was written after it"),
        (MarkName.RESTORED, 13.95, "restored is before decided, and was written after it"),
        (MarkName.LOAD_STOPPED, 7, "load_started is later than load_stopped"),
        (MarkName.LOAD_STOPPED, 11, "fault_started is later than load_stopped"),
        (MarkName.STEADY, 12.5, "steady is later than fault_started"),
        (MarkName.DRILL_STARTED, 8.5, "drill_started is later than load_started"),
        (MarkName.DETECTED, 27.5, "detected is later than load_stopped"),
        (MarkName.HEALED, 26, "load_stopped is later than healed"),
    ],
)
def test_an_order_that_no_drill_can_write_is_refused(name: MarkName, at: float, told: str) -> None:
    assert impossible(moved(name, at)) == told


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (Mark(MarkName.RESTORED, 28), "restored is later than load_stopped"),
        (Mark(MarkName.DECIDED, 11), "fault_started is later than decided"),
    ],
)
def test_of_several_marks_of_a_name_each_one_counts(more: Mark, told: str) -> None:
    events = *SOUND.events[:-2], more, *SOUND.events[-2:]
    assert impossible(replace(SOUND, events=events)) == told


@pytest.mark.parametrize(
    ("name", "at"),
    [
        (MarkName.DETECTED, 11),  # a false alarm that the loss came to
        (MarkName.STEADY, 7.999),  # as another clock has it
        (MarkName.DETECTED, 14.05),
        (MarkName.FAULT_PROVEN, 20),  # seen late
        (MarkName.FAULT_PROVEN, 12),
        (MarkName.FAULT_STARTED, 9),
        (MarkName.HEALED, 27),
    ],
)
def test_an_order_that_a_drill_can_write_is_taken(name: MarkName, at: float) -> None:
    assert impossible(moved(name, at)) == ""


def test_a_mark_that_tells_an_earlier_moment_excuses_none_that_follows() -> None:
    found = marked(fault_started=12, decided=14, detected=13, restored=13.5, load_stopped=27)
    assert impossible(found) == "restored is before decided, and was written after it"


def test_a_runbook_may_decide_first_and_notice_later() -> None:
    found = marked(fault_started=12, restored=12.5, decided=13, detected=14, load_stopped=27)
    assert impossible(found) == ""


@pytest.mark.parametrize(("ended", "told"), [(27, ""), (27.1, "load_stopped is before the end")])
def test_users_work_until_the_last_step_has_ended(ended: float, told: str) -> None:
    step = StepRecord("verify", Via.IN_BAND, 20.0, ended, "done", "", "")
    found = impossible(replace(SOUND, steps=(step,)))
    assert found == (f"{told} of the step 'verify'" if told else "")


def test_steps_of_a_drill_whose_load_was_not_stopped_are_taken() -> None:
    step = StepRecord("verify", Via.IN_BAND, 20.0, 27.1, "done", "", "")
    assert impossible(replace(SOUND, events=SOUND.events[:-2], steps=(step,))) == ""


def unpacked(folder: Path, change: Callable[[list[dict[str, object]]], object]) -> Path:
    """A recorded run whose journal's marks were changed."""
    packed.unpack("region-loss", folder)
    path = folder / runfiles.JOURNAL
    document = json.loads(path.read_text())
    change(document["events"])
    path.write_text(json.dumps(document))
    return folder


def test_nothing_is_computed_from_such_a_journal(tmp_path: Path) -> None:
    run = unpacked(tmp_path, lambda events: events.insert(0, events[3]))
    with pytest.raises(
        UsageError,
        match=r"journal\.json is nothing that a drill writes: fault_started is there twice",
    ) as caught:
        rawrecord.load(run)
    assert "run the drill again" in str(caught.value)
