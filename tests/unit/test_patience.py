"""How patient health checks and runbooks are, what blips do with it, and what losses cost."""

from __future__ import annotations

from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up_checks import END, Outage, seen

from apps.steering.checks import Kind
from apps.steering.decide import State, Thresholds
from lab.core.errors import UsageError
from lab.core.steering import FIELDS, MACHINE_ENDS_SECONDS, STREAM_LASTS_SECONDS, Steering
from lab.core.verdict import Verdict
from lab.faults.catalogue import aimed, fault
from lab.patience import predicted, recorded, rows
from lab.patience.alarm import Alarm, alarm
from lab.patience.cells import (
    QUESTIONS,
    Cell,
    Loss,
    Outcome,
    Point,
    Tuned,
    from_json,
    frontier,
    points,
    to_json,
)
from lab.patience.replay import SLACK, Change, Played, play
from lab.patience.rows import BLIPS, DEFAULT, PATIENCES, Patience, patience

BAD = st.sampled_from([Kind.REFUSED, Kind.CLOSED, Kind.SILENT, Kind.LATE, Kind.UNREADY])
PATIENT = ("fall", "together", "alone", "late", "unready")


@st.composite
def outages(draw: st.DrawFn) -> list[Outage]:
    found, moment = list[Outage](), draw(st.floats(0.5, 3.0))
    while moment < END - 2:
        length = draw(st.floats(0.05, 4.0))
        found.append((moment, moment + length, draw(BAD)))
        moment += length + draw(st.floats(0.05, 3.0))
    return found


@st.composite
def limits(draw: st.DrawFn) -> tuple[Thresholds, Thresholds]:
    """Thresholds, and others that ask for as much evidence of a failure or for more."""
    less = {name: draw(st.floats(0, 2)) for name in PATIENT[1:]}
    more = {name: value + draw(st.floats(0, 2)) for name, value in less.items()}
    fall = draw(st.integers(1, 4))
    return (
        replace(Thresholds(), fall=fall, **less),
        replace(Thresholds(), fall=fall + draw(st.integers(0, 3)), **more),
    )


# ── what is replayed ─────────────────────────────────────────────────────────────────────────


def watched(east: list[Outage], viewer: str = "east", **more: object) -> recorded.Sequence:
    return seen({"east": east, "west": []}, viewer=viewer, every=0.1, **more)  # type: ignore[arg-type]


@given(BAD, st.floats(0.5, 3.0), st.floats(0.05, 8.0), limits(), st.floats(0, 0.5))
def test_more_patience_never_gives_a_region_up_earlier(
    kind: Kind, began: float, length: float, both: tuple[Thresholds, Thresholds], phase: float
) -> None:
    one = watched([(began, began + length, kind)])
    quick, slow = (play(one, each, phase) for each in both)
    assert [*quick.fell("east"), END][0] <= [*slow.fell("east"), END][0]


@given(BAD, st.floats(0.5, 3.0), limits(), st.floats(0, 0.5))
def test_more_patience_never_moves_users_earlier_but_for_an_interval(
    kind: Kind, began: float, both: tuple[Thresholds, Thresholds], phase: float
) -> None:
    one = watched([(began, END, kind)])
    quick, slow = (play(one, each, phase).moves for each in both)
    # A region that is given up is looked at each interval only, and each look may move users.
    assert len(quick) == 1
    assert quick[0] <= [*slow, END][0] + Thresholds().interval + SLACK


@given(outages(), st.integers(0, 5), st.integers(0, 5), st.lists(st.booleans(), max_size=40))
def test_an_alarm_that_must_last_longer_never_comes_earlier(
    east: list[Outage], after: int, more: int, stream: list[bool]
) -> None:
    streamed = tuple((number * 0.3, on) for number, on in enumerate(stream))
    one = watched(east, "west", stream=streamed)
    played = play(one, Thresholds())
    early, late = alarm(played, one, after), alarm(played, one, after + more)
    assert late is None or (early is not None and early.at <= late.at)


@given(st.floats(0, 0.49))
def test_a_connection_that_breaks_lets_steering_look_at_once(phase: float) -> None:
    struck, lost = 3.0, {"east": [(3.0, END, Kind.REFUSED)], "west": list[Outage]()}
    told, untold = (
        play(seen(lost, broke=broke), Thresholds(interval=5), phase)
        for broke in ((("east", struck),), ())
    )
    assert told.fell("east")[0] < struck + Thresholds().alone + 0.3
    assert told.fell("east")[0] < untold.fell("east")[0]


