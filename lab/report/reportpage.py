"""report.html: one page without any other file, made from result.json alone."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lab.charts import charts
from lab.charts.lanes import LANES
from lab.charts.picture import topology
from lab.core import words
from lab.records.metricrows import metric
from lab.records.result import Result
from lab.records.resultrows import RecoveryRow
from lab.report import metrictables, ordertables, reporttables, sentences
from lab.report.templating import NARROW, WIDE, rendered

OPEN_UP_TO: Final = 10
"""A list of so many rows is open when the page is; a longer one can be opened."""


@dataclass(frozen=True, slots=True)
class Key:
    """One key figure: what it is called, its value, a line of explanation, and its formula.

    `tone` is good, bad, open or plain.
    """

    title: str
    value: str
    meaning: str
    tone: str
    formula: str


def render(result: Result, run: str = "RUN") -> str:
    """The whole page. It needs no network, no script and no other file.

    `run` is the name of the run's folder, for commands that are shown.
    """
    keys = key_figures(result)
    return rendered(
        "report.html.j2",
        "report.css",
        result=result,
        run=run,
        headline=sentences.headline(result),
        sentences=sentences.sentences(result),
        keys=keys,
        formulas=formulas(keys),
        timeline=[charts.timeline(result, width) for width in (WIDE, NARROW)],
        lanes=LANES,
        waterfall=[charts.waterfall(result, width) for width in (WIDE, NARROW)],
        topologies=_topologies(result),
        figures=metrictables.figures(result),
        users=[found for build in reporttables.USERS if (found := build(result)).rows],
        stale=ordertables.stale_reads(result),
        gone=ordertables.seen_then_gone(result),
        lost=ordertables.lost_writes(result),
        steps=reporttables.steps(result),
        open_up_to=OPEN_UP_TO,
    )


def key_figures(result: Result) -> tuple[Key, ...]:
    """Lost writes, RPO, RTO of each population, full recovery, split brain."""
    return (
        Key(
            "Lost writes",
            words.number(result.lost),
            _lost_meaning(result),
            _tone(result.lost),
            metric("lost").measured(result),
        ),
        Key(
            "RPO",
            words.seconds(result.rpo_seconds),
            "recovery point: how far back the loss reaches"
            + (
                ""
                if not result.rpo_wal_bytes
                else f", at least {words.size(result.rpo_wal_bytes)} of WAL"
            ),
            _tone(result.rpo_seconds),
            metric("rpo_seconds").measured(result),
        ),
        *_recoveries(result),
        *_pauses(result),
        *_full_recovery(result),
        Key(
            "Split brain",
            words.number(result.split_brain_writes, "writes"),
            _split_meaning(result),
            _tone(result.split_brain_writes),
            metric("split_brain_writes").measured(result),
        ),
    )


def formulas(keys: Iterable[Key]) -> Mapping[str, list[str]]:
    """Each formula, with the titles of the figures that are made by it."""
    found: dict[str, list[str]] = {}
    for key in keys:
        found.setdefault(key.formula, []).append(key.title)
    return found


def _lost_meaning(result: Result) -> str:
    return (
        f"acknowledged, but not on {result.winner} at the end; {result.orphaned:,} only on a"
        f" machine that was replaced, {result.unaccounted:,} in no database"
    )


def _split_meaning(result: Result) -> str:
    if result.split_brain_writes is None:
        return "some acknowledgements name no timeline, so they cannot be assigned to a timeline"
    over = words.seconds(result.split_brain_seconds)
    lines = result.split_brain_branches or tuple(map(str, result.split_brain_timelines))
    where = f", timelines {words.listed([*lines])}" if lines else ""
    return (
        "acknowledged by an old primary after the new primary had acknowledged its first one, over"
        f" {over}{where}"
    )


def _recoveries(result: Result) -> Iterable[Key]:
    for row in result.recoveries:
        if row.honours_ttl:
            yield Key(
                f"RTO, users {row.population}",
                words.seconds(row.seconds),
                _recovery_meaning(row),
                "open" if row.seconds is None else "plain",
                metric("rto_seconds").measured(result),
            )


def _pauses(result: Result) -> Iterable[Key]:
    """The longest pauses, where no RTO tells them."""
    for row in sentences.pauses(result):
        yield Key(
            f"Longest pause, users {row.population}",
            words.seconds(row.longest_gap_seconds),
            f"without an acknowledged order, from {words.moment(row.longest_gap_started)} on;"
            " the longest time without an answered read:"
            f" {words.seconds(row.longest_read_gap_seconds)}",
            "plain",
            metric("longest_gap_seconds").measured(result),
        )


def _recovery_meaning(row: RecoveryRow) -> str:
    if row.seconds is None or not row.interrupted:
        return row.why
    served = f"{row.served:,} of {row.started:,} writes"
    return f"recovery time: from the fault to when writes were served again ({served} from then on)"


def _full_recovery(result: Result) -> Iterable[Key]:
    """When everything was as before again; nothing where it was not measured."""
    least, found = result.full_recovery_at_least, result.full_recovery_seconds
    if found is None and least is None:
        return
    slow = ""
    if result.seconds_over_limit is not None and result.latency_limit is not None:
        limit = words.milliseconds(result.latency_limit)
        slow = f"; p99 was over {limit} in {words.count(result.seconds_over_limit, 'second')}"
    yield Key(
        "Full recovery",
        f"over {words.seconds(least)}" if found is None else words.seconds(found),
        f"error rate and capacity as before, all users{slow}"
        if found is not None
        else f"not seen before the record ended{slow}",
        "open" if found is None else "plain",
        metric("full_recovery_seconds").measured(result),
    )


def _tone(value: float | None) -> str:
    if value is None:
        return "open"
    return "bad" if value else "good"


def _topologies(result: Result) -> tuple[tuple[str, Markup], ...]:
    pictures = (("before", result.before), ("after", result.after))
    return tuple((name, topology(nodes, name)) for name, nodes in pictures if nodes)
