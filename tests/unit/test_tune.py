"""`lab tune`: what it does on a lab, what it writes, and what it prints."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from contexts import context
from kept_runs import run

from apps.steering.checks import Check, Checks, Kind
from apps.steering.events import Events
from lab.charts import frontier
from lab.core.errors import EngineGone, LabError, Refused
from lab.core.steering import Steering
from lab.core.topology import EAST, REGIONS, WEST, WEST_DB1, Region
from lab.core.verdict import Verdict
from lab.drills import blips, tune
from lab.drills.blips import Looks
from lab.drills.finding import drill
from lab.drills.sightings import Sightings, await_calm
from lab.infra import clients
from lab.patience.cells import QUESTIONS, Cell, Loss, Outcome, Tuned
from lab.patience.rows import DEFAULT, Patience, patience
from lab.records.machineload import Reading
from lab.report import tunepage, tunetables
from lab.runbooks.runbook import Call
from lab.testbed.journalwriter import EngineClock

PATIENT = Patience("patient", Steering(fall=7), after=4)
NOTHING = Outcome(False, False, False, False)
MOVED = replace(NOTHING, east_moved=True)


# ── what a lab is asked for ──────────────────────────────────────────────────────────────────


def test_a_real_loss_is_the_drill_with_other_thresholds_and_a_runbook_as_patient() -> None:
    chosen, usual = tune.drill_with(PATIENT), drill("region-loss")
    assert chosen.steering == PATIENT.steering
    assert (
        replace(chosen, steering=usual.steering, runbook=usual.runbook, bound=usual.bound) == usual
    )
    changed = [(a, b) for a, b in zip(chosen.book.steps, usual.book.steps, strict=True) if a != b]
    assert [(a.step, a.options["after"]) for a, _ in changed] == [("detect", 4)]


def test_a_blip_meets_the_looks_of_the_same_runbook() -> None:
    found = tune.looks(PATIENT)
    assert (found.detect.step, found.confirm.step) == ("detect", "confirm")
    assert found.detect.options["after"] == 4
    assert found.plan == drill("region-loss").book.plan


LOOKS = Looks(Call("detect"), Call("confirm"), tune.looks(DEFAULT).plan)


@pytest.mark.parametrize(
    ("ways", "found"),
    [
        ({"detect": [Refused("calm"), Refused("calm"), None], "confirm": [None]}, (True, True)),
        ({"detect": [None], "confirm": [Refused("it streams")]}, (True, False)),
    ],
)
def test_a_runbook_looks_again_until_it_notices_a_loss(
    ways: dict[str, list[Exception | None]], found: tuple[bool, bool], monkeypatch: Any
) -> None:
    def do(call: Call, _context: object) -> None:
        if problem := ways[call.step].pop(0):
            raise problem

    monkeypatch.setattr(blips, "do", do)
    assert blips._look(context(), LOOKS, threading.Event()) == found
    assert not any(ways.values())


def test_a_runbook_stops_looking_when_the_blip_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def do(_call: Call, chosen: Any) -> None:
        over.set()
        chosen.await_proof()

    monkeypatch.setattr(blips, "do", do)
    looking = context(await_proof=lambda: blips._refuse_after(over))
    assert blips._look(looking, LOOKS, over) == (False, False)


def cell(
    live: Outcome | None = None, effect: str = "", problem: str = "", seconds: float = 2.0
) -> Cell:
    effects = {each.name: 5 * (each.name == effect) for each in QUESTIONS}
    return Cell("default", "silent", seconds, 5, effects, live, problem)


@pytest.mark.parametrize(
    ("problem", "ends"), [(LabError("busy\nand more"), False), (EngineGone("gone"), True)]
)
def test_a_cell_that_cannot_be_played_says_why_and_the_next_one_begins_anew(
    problem: LabError, ends: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = list[object]()

    def play(*_arguments: object) -> None:
        raise problem

    monkeypatch.setattr(blips, "play", play)
    monkeypatch.setattr(blips, "begin", begun.append)
    monkeypatch.setattr(tune.service, "readings", lambda _lab: {})
    played = lambda: tune._played(cast("Any", "lab"), cell(), DEFAULT, Path(), cast("Any", None))  # noqa: E731
    if ends:
        with pytest.raises(EngineGone):
            played()
    else:
        assert played() == cell(problem="busy")
        assert begun == ["lab"]


@pytest.mark.parametrize(
    ("waiting", "live", "problem"),
    [(0.9, NOTHING, False), (0.9, MOVED, True), (0.5, MOVED, False), (None, MOVED, False)],
)
def test_what_differs_on_a_machine_that_is_too_busy_says_nothing(
    waiting: float | None, live: Outcome, problem: bool
) -> None:
    found = tune.excused(cell(live), waiting)
    assert bool(found.problem) == problem
    made_of_it = made(found).verdict
    assert made_of_it is (
        Verdict.UNKNOWN if problem else Verdict.PASS if live == NOTHING else Verdict.FAIL
    )


def test_how_busy_the_machine_was_is_measured_while_a_cell_is_played(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    readings = iter([{"east": Reading(1.0, 1.0)}, {"east": Reading(2.0, 10.0)}])
    monkeypatch.setattr(tune.service, "readings", lambda _lab: next(readings))
    monkeypatch.setattr(blips, "play", lambda *_arguments: blips.Episode((), MOVED))
    nobody = cast("Any", None)
    found = tune._played(nobody, cell(), DEFAULT, Path(), nobody)
    assert "waited for a processor in 90%" in found.problem
    [row, *_] = cells_of("Tried on the lab", made(found))
    assert row[3].startswith("moves: this machine was too busy")
    assert row[4] == "unknown"


class Program:
    """A steering that has noted and seen something."""

    def __init__(self, region: Region, home: str) -> None:
        self.noted, self.seen, self.home, self.region = Events(), Checks(), home, region
        self.view = dict.fromkeys(("east", "west"), "ready")

    def events(self, after: int = 0) -> tuple[clients.Event, ...]:
        return clients._Events.model_validate(self.noted.after(after)).root

    def checks(self, after: int = 0) -> tuple[clients.SeenCheck, ...]:
        return clients._Checks.model_validate(self.seen.after(after)).root

    def state(self) -> clients.SteeringState:
        view = {
            name: clients.RegionView(state=state, since=0.0) for name, state in self.view.items()
        }
        return clients.SteeringState(
            boot_id="", monotonic=0.0, region=self.region.name, view=view, answer=(self.home,)
        )


HOMES = {EAST: "10.0.0.11", WEST: "10.0.0.12"}


@pytest.fixture
def lab() -> Iterator[Any]:
    receiver = SimpleNamespace(receiver="streaming from east")
    yield SimpleNamespace(
        steerings={each: Program(each, HOMES[each]) for each in REGIONS},
        users={each.name: SimpleNamespace(clock=lambda: clients.Clock(boot_id="b", monotonic=100.0))
               for each in REGIONS},
        settings=SimpleNamespace(addresses=SimpleNamespace(entry=HOMES.__getitem__)),
        databases={WEST_DB1: SimpleNamespace(state=lambda: receiver)},
    )  # fmt: skip


def test_what_steerings_saw_before_is_no_part_of_what_is_seen(lab: Any) -> None:
    east = lab.steerings[EAST]
    east.seen.add(Check("east", 1.0, 1.1, Kind.LATE))
    east.noted.add("answer", "east", None, HOMES[WEST], "moved long ago")
    seen = Sightings(lab, WEST_DB1)
    seen.clock = EngineClock("b", 0.0, 0.0)
    with seen.watching():
        now = seen.clock.now()
        seen.struck(lambda: None)
        east.seen.add(Check("west", now + 1, now + 1.5, Kind.READY))
        east.noted.add("line", "west", "open", "broken", "")
        assert not seen.moved(EAST)
        east.noted.add("answer", "east", HOMES[WEST], HOMES[EAST], "home")
        assert not seen.moved(EAST)
        east.noted.add("answer", "east", HOMES[EAST], HOMES[WEST], "")
    assert seen.moved(EAST)
    assert not seen.moved(WEST)
    found = seen.sequence("silent", EAST, 2.0, ())
    assert [(each.region, each.kind) for each in found.checks] == [("west", Kind.READY)]
    assert found.checks[0].began == pytest.approx(1.0, abs=0.1)
    assert [name for name, _ in found.broke] == ["west"]
    assert (found.name, found.viewer, found.lasting, found.stream) == ("silent", "east", 2.0, ())
    assert found.struck == pytest.approx(0.0, abs=0.1)


@pytest.mark.parametrize("what", ["view", "home", "stream"])
def test_a_lab_is_calm_when_all_is_ready_all_users_are_home_and_wal_is_streamed(
    what: str, lab: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    await_calm(lab, WEST_DB1, Steering())
    monkeypatch.setattr("lab.drills.sightings._CALM_SECONDS", -50.0)
    if what == "view":
        lab.steerings[WEST].view["east"] = "live"
    if what == "home":
        lab.steerings[WEST].home = HOMES[EAST]
    if what == "stream":
        lab.databases[WEST_DB1].state().receiver = ""
    with pytest.raises(LabError, match="both regions to be ready in the eyes of both steerings"):
        await_calm(lab, WEST_DB1, Steering())


# ── what is written ──────────────────────────────────────────────────────────────────────────


def made(*cells: Cell, live: bool = True) -> Tuned:
    """Two patiences, of which the default is one."""
    names = (DEFAULT, replace(PATIENT, name="fall=7 <b>"))
    rto = {"east": 1.5, "west": 1.1} if live else {}
    losses = tuple(
        Loss(each.name, (0.5 + n, 0.75 + n), 0.6 + n if live else None, rto)
        for n, each in enumerate(names)
    )
    every = (*cells, *(replace(each, patience=names[1].name) for each in cells))
    return Tuned(names, every, losses, 3, live, 9.0, "2 cores", "lab 1", "2026")


FOUND = made(cell(NOTHING), cell(MOVED, seconds=4.0))


def cells_of(title: str, found: Tuned) -> list[tuple[str, ...]]:
    return [row for table in tunetables.tables(found) if table.title == title for row in table.rows]


def test_a_table_says_of_each_patience_what_it_costs_and_what_it_spares() -> None:
    found = replace(FOUND, cells=tuple(replace(e, live=None) for e in FOUND.cells))
    moved = replace(found.cells[0], effects={**found.cells[0].effects, "east_moved": 5})
    found = replace(found, cells=(moved, *found.cells[1:]))
    assert cells_of("Each patience", found) == [
        ("default", "0.50–0.75 s", "1.50 s", "50%", "0%", "fall=7 <b>"),
        ("fall=7 <b>", "1.50–1.75 s", "1.50 s", "0%", "0%", "–"),
    ]
    assert cells_of("What they are", found)[1][2] == "fall=7 after=4s"
    assert cells_of("Tried on the lab", found)[0][0] == "default"


def test_what_is_written_as_a_change_is_read_as_one() -> None:
    every = "interval=1s fall=5 rise=3 alone=2.5s home=0s after=7s"
    again = tunetables._changes(patience(every))
    assert patience(again).steering == patience(every).steering
    assert patience(again).after == 7


def test_a_table_says_which_cells_the_lab_confirmed() -> None:
    one, other, *_ = cells_of("Tried on the lab", FOUND)
    assert one == ("default", "silent, 2 s", "sits out", "sits out", "as predicted")
    assert other == ("default", "silent, 4 s", "sits out", "moves", "NOT as predicted")
    assert "4 of 6 did on the lab what was predicted" in tunetables.summary(FOUND)


def test_without_a_lab_nothing_is_said_of_an_rto() -> None:
    found = made(cell(), live=False)
    assert "not measured" in cells_of("Each patience", found)[0]
    assert cells_of("Tried on the lab", found) == []
    assert "noticed" in frontier.svg(found)
    assert "RTO" not in frontier.svg(found)


def parsed(found: Tuned) -> ElementTree.Element:
    return ElementTree.fromstring(frontier.svg(found))  # noqa: S314 - of our own picture


def test_the_picture_is_whole_and_names_each_patience_once_inside_it() -> None:
    drawn = parsed(FOUND)
    texts = [each for each in drawn.iter() if each.get("class") == "name"]
    assert sorted(str(each.text) for each in texts) == ["default", "fall=7 <b>"]
    assert all(0 < float(str(each.get("x"))) < 760 for each in texts)
    rings = [each for each in drawn.iter() if each.get("class") == "ring"]
    assert len(rings) == 2


def test_names_of_patiences_that_cost_the_same_do_not_lie_on_each_other() -> None:
    names = [replace(DEFAULT, name=f"name-{number}") for number in range(4)]
    found = replace(
        FOUND,
        patiences=tuple(names),
        cells=tuple(replace(cell(), patience=each.name) for each in names),
        losses=tuple(Loss(each.name, rto={"east": 1.0}) for each in names),
    )
    drawn = parsed(found)
    heights = sorted(float(str(e.get("y"))) for e in drawn.iter() if e.get("class") == "name")
    assert all(b - a >= 14 for a, b in pairwise(heights))


def test_page_and_markdown_hold_all_tables_and_the_picture() -> None:
    page, text = tunepage.page(FOUND), tunepage.markdown(FOUND)
    for each in tunetables.tables(FOUND):
        assert f"<h2>{each.title}</h2>" in page
        assert f"## {each.title}" in text
    assert "<svg" in page
    assert "<b>" not in page
    assert "](frontier.svg)" in text
    assert "NOT as predicted" in page


def test_the_command_predicts_without_a_lab_and_writes_what_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    words = ("tune", "--no-live", "--patience", "default", "--patience", "default after=9s",
             "--blip", "refused", "--length", "750ms", "--length", "3s")  # fmt: skip
    where = tmp_path / "tuned"
    assert run(monkeypatch, *words, "--out", str(where), "--json") == 0
    found = json.loads(capfd.readouterr().out)
    assert [(e["patience"], e["seconds"], e["replays"] > 0) for e in found["cells"]] == [
        ("default", 0.75, True), ("default", 3.0, False),
        ("default after=9s", 0.75, True), ("default after=9s", 3.0, False),
    ]  # fmt: skip
    assert sorted(each.name for each in where.iterdir()) == [
        "frontier.svg", "tune.html", "tune.json", "tune.md",
    ]  # fmt: skip
    assert run(monkeypatch, *words, "--out", str(where)) == 0
    told = capfd.readouterr().out
    assert "Each patience" in told
    assert "not recorded" in told
    assert str(where / "tune.html") in told