def test_checks_hurry_until_one_that_began_after_the_break_has_ended() -> None:
    late = {"east": [(3.0, 3.8, Kind.LATE)], "west": list[Outage]()}
    told, untold = (
        play(seen(late, broke=broke), Thresholds(interval=6)).asked
        for broke in ((("east", 3.0),), ())
    )
    assert told - untold >= 2 * 0.8 / 0.1  # in both regions, for as long as the late answer takes


@pytest.mark.parametrize("interval", [0.5, 2.0])
def test_checks_follow_each_other_at_the_pace_that_is_asked_for(interval: float) -> None:
    asked = play(seen({"east": [], "west": []}), Thresholds(interval=interval)).asked
    assert 0 <= asked - 2 * END / interval <= 2  # a check may begin a little early


def test_recordings_are_read_as_they_were_written(tmp_path: Path) -> None:
    one = replace(
        seen({"east": [(2.0, 3.0, Kind.LATE)], "west": []}, viewer="west"),
        name="silent", lasting=1.0, broke=(("east", 2.5),), stream=((0.0, True), (2.5, False)),
        take=2, lost=("east",), struck=2.0,
    )  # fmt: skip
    recorded.append(tmp_path / "kept.gz", [one])
    recorded.append(tmp_path / "kept.gz", [one])
    [first, second] = recorded.read(tmp_path / "kept.gz")
    assert first == second
    assert replace(first, checks=()) == replace(one, checks=())
    assert [e.kind for e in first.checks] == [e.kind for e in one.checks]


# ── what a runbook makes of it ───────────────────────────────────────────────────────────────


def believed(*changes: tuple[float, State]) -> Played:
    return Played(changes=[Change(at, "east", state) for at, state in changes])


STREAMS = ((0.0, True), (2.0, False), (6.0, True))
ALARMS = [
    # what west's steering believes of east, since when WAL is streamed, `after`, the alarm
    ([], (), 0, None),
    ([(1.0, State.DOWN), (1.9, State.READY)], (), 0, None),
    ([(2.5, State.DOWN), (4.0, State.READY)], (), 0, Alarm(2.5, False)),
    ([(2.5, State.DOWN), (4.0, State.READY)], (), 2, None),
    ([(2.5, State.LIVE), (3.0, State.DOWN), (9.0, State.READY)], (), 5, Alarm(7.5, False)),
    ([(2.5, State.LIVE), (4.0, State.READY)], STREAMS, 0, Alarm(2.5, True)),
    ([(2.5, State.DOWN), (4.0, State.READY)], STREAMS, 0, Alarm(2.5, False)),
    ([(2.5, State.DOWN)], STREAMS[:2], 0, Alarm(2.5, True)),
    ([], STREAMS, 0, Alarm(2.0 + STREAM_LASTS_SECONDS, True)),
    ([], STREAMS, 4, None),
    ([], ((0.0, True), (2.0, False), (4.0, True)), 0, None),
]


@pytest.mark.parametrize(("changes", "stream", "after", "wanted"), ALARMS)
def test_a_runbook_alarms_by_checks_or_by_the_stream_and_looks_a_second_time(
    changes: list[tuple[float, State]],
    stream: tuple[tuple[float, bool], ...],
    after: int,
    wanted: Alarm | None,
) -> None:
    one = recorded.Sequence("silent", "west", (), 2.0, (), stream=stream)
    assert alarm(believed(*changes), one, after) == wanted


@pytest.mark.parametrize(
    ("back", "phase", "wanted"),
    [(5.2, 0.0, Alarm(5.0, True)), (5.2, 0.3, None), (5.4, 0.3, Alarm(5.3, True))],
)
def test_a_stream_is_asked_for_each_half_second_only(
    back: float, phase: float, wanted: Alarm | None
) -> None:
    stream = ((0.0, True), (2.0, False), (back, True))
    one = recorded.Sequence("silent", "west", (), 2.0, (), stream=stream)
    assert alarm(believed(), one, 0, phase) == wanted


def test_a_stream_that_is_back_for_a_moment_between_two_questions_stays_broken() -> None:
    stream = ((0.0, True), (2.0, False), (3.1, True), (3.2, False))
    one = recorded.Sequence("silent", "west", (), 2.0, (), stream=stream)
    assert alarm(believed(), one, 0) == Alarm(5.0, True)


def test_where_nothing_answers_the_second_look_comes_later() -> None:
    stream = ((0.0, True), (2.0, False), (2.5 + MACHINE_ENDS_SECONDS + 0.1, True))
    one = recorded.Sequence("silent", "west", (), 2.0, (), stream=stream)
    assert alarm(believed((2.5, State.DOWN)), one, 0) == Alarm(2.5, True)
    assert alarm(believed((2.7, State.DOWN)), one, 0) == Alarm(2.7, False)
    assert alarm(believed((2.5, State.DOWN)), one, 0, stretch=2) == Alarm(2.5, False)
    assert alarm(believed((2.5, State.LIVE)), one, 0, stretch=2) == Alarm(2.5, True)


