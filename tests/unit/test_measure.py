"""RTO, RPO, split brain, phases and traffic: edge cases by hand, the rest against an oracle."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pure_builders import BOOT, header, lines, write

from lab.core.errors import UsageError
from lab.core.lsn import parse_lsn
from lab.metrics import measure as formula
from lab.metrics import recovery, traffic
from lab.metrics.classify import classify
from lab.metrics.figures import Figures, measure
from lab.metrics.measure import Fork, Loss, Span, SplitBrain, covered, loss, own_branches, phases
from lab.metrics.placing import Row
from lab.metrics.recovery import Recovery
from lab.metrics.traffic import Gap, Second, percentiles
from lab.records import columns, ledger
from lab.records.history import Kind, Operation, Outcome
from lab.records.journalfile import Journal, Mark, MarkName, Phase, StepRecord, Via

FAULT = 100.0
UNTIL = 130.0


def load(down: float, up: float, to: float = UNTIL, every: float = 0.1) -> list[Operation]:
    """Writes from 90 s on; those started in [down, up) fail."""
    starts = [90.0 + every * n for n in range(round((to - 90.0) / every) + 1)]
    return [
        write(f"k{n}", Outcome.FAIL if down <= at < up else Outcome.OK, start=at)
        for n, at in enumerate(starts)
    ]


def rto(
    writes: list[Operation], until: float = UNTIL, window: float = 5.0, patience: float = 1.5
) -> Recovery:
    return recovery.recovery(
        columns.of(writes), FAULT, until, population="east", window=window, patience=patience
    )


# --- RTO ---------------------------------------------------------------------------------------


def test_rto_reaches_to_the_first_acknowledgement_of_a_sustained_run() -> None:
    found = rto(load(100.0, 104.05))
    assert found.seconds == pytest.approx(4.11)
    assert found.interrupted is True
    assert found.row == 141  # started at 104.1
    assert found.first_write == found.seconds


def test_users_who_never_noticed_have_an_rto_of_exactly_zero() -> None:
    found = rto(load(0, 0))
    assert (found.seconds, found.interrupted, found.row) == (0.0, False, None)
    assert found.started == found.served == 50
    assert found.first_write == 0.0


def test_no_return_within_the_record_is_no_figure_but_a_bound() -> None:
    found = rto(load(100.0, 999.0))
    assert found.seconds is None
    assert found.interrupted is True
    assert found.at_least == 25.0
    assert "no return" in found.why


@pytest.mark.parametrize(
    ("acknowledged", "expected"),
    [
        ([(99.9, 100.05)], None),  # what the dying region still answered, and then nothing
        ([(99.9, 100.05), (106, 106.5)], 6.5),  # one write went through, and nothing after it
        ([(99.9, 100.05), (103, 103.5)], None),  # the longest silence lasts until the end
        ([(99.9, 100.05), (107.5, 109)], None),  # acknowledged after the users were asked to stop
        ([(99.9, 100.05), (107.5, 108.5)], 8.5),  # acknowledged after the last start, before that
        ([], None),
    ],
)
def test_without_a_return_the_first_write_is_one_that_went_through_or_none(
    acknowledged: list[tuple[float, float]], expected: float | None
) -> None:
    items = [write(f"ok{at}", start=at, end=end) for at, end in acknowledged]
    items += [write(f"no{at}", Outcome.FAIL, start=at) for at in (101, 108)]
    found = recovery.recovery(columns.of(items), FAULT, 108.9, population="east")
    assert found.seconds is None
    assert found.first_write == expected


def test_a_population_that_wrote_nothing_has_no_figure() -> None:
    found = recovery.recovery(columns.of(load(100, 104)), FAULT, UNTIL, population="west")
    assert (found.seconds, found.interrupted, found.why) == (None, None, "no write was recorded")
    assert (found.started, found.served, found.at_least) == (0, 0, 0.0)
    assert rto([]) == replace(found, population="east")


@pytest.mark.parametrize(("start", "expected"), [(99.0, None), (101.0, 0.0)])
def test_a_window_needs_one_write_of_the_group_itself(start: float, expected: float | None) -> None:
    own, other = write("own", start=start, end=101.5), write("west", start=120, population="west")
    assert rto([own, other]).seconds == expected


def test_acknowledgements_of_the_dying_region_are_not_a_return() -> None:
    """The old region answers until 100.8, then nothing until 104."""
    found = rto(load(100.8, 104.05))
    assert found.seconds == pytest.approx(4.11)


def test_a_single_lucky_write_in_the_outage_is_not_a_return() -> None:
    writes = load(100.0, 104.05)
    lucky = [replace(w, outcome=Outcome.OK) if 102 <= w.start < 102.05 else w for w in writes]
    assert rto(lucky).seconds == pytest.approx(4.11)


def test_a_write_started_before_the_fault_may_be_the_first_one_back() -> None:
    held = write("held", start=99.95, end=103.0)
    found = rto([w for w in load(100.0, 103.0) if w.start >= 103 or w.start < 100] + [held])
    assert found.seconds == pytest.approx(0.0)  # nothing was started in between, so nothing failed
    found = rto([*load(100.0, 103.0), held])
    assert found.row == len(load(100.0, 103.0))
    assert found.seconds == pytest.approx(3.0)


def test_a_stall_without_a_single_error_is_an_interruption() -> None:
    """Every write of 100..104 is answered ok at 104: no user could write for 4 s all the same."""
    stalled = [replace(w, end=104.0) if 100 <= w.start < 104 else w for w in load(0, 0)]
    assert rto(stalled).seconds == pytest.approx(4.0)
    assert rto(stalled, patience=10.0).seconds == 0.0


def test_one_failed_write_in_a_hundred_does_not_count_as_down() -> None:
    writes = load(0, 0, every=0.05)
    bad = next(n for n, w in enumerate(writes) if w.start > 102)
    writes[bad] = replace(writes[bad], outcome=Outcome.FAIL)
    assert rto(writes).seconds == 0.0
    writes[bad + 1] = replace(writes[bad + 1], outcome=Outcome.FAIL)
    assert rto(writes).seconds == writes[bad + 2].end - FAULT


def test_a_local_commit_is_not_service() -> None:
    local = [replace(w, outcome=Outcome.LOCAL) if w.start >= 100 else w for w in load(0, 0)]
    assert rto(local).seconds is None


def test_a_window_that_the_record_does_not_cover_proves_nothing() -> None:
    assert rto(load(100.0, 104.05), until=109.12).seconds == pytest.approx(4.11)
    assert rto(load(100.0, 104.05), until=109.05).seconds is None
    assert rto(load(100.0, 104.05), until=104.0).at_least == 0.0


def test_a_window_that_no_write_falls_into_proves_nothing() -> None:
    """The last recorded start ends the record, whatever the mark of the end says."""
    assert rto(load(100.0, 104.05, to=107.0)).seconds is None


def test_a_later_interruption_is_reported_as_a_relapse() -> None:
    first = load(100.0, 104.05)
    again = [replace(w, outcome=Outcome.FAIL) if 115.02 <= w.start < 116 else w for w in first]
    found = rto(again)
    assert found.seconds == pytest.approx(4.11)
    assert found.relapsed == pytest.approx(15.1)
    assert rto(first).relapsed is None


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        ([], None),
        ([106.5], None),
        ([105.5, 106.5], None),  # 2 of 200 are 1 %
        ([106.5, 106.55, 106.6], 6.5),  # 3 of 200 are more
        ([104.9, 105, 106.5, 106.55, 106.6], 6.5),  # the first of that window, not those before it
        ([110.05, 116, 117, 118], 16),  # the second later window
        ([121, 122, 123], 21),  # the last window ends with the record
        ([126, 127, 128], None),  # one that the record does not cover
    ],
)
def test_a_relapse_is_the_first_write_that_fails_in_a_later_window_below_the_share(
    failed: list[float], expected: float | None
) -> None:
    writes = [
        write(f"k{at}", Outcome.FAIL if at in failed else Outcome.OK, start=at)
        for at in (100 + n / 40 for n in range(1, 29 * 40))
    ]
    found = rto(writes, until=125.0)
    assert found.seconds == 0.0
    assert found.relapsed == (expected and pytest.approx(expected))


@pytest.mark.parametrize(("bad", "holds"), [(2, True), (3, False)])
def test_a_moment_holds_when_99_of_100_writes_are_served(bad: int, holds: bool) -> None:
    told = (Outcome.OK, Outcome.FAIL)
    writes = [write(f"k{n}", told[n <= bad], start=100 + n / 40) for n in range(1, 29 * 40)]
    assert (rto(writes).seconds == 0.0) is holds


def test_a_window_is_five_seconds_and_a_user_waits_one_and_a_half() -> None:
    for slow, end, back in ((1.5, 105, True), (1.5, 104.9, False), (1.51, 105, False)):
        writes = [write(f"k{n}", start=100 + n, end=100 + n + slow) for n in range(1, 9)]
        found = recovery.recovery(columns.of(writes), FAULT, end, population="east")
        assert (found.seconds == 0.0) is back


def test_users_that_ignore_ttls_are_reported_apart() -> None:
    slow = [replace(w, key=f"s{w.key}", honours_ttl=False) for w in load(100.0, 120.05)]
    found = recovery.recoveries(columns.of(load(100.0, 104.05) + slow), FAULT, UNTIL)
    assert [r.honours_ttl for r in found] == [True, False]
    assert [r.seconds for r in found] == pytest.approx([4.11, 20.11])


def test_a_population_without_any_write_is_not_left_out() -> None:
    found = recovery.recoveries(columns.of(load(0, 0)), FAULT, UNTIL, populations=("east", "west"))
    assert [(r.population, r.seconds) for r in found] == [("east", 0.0), ("west", None)]


def naive_rto(
    writes: list[Operation], until: float, window: float, patience: float
) -> float | None:
    """The definition again, word by word and without any cleverness."""
    record_end = min([until, *([max(w.start for w in writes)] if writes else [])])

    def holds(moment: float) -> bool:
        later = [w for w in writes if moment < w.start <= moment + window]
        served = [w for w in later if w.outcome is Outcome.OK and w.end - w.start <= patience]
        inside = moment + window <= record_end
        return inside and len(later) > 0 and len(served) * 100 >= len(later) * 99

    if not writes:
        return None
    if holds(FAULT):
        return 0.0
    acknowledged = [w.end for w in writes if w.outcome is Outcome.OK and w.end > FAULT]
    good = [end for end in acknowledged if holds(end)]
    return min(good) - FAULT if good else None


eighths = st.integers(0, 160).map(lambda n: 95.0 + n / 8)
writes_around_the_fault = st.lists(
    st.tuples(
        eighths,
        st.sampled_from([0.0, 0.125, 1.0, 2.0]),
        st.sampled_from([Outcome.OK, Outcome.OK, Outcome.OK, Outcome.FAIL, Outcome.UNKNOWN]),
    ),
    max_size=40,
).map(
    lambda rows: [
        write(f"k{n}", told, start=at, end=at + took) for n, (at, took, told) in enumerate(rows)
    ]
)


@given(
    writes=writes_around_the_fault,
    until=eighths,
    window=st.sampled_from([0.5, 1.0, 5.0]),
    patience=st.sampled_from([0.5, 1.5]),
)
def test_rto_equals_a_naive_reading_of_its_definition(
    writes: list[Operation], until: float, window: float, patience: float
) -> None:
    found = rto(writes, until=until, window=window, patience=patience)
    assert found.seconds == naive_rto(writes, until, window, patience)


# --- RPO ---------------------------------------------------------------------------------------


def lost_at(*ends: float) -> list[Operation]:
    return [write(f"k{end}", start=end - 0.01, end=end, lsn="0/1000") for end in ends]


def test_nothing_lost_is_an_rpo_of_zero_in_every_unit() -> None:
    assert loss([], FAULT, None) == Loss(0, 0.0, 0)


def test_rpo_reaches_from_the_first_lost_acknowledgement_to_the_fault() -> None:
    assert loss(lost_at(99.5, 99.75), FAULT, None).seconds == 0.5


def test_rpo_reaches_past_the_fault_when_the_dying_region_went_on_acknowledging() -> None:
    assert loss(lost_at(99.5, 101.25), FAULT, None).seconds == 1.75


def test_rpo_of_writes_lost_only_after_the_fault_does_not_start_at_it() -> None:
    assert loss(lost_at(101.0, 103.0), FAULT, None).seconds == 2.0


def test_one_write_lost_at_the_fault_itself_has_a_row_and_no_seconds() -> None:
    assert loss(lost_at(FAULT), FAULT, None) == Loss(1, 0.0, None)


def test_wal_bytes_reach_from_the_fork_to_the_furthest_lost_acknowledgement() -> None:
    lost = [
        write("a", lsn="1/0"),
        write("b", lsn="1/80"),
        write("other timeline", lsn="9/0", timeline=2),
        write("no lsn", lsn=None),
    ]
    assert loss(lost, FAULT, Fork(1, parse_lsn("0/FFFFFFF0"))).wal_bytes == 0x90


def test_wal_bytes_are_never_negative() -> None:
    assert loss([write("a", lsn="0/10")], FAULT, Fork(1, 0x20)).wal_bytes == 0


@pytest.mark.parametrize("fork", [None, Fork(1, 0)])
def test_wal_bytes_of_lost_writes_without_an_lsn_are_not_measured(fork: Fork | None) -> None:
    assert loss([write("a", lsn=None)], FAULT, fork).wal_bytes is None


@pytest.mark.parametrize(
    "bad",
    ["", "10", "0/", "/1", "x/y", "1/2/3", "0/2_4D53D0", " 0/ 24D53D0", "-1/0", "+1/0", "0x1/0",
     "0/1\n", "0/٣", "0/123456789", "F" * 5000 + "/0"],
)  # fmt: skip
def test_what_is_no_lsn_is_refused(bad: str) -> None:
    with pytest.raises(UsageError, match="is no LSN"):
        parse_lsn(bad)


def test_an_lsn_counts_bytes_over_both_halves() -> None:
    assert parse_lsn("16/B374D848") == 0x16B374D848
    assert str(Fork(2, 0x16B374D848)) == "16/B374D848 on timeline 2"


@given(st.lists(st.integers(-80, 80).map(lambda n: FAULT + n / 8), min_size=1))
def test_rpo_is_the_longest_reach_of_any_lost_write(ends: list[float]) -> None:
    """Oracle: from each lost write to the fault or to any lost write, the longest counts."""
    expected = max(max(FAULT, other) - end for end in ends for other in ends)
    assert loss([write("k", start=e - 1, end=e) for e in ends], FAULT, None).seconds == expected


# --- Split brain -------------------------------------------------------------------------------


def split_brain(items: list[Operation]) -> SplitBrain:
    return formula.split_brain(columns.of(items))


def on(timeline: int | None, start: float, end: float, told: Outcome = Outcome.OK) -> Operation:
    return write(f"{timeline}-{start}-{end}", told, start=start, end=end, timeline=timeline)


def test_a_clean_change_of_timeline_is_no_split_brain() -> None:
    found = split_brain([on(1, 0, 1), on(1, 1, 2), on(2, 2, 3), on(2, 3, 4)])
    assert (found.writes, found.seconds, found.certain) == (0, 0.0, 0)


def test_old_acknowledgements_after_the_first_new_one_are_split_brain() -> None:
    found = split_brain([on(1, 0, 1), on(2, 1, 2), on(1, 1.5, 4), on(1, 3, 5), on(2, 5, 6)])
    assert found.rows == (2, 3)
    assert found.timelines == (1, 2)
    assert found.seconds == 3.0
    assert found.certain == 1  # the other was on its way when the new primary first answered
    assert split_brain([on(2, 1, 2), on(1, 2, 4)]).certain == 0  # so was one begun at that moment


def test_an_acknowledgement_at_the_same_moment_is_not_after() -> None:
    assert split_brain([on(1, 0, 2), on(2, 1, 2)]).writes == 0


def test_a_write_taken_locally_by_the_old_primary_is_split_brain_too() -> None:
    found = split_brain([on(2, 1, 2), on(1, 3, 4, Outcome.LOCAL)])
    assert (found.writes, found.local) == (1, 1)
    found = split_brain([on(1, 0, 1, Outcome.LOCAL), on(2, 1, 2), on(1, 3, 4)])
    assert (found.writes, found.local) == (1, 0)


def test_unanswered_writes_and_refusals_are_no_split_brain() -> None:
    items = [on(2, 1, 2), on(1, 3, 4, Outcome.UNKNOWN), on(1, 3, 4, Outcome.FAIL)]
    assert split_brain(items).writes == 0


def test_an_acknowledgement_without_a_timeline_is_counted_as_untraced() -> None:
    assert split_brain([on(None, 0, 1), on(1, 1, 2), on(1, 2, 3)]).untraced == 1
    assert split_brain([on(-1, 0, 1), on(1, 1, 2)]).untraced == 1
    found = split_brain([on(1, 0, 1), on(None, 2, 3)])
    assert (found.writes, found.untraced) == (0, 1)


def test_overlaps_of_several_old_timelines_count_once() -> None:
    found = split_brain([on(3, 0, 10), on(2, 11, 14), on(1, 12, 15)])
    assert found.seconds == 5.0
    assert found.writes == 2
    assert found.timelines == (1, 2, 3)


def test_the_first_acknowledgement_on_any_newer_timeline_begins_it() -> None:
    found = split_brain([on(2, 0, 10), on(3, 0, 12), on(1, 0, 11), on(1, 0, 15)])
    assert (found.writes, found.seconds) == (2, 5.0)


def test_a_timeline_whose_first_order_came_with_the_last_old_one_took_none_beside_it() -> None:
    assert split_brain([on(2, 0, 1), on(1, 2, 4), on(3, 3, 4)]).timelines == (1, 2)


def by(node: str | None, timeline: int, start: float, end: float) -> Operation:
    return write(f"{node}-{start}", start=start, end=end, timeline=timeline, node=node)


def test_two_standbys_that_were_promoted_alike_are_two_primaries() -> None:
    """Each began a timeline 2 of its own: the number is the same, and the orders are not."""
    items = [by("old", 1, 0, 1), by("a", 2, 1, 2), by("b", 2, 2, 3), by("a", 2, 3, 4)]
    found = split_brain([*items, by("b", 2, 4, 5), by("a", 2, 4, 6)])
    assert (found.writes, found.certain, found.seconds) == (2, 1, 3.0)
    assert found.branches == ((2, "a"), (2, "b"))
    assert found.timelines == (2,)


def test_of_two_branches_with_one_number_the_one_that_took_an_order_first_is_the_old_one() -> None:
    found = split_brain([by("b", 2, 0, 1), by("a", 2, 1, 2), by("b", 2, 2, 3), by("a", 2, 3, 4)])
    assert found.rows == (2,)
    assert found.branches == ((2, "b"), (2, "a"))


def test_two_servers_that_took_orders_one_after_the_other_are_no_split_brain() -> None:
    assert split_brain([by("a", 2, 0, 1), by("b", 2, 1, 2), by("b", 2, 2, 3)]).writes == 0


def test_a_server_that_was_not_named_is_one_of_its_own() -> None:
    assert split_brain([by(None, 1, 0, 1), by(None, 1, 1, 2)]).writes == 0
    found = split_brain([by(None, 2, 0, 1), by("a", 2, 1, 2), by(None, 2, 2, 3)])
    assert found.branches == ((2, ""), (2, "a"))


@pytest.mark.parametrize(
    ("timeline", "forks", "kept", "own"),
    [
        # The old primary was never told to stop.
        (1, {}, {1: 500}, [Fork(1, 500)]),
        # Two standbys of timeline 1 were promoted, each by itself.
        (2, {1: 400}, {1: 500}, [Fork(2, 400)]),
        (2, {1: 500}, {1: 500}, [Fork(2, 500)]),
        (3, {1: 400, 2: 700}, {1: 500}, [Fork(2, 400), Fork(3, 700)]),
        # It was a standby of the winner, and was promoted beside it.
        (3, {1: 500, 2: 700}, {1: 500}, [Fork(3, 700)]),
        # Of the winner that stayed where it was.
        (2, {1: 400}, {}, [Fork(2, 400)]),
    ],
)
def test_a_primary_beside_the_winner_has_what_it_wrote_since_they_parted(
    timeline: int, forks: dict[int, int], kept: dict[int, int], own: list[Fork]
) -> None:
    assert list(own_branches(timeline, forks, kept)) == own


@given(
    st.lists(
        st.tuples(st.sampled_from([1, 2, 3]), st.integers(0, 40), st.integers(0, 8)), max_size=25
    )
)
def test_split_brain_equals_a_naive_reading_of_its_definition(
    rows: list[tuple[int, int, int]],
) -> None:
    items = [on(t, at, at + took) for t, at, took in rows]
    late = [
        w
        for w in items
        if any((o.timeline or 0) > (w.timeline or 0) and o.end < w.end for o in items)
    ]
    ticks = {
        tick
        for w in late
        for o in items
        if (o.timeline or 0) > (w.timeline or 0)
        for tick in range(int(o.end), int(w.end))
    }
    found = split_brain(items)
    assert sorted(found.rows) == [n for n, w in enumerate(items) if w in late]
    assert found.seconds == len(ticks)


# --- Phases ------------------------------------------------------------------------------------


def by_name(
    detected: float | None,
    decided: float | None,
    spans: list[Span],
    recovered: float | None,
) -> dict[Phase, float | None]:
    return {p.phase: p.seconds for p in phases(FAULT, detected, decided, spans, recovered)}


def test_phases_cover_the_recovery_time() -> None:
    steps = [
        Span(Phase.FENCE, 103.0, 103.5),
        Span(Phase.PROMOTE, 103.5, 104.0),
        Span(Phase.REPOINT, 104.0, 104.25),
    ]
    assert by_name(102.0, 103.0, steps, 106.0) == {
        Phase.DETECT: 2.0,
        Phase.DECIDE: 1.0,
        Phase.FENCE: 0.5,
        Phase.PROMOTE: 0.5,
        Phase.REPOINT: 0.25,
        Phase.CLIENTS: 1.75,
        Phase.UNEXPLAINED: 0.0,
    }


def test_time_that_no_phase_covers_is_unexplained_and_shown_where_it_lies() -> None:
    steps = [Span(Phase.PROMOTE, 103.0, 104.0), Span(Phase.PROMOTE, 103.5, 105.0)]
    found = phases(FAULT, 101.0, None, steps, 105.5)
    assert found[-1].spans == ((1.0, 3.0),)
    assert found[-1].seconds == 2.0
    assert {p.phase: p.seconds for p in found}[Phase.PROMOTE] == 2.0  # overlap counts once


def test_marks_count_more_than_the_steps_that_took_them() -> None:
    steps = [Span(Phase.DETECT, 100.0, 102.5), Span(Phase.DECIDE, 102.5, 104.0)]
    assert by_name(102.0, None, steps, 105.0)[Phase.DETECT] == 2.0
    assert by_name(102.0, None, steps, 105.0)[Phase.DECIDE] == 1.5
    assert by_name(102.0, 103.0, steps, 105.0)[Phase.DECIDE] == 1.0


def test_a_phase_without_marks_is_not_measured_rather_than_zero() -> None:
    found = by_name(None, None, [], 103.0)
    assert found[Phase.DETECT] is found[Phase.FENCE] is found[Phase.CLIENTS] is None
    assert by_name(None, 102.0, [], 103.0)[Phase.DECIDE] is None
    assert found[Phase.UNEXPLAINED] == 3.0


def test_users_back_before_the_last_step_followed_in_no_time() -> None:
    found = phases(FAULT, 101.0, 102.0, [Span(Phase.REPOINT, 102.0, 104.0)], 103.0)
    clients, unexplained = found[-2:]
    assert (clients.phase, clients.seconds, clients.spans) == (Phase.CLIENTS, 0.0, ((3.0, 3.0),))
    assert unexplained.seconds == 0.0


def test_a_phase_is_no_longer_than_the_outage_that_it_explains() -> None:
    """As in a real run: `detect` took a minute, and users had been back after 3.5 s."""
    steps = [Span(Phase.FENCE, 99.0, 100.5), Span(Phase.PROMOTE, 161.0, 162.0)]
    found = phases(FAULT, 160.03, 161.0, steps, 103.5)
    named = {each.phase: (each.seconds, each.spans) for each in found}
    assert named[Phase.DETECT] == (3.5, ((0.0, 3.5),))
    assert named[Phase.DECIDE] == named[Phase.PROMOTE] == (0.0, ((3.5, 3.5),))
    assert named[Phase.FENCE] == (0.5, ((0.0, 0.5),))
    assert named[Phase.UNEXPLAINED] == (0.0, ())


@given(
    st.lists(st.tuples(st.sampled_from(Phase), st.floats(90, 120), st.floats(0, 20)), max_size=6),
    st.floats(100, 120), st.floats(100, 120), st.floats(100, 115),
)  # fmt: skip
def test_every_phase_lies_within_the_outage(
    steps: list[tuple[Phase, float, float]], detected: float, decided: float, back: float
) -> None:
    spans = [Span(phase, begin, begin + took) for phase, begin, took in steps]
    detected, decided = sorted((detected, decided))
    for each in phases(FAULT, detected, decided, spans, back):
        assert (each.seconds or 0.0) <= back - FAULT + 1e-9
        assert all(0 <= begin <= end <= back - FAULT for begin, end in each.spans)


RETURNS = [
    # what is done, the return, clients follow
    ([(Phase.REPOINT, 101, 102), (Phase.CLIENTS, 106, 116)], 103, 1),
    ([(Phase.REPOINT, 101, 102), (Phase.PROMOTE, 102, 104)], 104.5, 2.5),
    ([(Phase.REPOINT, 101, 102), (Phase.PROMOTE, 102, 104, True)], 104.5, 2.5),
    ([(Phase.PROMOTE, 101, 102), (Phase.PROMOTE, 102, 104, True)], 104.5, 2.5),
    ([(Phase.PROMOTE, 101, 102), (Phase.PROMOTE, 102, 104)], 104.5, 0.5),
    ([(Phase.REPOINT, 101, 102), (Phase.REPOINT, 105, 106)], 103, 1),
    ([(Phase.REPOINT, 101, 102), (Phase.REPOINT, 103, 104)], 103, 1),
    ([(Phase.REPOINT, 101, 102), (Phase.REPOINT, 102.5, 104)], 103, 0),
    ([(Phase.PROMOTE, 101, 102), (Phase.REPOINT, 105, 106)], 103, 1),
    ([(Phase.REPOINT, 105, 106)], 103, 0),
    ([(Phase.CLIENTS, 100.5, 101), (Phase.REPOINT, 101, 102)], 103, 1),
    ([(Phase.CLIENTS, 101, 109)], 103, 2),
    ([(Phase.CLIENTS, 103, 109)], 103, None),
    ([(Phase.PROMOTE, 101, 102, True)], 103, None),
]


@pytest.mark.parametrize(("steps", "back", "expected"), RETURNS)
def test_clients_follow_from_the_last_re_point_to_the_return_and_no_longer(
    steps: list[tuple[Phase, float, float]], back: float, expected: float | None
) -> None:
    found = by_name(None, None, [Span(*each) for each in steps], back)
    assert found[Phase.CLIENTS] == expected
    explained = covered([(max(s[1], FAULT), min(s[2], back)) for s in steps if s[1] < back])
    assert (found[Phase.UNEXPLAINED] or 0) <= back - FAULT
    assert (found[Phase.UNEXPLAINED] or 0) + explained + (expected or 0) >= back - FAULT


def test_steps_after_the_return_explain_nothing_of_the_time_before_it() -> None:
    """As in a real run: users were back while caches were warmed and traffic was shifted."""
    steps = [
        Span(Phase.PROMOTE, 100.5, 101.0),
        Span(Phase.REPOINT, 101.0, 101.125),
        Span(Phase.PROMOTE, 101.25, 101.5, prepares=True),
        Span(Phase.CLIENTS, 103.0, 111.28),
    ]
    found = by_name(100.5, None, steps, 101.403)
    assert found[Phase.CLIENTS] == pytest.approx(0.278)
    assert found[Phase.UNEXPLAINED] == 0.0


def test_a_short_phase_inside_a_long_one_leaves_nothing_unexplained() -> None:
    found = phases(FAULT, 103.0, None, [Span(Phase.FENCE, 101.0, 102.0)], 105.0)
    assert found[-1].spans == ((3.0, 5.0),)


def test_without_a_return_the_end_is_not_measured() -> None:
    found = by_name(101.0, 102.0, [Span(Phase.PROMOTE, 102.0, 104.0)], None)
    assert found[Phase.CLIENTS] is found[Phase.UNEXPLAINED] is None
    assert found[Phase.PROMOTE] == 2.0


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50))))
def test_covered_time_equals_counting_ticks(pairs: list[tuple[int, int]]) -> None:
    spans = [(min(p), max(p)) for p in pairs]
    assert covered(spans) == len({t for a, b in spans for t in range(a, b)})


# --- Traffic -----------------------------------------------------------------------------------


def test_operations_are_counted_in_the_second_in_which_they_ended() -> None:
    items = [
        write("a", start=99.0, end=99.5),
        write("b", start=99.9, end=100.0),
        write("c", start=99.9, end=100.9),
        write("d", Outcome.UNKNOWN, start=99.0, end=101.5),
    ]
    assert traffic.per_second(columns.of(items), FAULT) == (
        Second(-1, "east", Outcome.OK, 1),
        Second(0, "east", Outcome.OK, 2),
        Second(1, None, Outcome.UNKNOWN, 1),
    )


@given(
    st.lists(st.integers(1, 9), min_size=1),
    st.integers(1, 100) | st.sampled_from([0.001, 33.3, 99.9, 99.99, 99.999]),
)
def test_a_percentile_is_the_smallest_value_that_enough_values_do_not_exceed(
    values: list[int], share: float
) -> None:
    ordered, exact = sorted(values), Fraction(str(share))
    enough = [v for v in ordered if 100 * sum(o <= v for o in ordered) >= exact * len(ordered)]
    assert percentiles(np.array(values), (share,)) == [min(enough)]


def test_latency_is_that_of_writes_acknowledged_within_the_stretch() -> None:
    items = [
        write("before", start=99.0, end=101.0),
        write("in", start=101.0, end=101.25),
        write("slow", start=102.0, end=103.0),
        write("failed", Outcome.FAIL, start=102.0, end=110.0),
        write("after", start=104.0, end=106.0),
    ]
    found = traffic.latency(columns.of(items), 100.0, 105.0)
    assert (found.count, found.percentiles["p50"], found.percentiles["p99"]) == (2, 0.25, 1.0)
    assert "p50" not in traffic.latency(columns.of(items), 200.0, 300.0).percentiles


def test_the_longest_gap_is_bounded_by_both_ends_of_the_record() -> None:
    items = [write("a", end=101.0), write("b", end=105.0), write("c", Outcome.FAIL, end=103.0)]
    assert traffic.longest_gap(columns.of(items), 100.0, 107.0) == Gap(101.0, 4.0)
    assert traffic.longest_gap(columns.of(items), 100.0, 120.0) == Gap(105.0, 15.0)
    assert traffic.longest_gap(columns.of([]), 100.0, 107.0) == Gap(100.0, 7.0)


def test_rates_count_starts_as_offered_and_ends_as_acknowledged() -> None:
    found = traffic.rate(columns.of(load(95.0, 96.0)), 90.0, 100.0)
    assert found.started_per_second == pytest.approx(10.0, abs=0.2)
    assert found.acknowledged_per_second == pytest.approx(9.0, abs=0.2)
    slow = write("slow", start=99.0, end=101.0)
    assert (
        traffic.rate(columns.of([slow]), 95.0, 100.0).started,
        traffic.rate(columns.of([slow]), 95.0, 100.0).acknowledged,
    ) == (1, 0)
    assert (
        traffic.rate(columns.of([slow]), 100.0, 105.0).started,
        traffic.rate(columns.of([slow]), 100.0, 105.0).acknowledged,
    ) == (0, 1)
    assert traffic.rate(columns.of([]), 5.0, 5.0).started_per_second is None


# --- All of them together ----------------------------------------------------------------------


def journal(*marks: tuple[MarkName, float], boot: str = BOOT) -> Journal:
    step = StepRecord("promote", Via.OUT_OF_BAND, 102.0, 102.5, "done", "tl 2", "", Phase.PROMOTE)
    return Journal(boot, tuple(Mark(name, at) for name, at in marks), (step,))


def figures(marks: Journal, east: list[Operation], west: tuple[Operation, ...] = ()) -> Figures:
    row = {w.key: Row() for w in (*east, *west) if w.outcome is Outcome.OK}
    row.pop("k95", None)
    with ledger.load(header() + lines(east), header("west") + lines(west)) as record:
        return measure(record, marks, classify(record, {"w": row}, "w", set()), Fork(1, 0))


def test_one_call_measures_everything() -> None:
    west = [
        replace(w, key=f"w{w.key}", population="west", region="west", timeline=2)
        for w in load(100.0, 103.05)
    ]
    found = figures(
        journal(
            (MarkName.STEADY, 95.0),
            (MarkName.FAULT_STARTED, FAULT),
            (MarkName.DETECTED, 101.0),
            (MarkName.LOAD_STOPPED, UNTIL),
        ),
        load(100.0, 104.05),
        tuple(west),
    )
    assert found.loss is not None
    assert found.loss.rows == 1
    assert found.loss.seconds == pytest.approx(100.0 - 99.51)
    assert found.loss.wal_bytes == 0x10
    assert {r.population: r.seconds for r in found.recoveries} == {
        "east": pytest.approx(4.11),
        "west": pytest.approx(3.11),
    }
    assert found.split_brain.writes  # east's timeline 1 goes on in this made-up record
    assert found.phases[0].seconds == 1.0
    east = found.populations[0]
    assert east.before.rate.acknowledged == 50
    assert east.gap is not None
    assert east.gap.seconds == pytest.approx(4.11, abs=0.01)
    assert east.after is not None
    assert east.after.latency.percentiles["p99"] == pytest.approx(0.01)
    assert east.pause.seconds == pytest.approx(0.1)


def test_a_step_that_only_prepares_is_no_promotion_that_clients_follow() -> None:
    step = StepRecord("switch", Via.IN_BAND, 101.0, 102.0, "done", "", "", Phase.PROMOTE)
    room = replace(step, name="room", started=102.0, ended=104.0, prepares=True)
    marks = journal((MarkName.FAULT_STARTED, FAULT), (MarkName.LOAD_STOPPED, UNTIL))
    east = load(100.0, 104.05)
    west = tuple(replace(each, key=f"w{each.key}", population="west") for each in east)
    found = figures(replace(marks, steps=(step, room)), east, west)
    phases = {each.phase: each.seconds for each in found.phases}
    assert phases[Phase.PROMOTE] == 3.0
    assert phases[Phase.CLIENTS] == pytest.approx(2.11)


@pytest.mark.parametrize(
    ("west_back", "ignoring_back", "clients"),
    [(103.05, 103.05, 1.61), (103.05, 120.05, 1.61), (106.05, 120.05, 3.61), (999, 103.05, None)],
)
def test_phases_end_when_the_slowest_users_who_honour_ttls_are_back(
    west_back: float, ignoring_back: float, clients: float | None
) -> None:
    marks = journal((MarkName.FAULT_STARTED, FAULT), (MarkName.LOAD_STOPPED, UNTIL))
    west = [replace(w, key=f"w{w.key}", population="west") for w in load(100, west_back)]
    ignoring = [replace(w, key=f"i{w.key}", honours_ttl=False) for w in load(100, ignoring_back)]
    found = figures(marks, [*load(100.0, 104.05), *ignoring], tuple(west))
    [followed] = [each.seconds for each in found.phases if each.phase is Phase.CLIENTS]
    assert followed == (clients and pytest.approx(clients))
    stretches = [each.during.rate.seconds for each in found.populations if each.during]
    assert stretches == pytest.approx([4.11, min(west_back + 0.06, UNTIL) - FAULT])
    assert [each.population for each in found.movements] == ["east", "east", "west"]


def test_the_load_lasts_from_the_first_mark_there_is_to_the_last_else_from_write_to_write() -> None:
    fault, steady, started, stopped = (
        (MarkName.FAULT_STARTED, FAULT), (MarkName.STEADY, 95.0), (MarkName.LOAD_STARTED, 92.0),
        (MarkName.LOAD_STOPPED, 125.0),
    )  # fmt: skip
    for marks, before, until in (
        ((fault,), 10.0, UNTIL),
        ((fault, started), 8.0, UNTIL),
        ((fault, started, steady), 5.0, UNTIL),
        ((fault, started, steady, stopped), 5.0, 125.0),
    ):
        found = figures(journal(*marks), load(0, 0))
        assert found.populations[0].before.rate.seconds == before
        assert found.until == until
    assert figures(Journal(BOOT, (), ()), load(0, 0)).origin == 90.0


def test_a_record_without_a_write_begins_and_ends_at_nothing() -> None:
    found = figures(Journal(BOOT, (), ()), [])
    assert (found.origin, found.until) == (0.0, 0.0)
    assert found.populations[0].before.rate.seconds == 0.0
    marked = figures(journal((MarkName.LOAD_STOPPED, UNTIL)), [])
    assert marked.populations[0].before.rate.seconds == 0.0


def test_only_whole_seconds_of_the_load_can_be_over_the_limit() -> None:
    marks = journal((MarkName.FAULT_STARTED, FAULT), (MarkName.LOAD_STOPPED, 129.5))
    slow = [replace(w, end=w.start + 0.5) if w.start >= 128 else w for w in load(0, 0)]
    spike = figures(marks, slow).spike
    assert spike is not None
    assert spike.seconds == 1


def test_the_longest_pause_of_reads_is_that_of_reads() -> None:
    marks = journal((MarkName.FAULT_STARTED, FAULT), (MarkName.LOAD_STOPPED, UNTIL))
    reads = [replace(w, key=f"r{w.key}", kind=Kind.READ) for w in load(100, 102.05)]
    west = [replace(w, key=f"w{w.key}", population="west") for w in reads]
    east = figures(marks, [*load(100, 104.05), *reads], tuple(west)).populations[0]
    assert east.gap is not None
    assert east.read_gap is not None
    assert (east.gap.seconds, east.read_gap.seconds) == pytest.approx((4.11, 2.11), abs=0.1)
    lone = figures(marks, load(0, 0), tuple(west)).populations[0]
    assert lone.read_gap == Gap(FAULT, 30.0)


def test_a_step_of_no_phase_explains_nothing() -> None:
    marks = journal((MarkName.FAULT_STARTED, FAULT), (MarkName.LOAD_STOPPED, UNTIL))
    look = replace(marks.steps[0], started=100.0, ended=101.5, phase=None)
    west = tuple(replace(w, key=f"w{w.key}", population="west") for w in load(100.0, 104.05))
    found = figures(replace(marks, steps=(look, *marks.steps)), load(100.0, 104.05), west)
    assert found.phases[-1].seconds == pytest.approx(2.0)


def test_users_who_ignore_ttls_bring_no_population_back() -> None:
    marks = journal((MarkName.FAULT_STARTED, FAULT), (MarkName.LOAD_STOPPED, UNTIL))
    east = figures(marks, [replace(w, honours_ttl=False) for w in load(100, 104.05)]).populations[0]
    assert east.after is None


def test_a_pause_of_the_load_itself_is_seen() -> None:
    """Without it, users who were not asked to write would look as if nothing had hit them."""
    marks = journal((MarkName.STEADY, 91.0), (MarkName.FAULT_STARTED, FAULT))
    found = figures(marks, [w for w in load(0, 0) if not 100 <= w.start <= 103])
    assert found.recoveries[0].seconds == 0.0
    assert found.populations[0].pause.seconds == pytest.approx(3.2)


def test_without_a_fault_nothing_that_needs_one_is_measured() -> None:
    found = figures(journal((MarkName.DRILL_STARTED, 89.0)), load(0, 0))
    assert found.loss is None
    assert found.recoveries == ()
    assert found.phases == ()
    assert found.origin == 89.0
    assert found.populations[0].gap is None


def test_a_journal_of_another_boot_is_refused() -> None:
    with pytest.raises(UsageError, match="boot other"):
        figures(journal(boot="other"), load(0, 0))
