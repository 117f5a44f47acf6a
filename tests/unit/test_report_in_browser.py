"""The report in a real browser: it fits phones and paper, and has a dark side."""

from __future__ import annotations

import re
from collections.abc import Mapping

import pytest
from browser import Browser, Fit, Frame
from made_up import complete

from lab.report import reportpage

RESULT = complete()
PAGE = reportpage.render(RESULT, "2026-01-02T03-04-05Z-region-loss")
BARE = RESULT.model_copy(
    update=dict.fromkeys(("traffic", "latencies", "addresses", "samples", "steps"), ())
)
FRAMES = {
    **{
        f"{fold} at {width}": Frame(PAGE, width, fold)
        for width in (390, 768, 1280)
        for fold in ("folded", "unfolded")
    },
    "no figures at 390": Frame(reportpage.render(BARE), 390, "unfolded"),
}
TOO_WIDE = Frame(PAGE.replace("<main>", '<main><p class="ruler" style="width:2000px">wide'), 390)
LIGHT = "--blink-settings=preferredColorScheme=1"
DARK = "--blink-settings=preferredColorScheme=0"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Browser:
    return Browser(tmp_path_factory.mktemp("browser"))


@pytest.fixture(scope="module")
def fits(browser: Browser) -> Mapping[str, Fit]:
    found = browser.fits(*FRAMES.values(), TOO_WIDE)
    return dict(zip((*FRAMES, "too wide"), found, strict=True))


@pytest.mark.parametrize("name", FRAMES)
def test_nothing_is_wider_than_the_screen(fits: Mapping[str, Fit], name: str) -> None:
    assert fits[name] == Fit(FRAMES[name].width, outside=[], scrolled=[])


def test_a_page_that_is_too_wide_would_be_noticed(fits: Mapping[str, Fit]) -> None:
    assert fits["too wide"].width >= 2000
    assert "p.ruler" in fits["too wide"].outside


def test_light_and_dark_differ_and_neither_is_empty(browser: Browser) -> None:
    light, dark = browser.screenshot(PAGE, LIGHT), browser.screenshot(PAGE, DARK)
    assert light != dark
    assert min(len(light), len(dark)) > 20_000  # an empty one has 4 kB


def test_it_prints_on_a_few_sheets_of_a4_with_everything_unfolded(browser: Browser) -> None:
    printed = browser.printed(PAGE)
    assert 5 <= sheets(printed) <= 10
    for width, height in re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", printed):
        assert (float(width), float(height)) == (
            pytest.approx(595, abs=2),
            pytest.approx(842, abs=2),
        )
    folded = browser.printed(PAGE.replace("details::details-content", "details::nothing"))
    assert sheets(folded) < sheets(printed)


def sheets(pdf: bytes) -> int:
    return len(re.findall(rb"/Type\s*/Page\b", pdf))
