"""How long a failure may be until users are moved, and how soon a longer one is noticed."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from made_up_checks import CONNECT, END, Outage, seen

from apps.steering.checks import Kind
from apps.steering.decide import Thresholds
from lab.patience.replay import play

LIMITS, INTERVAL, URGENT = Thresholds(), 0.5, 0.1
SLOW = 0.15  # seconds that a good answer takes at most
TOO_SHORT = LIMITS.alone - URGENT - SLOW
BETWEEN = LIMITS.recover + INTERVAL + SLOW


def noticed(kind: Kind) -> float:
    """Within how many seconds a failure of one region is noticed."""
    return INTERVAL + LIMITS.lasting(kind, supported=False) + URGENT + 0.05


ANSWERS = (Kind.UNREADY, Kind.CUT_OFF)
KINDS = st.sampled_from([Kind.REFUSED, Kind.CLOSED, Kind.SILENT, Kind.LATE, *ANSWERS])
CLEAR = st.sampled_from([Kind.REFUSED, Kind.CLOSED, Kind.SILENT, *ANSWERS])


@st.composite
def short_outages(draw: st.DrawFn) -> list[Outage]:
    """One after the other, each too short to count."""
    found, moment = list[Outage](), 2.0
    while moment < END - 2:
        length = draw(st.floats(0.01, TOO_SHORT - 0.01))
        found.append((moment, moment + length, draw(KINDS)))
        moment += length + draw(st.floats(BETWEEN, 3.0))
    return found


@given(short_outages(), short_outages(), st.floats(0.005, SLOW), st.floats(0, INTERVAL))
def test_no_outages_shorter_than_three_quarters_of_a_second_move_users(
    east: list[Outage], west: list[Outage], slow: float, phase: float
) -> None:
    played = play(seen({"east": east, "west": west}, slow), LIMITS, phase)
    assert played.moves == []


@given(CLEAR, st.floats(2.0, 4.0), st.floats(0.005, SLOW), st.floats(0, INTERVAL))
def test_an_outage_that_lasts_is_noticed_within_its_time_and_moves_users_once(
    kind: Kind, began: float, slow: float, phase: float
) -> None:
    lost = {"east": [(began, END, kind)], "west": list[Outage]()}
    played = play(seen(lost, slow), LIMITS, phase)
    assert played.fell("east")[0] - began <= noticed(kind)
    assert len(played.moves) == 1


@given(CLEAR, CLEAR, st.floats(2.0, 4.0), st.floats(0, 0.2), st.floats(0, INTERVAL))
def test_both_regions_that_fail_at_the_same_time_are_noticed_sooner(
    one: Kind, other: Kind, began: float, later: float, phase: float
) -> None:
    lost = {"east": [(began, END, one)], "west": [(began + later, END, other)]}
    played = play(seen(lost, 0.01), LIMITS, phase)
    assert played.fell("east")[0] - began <= INTERVAL + LIMITS.together + CONNECT
    answers_alone = other in ANSWERS and one not in ANSWERS
    assert len(played.moves) == answers_alone


@given(st.floats(0, INTERVAL), st.floats(0.005, SLOW))
def test_users_go_home_later_than_they_left(phase: float, slow: float) -> None:
    lost = {"east": [(2.0, 5.0, Kind.REFUSED)], "west": list[Outage]()}
    away, home = play(seen(lost, slow), LIMITS, phase).moves
    assert away - 2.0 <= noticed(Kind.REFUSED)
    assert home - 5.0 >= LIMITS.home - INTERVAL
