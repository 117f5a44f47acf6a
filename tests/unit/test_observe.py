"""What users saw of a runbook, from records that are made up line by line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from lab.drills.observedmatrix import Evidence, observe
from lab.records.history import Kind, Operation, Outcome
from lab.runbooks.predict import End

STRUCK, SETTLED, STOPPED = 100.0, 110.0, 113.0


def operation(
    key: str, at: float, kind: Kind = Kind.WRITE, outcome: Outcome = Outcome.OK, *,
    population: str = "east", region: str = "west", node: str = "west_db1", timeline: int = 2,
    honours: bool = True, cache: str | None = None, found: bool | None = None,
) -> Operation:  # fmt: skip
    return Operation(
        key=key, kind=kind, start=at, end=at + 0.05, population=population, user=1,
        honours_ttl=honours, outcome=outcome, attempts=1, region=region, node=node,
        timeline=timeline, cache=cache, found=found,
    )  # fmt: skip


def evidence(*operations: Operation, kept: Sequence[str] | None = None) -> Evidence:
    last = operation("last", 111.0)
    every = (*operations, last)
    return Evidence(
        operations=every,
        struck=STRUCK,
        settled=SETTLED,
        stopped=STOPPED,
        kept=frozenset(kept if kept is not None else (each.key for each in every)),
        primary="west_db1",
        primaries=("west_db1",),
    )


def test_a_run_in_which_all_is_served_is_right_and_shows_nothing() -> None:
    seen = observe(evidence(operation("a", 105.0)))
    assert str(seen.vector) == (
        "split brain none, write errors none, read errors none, cold reads none, end right"
    )
    assert (seen.lost, seen.doubled, seen.outage, seen.stale) == ((), 0, 0.0, 0)


def test_an_order_on_the_old_timeline_after_one_on_the_new_is_a_split_brain() -> None:
    new = operation("new", 105.0)
    old = operation("old", 106.0, region="east", node="east_db1", timeline=1, honours=False)
    seen = observe(evidence(new, old))
    assert seen.vector.split_brain
    assert seen.doubled == 1


def test_an_order_on_the_old_timeline_before_any_on_the_new_is_none() -> None:
    old = operation("old", 104.0, region="east", node="east_db1", timeline=1)
    assert not observe(evidence(old, operation("new", 105.0))).vector.split_brain


def test_what_the_primary_does_not_have_was_lost() -> None:
    assert observe(evidence(operation("a", 99.0), kept=["last"])).lost == ("a",)


def test_errors_of_those_who_ignore_ttls_are_not_counted() -> None:
    refused = operation("a", 105.0, outcome=Outcome.FAIL, honours=False)
    assert not observe(evidence(refused)).vector.write_errors
    assert observe(evidence(replace(refused, honours_ttl=True))).vector.write_errors


def test_what_may_have_been_cut_by_the_stop_is_no_error() -> None:
    assert not observe(evidence(operation("a", 112.9, outcome=Outcome.UNKNOWN))).vector.write_errors


def test_a_miss_at_home_is_not_cold_and_one_elsewhere_is() -> None:
    miss = operation("a", 105.0, Kind.READ, cache="miss")
    assert observe(evidence(miss)).vector.cold_reads
    assert not observe(evidence(replace(miss, region="east"))).vector.cold_reads


def test_the_end_is_stuck_when_no_user_is_served_and_wrong_when_some_are() -> None:
    none = evidence(operation("a", 105.0))
    refused = operation("b", 111.5, outcome=Outcome.FAIL)
    some = observe(evidence(refused))
    assert some.vector.end is End.WRONG
    assert some.outage is None
    refusing = replace(none, operations=(refused,))
    assert observe(refusing).vector.end is End.STUCK


def test_two_primaries_are_no_right_end() -> None:
    two = replace(evidence(), primaries=("west_db1", "east_db1"))
    assert observe(two).vector.end is End.WRONG


def test_a_step_that_could_not_be_done_is_a_stuck_end() -> None:
    assert observe(replace(evidence(), failed="no")).vector.end is End.STUCK


def test_a_read_that_does_not_find_what_was_told_to_be_there_is_stale() -> None:
    written = operation("a", 101.0)
    read = operation("a", 105.0, Kind.READ, found=False)
    assert observe(evidence(written, read)).stale == 1
    assert observe(evidence(written, replace(read, found=True))).stale == 0
    assert observe(evidence(written, replace(read, user=written.user + 1))).stale == 0
    assert observe(evidence(written, replace(read, start=written.end))).stale == 1


def test_orders_were_refused_until_the_last_that_was() -> None:
    refused = operation("a", 104.0, outcome=Outcome.FAIL)
    assert observe(evidence(refused)).outage == 4.0


def test_the_first_who_comes_finds_a_cold_cache_whether_ttls_are_honoured_or_not() -> None:
    first = operation("a", 105.0, Kind.READ, cache="miss", honours=False)
    second = operation("b", 105.1, Kind.READ, cache="hit")
    assert observe(evidence(first, second)).vector.cold_reads


def test_a_catalogue_that_was_warm_and_expired_later_is_not_cold() -> None:
    warm = operation("a", 102.0, Kind.READ, cache="hit")
    expired = operation("b", 109.0, Kind.READ, cache="miss")
    assert not observe(evidence(warm, expired)).vector.cold_reads
    assert observe(evidence(replace(warm, start=108.8, end=108.9), expired)).vector.cold_reads
    others = replace(warm, population="north")
    assert observe(evidence(others, expired)).vector.cold_reads
