"""Objectives on the command line: read, checked, and put in the place of the drill's own."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import OBJECTIVES, region_loss

from lab.core.errors import UsageError
from lab.core.verdict import Comparison, Objective, Verdict
from lab.metrics.customobjectives import OPERATORS, Wanted, read
from lab.records.metricrows import METRICS, flags


def general(*texts: str) -> Wanted:
    return read({}, texts, OBJECTIVES)


def test_short_flags_set_upper_limits_of_their_figures() -> None:
    found = read({"rpo": "5m", "rto": None, "loss": "0", "split-brain": "2"}, (), OBJECTIVES)
    assert [(o.name, o.limit, o.unit, o.comparison) for o in found.objectives] == [
        ("rpo_seconds", 300, "s", Comparison.AT_MOST),
        ("lost", 0, "writes", Comparison.AT_MOST),
        ("split_brain_writes", 2, "writes", Comparison.AT_MOST),
    ]


def test_a_given_objective_takes_the_place_of_the_drills_own_and_others_stay() -> None:
    found = general("rpo_seconds<=1s", "acknowledged>=10").instead_of(OBJECTIVES)
    assert [item.name for item in found] == [
        "rto_seconds",
        "rpo_seconds",
        "split_brain_writes",
        "acknowledged",
    ]
    assert found[0] == OBJECTIVES[0]
    assert found[1].limit == 1
    assert found[1].why == f"set on the command line: {OBJECTIVES[1].why}"
    assert found[3].why == "set on the command line"


def test_without_any_flag_a_drill_is_judged_by_its_own() -> None:
    assert general().instead_of(OBJECTIVES) == OBJECTIVES


def test_two_limits_of_one_figure_make_a_range_and_the_same_one_twice_is_refused() -> None:
    low, high = general("acknowledged>=10", "acknowledged<=20").instead_of(())
    assert (low.limit, high.limit) == (10, 20)
    with pytest.raises(UsageError, match="rpo_seconds is given two limits"):
        read({"rpo": "1s"}, ("rpo_seconds<=2s",), ())


def test_a_breach_of_a_standing_objective_stays_unknown() -> None:
    [found] = general("unaccounted<=3").objectives
    assert found.breach is Verdict.UNKNOWN
    own = (Objective("lost", 1, "writes", Comparison.AT_MOST, "it", Verdict.UNKNOWN),)
    assert read({"loss": "0"}, (), own).objectives[0].breach is Verdict.UNKNOWN
    assert general("lost==0").objectives[0].breach is Verdict.FAIL


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rpo_second<=5s", "did you mean rpo_seconds"),
        ("rpo<=5s", "did you mean rpo_seconds?"),
        ("split-brain<=0", "did you mean split_brain_writes?"),
        ("rto_seconds.eats<=5s", "did you mean east"),
        ("rto_seconds<=5", "write 5s"),
        ("lost<=3s", "whole number"),
        ("rpo_wal_bytes<=3", "write 3B"),
        ("lost<3", "FIGURE<=VALUE"),
        ("lost=3", "FIGURE<=VALUE"),
        ("lost<=", "whole number"),
        ("lost<=-1", "whole number"),
        ("rto_seconds<=nan", "500ms"),
        ("<=3", "FIGURE<=VALUE"),
        ("lost", "FIGURE<=VALUE"),
        ("", "FIGURE<=VALUE"),
    ],
)
def test_an_objective_that_is_none_is_wrong_usage_with_a_hint(text: str, expected: str) -> None:
    with pytest.raises(UsageError) as caught:
        general(text)
    assert expected in str(caught.value)


@given(
    st.sampled_from([row.name for row in METRICS]),
    st.sampled_from(list(OPERATORS)),
    st.integers(0, 10**6),
)
def test_every_figure_takes_every_operator(name: str, operator: str, limit: int) -> None:
    unit = next(row.unit for row in METRICS if row.name == name)
    suffix = {"s": "s", "bytes": "B"}.get(unit, "")
    [found] = general(f" {name} {operator} {limit}{suffix} ").objectives
    assert (found.name, found.limit, found.unit) == (name, limit, unit)
    assert found.comparison is OPERATORS[operator]


def test_the_arguments_say_the_same_again() -> None:
    first = read({"rpo": "1m30s"}, ("rto_seconds.west<=10s", "lost==0"), OBJECTIVES)
    words = shlex.split(shlex.join(first.arguments))
    again = {words[n]: words[n + 1] for n in range(0, 2, 2)}
    assert again == {"--rpo": "1m30s"}
    assert words[2:] == ["--objective", "rto_seconds.west<=10s", "--objective", "lost==0"]


def test_every_short_flag_names_a_figure_that_there_is() -> None:
    assert set(flags()) == {"rpo", "rto", "loss", "split-brain"}
    assert set(flags().values()) <= {row.name for row in METRICS}


def test_a_run_is_judged_by_the_limit_that_was_given() -> None:
    wanted = read({"rto": "1s"}, (), OBJECTIVES)
    found = region_loss(wanted.instead_of(OBJECTIVES))
    [row] = [row for row in found.objectives if row.name == "rto_seconds"]
    assert (row.limit, row.verdict) == (1.0, Verdict.FAIL)
    assert row.why.startswith("set on the command line")
    assert found.verdict is Verdict.FAIL