# ── rows ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("row", BLIPS, ids=lambda row: row.name)
def test_a_blip_is_a_fault_that_its_links_take(row: rows.Blip) -> None:
    assert aimed(fault(row.fault), row.links, amount=row.amount).aim.links == row.links
    assert all(each.entered is rows.LOST for each in row.links)


def test_rows_have_names_of_their_own_and_say_why() -> None:
    for table in (BLIPS, PATIENCES):
        assert len({each.name for each in table}) == len(table) == 5
        assert all(each.why for each in table)
    assert DEFAULT.steering == Steering()
    assert DEFAULT.after == 0


READ = [
    ("default", Steering(), 0),
    ("balancer", Steering(interval=1, urgent=1, fall=5), 0),
    ("interval=1s fall=5", Steering(interval=1, fall=5), 0),
    ("balancer alone=2500ms after=1m", Steering(interval=1, urgent=1, fall=5, alone=2.5), 60),
    ("alarm-5s after=0s", Steering(), 0),
]


@pytest.mark.parametrize(("text", "steering", "after"), READ)
def test_a_patience_is_a_name_with_changes(text: str, steering: Steering, after: int) -> None:
    found = patience(text)
    assert (found.name, found.steering, found.after) == (text, steering, after)


WRONG = [
    ("", "there is no patience called ''"),
    ("defualt", "there is no patience called 'defualt'"),
    ("fal=5", "there is no part of a patience called 'fal'"),
    ("default fall", "fall has no value"),
    ("fall=5s", "fall '5s' is no count"),
    ("alone=2", "alone 2: a duration needs a unit"),
    ("alone=2m", "alone cannot be 120"),
    ("fall=0", "fall cannot be 0"),
    ("after=1500ms", "after cannot be 1.5"),
    ("after=11m", "after cannot be 660"),
    ("interval=10ms", "interval cannot be 0.01"),
]


@pytest.mark.parametrize(("text", "said"), WRONG)
def test_a_patience_that_is_wrong_is_refused_with_its_text_and_an_example(
    text: str, said: str
) -> None:
    with pytest.raises(UsageError) as caught:
        patience(text)
    assert caught.value.message.startswith(f"--patience {text!r}: {said}")
    assert "for example --patience 'default fall=5 after=10s'" in caught.value.next_step


def test_every_threshold_can_be_changed() -> None:
    for name, fit in FIELDS.items():
        assert fit.example
        text = f"{name}={fit.example:g}{'s' if fit.unit == 's' else ''}"
        assert asdict(patience(text).steering)[name] == fit.example


# ── cells ────────────────────────────────────────────────────────────────────────────────────

NOTHING = Outcome(False, False, False, False)
MOVED = replace(NOTHING, east_moved=True)


def cell(east: int, of: int = 10, live: Outcome | None = None, problem: str = "") -> Cell:
    effects = {**{each.name: 0 for each in QUESTIONS}, "east_moved": east}
    return Cell("default", "silent", 2.0, of, effects if of else {}, live, problem)


@pytest.mark.parametrize(
    ("one", "firm", "agrees"),
    [
        (cell(0, live=NOTHING), True, True),
        (cell(0, live=MOVED), True, False),
        (cell(10, live=MOVED), True, True),
        (cell(10, live=NOTHING), True, False),
        (cell(4, live=NOTHING), False, True),
        (cell(4, live=replace(NOTHING, alarmed=True)), False, False),
        (cell(0, 0, live=MOVED), False, True),
        (cell(0), True, False),
    ],
)
def test_a_live_run_agrees_with_what_all_replays_say(one: Cell, firm: bool, agrees: bool) -> None:
    assert (one.firm, one.agrees) == (firm, agrees)


def test_what_no_recording_decides_is_known_from_the_live_run_alone() -> None:
    assert cell(4).share("east_moved") == 0.4
    assert cell(0, 0).share("east_moved") is None
    assert cell(0, 0).moved is None
    assert cell(0, 0, live=MOVED).moved == 1.0


