"""matrix.html: every order of the five steps, what it did, and the rules that show in it. Pure."""

from __future__ import annotations

from lab.charts import heat
from lab.report.templating import rendered
from lab.runbooks.matrixresults import QUESTIONS, Grid, Question, Row, rules, shares
from lab.runbooks.permutations import FIVE
from lab.runbooks.predict import End
from lab.runbooks.scenarios import scenario


def page(grid: Grid) -> str:
    """The page: one file, without any other."""
    return rendered(
        "matrix.html.j2",
        "report.css",
        "series.css",
        "matrix.css",
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
        "maps": [
            (each.title, heat.plot(each.title, shares(rows, each)))
            for each in QUESTIONS
            if _varies(rows, each)
        ],
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
