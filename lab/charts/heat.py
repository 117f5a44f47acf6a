"""A heat map of pairs of steps: how often something was so when one came before another. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from markupsafe import Markup

from lab.charts.svg import drawing, label, tag
from lab.runbooks.matrixresults import Share
from lab.runbooks.permutations import LETTERS

_CELL: Final = 38
_LEFT: Final = 30
_TOP: Final = 44


def plot(title: str, shares: Iterable[Share]) -> Markup:
    """Five by five: the step on the left came before the one above."""
    side = _CELL * len(LETTERS) + 4
    middles = [(n * _CELL + _CELL / 2, each) for n, each in enumerate(LETTERS)]
    return drawing(
        _LEFT + side,
        _TOP + side,
        f"{title}: share of orders, by which step came before which",
        label(_LEFT, 12, "… before this one", "axis"),
        *(label(_LEFT + at, _TOP - 8, each, "letter", "middle") for at, each in middles),
        *(label(_LEFT - 12, _TOP + at + 4, each, "letter", "end") for at, each in middles),
        *(_cell(each) for each in shares),
        class_="heat",
    )


def _cell(share: Share) -> Markup:
    left = _LEFT + _CELL * LETTERS.index(share.then)
    top = _TOP + _CELL * LETTERS.index(share.first)
    part = share.part or 0.0
    told = "–" if share.part is None else f"{part:.0%}"
    place = {"x": left + 1, "y": top + 1, "width": _CELL - 2, "height": _CELL - 2, "rx": 3}
    kind = "strong" if part > 0.6 else ""
    return tag(
        "g",
        tag("title", f"{share.first} before {share.then}: {share.did} of {share.of} orders"),
        tag("rect", class_="back", **place),
        tag("rect", class_="harm", fill_opacity=f"{part:.2f}", **place),
        label(left + _CELL / 2, top + _CELL / 2 + 4, told, kind, "middle"),
    )
