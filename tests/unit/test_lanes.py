"""Each lane puts its values where they belong, draws nothing that is not there, and stays small."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import SUBNET, complete

from lab.charts import bands, bars, charts, curves
from lab.charts.axis import HATCHES, LEFT, RIGHT, Axis, Block, of, stretches
from lab.charts.events import events
from lab.charts.lanes import LANES
from lab.charts.svg import Scale
from lab.records.history import Outcome
from lab.records.journalfile import Via
from lab.records.result import Result
from lab.records.resultrows import AddressRow, LatencyRow, StepRow, TrafficRow
from lab.records.samples import NodeSample, Sample
from lab.report import ordertables, reportpage, reporttables

RESULT = complete()
WIDTHS = (reportpage.WIDE, reportpage.NARROW)
AXIS = Axis(Scale(-10.0, 10.0, 70.0, 270.0), 282.0, 1)  # ten pixels a second
SVG = "{http://www.w3.org/2000/svg}"


def changed(**changes: object) -> Result:
    return RESULT.model_copy(update=changes)


EMPTY = changed(traffic=(), latencies=(), addresses=(), samples=(), steps=(), rto_seconds={})


def seen(block: Block | None) -> ElementTree.Element:
    assert block is not None
    return ElementTree.fromstring(block.drawn)  # noqa: S314 - our own picture


def boxes(block: Block | None, class_: str) -> list[tuple[float, float]]:
    """Left edge and width of each box of a class."""
    return [
        (float(each.get("x", "0")), float(each.get("width", "0")))
        for each in seen(block).iter("rect")
        if class_ in (each.get("class") or "").split()
    ]


def words(block: Block | None) -> list[str]:
    return [each.text or "" for each in seen(block).iter("text")]


def titles(block: Block | None) -> list[str]:
    return [each.text or "" for each in seen(block).iter("title")]


def sample(at: float, **nodes: NodeSample) -> Sample:
    return Sample(at=at, nodes=tuple(nodes.values()), answers={})


def node(role: str = "standby", **fields: object) -> NodeSample:
    return NodeSample.model_validate({"node": "west.db1", "role": role, **fields})


# --- One axis ----------------------------------------------------------------------------------


def test_the_axis_spans_all_that_was_recorded_and_bars_begin_at_the_fault() -> None:
    axis = of(RESULT, reportpage.WIDE)
    assert axis is not None
    assert axis.x.low == -11
    assert axis.x.high == pytest.approx(12.1)
    assert axis.x(axis.x.low) == LEFT
    assert axis.x(axis.x.high) == reportpage.WIDE - RIGHT


def test_there_is_no_axis_without_anything_on_it() -> None:
    assert of(EMPTY, reportpage.WIDE) is None
    assert charts.timeline(EMPTY, reportpage.WIDE) == ""


def test_samples_alone_are_enough_for_an_axis() -> None:
    axis = of(changed(traffic=(), latencies=(), addresses=(), steps=()), 960)
    assert axis is not None
    assert axis.x.low == pytest.approx(-10.9)


@given(st.integers(-10_000, 10_000), st.integers(1, 20_000))
def test_no_bar_is_thinner_than_can_be_seen_and_none_reaches_across_the_fault(
    first: int, length: int
) -> None:
    rows = tuple(
        TrafficRow(at=at, region="east", outcome=Outcome.OK, count=1)
        for at in (first, first + length)
    )
    axis = of(EMPTY.model_copy(update={"traffic": rows}), reportpage.NARROW)
    assert axis is not None
    stacks = bars.stack(rows, axis.each)
    assert all(at % axis.each == 0 for at in stacks)
    assert all(axis.x.low <= at and at + axis.each <= axis.x.high for at in stacks)
    assert axis.x(axis.each) - axis.x(0) >= 4


@pytest.mark.parametrize("result", [RESULT, EMPTY, changed(latency_limit=None, samples=())])
@pytest.mark.parametrize("width", WIDTHS)
def test_a_lane_says_none_or_draws_well_formed_within_its_height(
    result: Result, width: int
) -> None:
    axis = of(result, width) or AXIS
    for lane in LANES:
        block = lane.draw(result, axis)
        if block is None:
            continue
        for each in seen(block).iter("rect"):
            left, room = float(each.get("x", "0")), float(each.get("width", "0"))
            assert axis.x.start - 0.6 <= left
            assert left + room <= axis.x.stop + 0.6
            assert float(each.get("y", "0")) >= 0
            assert float(each.get("y", "0")) + float(each.get("height", "0")) <= block.height + 0.6


def test_a_lane_without_data_is_left_out_whole() -> None:
    svg = charts.timeline(changed(samples=(), latencies=()), 960)
    shown = [each for each in LANES if f">{each.title}<" in svg]
    assert [lane.title for lane in shown] == ["Runbook", "Writes per second", "Where users went"]


@pytest.mark.parametrize("width", WIDTHS)
def test_fault_and_returns_are_ruled_through_all_lanes(width: int) -> None:
    svg = ElementTree.fromstring(charts.timeline(RESULT, width))  # noqa: S314 - our own picture
    rules = [each for each in svg.iter("line") if each.get("class") == "rule"]
    axis = of(RESULT, width)
    assert axis is not None
    marked = [each.started for each in events(RESULT, axis) if each.is_moment]
    assert [float(each.get("x1", "0")) for each in rules] == [
        pytest.approx(axis.x(at), abs=0.06) for at in marked
    ]
    lowest = max(float(each.get("y2", "0")) for each in rules)
    height = float((svg.get("viewBox") or "").split()[3])
    assert lowest > height - 60
    assert len(marked) == 3


@pytest.mark.parametrize("width", WIDTHS)
def test_titles_and_legends_stand_on_the_lines_that_run_through_all(width: int) -> None:
    svg = charts.timeline(RESULT, width)
    assert svg.rindex('class="rule"') < svg.index('class="lane"') < svg.index('class="key"')


def test_every_hatch_and_class_that_is_drawn_is_defined() -> None:
    style = (Path(reportpage.__file__).parent / "templates" / "report.css").read_text()
    svg = charts.timeline(RESULT, 960) + charts.waterfall(RESULT, 960)
    assert set(re.findall(r"url\(#(\w+)-w960\)", svg)) <= set(HATCHES)
    for class_ in {part for found in re.findall(r'class="([^"]+)"', svg) for part in found.split()}:
        assert class_ in UNSTYLED or re.search(rf"\.{class_}\b", style), class_


UNSTYLED = {"in-band", "back"}


# --- The lanes ---------------------------------------------------------------------------------


def test_latency_is_drawn_at_its_second_and_its_height() -> None:
    rows = (LatencyRow(at=2, population="east", started=9, p50=0.01, p99=0.1),)
    block = curves.latency(changed(latencies=rows, latency_limit=0.1), AXIS)
    assert boxes(block, "between") == [(190, 10)]
    high, low = re.findall(r'd="M190.0 ([\d.]+)h10.0"', block.drawn if block else "")
    levels = {each.text: float(each.get("y", "0")) - 4 for each in seen(block).iter("text")}
    assert float(high) == pytest.approx(levels["100 ms"], abs=0.2)
    assert float(low) == pytest.approx(levels["10 ms"], abs=0.2)
    [limit] = [each for each in seen(block).iter("line") if each.get("class") == "limit"]
    assert float(limit.get("y1", "0")) == pytest.approx(float(high), abs=0.1)
    assert titles(block) == ["+2 s to +3 s: p50 10 ms, p99 100 ms"]


def test_a_write_that_was_never_acknowledged_is_hatched_and_breaks_the_line() -> None:
    rows = (
        LatencyRow(at=0, population="east", started=9, p50=0.01, p99=0.02),
        LatencyRow(at=1, population="east", started=9, p50=0.01, p99=None),
        LatencyRow(at=2, population="east", started=9, p50=None, p99=None),
        LatencyRow(at=3, population="east", started=0, p50=None, p99=None),  # nothing started
    )
    block = curves.latency(changed(latencies=rows), AXIS)
    assert boxes(block, "fail") == [(180, 10), (190, 10)]
    assert titles(block)[1:] == [
        "+1 s to +2 s: p50 10 ms, p99 endless",
        "+2 s to +3 s: p50 endless, p99 endless",
    ]


def test_a_bar_of_several_seconds_shows_the_worst_of_them() -> None:
    rows = [
        LatencyRow(at=at, population="east", started=1, p50=p50, p99=p50)
        for at, p50 in ((0, 0.1), (1, 0.3), (2, 0.2), (4, 0.1), (5, None))
    ]
    assert curves.worst(rows, "east", 4) == [curves.Bar(0, 0.3, 0.3), curves.Bar(4, None, None)]
    assert curves.worst(rows, "west", 4) == []


def test_lag_is_drawn_from_sample_to_sample_with_gaps_where_it_is_unknown() -> None:
    samples = (
        sample(0.0, a=node(lag_bytes=1024, lag_seconds=0.5)),
        sample(0.5, a=node(lag_bytes=2048, lag_seconds=None)),
        sample(1.0, a=node()),
        sample(1.5, a=node("gone")),
        sample(2.0, a=node(lag_bytes=0, lag_seconds=0.0)),
    )
    block = curves.lag(changed(samples=samples), AXIS)
    assert [left for left, _ in boxes(block, "lag")] == [170, 175, 190]
    assert "west.db1: at most 2.0 KiB behind, 0.50 s old" in words(block)
    assert "2.0 KiB" in words(block)


def test_lag_without_a_standby_is_no_lane() -> None:
    assert curves.lag(changed(samples=(sample(0.0, a=node("primary")),)), AXIS) is None


def test_answers_are_bands_named_by_region_and_silence_is_hatched() -> None:
    said = [(f"{SUBNET}.0.11",)] * 4 + [None] * 4 + [()] * 4 + [("192.0.2.1",)] * 12
    samples = tuple(
        Sample(at=n / 2, nodes=(), answers={"west": each}) for n, each in enumerate(said)
    )
    block = bands.answers(changed(samples=samples), AXIS)
    assert boxes(block, "region-1") == [(170, 20)]
    assert boxes(block, "fail") == [(190, 20)]
    assert boxes(block, "unknown") == [(210, 20)]
    assert boxes(block, "region-0") == [(230, 40)]  # no address of the lab's
    assert words(block) == ["dns west"]  # there is no room for more
    assert titles(block)[0] == "dns west, +0.0 s to +2.0 s: east"
    assert titles(block)[3].endswith("192.0.2.1")
    assert [key.text for key in (block.keys if block else ())] == [
        "names east", "no answer", "knows no address", "names another address",
    ]  # fmt: skip


def test_an_answer_with_both_regions_is_split_into_two_bands() -> None:
    both = (f"{SUBNET}.0.11", f"{SUBNET}.0.12")
    samples = (Sample(at=0.0, nodes=(), answers={"east": both}),)
    block = bands.answers(changed(samples=samples), AXIS)
    assert len(boxes(block, "region-1")) == len(boxes(block, "region-2")) == 1
    assert titles(block) == ["dns east, +0.0 s to +0.5 s: east + west"]


def test_two_regions_of_which_none_answers() -> None:
    samples = tuple(
        Sample(at=n / 2, nodes=(node("gone"),), answers={"east": None, "west": None})
        for n in range(20)
    )
    silent = EMPTY.model_copy(update={"samples": samples})
    svg = charts.timeline(silent, 960)
    assert svg.count(">no answer</text>") == 3  # both bands, and the legend
    assert "Replication lag</text>" not in svg
    reportpage.render(silent)


def test_roles_are_named_with_their_timelines() -> None:
    samples = tuple(
        sample(n / 2, a=node("standby" if n < 10 else "primary", timeline=1 if n < 10 else 2))
        for n in range(20)
    )
    axis = Axis(Scale(0, 10, 70, 470), 482, 1)
    block = bands.roles(changed(samples=samples), axis)
    assert boxes(block, "standby") == [(70, 200)]
    assert boxes(block, "primary") == [(270, 200)]
    assert words(block) == ["west.db1", "standby, timeline 1", "primary, timeline 2"]


def test_an_unknown_role_is_drawn_as_no_answer_and_named() -> None:
    state = bands.role_state(node("bewildered"))
    assert (state.classes, state.texts[0]) == (("unknown",), "bewildered")


def test_a_gap_in_the_samples_is_a_gap_in_the_band() -> None:
    state = bands.role_state(node("standby"))
    found = bands.bands([(0.0, state), (0.5, state), (9.0, state)], 0.01)
    assert [(band.start, band.end) for band in found] == [(0.0, 2.0), (9.0, 9.5)]


def test_of_states_too_close_to_be_seen_the_worst_is_shown() -> None:
    fine, bad = (bands.role_state(node(role)) for role in ("standby", "gone"))
    seen = [(n / 10, bad if n == 55 else fine) for n in range(100)]
    assert bands.coarse(seen, 1.0)[5] == (5.0, bad)
    assert [band.state for band in bands.bands(seen, 1.0)] == [fine, bad, fine]


def test_users_are_drawn_where_they_went() -> None:
    rows = (
        AddressRow(at=0, population="east", address=f"{SUBNET}.0.11", count=30),
        AddressRow(at=0, population="east", address=f"{SUBNET}.0.12", count=10),
        AddressRow(at=0, population="west", address=None, count=5),
    )
    block = bars.addresses(changed(addresses=rows), AXIS)
    assert titles(block) == [
        "+0 s to +1 s: 30 sent to east, 10 sent to west",
        "+0 s to +1 s: 5 had no address to go to",
    ]
    heights = [float(each.get("height", "0")) for each in seen(block).iter("rect")]
    assert heights[0] == pytest.approx(3 * heights[1], abs=0.2)


@pytest.mark.parametrize(
    ("address", "region"),
    [
        (f"{SUBNET}.0.11", "east"),
        ("10.7.0.12:8001", "west"),
        ("10.7.1.11", None),
        ("nonsense", None),
        ("", None),
    ],
)
def test_an_address_tells_its_region(address: str, region: str | None) -> None:
    assert bars.region_at(address) == region


def test_each_region_keeps_its_colour_whichever_others_answered() -> None:
    rows = (TrafficRow(at=0, region="west", outcome=Outcome.OK, count=3),)
    block = bars.traffic(changed(traffic=rows), AXIS)
    assert boxes(block, "region-1") == []
    assert len(boxes(block, "region-2")) == 1


def test_a_moment_stands_for_the_time_until_the_next_but_not_for_ever() -> None:
    assert stretches([]) == []
    assert stretches([1.0]) == [(1.0, 1.5)]
    assert stretches([1.0, 1.5, 9.0]) == [(1.0, 1.5), (1.5, 3.0), (9.0, 9.5)]


# --- Extremes ----------------------------------------------------------------------------------


def lengthened(seconds: int) -> Result:
    """A run of that many seconds in which everything changes all the time."""
    every = range(seconds)
    return changed(
        traffic=tuple(
            TrafficRow(at=at, region=("east", "west")[at % 2], outcome=Outcome.OK, count=240)
            for at in every
        ),
        latencies=tuple(
            LatencyRow(at=at, population="east", started=9, p50=0.01, p99=None if at % 3 else 0.1)
            for at in every
        ),
        addresses=tuple(
            AddressRow(at=at, population="east", address=f"{SUBNET}.0.{11 + at % 2}", count=9)
            for at in every
        ),
        samples=tuple(
            Sample(
                at=n / 2,
                nodes=(node("standby" if n % 2 else "gone", lag_bytes=n),),
                answers={"east": (f"{SUBNET}.0.{11 + n % 2}",)},
            )
            for n in range(2 * seconds)
        ),
        steps=(
            StepRow(
                name="all of it", path=Via.IN_BAND, started=0.0, ended=float(seconds),
                outcome="done", evidence="", why="", phase=None,
            ),
        ),
    )  # fmt: skip


@pytest.mark.parametrize("seconds", [1, 10_000])
def test_a_page_of_a_very_short_or_long_run_is_well_formed_and_small(seconds: int) -> None:
    page = reportpage.render(lengthened(seconds))
    for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(svg)  # noqa: S314 - our own picture
    assert len(page) < (400_000 if seconds == 1 else 1_000_000)


def test_a_normal_page_is_small_and_well_formed() -> None:
    page = reportpage.render(RESULT)
    assert len(page.encode()) < 400_000
    body = page[page.index("<body") : page.index("</html>")]
    body = re.sub(r"<(br|meta)([^>]*)>", r"<\1\2/>", body).replace(
        "details open", 'details open=""'
    )
    ElementTree.fromstring(body)  # noqa: S314 - our own page


# --- Tables ------------------------------------------------------------------------------------


def test_every_table_has_a_cell_for_each_column_and_a_formula() -> None:
    builders = (
        *reporttables.USERS,
        ordertables.stale_reads,
        ordertables.lost_writes,
        ordertables.seen_then_gone,
        reporttables.steps,
    )
    for build in builders:
        found = build(RESULT)
        assert found.rows, found.title
        assert found.formula
        assert all(len(row) == len(found.columns) for row in found.rows), found.title
        assert "None" not in str(found.rows)


def test_users_who_ignore_ttls_stand_apart() -> None:
    honours = [row[1] for row in reporttables.misdirected(RESULT).rows]
    assert honours == ["honoured", "honoured", "ignored"]
    assert reporttables.movements(RESULT).rows[1] == (
        "east", "ignored", "5", "3", "6.10 s", "not seen", "not seen"
    )  # fmt: skip


def test_all_that_others_measure_is_on_the_page() -> None:
    page = reportpage.render(RESULT, "some-run")
    for expected in (
        "Second opinions", "Does an independent probe see the same interruption?", "not measured",
        "How fast they moved", "Sent to the dead region", "until they were back", "99.9 %",
        "Full recovery", "7.20 s", "p99 was over 500 ms in 4 seconds", "Stale reads",
        'href="./orphans.jsonl"', "lab reconcile some-run", "2 reads, 1 of them",
        "Read, then gone", "2 orders.",
    ):  # fmt: skip
        assert expected in page, expected


def test_what_others_did_not_measure_is_not_on_the_page() -> None:
    page = reportpage.render(
        changed(
            opinions=(), movements=(), misdirected=(), budgets=(), stale_reads=(), latencies=(),
            seen_then_gone=(),
            addresses=(), samples=(), orphans_file=None, full_recovery_seconds=None,
            full_recovery_at_least=None, rto_first_seconds={},
        )
    )  # fmt: skip
    for absent in (
        "Second opinions",
        "moved",
        "budget",
        "Stale",
        "Read, then gone",
        "reconcile",
        "Full recovery",
    ):
        assert absent not in page, absent


def test_a_full_recovery_that_was_not_seen_is_a_lower_bound() -> None:
    page = reportpage.render(changed(full_recovery_seconds=None, full_recovery_at_least=12.5))
    assert "over 12.5 s" in page


def test_a_file_with_a_strange_name_stays_a_link_to_a_file() -> None:
    page = reportpage.render(changed(orphans_file='javascript:alert("1")'))
    assert 'href="./javascript%3Aalert%28%221%22%29"' in page


# --- Colours -----------------------------------------------------------------------------------

PAIRS = (
    ("ink", "page"), ("ink", "card"), ("quiet", "page"), ("quiet", "card"), ("fail", "page"),
    ("fail", "card"), ("fail", "fail-back"), ("pass-ink", "pass-back"), ("pass-ink", "page"),
    ("open-ink", "open-back"), ("open-ink", "card"), ("on-one", "one"), ("on-two", "two"),
    ("on-step", "step"), ("on-other", "other"), ("ink", "standby"),
)  # fmt: skip


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = "".join(2 * each for each in digits) if len(digits) == 3 else digits
    parts = [int(digits[n : n + 2], 16) / 255 for n in (0, 2, 4)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("palette", [0, 1, 2], ids=["light", "dark", "print"])
@pytest.mark.parametrize(("ink", "ground"), PAIRS)
def test_text_can_be_read_on_its_ground(palette: int, ink: str, ground: str) -> None:
    style = (Path(reportpage.__file__).parent / "templates" / "report.css").read_text()
    blocks = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    assert len(blocks) == 3
    colours = dict(re.findall(r"--([\w-]+): (#\w+)", blocks[palette]))
    light, dark = sorted((luminance(colours[ink]), luminance(colours[ground])), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5
