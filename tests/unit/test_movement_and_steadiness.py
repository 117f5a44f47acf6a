"""Who moved, what was spent, when all was as before, and reads that did not see: by hand."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import loaded, write

from lab.metrics import errorbudget, traffic
from lab.metrics.errorbudget import Budget, FullRecovery, Spike
from lab.metrics.movement import Misdirected, Movement, misdirected, movements
from lab.metrics.stalereads import stale_reads
from lab.metrics.traffic import SecondAddress, SecondLatency
from lab.records import columns
from lab.records.history import Kind, Operation, Outcome

FAULT = 100.0
EAST, WEST = "10.91.0.11", "10.91.0.12"
DEAD = {EAST}


def to(
    user: int, at: float, address: str | None, told: Outcome = Outcome.OK, took: float = 0.5
) -> Operation:
    return write(f"{user}-{at}", told, start=at, end=at + took, user=user, address=address)


# --- Movement ----------------------------------------------------------------------------------


def test_a_user_has_moved_with_the_first_answer_from_an_address_that_lives() -> None:
    items = [
        to(1, 99, EAST),
        to(1, 101, EAST, Outcome.UNKNOWN),
        to(1, 102, WEST, Outcome.FAIL),
        to(1, 103, WEST),
        to(1, 104, WEST),
    ]
    assert movements(columns.of(items), FAULT, DEAD) == (
        Movement("east", True, 1, 1, (3.5, 3.5, 3.5)),
    )


def test_users_who_were_served_elsewhere_already_did_not_have_to_move() -> None:
    before = to(1, 97, EAST), to(1, 98, EAST), to(1, 99, WEST)
    items = [*before, to(1, 101, WEST), to(2, 101, WEST)]
    assert movements(columns.of(items), FAULT, DEAD)[0].users == 0


def test_an_operation_of_the_faults_own_moment_tells_where_a_user_was() -> None:
    items = [to(1, 99, WEST), to(1, FAULT, EAST), to(1, 101, WEST)]
    assert movements(columns.of(items), FAULT, DEAD) == (
        Movement("east", True, 1, 1, (1.5, 1.5, 1.5)),
    )


def test_each_user_has_moved_with_a_first_answer_of_their_own() -> None:
    items = [to(1, 99, EAST), to(2, 99, EAST), *(to(1, at, WEST) for at in (101, 102))]
    assert movements(columns.of([*items, to(2, 104, WEST)]), FAULT, DEAD) == (
        Movement("east", True, 2, 2, (1.5, 4.5, 4.5)),
    )


def test_a_share_that_the_record_does_not_reach_has_no_time() -> None:
    items = [to(user, 99, EAST) for user in range(10)]
    items += [to(user, 101 + user, WEST) for user in range(8)]
    assert movements(columns.of(items), FAULT, DEAD) == (
        Movement("east", True, 10, 8, (5.5, 8.5, None)),
    )


def test_shares_are_those_of_the_users_who_had_to_move() -> None:
    items = [to(user, 99, EAST) for user in range(1, 201)]
    items += [to(user, 100.5, WEST, took=user / 8) for user in range(1, 201)]
    assert movements(columns.of(items), FAULT, DEAD) == (
        Movement("east", True, 200, 200, (0.5 + 100 / 8, 0.5 + 160 / 8, 0.5 + 198 / 8)),
    )


def test_what_is_started_at_the_faults_own_moment_is_not_misdirected() -> None:
    items = [to(1, FAULT, EAST), to(2, 100.5, EAST)]
    assert misdirected(columns.of(items), FAULT, DEAD) == (Misdirected("east", True, 1, 0.5),)


def test_no_user_has_to_move_when_no_address_died() -> None:
    items = [to(1, 99, EAST), to(1, 101, WEST)]
    assert movements(columns.of(items), FAULT, frozenset()) == (
        Movement("east", True, 0, 0, (None, None, None)),
    )


def test_of_two_operations_started_at_once_the_later_answer_tells_where_a_user_was() -> None:
    items = [to(1, 99, EAST, took=0.2), to(1, 99, WEST, took=0.1), to(1, 98, WEST, took=9.0)]
    assert movements(columns.of(items), FAULT, DEAD)[0].users == 1


def test_users_that_ignore_ttls_move_apart() -> None:
    stubborn = [replace(to(9, at, EAST), honours_ttl=False) for at in (99, 101, 130)]
    found = movements(columns.of([to(1, 99, EAST), to(1, 102, WEST), *stubborn]), FAULT, DEAD)
    assert [(row.honours_ttl, row.users, row.moved) for row in found] == [
        (True, 1, 1),
        (False, 1, 0),
    ]
    assert misdirected(columns.of(stubborn), FAULT, DEAD)[1] == Misdirected("east", False, 2, 30.0)


def test_a_failed_look_up_is_neither_a_move_nor_misdirected() -> None:
    items = [to(1, 99, EAST), to(1, 101, None, Outcome.FAIL)]
    assert movements(columns.of(items), FAULT, DEAD)[0].moved == 0
    assert misdirected(columns.of(items), FAULT, DEAD) == (Misdirected("east", True, 0, None),)


steps = st.tuples(
    st.integers(1, 4),
    st.integers(90, 120),
    st.sampled_from([EAST, WEST, None]),
    st.sampled_from([Outcome.OK, Outcome.OK, Outcome.FAIL]),
    st.sampled_from([0.5, 2.5, 20.0]),
)


@given(st.lists(steps, max_size=40, unique_by=lambda row: (row[0], row[1])))
def test_movement_equals_a_naive_reading_of_its_definition(
    rows: list[tuple[int, int, str | None, Outcome, float]],
) -> None:
    items = [to(*row) for row in rows]
    times = []
    users = 0
    for user in {row[0] for row in rows}:
        own = sorted((i for i in items if i.user == user), key=lambda item: item.start)
        before = [item for item in own if item.start <= FAULT and item.address]
        if not before or before[-1].address != EAST:
            continue
        users += 1
        moved = [
            i.end - FAULT
            for i in own
            if i.start > FAULT and i.outcome is Outcome.OK and i.address == WEST
        ]
        times += [min(moved)] if moved else []
    expected = tuple(
        next((t for t in sorted(times) if sum(x <= t for x in times) * 100 >= q * users), None)
        for q in (50, 80, 99)
    )
    if rows:
        assert movements(columns.of(items), FAULT, DEAD) == (
            Movement("east", True, users, len(times), expected if users else (None,) * 3),
        )


# --- Budgets, spikes, full recovery ------------------------------------------------------------


def load(*down: tuple[float, float], until: float = 130.0) -> list[Operation]:
    """Ten writes a second from 90 s on; those started in one of the stretches fail."""
    starts = [90.05 + n / 10 for n in range(round((until - 90.05) * 10))]
    return [
        write(f"k{n}", Outcome.FAIL if any(a <= at < b for a, b in down) else Outcome.OK, start=at)
        for n, at in enumerate(starts)
    ]


def test_ten_seconds_without_service_cost_ten_seconds_of_the_budget() -> None:
    found = errorbudget.budgets(columns.of(load((100, 110))), 90.0, FAULT, 130.0, 1.5)
    assert [row.target for row in found] == [0.999, 0.9999]
    assert [row.seconds for row in found] == pytest.approx([2592.0, 259.2])
    assert [row.spent_seconds for row in found] == pytest.approx([10.0, 10.0])
    assert found[1].spent == pytest.approx(10 / 259.2)


def test_an_outage_of_half_of_the_users_costs_half() -> None:
    items = [i for n, i in enumerate(load()) if n % 2] + [
        replace(i, outcome=Outcome.FAIL if 100 <= i.start < 110 else Outcome.OK)
        for n, i in enumerate(load())
        if not n % 2
    ]
    found = errorbudget.budgets(columns.of(items), 90.0, FAULT, 130.0, 1.5)
    assert found[0].spent_seconds == pytest.approx(5.0)


def test_an_acknowledgement_beyond_patience_is_spent_budget_too() -> None:
    items = [replace(i, end=i.start + 2) if i.start > 129 else i for i in load()]
    found = errorbudget.budgets(columns.of(items), 90.0, FAULT, 130.0, 1.5)
    assert found[0].spent_seconds == pytest.approx(0.9, abs=0.11)


def test_a_write_at_a_border_counts_on_one_side_of_it() -> None:
    """Before is after the begin, up to and with the fault; after is up to and with the end."""
    at = (90.0, 95.0, FAULT, 130.0, 130.5)
    items = [write(f"k{n}", Outcome.FAIL, start=start) for n, start in enumerate(at)]
    found = errorbudget.budgets(columns.of(items), 90.0, FAULT, 130.0, 1.5)
    assert [row.spent_seconds for row in found] == [5.0, 5.0]  # one write, at two in ten seconds


def test_a_write_at_a_border_counts_in_the_rate_before_on_one_side_of_it() -> None:
    """Nine a second are 90 % of the ten before. One at the begin is not in, one at the fault is."""
    ten = [99.05 + n / 20 for n in range(10)]
    after = [100.1 + second + n / 10 for second in range(3) for n in range(9)]
    for border, bad in ((99.0, 0.0), (FAULT, 3.0)):
        items = [write(f"k{at}", start=at, end=at) for at in (border, *ten, *after)]
        found = errorbudget.full_recovery(columns.of(items), 99.0, FAULT, 103.0, 0.0, 1.5)
        assert found == FullRecovery(bad, bad)


def steady(failing: int, until: float, present: int = 200) -> FullRecovery | None:
    """200 writes a second; of those of the second from 101 on some fail, or are not there."""
    items = [write(f"b{n}", start=99.0025 + n / 200) for n in range(200)]
    for second, n in itertools.product(range(5), range(200)):
        if second != 1 or n < present:
            told = Outcome.FAIL if second == 4 or (second == 1 and n < failing) else Outcome.OK
            items.append(write(f"{second}-{n}", told, start=100.0025 + second + n / 200))
    return errorbudget.full_recovery(columns.of(items), 99.0, FAULT, until, 2.0, 1.5)


def test_a_hundredth_of_a_second_may_fail_and_what_follows_must_be_a_window_long() -> None:
    assert steady(2, 104.0) == FullRecovery(0.0, 0.0)
    assert steady(3, 104.0) == FullRecovery(2.0, 2.0)
    assert steady(3, 103.99) == FullRecovery(None, 2.0)


def test_a_second_that_is_not_over_does_not_count() -> None:
    assert steady(0, 104.5) == FullRecovery(0.0, 0.0)
    assert steady(3, 104.5) == FullRecovery(2.0, 2.0)


def test_nine_tenths_of_the_rate_before_are_good_and_a_write_less_is_not() -> None:
    assert steady(0, 104.0, present=180) == FullRecovery(0.0, 0.0)
    assert steady(0, 104.0, present=179) == FullRecovery(2.0, 2.0)


def test_without_load_before_the_fault_no_budget_is_spent() -> None:
    items = columns.of([i for i in load() if i.start > FAULT])
    assert errorbudget.budgets(items, 90.0, FAULT, 130.0, 1.5) == ()
    assert errorbudget.full_recovery(items, 90.0, FAULT, 130.0, 5.0, 1.5) is None
    assert Budget(0.999, 2592.0, 2592.0).spent == 1.0


def recovered(items: list[Operation], until: float = 130.0) -> FullRecovery | None:
    return errorbudget.full_recovery(columns.of(items), 90.0, FAULT, until, 5.0, 1.5)


def test_full_recovery_is_the_end_of_the_last_second_that_was_not_good() -> None:
    assert recovered(load((100, 104.5))) == FullRecovery(5.0, 5.0)
    assert recovered(load()) == FullRecovery(0.0, 0.0)
    assert recovered(load((100, 104.5), (112.2, 112.4))) == FullRecovery(13.0, 13.0)


def test_a_recovery_that_the_record_does_not_prove_is_only_a_bound() -> None:
    assert recovered(load((100, 127.0))) == FullRecovery(None, 27.0)


def test_served_writes_at_a_lower_rate_than_before_are_no_full_recovery() -> None:
    """An error rate of zero is easy for those who turn users away."""
    thin = [i for n, i in enumerate(load()) if i.start < 103 or n % 2]
    assert recovered(thin) == FullRecovery(None, 30.0)


def test_seconds_over_the_limit_are_counted_once_for_all_populations() -> None:
    rows = [
        SecondLatency(-1, "east", 10, 0.1, 9.0),
        SecondLatency(0, "east", 10, 0.1, None),
        SecondLatency(0, "west", 10, 0.1, 0.3),
        SecondLatency(1, "west", 10, 0.1, 0.19),
        SecondLatency(2, "west", 10, 0.1, 0.21),
        SecondLatency(3, "west", 10, 0.1, 5.0),
    ]
    assert errorbudget.spike(rows, [0.05, 0.1, None], last=2) == Spike(0.2, 2)
    assert errorbudget.spike(rows, [0.05, 0.1, None], last=3) == Spike(0.2, 3)
    at_it = [SecondLatency(at, "east", 10, 0.1, 0.2) for at in range(3)]
    assert errorbudget.spike(at_it, [0.1], last=2) == Spike(0.2, 0)
    assert errorbudget.spike(rows, [None], last=2) is None


# --- Second by second --------------------------------------------------------------------------


def test_latency_is_told_by_the_second_of_the_start_with_endless_ones_in_it() -> None:
    items = [
        write("a", start=99.5, end=99.75),
        write("b", start=100.0, end=100.5),
        write("c", start=100.5, end=101.5),
        write("d", Outcome.FAIL, start=100.75, end=100.8),
        write("e", start=100.0, end=100.25, population="west"),
    ]
    assert traffic.latency_per_second(columns.of(items), FAULT) == (
        SecondLatency(-1, "east", 1, 0.25, 0.25),
        SecondLatency(0, "east", 3, 1.0, None),
        SecondLatency(0, "west", 1, 0.25, 0.25),
    )
    assert traffic.latency_per_second(columns.of([]), FAULT) == ()


def test_addresses_are_counted_by_the_second_of_the_start() -> None:
    items = [to(1, 99.9, EAST), to(2, 100.0, EAST), to(2, 100.5, None), to(3, 100.9, EAST)]
    assert traffic.per_address(columns.of(items), FAULT) == (
        SecondAddress(-1, "east", EAST, 1),
        SecondAddress(0, "east", None, 1),
        SecondAddress(0, "east", EAST, 2),
    )


@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, 5)), min_size=1, max_size=30))
def test_every_write_is_counted_in_exactly_one_second(rows: list[tuple[int, int]]) -> None:
    items = columns.of(
        write(f"k{n}", start=float(at), end=float(at + took)) for n, (at, took) in enumerate(rows)
    )
    for counted in (
        sum(row.count for row in traffic.per_second(items, 7.5)),
        sum(row.count for row in traffic.per_address(items, 7.5)),
        sum(row.started for row in traffic.latency_per_second(items, 7.5)),
    ):
        assert counted == len(rows)


# --- Stale reads -------------------------------------------------------------------------------


def read(key: str, start: float, found: bool | None, told: Outcome = Outcome.OK) -> Operation:
    return write(key, told, kind=Kind.READ, start=start, found=found)


def test_a_read_that_misses_an_order_acknowledged_before_it_began_is_stale() -> None:
    items = [write("a", start=1.0), read("a", 2.01, False), read("a", 3.0, True)]
    with loaded(items) as record:
        [found] = stale_reads(record, set())
    assert found.age == pytest.approx(1.0)
    assert (found.read.start, found.lost) == (2.01, False)


def test_a_read_that_begins_with_the_acknowledgement_is_stale() -> None:
    with loaded([write("a", start=1.0, end=2.0), read("a", 2.0, False)]) as record:
        assert [row.age for row in stale_reads(record, set())] == [0.0]


def test_users_of_one_number_in_two_populations_are_two_users() -> None:
    with loaded([write("a", population="west"), read("a", 2.0, False)]) as record:
        assert stale_reads(record, set()) == ()


def test_a_read_that_misses_a_lost_order_tells_the_truth() -> None:
    with loaded([write("a", start=1.0), read("a", 2.0, False)]) as record:
        assert [row.lost for row in stale_reads(record, {"a"})] == [True]


@pytest.mark.parametrize(
    "items",
    [
        [write("a", start=1.0), read("a", 1.005, False)],  # it began before the acknowledgement
        [write("a", Outcome.UNKNOWN, start=1.0), read("a", 2.0, False)],
        [write("a", Outcome.LOCAL, start=1.0), read("a", 2.0, False)],
        [write("a", start=1.0), read("b", 2.0, False)],
        [write("a", start=1.0), read("a", 2.0, None, Outcome.FAIL)],
        [read("a", 2.0, False)],
        [write("a", start=1.0), replace(read("a", 2.0, False), user=2)],  # not its own order
    ],
)
def test_everything_else_is_no_stale_read(items: list[Operation]) -> None:
    with loaded(items) as record:
        assert stale_reads(record, set()) == ()


def test_columns_keep_what_operations_say() -> None:
    made = columns.of([to(1, 101, WEST), to(2, 99, None, Outcome.UNKNOWN)])
    assert made.row.tolist() == [1, 0]
    assert made.address.tolist() == [columns.NONE, 0]
    assert made.group("unknown").start.dtype == np.float64
    assert len(made.group("unknown")) == 0


def test_parts_of_parts_have_the_columns_of_their_operations() -> None:
    made = columns.of([to(user, 90.0 + user, EAST) for user in range(10)])
    odd = made.take(made.user % 2 == 1)
    late = odd.ended(94.0, 99.0)
    assert (len(odd), len(late)) == (5, 2)
    assert late.user.tolist() == [5, 7]
    assert late.take(np.array([1, 0])).user.tolist() == [7, 5]
    assert len(odd.ended(99.0, 94.0)) == 0
