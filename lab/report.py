"""report.html: one page without any other file, made from result.json alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from lab import charts, story, words
from lab.picture import topology
from lab.result import RecoveryRow, Result
from lab.svg import tag

WIDE: Final = 960
NARROW: Final = 380
LISTED: Final = 1000
"""So many lost writes are listed in the page; result.json has all of them."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key figure: what it is called, its value, a line of explanation, and how to see it.

    `tone` is good, bad or open.
    """

    title: str
    value: str
    meaning: str
    tone: str


@dataclass(frozen=True, slots=True)
class Swatch:
    """One entry of a chart's legend."""

    picture: Markup
    text: str


def write(result: Result, path: Path) -> None:
    """Render a result into a file."""
    path.write_text(render(result), encoding="utf-8")


def render(result: Result) -> str:
    """The whole page. It needs no network, no script and no other file."""
    page = _ENVIRONMENT.get_template("report.html.j2")
    return page.render(
        result=result,
        style=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),  # noqa: S704
        headline=story.headline(result),
        sentences=story.sentences(result),
        keys=key_figures(result),
        traffic=[charts.traffic(result, width) for width in (WIDE, NARROW)],
        waterfall=[charts.waterfall(result, width) for width in (WIDE, NARROW)],
        legend=_legend(result),
        topologies=_topologies(result),
        stretches=_stretches(result),
        listed=LISTED,
    )


def key_figures(result: Result) -> tuple[Key, ...]:
    """Lost writes, RPO, RTO of each population, split brain."""
    return (
        Key("Lost writes", words.number(result.lost), _lost_meaning(result), _tone(result.lost)),
        Key(
            "RPO",
            words.seconds(result.rpo_seconds),
            "recovery point: from the first lost acknowledgement to the fault,"
            " or to the last one if that is later",
            _tone(result.rpo_seconds),
        ),
        *_recoveries(result),
        Key(
            "Split brain",
            words.number(result.split_brain_writes, "writes"),
            _split_meaning(result),
            _tone(result.split_brain_writes),
        ),
    )


def _lost_meaning(result: Result) -> str:
    return (
        f"acknowledged, and not on {result.winner} in the end;"
        f" {result.orphaned:,} on a machine left behind, {result.unaccounted:,} nowhere"
    )


def _split_meaning(result: Result) -> str:
    if result.split_brain_writes is None:
        return "some acknowledgements name no timeline, so they cannot be placed"
    over = words.seconds(result.split_brain_seconds)
    return f"taken by an old primary after the new one's first, over {over}"


def _recoveries(result: Result) -> Iterable[Key]:
    for row in result.recoveries:
        if row.honours_ttl:
            tone = "open" if row.seconds is None else "plain"
            title = f"RTO, users {row.population}"
            yield Key(title, words.seconds(row.seconds), _recovery_meaning(row), tone)


def _recovery_meaning(row: RecoveryRow) -> str:
    if row.seconds is None or not row.interrupted:
        return row.why
    served = f"{row.served:,} of {row.started:,} writes"
    return f"recovery time: from the fault to when writes were served again ({served} from then on)"


def _tone(value: float | None) -> str:
    if value is None:
        return "open"
    return "bad" if value else "good"


def _legend(result: Result) -> tuple[Swatch, ...]:
    """What was drawn, in the order from the bottom of a bar up."""
    told = {row.outcome.value for row in result.traffic}
    names = charts.regions(result)
    found = [
        Swatch(_swatch(f"region-{n}"), f"acknowledged by {name}")
        for n, name in enumerate(names[:2], start=1)
    ]
    for name, text in _HATCHED:
        if name in told:
            found.append(Swatch(_swatch(name), text))
    return tuple(found)


_HATCHED: Final = (
    ("local", "acknowledged with a warning (not replicated)"),
    ("unknown", "no answer"),
    ("fail", "failed"),
)


def _swatch(name: str) -> Markup:
    hatched = name in dict(_HATCHED)
    box = tag(
        "rect",
        width=14,
        height=14,
        class_=name,
        fill=f"url(#{name}-key-{name})" if hatched else None,
    )
    return tag("svg", charts.patterns(f"key-{name}"), box, width=14, height=14, aria_hidden="true")


def _topologies(result: Result) -> tuple[tuple[str, Markup], ...]:
    pictures = (("before", result.before), ("after", result.after))
    return tuple((name, topology(nodes, name)) for name, nodes in pictures if nodes)


@dataclass(frozen=True, slots=True)
class StretchLine:
    """One row of the table of load and latency, as text."""

    users: str
    when: str
    offered: str
    acknowledged: str
    p50: str
    p95: str
    p99: str


def _stretches(result: Result) -> tuple[StretchLine, ...]:
    found = []
    for row in result.populations:
        after = [("after the return", row.after)] if row.after else []
        before = "before the fault" if result.time_zero == "fault_started" else "whole run"
        for when, part in [(before, row.before), *after]:
            found.append(
                StretchLine(
                    row.population,
                    when,
                    words.rate(part.started_per_second),
                    words.rate(part.acknowledged_per_second),
                    words.milliseconds(part.p50),
                    words.milliseconds(part.p95),
                    words.milliseconds(part.p99),
                )
            )
    return tuple(found)


_TEMPLATES: Final = Path(__file__).parent / "templates"
_ENVIRONMENT: Final = Environment(
    loader=FileSystemLoader(_TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters.update(
    seconds=words.seconds, moment=words.moment, number=words.number, size=words.size
)
