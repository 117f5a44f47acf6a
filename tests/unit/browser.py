"""A real browser without a window, by its command line: for looking at pages as readers do."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--hide-scrollbars",
)  # fmt: skip
SECONDS = 120
HINT = "no Chromium here: install Debian's package chromium (make test does so as root)"
_FRAME = (
    '<iframe style="border:0;width:{width}px;height:800px" class="{fold}" srcdoc="{page}"></iframe>'
)
_MEASURE = """
<script>
const names = (page, odd) => [...page.querySelectorAll("body *")].filter(odd)
  .map(each => each.tagName.toLowerCase() + "." + (each.getAttribute("class") || ""));
addEventListener("load", () => {
  const found = [...document.querySelectorAll("iframe")].map(frame => {
    const page = frame.contentDocument, width = frame.clientWidth;
    if (frame.className === "unfolded")
      page.querySelectorAll("details").forEach(each => each.open = true);
    return {
      width: page.documentElement.scrollWidth,
      outside: names(page, each => each.getBoundingClientRect().right > width + 0.5),
      scrolled: names(page, each => each.clientWidth && each.scrollWidth > each.clientWidth + 1
                                    && getComputedStyle(each).overflowX !== "visible"),
    };
  });
  document.title = JSON.stringify(found);
});
</script>
"""


@dataclass(frozen=True, slots=True)
class Frame:
    """A page as it is shown on a screen of so many pixels, with all details folded or not."""

    page: str
    width: int
    fold: str = "folded"


@dataclass(frozen=True, slots=True)
class Fit:
    """How it fits: the page's real width, what sticks out, and what has a scroll bar of its own."""

    width: int
    outside: list[str]
    scrolled: list[str]


def chromium() -> str:
    """The browser's program. Without one the test is skipped, in CI it fails."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None and os.environ.get("CI"):
        pytest.fail(HINT)
    if found is None:
        pytest.skip(HINT)
    return found


class Browser:
    """One browser profile in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._program = chromium()

    def run(self, page: str, *flags: str) -> str:
        """Open a page with more flags; what the browser prints."""
        file = self._folder / "page.html"
        file.write_text(page, encoding="utf-8")
        profile = f"--user-data-dir={self._folder / 'profile'}"
        ended = subprocess.run(
            [self._program, *FLAGS, profile, *flags, file.as_uri()],
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    def fits(self, *frames: Frame) -> list[Fit]:
        """How each page fits. They are shown in frames, because a window has a least width."""
        shown = (
            _FRAME.format(width=each.width, fold=each.fold, page=html.escape(each.page))
            for each in frames
        )
        dom = self.run(
            "<!doctype html>" + "".join(shown) + _MEASURE,
            "--dump-dom",
            "--virtual-time-budget=5000",
        )
        title = re.search(r"<title>(.*?)</title>", dom, re.DOTALL)
        assert title, dom[:500]
        return [Fit(**each) for each in json.loads(html.unescape(title[1]))]

    def screenshot(self, page: str, *flags: str) -> bytes:
        """A picture (PNG) of the top of the page at 1280 × 900."""
        file = self._folder / "page.png"
        file.unlink(missing_ok=True)
        self.run(page, f"--screenshot={file}", "--window-size=1280,900", *flags)
        return file.read_bytes()

    def printed(self, page: str) -> bytes:
        """The page as PDF."""
        file = self._folder / "page.pdf"
        file.unlink(missing_ok=True)
        self.run(page, f"--print-to-pdf={file}", "--no-pdf-header-footer")
        return file.read_bytes()
