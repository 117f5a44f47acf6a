"""Real runs, recorded once: what is computed from their records is what was computed that day.

`make corpus` records them anew. A change of a formula that is meant needs that, too.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import packed
import pytest

from lab import drill, ledger, report, stopwatch, strain
from lab.assemble import assemble
from lab.classify import classify
from lab.evaluate import ran_through
from lab.figures import measure
from lab.homecoming import losers_of
from lab.lsn import parse_lsn
from lab.measure import Fork
from lab.objectives import judge_all
from lab.record import MarkName
from lab.result import Result
from lab.rows import Opinion, Run
from lab.topology import DATABASES, Addresses

ADDED_LATER = {"verdict", "objectives", "opinions", "samples", "orphans_file"}
"""Fields that are not made of the record alone; those that are have tests of their own below."""


@dataclass(frozen=True)
class Again:
    """A recorded run: its result as it was written, and the same computed anew."""

    written: Result
    computed: Result
    watched: Opinion


@cache
def again(name: str) -> Again:
    """Everything that `lab drill` computes from a run's files, from the files of a kept run."""
    with TemporaryDirectory() as work:
        kept = packed.unpack(name, Path(work))
        written, journal, history = kept.result, kept.journal, kept.folder / "history.jsonl"
        plan = drill.drill(written.drill)
        winner = next(each for each in DATABASES if each.server_name == written.winner)
        with ledger.load(history) as told:
            losers = {each.server_name for each in losers_of(plan.takeover, winner)}
            fates = classify(told, kept.reads, written.winner, losers)
            gateways = [each for each in plan.takeover.lost if each.service == "gateway"]
            internet = Addresses(subnet(history)).internet
            found = measure(
                told, journal, fates, fork(written), window=plan.window,
                dead=frozenset(map(internet, gateways)),
            )  # fmt: skip
            run = Run(**{field: getattr(written, field) for field in Run.model_fields})
            judged = (*ran_through(journal, None), *judge_all(plan.objectives, found))
            waiting = written.settings.get("processor_wait_share")
            counted = strain.excused(judged, None if waiting is None else float(waiting))
            computed = assemble(run, journal, told, found, counted)
        since, until = journal.at(MarkName.FAULT_STARTED), journal.at(MarkName.LOAD_STOPPED)
        assert since and until and found.gap
        span = stopwatch.Span(journal.boot_id, since, until)
        watched = stopwatch.second_opinion(kept.folder / "stopwatch.jsonl", found.gap, span)
        return Again(written, computed, watched)


def subnet(history: Path) -> str:
    """The lab's first two bytes, by the resolvers that the users were told."""
    with history.open() as lines:
        resolver = str(json.loads(next(lines))["settings"]["resolvers"][0])
    return resolver.rsplit(".", 2)[0]


def fork(written: Result) -> Fork | None:
    """Where the winner left the old timeline, as the opinion on the WAL says it."""
    told = {each.name: each for each in written.opinions}["wal"].values.get("fork")
    if not isinstance(told, str):
        return None
    lsn, _, timeline = told.partition(" on timeline ")
    return Fork(int(timeline), parse_lsn(lsn))


def fields(result: Result) -> dict[str, Any]:
    return result.model_dump(exclude=ADDED_LATER)


@pytest.mark.parametrize("name", packed.names())
def test_every_figure_of_a_recorded_run_is_computed_again(name: str) -> None:
    assert fields(again(name).computed) == fields(again(name).written)


@pytest.mark.parametrize("name", packed.names())
def test_every_objective_is_judged_again_as_it_was(name: str) -> None:
    written = {each.name: each for each in again(name).written.objectives}
    computed = again(name).computed.objectives
    assert len(computed) > 5
    assert [each for each in computed if each != written[each.name]] == []


@pytest.mark.parametrize("name", packed.names())
def test_the_stopwatch_says_the_same_again(name: str) -> None:
    written = {each.name: each for each in again(name).written.opinions}
    assert again(name).watched == written["stopwatch"]


@pytest.mark.parametrize("name", packed.names())
def test_the_report_of_a_recorded_run_lists_each_lost_order_once(name: str) -> None:
    page = report.render(again(name).written)
    lost = again(name).written.lost_ids
    assert [key for key in lost if f"{key}</" not in page] == []


def test_the_corpus_holds_a_run_in_which_orders_were_lost() -> None:
    assert again("region-loss").written.rto_seconds["max"] is not None
    assert (again("region-loss").written.lost or 0) > 0
