"""What steering believes and decides."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steering.checks import Check, Kind
from steering.decide import (
    RULES,
    Answer,
    Belief,
    Pin,
    State,
    Thresholds,
    View,
    choose,
    decide,
    pinned,
    state_of,
)

STATES = st.sampled_from(State)
DOWN, LIVE, READY = State.DOWN, State.LIVE, State.READY


@pytest.mark.parametrize(
    ("own", "other", "goes_to_own"),
    [
        (READY, READY, True),
        (READY, LIVE, True),
        (READY, DOWN, True),
        (LIVE, READY, False),
        (DOWN, READY, False),
        (LIVE, LIVE, True),
        (LIVE, DOWN, True),
        (DOWN, LIVE, False),
        (DOWN, DOWN, True),
    ],
)
def test_users_go_to_the_best_region_and_to_their_own_when_in_doubt(
    own: State, other: State, goes_to_own: bool
) -> None:
    assert decide(own, other).choose_own is goes_to_own


@given(STATES, STATES)
def test_a_worse_region_is_never_chosen(own: State, other: State) -> None:
    chosen, left = (own, other) if decide(own, other).choose_own else (other, own)
    assert chosen >= left


def test_every_rule_says_why_and_is_needed() -> None:
    assert all(rule.why for rule in RULES)
    reached = {decide(own, other) for own in State for other in State}
    assert reached == set(RULES)


ANSWERS = {"east": "10.0.0.11", "west": "10.0.0.12"}


@pytest.mark.parametrize("region", ["east", "west"])
def test_a_pin_sends_all_users_to_its_region_and_says_who_set_it(region: str) -> None:
    answer = pinned(Pin(region), ANSWERS)
    assert answer.weights == ((ANSWERS[region], 100),)
    assert answer.why == "pinned by an operator"


@given(st.integers(1, 99))
def test_what_a_share_leaves_goes_to_the_other_region(share: int) -> None:
    answer = pinned(Pin("west", share), ANSWERS)
    assert dict(answer.weights) == {"10.0.0.12": share, "10.0.0.11": 100 - share}
    assert answer.addresses[0] == "10.0.0.12"


@pytest.mark.parametrize("kind", Kind)
def test_any_answer_means_that_something_lives(kind: Kind) -> None:
    answers = (Kind.UNREADY, Kind.CUT_OFF)
    wanted = {Kind.READY: READY, **dict.fromkeys(answers, LIVE)}
    assert state_of(kind) is wanted.get(kind, DOWN)


KINDS = {READY: Kind.READY, LIVE: Kind.UNREADY, DOWN: Kind.REFUSED}
GOOD = View().after(Check("west", 0.0, 0.0, Kind.READY), Thresholds(), View())
BY_COUNT = Thresholds(together=0.0, alone=0.0, late=0.0, unready=0.0, recover=0.0)


def watch(
    seen: list[State], limits: Thresholds = BY_COUNT, pace: float = 0.1, other: View = GOOD
) -> list[State | None]:
    """The states after each of a row of checks."""
    view, states = View(), list[State | None]()
    for number, state in enumerate(seen):
        moment = number * pace
        view = view.after(Check("east", moment, moment + 0.01, KINDS[state]), limits, other)
        states.append(view.state)
    return states


def failing(kind: Kind, began: float = 0.1) -> View:
    """The view of a region that failed one check."""
    return GOOD.after(Check("west", began, began, kind), Thresholds(), GOOD)


def test_the_first_check_is_believed_at_once() -> None:
    assert watch([DOWN]) == [DOWN]
    assert watch([READY]) == [READY]


def test_a_region_falls_after_three_bad_checks_and_rises_after_two_good_ones() -> None:
    assert watch([READY, DOWN, DOWN, DOWN]) == [READY, READY, READY, DOWN]
    assert watch([DOWN, READY, READY]) == [DOWN, DOWN, READY]


def test_one_good_check_in_between_starts_the_count_again() -> None:
    assert watch([READY, DOWN, DOWN, READY, DOWN, DOWN])[-1] is READY


def test_a_mixed_streak_changes_to_what_all_of_it_supports() -> None:
    assert watch([READY, DOWN, LIVE, DOWN])[-1] is LIVE
    assert watch([DOWN, READY, LIVE])[-1] is LIVE


@pytest.mark.parametrize("began", [4.9, 5.0])
def test_a_check_that_does_not_begin_after_the_latest_is_too_old_to_count(began: float) -> None:
    view = View().after(Check("east", 5.0, 5.1, Kind.READY), BY_COUNT, GOOD)
    assert view.after(Check("east", began, 5.2, Kind.SILENT), BY_COUNT, GOOD) is view


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([(1.0, 1.5), (1.25, 1.75), (1.5, 2.0)], DOWN),
        ([(1.0, 1.5), (1.25, 1.75), (1.5, 1.99)], READY),  # from the first begin to the last end
        ([(1.0, 1.5), (1.25, 2.25)], READY),
    ],
)
def test_a_region_falls_after_three_bad_checks_in_a_second(
    checks: list[tuple[float, float]], expected: State
) -> None:
    view = GOOD
    for began, ended in checks:
        view = view.after(Check("east", began, ended, Kind.REFUSED), Thresholds(), GOOD)
    assert view.state is expected
    assert view.failing_since == 1.0


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ([(1.0, 1.1), (1.25, 1.5)], READY),
        ([(1.0, 1.1), (1.25, 1.49)], DOWN),
        ([(1.0, 2.0)], DOWN),
    ],
)
def test_a_region_is_ready_again_after_two_good_checks_in_half_a_second(
    checks: list[tuple[float, float]], expected: State
) -> None:
    view = View().after(Check("east", 0.0, 0.0, Kind.REFUSED), Thresholds(), GOOD)
    for began, ended in checks:
        view = view.after(Check("east", began, ended, Kind.READY), Thresholds(), GOOD)
    assert view.state is expected


def test_a_region_that_is_believed_dead_is_doubted_when_it_answers_without_being_ready() -> None:
    view = View().after(Check("east", 0.0, 0.0, Kind.REFUSED), Thresholds(), GOOD)
    assert not view.doubted
    assert view.after(Check("east", 1.0, 1.0, Kind.UNREADY), Thresholds(), GOOD).doubted


@pytest.mark.parametrize(
    ("moment", "expected"), [(2.99, False), (3.0, True), (5.0, True), (5.01, False)]
)
def test_failures_that_begin_within_a_second_of_each_other_are_at_the_same_time(
    moment: float, expected: bool
) -> None:
    assert failing(Kind.REFUSED, 4.0).fails_since(moment) is expected
    assert not failing(Kind.READY, 4.0).fails_since(moment)


def until_fallen(kind: Kind, other: View) -> float:
    """Seconds of checks ten a second, all of one kind, until a region is not believed ready."""
    view, moment = GOOD, 0.1
    while view.state is READY:
        view = view.after(Check("east", moment, moment, kind), Thresholds(), other)
        moment += 0.1
    return moment - 0.2


def test_a_region_that_fails_alone_is_believed_for_longer() -> None:
    alone, together = (
        until_fallen(Kind.REFUSED, GOOD),
        until_fallen(Kind.REFUSED, failing(Kind.UNREADY)),
    )
    assert alone == pytest.approx(1.0, abs=0.101)
    assert together == pytest.approx(0.4, abs=0.101)


def test_late_answers_support_only_what_cannot_be_reached_at_all() -> None:
    late = until_fallen(Kind.LATE, GOOD)
    assert late == pytest.approx(1.5, abs=0.101)
    assert until_fallen(Kind.LATE, failing(Kind.LATE)) == late
    assert until_fallen(Kind.LATE, failing(Kind.UNREADY)) == late
    assert until_fallen(Kind.UNREADY, failing(Kind.LATE)) == until_fallen(Kind.UNREADY, GOOD)
    assert until_fallen(Kind.LATE, failing(Kind.SILENT)) < late
    assert until_fallen(Kind.SILENT, failing(Kind.LATE)) < until_fallen(Kind.SILENT, GOOD)


def test_a_region_that_cannot_reach_its_primary_now_is_believed_for_less_long() -> None:
    cut_off, connecting = (until_fallen(kind, GOOD) for kind in (Kind.CUT_OFF, Kind.UNREADY))
    assert cut_off == pytest.approx(1.0, abs=0.101)
    assert connecting == pytest.approx(2.0, abs=0.101)


def test_regions_that_are_not_ready_at_the_same_time_support_each_other() -> None:
    assert until_fallen(Kind.UNREADY, failing(Kind.CUT_OFF)) == pytest.approx(0.4, abs=0.101)


def test_a_region_that_failed_long_before_supports_nothing() -> None:
    assert until_fallen(Kind.REFUSED, failing(Kind.REFUSED, -5.0)) == until_fallen(
        Kind.REFUSED, GOOD
    )


@given(st.lists(STATES, min_size=1), st.integers(1, 4), st.integers(1, 4))
def test_a_state_changes_only_after_enough_checks_that_agree(
    seen: list[State], fall: int, rise: int
) -> None:
    states = watch(seen, replace(BY_COUNT, fall=fall, rise=rise))
    for index, (before, after) in enumerate(pairwise(states), 1):
        assert before is not None
        assert after is not None
        if after < before:
            assert all(state <= after for state in seen[index + 1 - fall : index + 1])
        if after > before:
            assert all(state >= after for state in seen[index + 1 - rise : index + 1])


@given(STATES, st.lists(STATES), st.integers(1, 4), st.integers(1, 4))
def test_a_steady_region_is_believed_in_the_end(
    steady: State, before: list[State], fall: int, rise: int
) -> None:
    limits = replace(BY_COUNT, fall=fall, rise=rise)
    assert watch([*before, *[steady] * (2 * max(fall, rise))], limits)[-1] is steady


def seen(state: State, failing: float | None = None, failed: float = float("inf")) -> View:
    """A view at 128 s: failing for some seconds, or some seconds after its latest bad check."""
    since = None if failing is None else 128.0 - failing
    return View(
        Belief(state is not DOWN),
        Belief(state is READY),
        failing_since=since,
        failed=128.0 - failed,
    )


MOVES = [
    # own region, other region, whether users are at their own; where they go (None: they stay)
    (seen(READY), View(), True, None),
    (View(), seen(READY), None, None),
    (seen(READY), seen(READY), None, True),
    (seen(READY), seen(READY), True, True),
    (seen(READY, failed=1.0), seen(READY), None, True),
    (seen(READY, failed=1.0), seen(READY), True, True),
    (seen(DOWN, 1.0), seen(READY), None, False),
    (seen(DOWN, 1.0), seen(READY), True, False),
    (seen(DOWN, 0.9), seen(READY), True, None),
    (seen(DOWN), seen(READY), True, None),
    (seen(DOWN, 9.0), seen(READY, failed=1.25), True, False),
    (seen(DOWN, 9.0), seen(READY, failed=1.2), True, None),
    (seen(DOWN, 9.0), seen(LIVE, 9.0, 0.0), True, False),
    (seen(READY, failed=3.0), seen(READY), False, True),
    (seen(READY, failed=2.9), seen(READY), False, None),
    (seen(READY, failed=3.0), seen(DOWN, 0.5), False, None),
    (seen(READY, failed=3.0), seen(DOWN, 1.0), False, True),
    (seen(LIVE, 9.0, 0.0), seen(LIVE, 9.0), False, None),
    (seen(DOWN, 9.0), seen(DOWN, 9.0), False, None),
    (seen(LIVE, 9.0, 0.0), seen(DOWN, 9.0), False, True),
]


@pytest.mark.parametrize(("own", "other", "at_own", "goes_to_own"), MOVES)
def test_users_move_only_from_what_goes_on_failing_to_what_has_been_better_for_long_enough(
    own: View, other: View, at_own: bool | None, goes_to_own: bool | None
) -> None:
    rule = choose(own, other, at_own, Thresholds(alone=1.0, away=1.25, home=3.0), 128.0)
    assert (rule.choose_own if rule else None) is goes_to_own
    if rule and own.state is not None and other.state is not None:
        assert rule == decide(own.state, other.state)


@pytest.mark.parametrize(
    ("own", "other", "at_own", "goes_to_own"),
    [
        (seen(DOWN, 9.0), seen(READY, failed=1.21), True, False),
        (seen(DOWN, 9.0), seen(READY, failed=1.19), True, None),
        (seen(READY, failed=3.0), seen(READY), False, True),
        (seen(READY, failed=2.99), seen(READY), False, None),
    ],
)
def test_users_leave_for_a_region_that_was_ready_for_1_2_s_and_go_home_after_3_s(
    own: View, other: View, at_own: bool, goes_to_own: bool | None
) -> None:
    rule = choose(own, other, at_own, Thresholds(), 128.0)
    assert (rule.choose_own if rule else None) is goes_to_own


def test_states_pins_and_answers_read_as_words() -> None:
    assert [each.label for each in State] == ["down", "live", "ready"]
    assert (str(Pin("west")), str(Pin("west", 30))) == ("west", "west 30 %")
    assert str(Answer((("10.0.0.11", 100),), "")) == "10.0.0.11"
    assert str(Answer((("a", 30), ("b", 70)), "")) == "a 30 %, b 70 %"


@pytest.mark.parametrize(
    ("kind", "doubted"), [(Kind.READY, False), (Kind.UNREADY, True), (Kind.REFUSED, True)]
)
def test_a_view_is_doubted_while_its_latest_check_contradicts_it(kind: Kind, doubted: bool) -> None:
    view = failing(kind)
    assert view.doubted is doubted
    assert view.state is READY
    assert view.failing_for(1.1) == pytest.approx(1.0 if doubted else 0.0)
    assert view.failed == (0.1 if doubted else float("-inf"))
