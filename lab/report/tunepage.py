"""tune.html and tune.md: what patience costs and what it spares, as a picture and tables. Pure."""

from __future__ import annotations

from markupsafe import Markup

from lab.charts import frontier
from lab.patience.cells import Tuned
from lab.report import tunetables
from lab.report.templating import rendered, written

PICTURE = "frontier.svg"
"""The name of the picture beside the Markdown."""


def page(found: Tuned) -> str:
    """The page: one file, without any other."""
    picture = Markup(frontier.svg(found))  # noqa: S704 - every part of it is escaped
    return rendered(
        "tune.html.j2",
        "report.css",
        found=found,
        picture=picture,
        tables=tunetables.tables(found),
        summary=tuple(tunetables.summary(found)),
    )


def markdown(found: Tuned) -> str:
    """The same as Markdown, with the picture in a file beside it."""
    return written(
        "tune.md.j2",
        found=found,
        picture=PICTURE,
        tables=tunetables.tables(found),
        summary=tuple(tunetables.summary(found)),
    )
