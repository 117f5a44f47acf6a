"""The report says what the figures say, needs nothing but itself, and survives odd input."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import OBJECTIVES, region_loss

from lab.charts import bars, charts
from lab.charts.picture import topology
from lab.charts.svg import Scale, tag, ticks
from lab.core import words
from lab.core.verdict import Comparison, Objective, Verdict
from lab.records.history import Outcome
from lab.records.journalfile import Phase, Via
from lab.records.result import Result
from lab.records.resultrows import NodeView, StepRow, TrafficRow
from lab.report import reportpage, sentences

RESULT = region_loss()
PAGE = reportpage.render(RESULT)


def changed(**changes: object) -> Result:
    return RESULT.model_copy(update=changes)


def texts(svg: str) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(svg).iter("text"))  # noqa: S314 - our own picture


# --- The page ----------------------------------------------------------------------------------


def test_the_page_shows_verdict_figures_evidence_and_the_command() -> None:
    for expected in (
        "<title>pass: East is gone (region-loss)</title>",
        RESULT.lost_ids[0],
        words.seconds(RESULT.rpo_seconds),
        words.seconds(RESULT.rto_seconds["max"]),
        "took: dns-west; pending: dns-east",
        "lab drill region-loss --seed 7",
        "prefers-color-scheme: dark",
        "@media print",
        RESULT.boot_id,
    ):
        assert expected in PAGE, expected


def test_text_from_a_run_cannot_become_markup() -> None:
    evil = "<script>alert('x')</script>"
    step = RESULT.steps[0].model_copy(update={"name": evil, "evidence": evil})
    node = NodeView(node=f"east.{evil}", role=evil)
    page = reportpage.render(changed(title=evil, steps=(step,), before=(node,), command=evil))
    assert "<script" not in page
    assert page.count("&lt;script") >= 5


def test_what_was_not_measured_is_said_and_never_shown_as_a_number() -> None:
    page = reportpage.render(
        changed(
            rpo_seconds=None,
            rpo_wal_bytes=None,
            split_brain_writes=None,
            split_brain_seconds=None,
            rto_seconds={"max": None},
            recoveries=(),
            rto_phases=(),
            traffic=(),
            populations=(),
            lost_writes=(),
            steps=(),
            before=(),
            after=(),
        )
    )
    assert page.count("not measured") >= 2
    assert "None" not in re.sub(r"<p>None\.</p>", "", page)
    assert "<h2>Writes over time</h2>" not in page
    assert "How long users could not write was not measured." in page


def test_more_lost_writes_than_are_listed_are_counted() -> None:
    many = RESULT.lost_writes * 100
    page = reportpage.render(changed(lost_writes=many, lost=len(many)))
    assert page.count(RESULT.lost_ids[0]) == 1000 // len(RESULT.lost_writes) + 1
    assert f"The first 1,000 of {len(many):,}; result.json has all of them." in page


# --- The story ---------------------------------------------------------------------------------


def test_five_sentences_tell_the_run() -> None:
    fault, load, back, lost, split = sentences.sentences(RESULT)
    assert fault == (
        "The fault of region-loss was seen to take effect 0.35 s after it was started;"
        " the run had 10 steps."
    )
    assert f"{RESULT.acknowledged:,} acknowledged" in load
    assert (
        f"{RESULT.unknown} left without an answer, of which 3 are stored on {RESULT.winner}" in load
    )
    assert words.seconds(RESULT.rto_seconds["east"]) in back
    assert lost.startswith(f"{RESULT.lost} acknowledged writes were lost, all of them still on")
    assert split == "No two primaries took writes at the same time."


def test_the_story_of_a_run_that_went_badly() -> None:
    rows = tuple(row.model_copy(update={"relapsed": 8.3}) for row in RESULT.recoveries)
    failed = RESULT.steps[0].model_copy(update={"outcome": "failed"})
    bad = changed(
        marks={"fault_started": 0.0},
        steps=(failed,),
        recoveries=rows,
        lost=3,
        orphaned=2,
        unaccounted=1,
        rpo_wal_bytes=None,
        split_brain_writes=1,
        split_brain_seconds=0.5,
    )
    fault, _, back, lost, split = sentences.sentences(bad)
    assert "its effect was never seen; the run had 1 step, 1 step failed" in fault
    assert "interrupted later, at +8.30 s" in back
    assert "2 still on east_db1 and east_db2 and 1 in no database that was read" in lost
    assert "WAL" not in lost
    assert "for 0.50 s: 1 write went to an old one" in split


def test_the_story_of_a_run_without_loss_or_fault() -> None:
    calm = changed(marks={}, lost=0, recoveries=(), split_brain_writes=None)
    fault, _, back, lost, split = sentences.sentences(calm)
    assert fault == "This run of region-loss had no fault."
    assert back == "How long users could not write was not measured."
    assert lost == "No acknowledged write was lost: every one is on west_db1."
    assert split == "Whether two primaries took writes at once could not be told."


def test_the_story_tells_users_who_never_noticed_from_those_who_never_came_back() -> None:
    east, west = (row for row in RESULT.recoveries if row.honours_ttl)
    rows = (
        east.model_copy(update={"seconds": None, "why": "no return within the record"}),
        west.model_copy(update={"seconds": 0.0, "interrupted": False}),
    )
    assert sentences.sentences(changed(recoveries=rows))[2] == (
        "No return of users east was recorded (no return within the record); users west were never"
        " interrupted."
    )


@pytest.mark.parametrize(
    ("limit", "names", "line"),
    [
        (100.0, [], "All 9 objectives were met."),
        (0.0, ["rto_seconds"], "1 of 9 objectives broken: rto_seconds."),
    ],
)
def test_the_headline_names_what_is_broken(limit: float, names: list[str], line: str) -> None:
    first = Objective("rto_seconds", limit, "s", Comparison.AT_MOST, "because")
    found = region_loss((first, *OBJECTIVES[1:]))
    assert [row.name for row in found.objectives if row.verdict is Verdict.FAIL] == names
    assert sentences.headline(found) == line


def test_the_headline_names_what_is_open_and_what_was_never_judged() -> None:
    row = RESULT.objectives[0].model_copy(update={"verdict": Verdict.UNKNOWN})
    assert (
        sentences.headline(changed(objectives=(row,)))
        == "1 of 1 objective undecided (unknown): rto_seconds."
    )
    assert sentences.headline(changed(objectives=())) == "Nothing was judged."


# --- The charts --------------------------------------------------------------------------------


def test_counts_of_the_chart_are_those_of_the_table() -> None:
    stacks = bars.stack(RESULT.traffic, 1)
    total = sum(count for parts in stacks.values() for count in parts.values())
    assert total == sum(row.count for row in RESULT.traffic)
    assert stacks[-5]["region-1"] > 0
    assert stacks[8]["region-1"] == 0


@given(st.lists(st.integers(-400, 400), min_size=1), st.integers(1, 20))
def test_wider_bars_lose_nothing_and_none_reaches_across_the_fault(
    seconds: list[int], each: int
) -> None:
    rows = [TrafficRow(at=at, region="east", outcome=Outcome.OK, count=1) for at in seconds]
    stacks = bars.stack(rows, each)
    assert sum(parts["region-1"] for parts in stacks.values()) == len(rows)
    assert all(at % each == 0 for at in stacks)
    before = sum(parts["region-1"] for at, parts in stacks.items() if at < 0)
    assert before == sum(at < 0 for at in seconds)


@pytest.mark.parametrize("width", [reportpage.WIDE, reportpage.NARROW])
def test_no_label_leaves_the_picture_and_no_two_share_a_line_beside_each_other(
    width: int,
) -> None:
    """Lane labels have a line each, so only their ends can go wrong."""
    svg = charts.timeline(RESULT, width)
    for text in texts(svg):
        if text.get("class") == "halo":
            x, size = float(text.get("x", "0")), len(text.text or "") * 6.2
            start = x - size if text.get("text-anchor") == "end" else x
            assert start >= 0
            assert start + size <= width
    lanes = [text.get("y") for text in texts(svg) if text.get("class") == "halo"]
    assert len(set(lanes)) == len(lanes) == 13


def test_a_long_drill_is_drawn_with_fewer_wider_bars() -> None:
    rows = tuple(TrafficRow(at=n, region="east", outcome=Outcome.OK, count=50) for n in range(3600))
    svg = charts.timeline(changed(traffic=rows), reportpage.NARROW)
    assert svg.count("<title>") < 80
    assert max(int(t.text) for t in texts(svg) if t.text and t.text.isdigit()) <= 60  # a rate


def a_step(started: float, ended: float) -> StepRow:
    return StepRow(
        name="rebuild", path=Via.OUT_OF_BAND, started=started, ended=ended, outcome="done",
        evidence="", why="", phase=None,
    )  # fmt: skip


def test_steps_after_the_traffic_do_not_stretch_the_axis() -> None:
    late = charts.timeline(changed(steps=(a_step(500.0, 600.0),)), 960)
    assert late == charts.timeline(changed(steps=()), 960)


def test_a_step_that_outlasts_the_traffic_is_drawn_to_the_edge() -> None:
    svg = charts.timeline(changed(steps=(a_step(5.0, 600.0),)), 960)
    assert "+10" in [text.text for text in texts(svg)]
    for box in ElementTree.fromstring(svg).iter("rect"):  # noqa: S314 - our own picture
        assert float(box.get("x", 0)) + float(box.get("width", 0)) <= 960


def test_phases_that_were_not_measured_are_named_in_the_waterfall() -> None:
    rows = tuple(
        row.model_copy(update={"seconds": None, "spans": ()})
        if row.phase is Phase.UNEXPLAINED
        else row
        for row in RESULT.rto_phases
    )
    svg = charts.waterfall(changed(rto_phases=rows, rto_seconds={"max": None}), 960)
    shown = [text.text for text in texts(svg)]
    assert "not measured" in shown
    assert "not seen" in shown


def test_without_a_fault_there_is_no_waterfall() -> None:
    assert charts.waterfall(changed(rto_phases=(), rto_seconds={"max": None}), 960) == ""


def test_the_picture_has_an_arrow_for_each_standby_that_follows_a_drawn_node() -> None:
    nodes = (
        NodeView(node="east.db1", role="primary", timeline=1),
        NodeView(node="east.db2", role="standby", follows="east.db1", sync=True),
        NodeView(node="west.db1", role="standby", follows="east.db1"),
        NodeView(node="west.db2", role="standby", follows="elsewhere"),
    )
    svg = topology(nodes, "before")
    assert svg.count("stream sync") == 1
    assert svg.count("stream async") == 1
    assert "east.db2 standby, follows east.db1" in svg


# --- Words and scales --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "not measured"),
        (0.0, "0 s"),
        (0.0341, "0.034 s"),
        (3.214, "3.21 s"),
        (41.26, "41.3 s"),
        (500.0, "8 min 20 s"),
        (-200.0, "-3 min 20 s"),
    ],
)
def test_seconds_are_written_with_the_digits_they_deserve(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "writes", "not measured"),
        (0, "writes", "0 writes"),
        (12345.0, "writes", "12,345 writes"),
        (1.5, "/s", "1.5 /s"),
        (3.2, "s", "3.20 s"),
        (1536, "bytes", "1.5 KiB"),
        (512, "bytes", "512 B"),
        (5 * 2**40, "bytes", "5120.0 GiB"),
        (1, "", "1"),
    ],
)
def test_figures_are_written_with_their_unit(value: float | None, unit: str, text: str) -> None:
    assert words.number(value, unit) == text


def test_small_words() -> None:
    assert words.count(0, "write") == "no writes"
    assert words.count(1, "write") == "1 write"
    assert words.listed([]) == ""
    assert words.listed(["a"]) == words.either(["a"]) == "a"
    assert words.listed(iter(["a", "b", "c"])) == "a, b and c"
    assert words.either(["a", "b", 3]) == "a, b or 3"
    assert words.milliseconds(0.0042) == "4.2 ms"
    assert words.milliseconds(0.083) == "83 ms"
    assert words.moment(-0.5) == "−0.50 s"
    assert words.rate(None) == "not measured"


@given(low=st.floats(-1e6, 1e6), size=st.floats(0.01, 1e6), most=st.integers(2, 12))
def test_ticks_are_few_round_and_inside(low: float, size: float, most: int) -> None:
    found = ticks(low, low + size, most)
    assert len(found) <= most
    assert all(low - 1e-6 * size <= value <= low + size + 1e-6 * size for value in found)


def test_a_scale_without_a_span_does_not_divide_by_zero() -> None:
    assert Scale(5, 5, 10, 20)(5) == 10


def test_text_in_a_picture_is_escaped() -> None:
    assert tag("text", "<&>", x=1.26, class_="a") == '<text x="1.3" class="a">&lt;&amp;&gt;</text>'
