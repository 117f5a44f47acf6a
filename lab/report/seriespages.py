"""spread.html and compare.html: pages of several runs, each one file without any other. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from markupsafe import Markup

from lab.charts.dotplot import MARK, plot, shape
from lab.charts.svg import tag
from lab.core.verdict import Verdict
from lab.records.compare import Comparison
from lab.records.journalfile import StepRecord
from lab.records.liverun import LiveRun
from lab.records.metricrows import metric
from lab.records.spread import Series
from lab.report.templating import NARROW, WIDE, rendered


@dataclass(frozen=True, slots=True)
class Plot:
    """One figure's dot plot, drawn for two widths, with how many runs it does not show."""

    title: str
    wide: Markup
    narrow: Markup
    missing: int


def spread(series: Series) -> str:
    """The page of a series. Its links lead to the runs' folders beside its own."""
    headline = [row.figure for row in series.spread if row.headline]
    return rendered(
        "spread.html.j2",
        "report.css",
        "series.css",
        series=series,
        headline=[(name, metric(name)) for name in headline],
        plots=_plots(series),
        marks=[(verdict.value, _swatch(verdict)) for verdict in Verdict],
        counts=counted(series),
        errors=[run for run in series.runs if run.error],
    )


def runbook(
    run: LiveRun, steps: tuple[StepRecord, ...], orphans: tuple[str, ...], name: str
) -> str:
    """The page of a runbook on the lab as it stood; `name` is its folder's."""
    return rendered(
        "runbook.html.j2", "report.css", run=run, steps=steps, orphans=orphans, name=name
    )


def counted(series: Series) -> str:
    """`4 pass, 1 fail`; the verdicts that came up, best first."""
    found = [f"{count} {verdict.value}" for verdict, count in series.verdicts.items() if count]
    return ", ".join(found) or "no run ended"


def compare(found: Comparison, up: tuple[str, str]) -> str:
    """The page of a comparison. `up` are the ways to each side's own page, relative to this one."""
    return rendered(
        "compare.html.j2",
        "report.css",
        "series.css",
        found=found,
        sides=[("A", found.a, up[0]), ("B", found.b, up[1])],
        ranges=any(row.a_range or row.b_range for row in found.rows),
    )


def _plots(series: Series) -> tuple[Plot, ...]:
    return tuple(
        Plot(row.title, wide, plot(series, row, NARROW), row.runs - row.measured)
        for row in series.spread
        if row.headline and (wide := plot(series, row, WIDE))
    )


def _swatch(verdict: Verdict) -> Markup:
    size = 2 * MARK + 2
    drawn = tag("g", shape(verdict, size / 2, size / 2), class_=f"mark {verdict.value}")
    return tag("svg", drawn, width=size, height=size, aria_hidden="true")
