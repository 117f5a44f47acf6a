"""What steering believes and decides."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steering.decide import RULES, Pin, State, View, decide, pinned, state_of

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
def test_a_pin_sends_everybody_to_its_region_and_says_who_set_it(region: str) -> None:
    answer = pinned(Pin(region), ANSWERS)
    assert answer.weights == ((ANSWERS[region], 100),)
    assert answer.why == "pinned by an operator"


@given(st.integers(1, 99))
def test_what_a_share_leaves_goes_to_the_other_region(share: int) -> None:
    answer = pinned(Pin("west", share), ANSWERS)
    assert dict(answer.weights) == {"10.0.0.12": share, "10.0.0.11": 100 - share}
    assert answer.addresses[0] == "10.0.0.12"


@pytest.mark.parametrize(
    ("status", "state"), [(200, READY), (503, LIVE), (404, LIVE), (500, LIVE), (None, DOWN)]
)
def test_any_answer_means_that_something_lives(status: int | None, state: State) -> None:
    assert state_of(status) is state


def watch(seen: list[State], fall: int = 3, rise: int = 2) -> list[State | None]:
    """The states after each of a row of probes."""
    view, states = View(), list[State | None]()
    for number, state in enumerate(seen, 1):
        view = view.after(number, state, fall, rise)
        states.append(view.state)
    return states


def test_the_first_probe_is_believed_at_once() -> None:
    assert watch([DOWN]) == [DOWN]
    assert watch([READY]) == [READY]


def test_a_region_falls_after_three_bad_probes_and_rises_after_two_good_ones() -> None:
    assert watch([READY, DOWN, DOWN, DOWN]) == [READY, READY, READY, DOWN]
    assert watch([DOWN, READY, READY]) == [DOWN, DOWN, READY]


def test_one_good_probe_in_between_starts_the_count_again() -> None:
    assert watch([READY, DOWN, DOWN, READY, DOWN, DOWN])[-1] is READY


def test_a_mixed_streak_changes_to_what_all_of_it_supports() -> None:
    assert watch([READY, DOWN, LIVE, DOWN])[-1] is LIVE
    assert watch([DOWN, READY, LIVE])[-1] is LIVE


def test_a_probe_that_ends_after_a_later_one_is_too_old_to_count() -> None:
    view = View().after(5, READY, 1, 1)
    assert view.after(4, DOWN, 1, 1) is view


@given(st.lists(STATES, min_size=1), st.integers(1, 4), st.integers(1, 4))
def test_a_state_changes_only_after_enough_probes_that_agree(
    seen: list[State], fall: int, rise: int
) -> None:
    states = watch(seen, fall, rise)
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
    assert watch([*before, *[steady] * (2 * max(fall, rise))], fall, rise)[-1] is steady
