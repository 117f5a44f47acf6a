"""Real runs, recorded once: what is computed from their records is what was computed that day.

`make corpus` records them anew. A change of a formula that is meant needs that, too.
"""

from __future__ import annotations

import json
import re
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


# --- Their reports -----------------------------------------------------------------------------


@cache
def page(name: str) -> str:
    """The report of a recorded run, written today."""
    return report.render(again(name).written)


@pytest.mark.parametrize("name", packed.names())
def test_the_report_of_a_recorded_run_lists_each_lost_order_once(name: str) -> None:
    table = page(name).partition("<h2>Lost writes</h2>")[2].partition("<h2>")[0]
    counted = {key: table.count(key) for key in again(name).written.lost_ids}
    assert counted == dict.fromkeys(again(name).written.lost_ids, 1)


@pytest.mark.parametrize("name", packed.names())
def test_the_report_of_a_recorded_run_needs_nothing_from_anywhere_else(name: str) -> None:
    assert not re.search(r"https?://|src=|<script|<link|@import|url\((?!#)", page(name))


@pytest.mark.parametrize("name", packed.names())
def test_no_two_elements_of_the_report_of_a_recorded_run_share_an_id(name: str) -> None:
    found = re.findall(r' id="([^"]+)"', page(name))
    assert len(found) == len(set(found))
    assert set(re.findall(r"url\(#([^)]+)\)", page(name))) <= set(found)


# --- What each of them is there for ------------------------------------------------------------


def roles(result: Result) -> dict[str, str]:
    return {each.node: each.role for each in result.after}


def test_the_corpus_is_small() -> None:
    sizes = {each: (packed.HERE / f"{each}.tar.xz").stat().st_size for each in packed.names()}
    assert sum(sizes.values()) < 2**20, sizes


def test_the_corpus_holds_a_run_in_which_orders_were_lost() -> None:
    found = again("region-loss").computed
    assert found.rto_seconds["max"] is not None
    assert found.lost == len(found.lost_ids) > 0
    assert roles(found)["west.db1"] == "primary"


def test_the_corpus_holds_a_run_in_which_a_standby_next_door_saved_all_orders() -> None:
    found = again("zone-loss").computed
    assert found.lost == 0 < found.acknowledged
    assert roles(found)["east.db2"] == "primary"


def test_the_corpus_holds_a_run_in_which_two_primaries_took_orders() -> None:
    found = again("split-brain").computed
    assert (found.split_brain_writes or 0) > 0
    assert (found.split_brain_seconds or 0) > 1
    assert found.lost == len(found.lost_ids) > 0
    assert list(roles(found).values()).count("primary") == 2