@given(
    st.lists(st.tuples(st.integers(0, 10), st.sampled_from([0, 10])), max_size=60), st.integers()
)
def test_a_tenth_is_confirmed_of_cells_that_can_contradict_and_all_that_nothing_decides(
    made: list[tuple[int, int]], seed: int
) -> None:
    cells = [replace(cell(east, of), seconds=n) for n, (east, of) in enumerate(made)]
    chosen = predicted.confirmed(cells, seed)
    assert chosen == predicted.confirmed(cells, seed)
    firm = [each for each in chosen if each.replays]
    assert all(each.firm for each in firm)
    assert len(firm) == min(-(-len(cells) // 10), sum(each.firm for each in cells))
    assert sum(not each.replays for each in chosen) == sum(not of for _, of in made)


def tuned(*cells: Cell, losses: tuple[Loss, ...] = ()) -> Tuned:
    return Tuned((DEFAULT,), cells, losses, 1, True, 1.0, "", "", "")


NOTICED = Loss("default", (0.5, 0.7), live_noticed=0.6, rto={"east": 1.0, "west": 1.4})


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (tuned(cell(0)), Verdict.PASS),
        (tuned(cell(0, live=NOTHING), losses=(NOTICED,)), Verdict.PASS),
        (tuned(cell(0, live=MOVED)), Verdict.FAIL),
        (tuned(cell(0, problem="busy")), Verdict.UNKNOWN),
        (tuned(cell(0, live=MOVED), cell(0, problem="busy")), Verdict.FAIL),
        (tuned(losses=(replace(NOTICED, live_noticed=1.1),)), Verdict.FAIL),
        (tuned(losses=(Loss("default", problem="busy"),)), Verdict.UNKNOWN),
    ],
)
def test_the_verdict_says_whether_the_lab_did_what_was_predicted(
    found: Tuned, verdict: Verdict
) -> None:
    assert found.verdict is verdict
    assert from_json(to_json(found)) == found


def test_the_frontier_is_what_no_other_patience_beats() -> None:
    made = {"rash": (1.0, 8), "default": (2.0, 4), "lazy": (2.5, 4), "slow": (5.0, 0)}
    found = Tuned(
        tuple(Patience(name, Steering()) for name in made),
        tuple(replace(cell(moved), patience=name) for name, (_, moved) in made.items()),
        tuple(Loss(name, rto={"east": 0.5, "west": rto}) for name, (rto, _) in made.items()),
        1, True, 1.0, "", "", "",
    )  # fmt: skip
    known = points(found)
    assert {each.patience: (each.cost, each.moved) for each in known} == {
        name: (rto, moved / 10) for name, (rto, moved) in made.items()
    }
    best = frontier(known, lambda point: point.moved)
    assert [each.patience for each in best] == ["rash", "default", "slow"]
    assert [each.patience for each in known if each.is_default] == ["default"]
    assert [(a.patience, b.patience) for a in known for b in known if a.beats(b)] == [
        ("default", "lazy")
    ]


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 1)), max_size=12))
def test_each_step_along_the_frontier_costs_more_and_harms_less(
    made: list[tuple[float, float]],
) -> None:
    known = [Point(str(number), cost, harm, 0.0) for number, (cost, harm) in enumerate(made)]
    best = frontier(known, lambda point: point.moved)
    for one, other in pairwise(best):
        assert one.cost < other.cost
        assert one.moved > other.moved
    for each in known:
        assert any(one.cost <= each.cost and one.moved <= each.moved for one in best)


@pytest.mark.parametrize(
    ("one", "told"),
    [
        (cell(0), "sits out"),
        (cell(10), "moves"),
        (cell(4), "moves 4/10"),
        (cell(0, 0), "not recorded"),
        (cell(0, 0, problem="busy"), "busy"),
        (cell(0, 0, live=MOVED), "moves"),
        (cell(0, 0, live=replace(MOVED, promoted=True)), "promotes"),
        (cell(0, 0, live=replace(NOTHING, alarmed=True)), "alarm"),
    ],
)
def test_a_cell_tells_its_worst_effect(one: Cell, told: str) -> None:
    assert one.told == told


def test_an_rto_that_was_not_measured_is_no_place_on_the_picture() -> None:
    losses = (Loss("default", (0.5, 0.7), rto={"east": None, "west": 1.0}),)
    assert [each.cost for each in points(tuned(cell(0), losses=losses))] == [0.6]
    assert points(tuned(cell(0))) == ()


def test_checks_that_follow_faster_than_the_recorded_ones_are_not_predicted() -> None:
    known = predicted.takes([seen({"east": [], "west": []}, viewer=v) for v in ("east", "west")])
    assert [*known] == [("made up", 0.0)]
    made = rows.Blip("made up", "silent", "")
    assert predicted.cell(DEFAULT, made, 0.0, known).replays == 5
    assert predicted.cell(patience("urgent=50ms"), made, 0.0, known).replays == 0
    assert predicted.cell(DEFAULT, made, 1.0, known).replays == 0
