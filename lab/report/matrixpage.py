"""matrix.html: every order of the five steps, what it did, and the rules that show in it. Pure."""

from __future__ import annotations

from typing import Final

from markupsafe import Markup

from lab.charts.svg import drawing, label, tag
from lab.report import seriespages
from lab.runbooks.matrixresults import QUESTIONS, Grid, Question, Row, Share, rules, shares
from lab.runbooks.permutations import FIVE, LETTERS
from lab.runbooks.predict import End
from lab.runbooks.scenarios import scenario

_CELL: Final = 38
_LEFT: Final = 30
_TOP: Final = 44


def page(grid: Grid) -> str:
    """The page: one file, without any other."""
    return seriespages.rendered(
        "matrix.html.j2",
        grid=grid,
        five=FIVE,
        questions=QUESTIONS,
        parts=[_part(grid, name) for name in grid.scenarios],
    )


def _part(grid: Grid, name: str) -> dict[str, object]:
    rows = grid.of(name)
    return {
        "name": name,
        "told": scenario(name).told,
        "rows": sorted(rows, key=_harm),
        "rules": tuple(rules(rows)),
        "maps": [(each.title, heat(rows, each)) for each in QUESTIONS if _varies(rows, each)],
        "same": [
            (each.title, _always(rows, each)) for each in QUESTIONS if not _varies(rows, each)
        ],
        "agree": sum(row.agrees for row in rows),
    }


def _harm(row: Row) -> tuple[int, int, int, str]:
    """The best orders first: no harm to data or the end, then few costs, then little lost."""
    seen = row.observed
    if seen is None:
        return len(QUESTIONS), 0, 0, row.order
    harm = seen.split_brain + (seen.end is not End.RIGHT)
    costs = sum(each.is_so(seen) for each in QUESTIONS)
    return harm, costs, len(row.lost) + row.doubled, row.order


def _varies(rows: tuple[Row, ...], question: Question) -> bool:
    return len({question.is_so(row.observed) for row in rows if row.observed is not None}) > 1


def _always(rows: tuple[Row, ...], question: Question) -> bool:
    return any(question.is_so(row.observed) for row in rows if row.observed is not None)


def heat(rows: tuple[Row, ...], question: Question) -> Markup:
    """Five by five: how often it was so when the step on the left came before the one above."""
    cells = [_cell(each) for each in shares(rows, question)]
    width, height = _LEFT + _CELL * len(LETTERS) + 4, _TOP + _CELL * len(LETTERS) + 4
    return drawing(
        width,
        height,
        f"{question.title}: share of orders, by which step came before which",
        label(_LEFT, 12, "… before this one", "axis"),
        *(label(_x(each) + _CELL / 2, _TOP - 8, each, "letter", "middle") for each in LETTERS),
        *(label(_LEFT - 12, _y(each) + _CELL / 2 + 4, each, "letter", "end") for each in LETTERS),
        *cells,
        class_="heat",
    )


def _x(letter: str) -> float:
    return _LEFT + _CELL * LETTERS.index(letter)


def _y(letter: str) -> float:
    return _TOP + _CELL * LETTERS.index(letter)


def _cell(share: Share) -> Markup:
    left, top = _x(share.then), _y(share.first)
    told = "–" if share.part is None else f"{share.part:.0%}"
    strength = 0.0 if share.part is None else share.part
    box = tag("rect", x=left + 1, y=top + 1, width=_CELL - 2, height=_CELL - 2, rx=3, class_="back")
    fill = tag(
        "rect", x=left + 1, y=top + 1, width=_CELL - 2, height=_CELL - 2, rx=3,
        class_="harm", fill_opacity=f"{strength:.2f}",
    )  # fmt: skip
    tip = tag("title", f"{share.first} before {share.then}: {share.did} of {share.of} orders")
    words = label(
        left + _CELL / 2, top + _CELL / 2 + 4, told, "strong" if strength > 0.6 else "", "middle"
    )
    return tag("g", tip, box, fill, words)
