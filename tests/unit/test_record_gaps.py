"""What must be in the users' record and is not: each kind of gap, and its border."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import header, line, lines, write

from lab.records import ledger
from lab.records.history import Kind, Operation
from lab.records.recordgaps import Miscount, Planned, RecordGaps, Shortfall, record_gaps

LOAD = (100.0, 110.0)
PATIENCE = 1.5
KEY = "0123456789abcdef" * 2


def work(many: int, population: str = "east") -> list[Operation]:
    """Reads and writes, evenly between the borders of the load."""
    kinds = (Kind.WRITE, Kind.READ)
    return [
        write(f"{population}-{n}", start=100 + 10 * (n + 1) / many, population=population,
              kind=kinds[n % 2])
        for n in range(many)
    ]  # fmt: skip


def gaps(
    *records: bytes,
    planned: Planned,
    unrecorded: tuple[str, ...] = (),
    elsewhere: tuple[str, ...] = (),
) -> RecordGaps:
    with ledger.load(*records) as told:
        return record_gaps(told, planned, unrecorded, LOAD, PATIENCE, elsewhere)


def both(rate: float | None = None) -> Planned:
    return Planned(frozenset({"east", "west"}), rate)


def test_a_whole_record_has_no_gap() -> None:
    whole = (header() + lines(work(100)), header("west") + lines(work(100, "west")))
    assert gaps(*whole, planned=both(10.0)) == RecordGaps()
    assert gaps(*whole, planned=both()).count == 0


@pytest.mark.parametrize(("recorded", "short"), [(85, False), (84, True), (1, True), (300, False)])
def test_what_users_start_within_their_patience_may_be_missing_and_no_more(
    recorded: int, short: bool
) -> None:
    found = gaps(header() + lines(work(recorded)), planned=Planned(frozenset({"east"}), 10.0))
    assert found.short == ((Shortfall("east", recorded, 100),) if short else ())
    assert found.count == short


def test_what_was_started_before_or_after_the_load_and_logins_do_not_count() -> None:
    early = [replace(each, start=each.start - 10, end=each.end - 10) for each in work(100)]
    late = [replace(each, start=each.start + 10, end=each.end + 10) for each in work(100)]
    logins = [replace(each, kind=Kind.LOGIN) for each in work(100)]
    for other in (early, late, logins):
        every = [replace(each, key=f"x{n}") for n, each in enumerate(other)]
        record = header() + lines([*work(50), *every])
        [found] = gaps(record, planned=Planned(frozenset({"east"}), 10.0)).short
        assert found.recorded == 50  # the last early one was started at the very border
    assert gaps(header() + lines(logins), planned=Planned(frozenset({"east"}))).unheard == ("east",)


def test_populations_that_were_to_work_and_wrote_nothing_are_unheard_and_no_others() -> None:
    record = header() + lines(work(9))
    assert gaps(record, planned=both()).unheard == ("west",)
    assert gaps(record, header("west"), planned=both(0.5)).unheard == ("west",)
    assert gaps(record, header("west"), planned=Planned()).unheard == ()


@given(st.integers(1, 9), st.integers(0, 9), st.integers(0, 20))
def test_a_record_with_one_operation_more_or_less_than_its_users_wrote_down_is_a_gap(
    works: int, logins: int, told: int
) -> None:
    signing = [replace(each, kind=Kind.LOGIN, key=f"x{n}") for n, each in enumerate(work(logins))]
    record = (header() + lines([*work(works), *signing]), header("west") + lines(work(9, "west")))
    found = gaps(*record, planned=Planned(written={"east": told, "west": 9}))
    wrong = told != works + logins
    assert found.miscounted == ((Miscount("east", works + logins, told),) if wrong else ())
    assert found.count == wrong


def test_a_population_without_a_record_is_one_gap_whatever_it_says_to_have_written() -> None:
    planned = Planned(frozenset({"east", "west"}), written={"east": 9, "west": 600})
    assert gaps(header() + lines(work(9)), planned=planned) == RecordGaps(unheard=("west",))


@pytest.mark.parametrize(
    ("last", "followed", "gap"),
    [(108.5, False, False), (108.49, False, True), (109.9, True, True), (109.9, False, False)],
)
def test_a_cut_line_is_a_gap_where_its_record_goes_on_or_the_load_did(
    last: float, followed: bool, gap: bool
) -> None:
    record = header() + line(write("a", start=last)) + line(write("b", start=last))[:50]
    more = [header() + line(write("c", start=last))] if followed else [header("west")]
    found = gaps(record, *more, planned=Planned())
    assert len(found.cut) == found.count == gap


@given(st.lists(st.sampled_from(["east-", "west-", "north-", "watch-", "my-"]), unique=True))
def test_orders_of_users_who_recorded_or_were_to_are_counted_and_no_others(
    prefixes: list[str],
) -> None:
    unrecorded = tuple(f"{prefix}{KEY}" for prefix in prefixes)
    planned = Planned(frozenset({"west"}))
    found = gaps(header() + lines(work(9)), planned=planned, unrecorded=(*unrecorded, "east-1"))
    assert found.orders == len({"east-", "west-"} & set(prefixes))
    assert found.count == found.orders + 1  # and west has no record


def test_orders_of_users_on_other_nodes_that_no_record_has_are_counted_and_no_others() -> None:
    keys = (f"east-{KEY}", f"watch-{KEY}", "guest", f"west-{KEY}")
    found = gaps(header() + lines(work(9)), planned=Planned(), elsewhere=keys)
    assert (found.orders, found.elsewhere, found.count) == (0, 1, 1)
