"""Routing policies: where users go, what a route's document may say, and what stays calm."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from steering.decide import Answer, Belief, State, Thresholds, View
from steering.policies import DEFAULT, POLICIES
from steering.policies.row import Situation
from steering.route import Route, parse

EAST, WEST = "east", "west"
REGIONS = (EAST, WEST)
NOW, LIMITS = 1000.0, Thresholds()


def believed(state: State) -> View:
    """The view of a region that has been in a state for long."""
    ready, lives = state is State.READY, state is not State.DOWN
    return View(Belief(lives), Belief(ready), failing_since=None if ready else 0.0)


UP, LIVE, DOWN = (believed(each) for each in (State.READY, State.LIVE, State.DOWN))
VIEWS = st.sampled_from([UP, LIVE, DOWN])


def situation(
    east: View = UP,
    west: View = UP,
    last: dict[str, int] | None = None,
    took: tuple[float, float] = (0.01, 0.1),
    own: str = EAST,
) -> Situation:
    views = {EAST: east, WEST: west}
    order = sorted(REGIONS, key=lambda name: name != own)
    times = dict(zip(REGIONS, ((took[0],) * 9, (took[1],) * 9), strict=True))
    return Situation({each: views[each] for each in order}, last or {}, times, LIMITS, NOW)


def route(policy: str = DEFAULT, red: str = "open", **options: object) -> Route:
    return parse({"policy": policy, "options": options, "when-all-red": red}, REGIONS)


def sent(by: Route, seen: Situation) -> dict[str, int] | None:
    answer = by.answer(seen, {each: each for each in REGIONS})
    return None if answer is None else dict(answer.weights)


def test_the_default_comes_first_and_every_row_says_what_it_does() -> None:
    assert list(POLICIES) == [DEFAULT, "failover", "latency", "weighted"]
    assert all(row.does.endswith(".") and row.name == name for name, row in POLICIES.items())
    assert Route() == parse({"policy": DEFAULT}, REGIONS) == parse({"policy": None}, REGIONS)


def test_a_route_is_told_in_words_unless_it_is_the_default() -> None:
    assert Route().unlike_default == Route().under(Thresholds(fall=9)).unlike_default == ""
    assert route("failover", red="closed").unlike_default == (
        "failover primary=east when-all-red=closed"
    )


@given(VIEWS, VIEWS, st.sampled_from(REGIONS))
def test_every_policy_answers_in_every_situation_and_says_why(
    east: View, west: View, own: str
) -> None:
    for name in POLICIES:
        answer = route(name).answer(situation(east, west, own=own), {e: e for e in REGIONS})
        assert answer is not None
        assert answer.why
        assert sum(share for _, share in answer.weights) == 100
        if UP in (east, west):
            views = {EAST: east, WEST: west}
            assert all(views[each] == UP for each in answer.addresses), name


@given(VIEWS, st.sampled_from(REGIONS), st.sampled_from(REGIONS))
def test_the_secondary_gets_nothing_while_the_primary_is_healthy(
    secondary: View, own: str, primary: str
) -> None:
    other = next(each for each in REGIONS if each != primary)
    seen = situation(**{primary: UP, other: secondary}, own=own)  # type: ignore[arg-type]
    assert sent(route("failover", primary=primary), seen) == {primary: 100}


def test_the_secondary_takes_all_users_of_both_regions_when_the_primary_is_lost() -> None:
    for own in REGIONS:
        seen = situation(DOWN, UP, own=own)
        assert sent(route("failover"), seen) == {WEST: 100}
        assert sent(route("failover"), replace(seen, last={EAST: 100})) == {WEST: 100}


@given(st.integers(0, 100), st.integers(0, 100))
def test_weights_become_shares_of_a_hundred(east: int, west: int) -> None:
    if not east + west:
        return
    found = sent(route("weighted", east=east, west=west), situation())
    assert found is not None
    assert (EAST in found, WEST in found) == (east > 0, west > 0)
    exact = {EAST: 100 * east / (east + west), WEST: 100 * west / (east + west)}
    assert all(abs(found[name] - exact[name]) <= 1 for name in found)


def test_a_region_of_weight_0_is_a_spare() -> None:
    by = route("weighted", east=100, west=0)
    assert sent(by, situation()) == {EAST: 100}
    assert sent(by, situation(DOWN, UP, {EAST: 100})) == {WEST: 100}
    assert sent(by, situation(DOWN, DOWN, {WEST: 100})) == {EAST: 100}


def test_a_lost_region_leaves_the_split_and_is_back_once_it_has_been_ready_for_a_while() -> None:
    by = route("weighted", east=80, west=20)
    assert sent(by, situation(DOWN, UP, {EAST: 80, WEST: 20})) == {WEST: 100}
    back = replace(UP, failed=NOW - LIMITS.home + 0.1)
    assert sent(by, situation(back, UP, {WEST: 100})) == {WEST: 100}
    back = replace(UP, failed=NOW - LIMITS.home)
    assert sent(by, situation(back, UP, {WEST: 100})) == {EAST: 80, WEST: 20}


def test_users_stay_while_a_region_has_only_just_begun_to_fail() -> None:
    doubtful = replace(DOWN, failing_since=NOW - LIMITS.alone + 0.1)
    both = {EAST: 50, WEST: 50}
    assert sent(route("weighted"), situation(doubtful, UP, both)) == both


def test_users_go_to_the_region_that_answers_soonest_and_not_for_less_than_the_margin() -> None:
    by = route("latency", margin=0.05)
    assert sent(by, situation(took=(0.2, 0.1), last={EAST: 100})) == {WEST: 100}
    assert sent(by, situation(took=(0.14, 0.1), last={EAST: 100})) == {EAST: 100}
    assert sent(by, situation(took=(0.14, 0.1), last={WEST: 100})) == {WEST: 100}
    assert sent(by, situation(DOWN, UP, {EAST: 100}, took=(0.01, 0.1))) == {WEST: 100}


def test_one_slow_check_does_not_move_a_median() -> None:
    seen = situation(last={EAST: 100}, took=(0.01, 0.02))
    slow = {**seen.took, EAST: (*(0.01,) * 8, 5.0)}
    assert sent(route("latency", margin=0), replace(seen, took=slow)) == {EAST: 100}


@pytest.mark.parametrize("policy", POLICIES)
def test_a_closed_route_has_no_answer_when_no_region_takes_orders(policy: str) -> None:
    closed = route(policy, red="closed")
    answer = closed.answer(situation(LIVE, DOWN), {})
    assert answer == Answer((), "no region takes orders, and the route is closed then")
    assert sent(closed, situation(UP, DOWN)) == {EAST: 100}


@pytest.mark.parametrize("policy", POLICIES)
def test_nothing_is_decided_before_both_regions_were_checked(policy: str) -> None:
    assert sent(route(policy), situation(UP, View())) is None
    assert sent(route(policy, red="closed"), situation(View(), DOWN)) is None


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (None, "of which policy must be there"),
        ({"policy": DEFAULT, "other": 1}, "a route has these fields"),
        ({"policy": "nearest"}, "policy must be own-first or failover"),
        ({"policy": []}, "policy must be"),
        ({"policy": DEFAULT, "options": {"primary": EAST}}, "it takes nothing"),
        ({"policy": "failover", "options": {"primary": "north"}}, "primary must be east or west"),
        ({"policy": "weighted", "options": {"north": 1}}, "has no 'north'; it takes east, west"),
        ({"policy": "weighted", "options": {EAST: 0, WEST: 0}}, "add to nothing"),
        ({"policy": "weighted", "options": {EAST: 101}}, "east must be a whole number, 0 to 100"),
        ({"policy": "weighted", "options": {EAST: True}}, "east must be a whole number"),
        ({"policy": "weighted", "options": [EAST]}, "options must be an object"),
        ({"policy": "latency", "options": {"margin": -1}}, "margin must be a number of seconds"),
        ({"policy": "latency", "options": {"margin": float("nan")}}, "margin must be a number"),
        ({"policy": DEFAULT, "check": {"fall": 0}}, "fall must be a whole number, 1 to 100"),
        ({"policy": DEFAULT, "check": {"rise": 1.5}}, "rise must be a whole number"),
        ({"policy": DEFAULT, "check": {"interval": 0}}, "interval must be a number of seconds"),
        ({"policy": DEFAULT, "check": {"path": "/ready"}}, "path must be /readyz or /livez"),
        ({"policy": DEFAULT, "when-all-red": "shut"}, "when-all-red must be open or closed"),
    ],
)
def test_a_document_that_cannot_be_followed_is_refused_in_one_sentence(
    document: Any, told: str
) -> None:
    with pytest.raises(ValueError, match=told) as refused:
        parse(document, REGIONS)
    assert "\n" not in str(refused.value)


@given(st.sampled_from(list(POLICIES)), st.integers(1, 100), st.sampled_from(["open", "closed"]))
def test_what_a_route_tells_is_what_it_takes(policy: str, fall: int, red: str) -> None:
    found = parse({"policy": policy, "check": {"fall": fall}, "when-all-red": red}, REGIONS)
    assert parse(found.document(), REGIONS) == found
    assert found.limits(Thresholds()) == Thresholds(fall=fall)
    assert found.under(Thresholds()).limits(Thresholds()) == Thresholds()
