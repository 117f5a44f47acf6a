"""The picture of a runbook's graph: one file, readable, with nothing outside of its box."""

from __future__ import annotations

import html
import json
import re
from xml.etree import ElementTree

import pytest
from browser import Browser
from hypothesis import given, settings
from hypothesis import strategies as st
from made_up_runbooks import CAREFUL, RUNBOOKS, SPECS, ordered, runbook

from lab.charts.stepboxes import LEFT, PAD, RIGHT, TEXT_SIZE, layout
from lab.charts.steppicture import svg
from lab.charts.typeset import width
from lab.runbooks.runbook import Call, Runbook
from lab.runbooks.scenarios import SCENARIOS, Scenario, scenario
from lab.runbooks.stepgraph import BEGINNING, graph

SVG = "{http://www.w3.org/2000/svg}"
LIGHT = "--blink-settings=preferredColorScheme=1"
DARK = "--blink-settings=preferredColorScheme=0"
WORDY = "Everything_that_is_in_east_is_lost_and_the_author_put_no_blank_into_this_title " * 2


def picture(book: Runbook, name: str = "partition") -> str:
    return svg(graph(book, SPECS, scenario(name)))


def parsed(text: str) -> ElementTree.Element:
    return ElementTree.fromstring(text)  # noqa: S314 - our own document


def lanes(root: ElementTree.Element, kind: str) -> list[ElementTree.Element]:
    groups = [each for each in root.iter(f"{SVG}g") if each.get("class") == kind]
    return [each for each in groups if each.find(f"{SVG}path/{SVG}title") is not None]


def test_it_says_what_it_shows_to_those_who_cannot_see_it() -> None:
    root = parsed(picture(ordered("PSWTR")))
    title, desc = root.find(f"{SVG}title"), root.find(f"{SVG}desc")
    assert title is not None
    assert desc is not None
    assert title.text == "East is lost, west takes over"
    assert "1 promote: too early; needs that east.db1 can no longer commit" in (desc.text or "")
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "title desc"
    assert [title.get("id"), desc.get("id")] == ["title", "desc"]


def test_what_comes_too_late_is_red_and_dashed_and_says_what_comes_of_it() -> None:
    text = picture(ordered("PSWTR"))
    told = [
        title.text
        for lane in lanes(parsed(text), "lane violated")
        for title in lane.iter(f"{SVG}title")
    ]
    assert (
        "east.db1 can no longer commit: made true by step 4: too late. two primaries take orders,"
        " and the orders of one of them are lost"
    ) in told
    assert ".lane.violated .line { stroke-dasharray: 6 3; }" in text


def test_all_that_is_right_draws_nothing_in_red() -> None:
    text = picture(runbook(*CAREFUL))
    assert lanes(parsed(text), "lane violated") == []
    assert len(lanes(parsed(text), "lane")) > 5
    assert "too late" not in text


def test_whatever_a_title_holds_the_file_is_well_formed() -> None:
    text = picture(runbook(*CAREFUL, title='<b>&amp; \x00 ]]> \ud800 "it\'s" {new}'))
    root = parsed(text)
    assert not list(root.iter(f"{SVG}b"))
    assert "{new}" in text


@settings(max_examples=40)
@given(RUNBOOKS, st.sampled_from(SCENARIOS))
def test_every_need_is_told_and_every_maker_is_led_to(book: Runbook, situation: Scenario) -> None:
    found = graph(book, SPECS, situation)
    text = svg(found)
    edges = [edge for node in found.nodes for edge in node.edges]
    told = [each for each in parsed(text).iter(f"{SVG}path") if each.get("class") == "touch"]
    assert len(told) == sum(edge.maker != BEGINNING for edge in edges)


@settings(max_examples=40)
@given(RUNBOOKS, st.sampled_from(SCENARIOS))
def test_boxes_stand_below_each_other_and_no_two_lanes_run_over_each_other(
    book: Runbook, situation: Scenario
) -> None:
    placed = layout(graph(book, SPECS, situation), 50.0)
    for above, below in zip(placed.boxes, placed.boxes[1:], strict=False):
        assert above.bottom < below.top
    for box in placed.boxes:
        assert all(box.top < row.y < box.bottom for row in box.rows)
        for line in (line for row in box.rows for line in row.lines):
            assert width(line, TEXT_SIZE) <= RIGHT - LEFT - 2 * PAD
    for n, lane in enumerate(placed.lanes):
        for other in placed.lanes[n + 1 :]:
            apart = lane.span[1] < other.span[0] or other.span[1] < lane.span[0]
            assert lane.x is None or lane.x != other.x or apart


# ── in a real browser ────────────────────────────────────────────────────────────────────────

_OUTSIDE = """
<script>
const outside = (inner, outer) => inner.left < outer.left || inner.right > outer.right
  || inner.top < outer.top || inner.bottom > outer.bottom;
addEventListener("load", () => {
  const found = [];
  for (const svg of document.querySelectorAll("svg")) {
    const page = svg.querySelector(".page").getBoundingClientRect();
    for (const text of svg.querySelectorAll("text")) {
      const box = text.parentNode.querySelector(":scope > rect");
      const place = box ? box.getBoundingClientRect() : page;
      if (outside(text.getBoundingClientRect(), place)) found.push(text.textContent);
    }
  }
  document.title = JSON.stringify(found);
});
</script>
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("browser"))


def sticking_out(browser: Browser, *pictures: str) -> list[str]:
    page = '<!doctype html><meta charset="utf-8">' + "".join(pictures) + _OUTSIDE
    dom = browser.run(page, "--dump-dom", "--virtual-time-budget=5000")
    title = re.search(r"<title>(\[.*?)</title>", dom, re.DOTALL)
    assert title, dom[:500]
    found: list[str] = json.loads(html.unescape(title[1]))
    return found


def test_no_text_leaves_its_box(browser: Browser) -> None:
    odd = Call("promote", {"note": "w" * 150}), Call("fence", {"字": "🧯" * 60})
    pictures = [
        *(picture(runbook(*CAREFUL), each.name) for each in SCENARIOS),
        *(picture(ordered(order)) for order in ("PTSRW", "RTWPS", "SPWTR")),
        picture(runbook(*odd, title=WORDY)),
        picture(runbook()),
    ]
    assert sticking_out(browser, *pictures) == []


def test_text_that_leaves_its_box_would_be_noticed(browser: Browser) -> None:
    wide = picture(runbook(*CAREFUL)).replace(
        "the failover was decided", "the failover was decided " * 9
    )
    assert len(sticking_out(browser, wide)) == 1


def test_it_has_a_dark_side(browser: Browser) -> None:
    light, dark = (browser.screenshot(picture(ordered("PTSRW")), each) for each in (LIGHT, DARK))
    assert light != dark
    assert min(len(light), len(dark)) > 20_000
