"""Runbooks that tests make up: a failover's five steps in any order, and anything else."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import strategies as st

from lab.core.topology import DATABASES
from lab.runbooks import permutations
from lab.runbooks.option import Option, Texts, Value
from lab.runbooks.runbook import Call, Plan, Runbook
from lab.steps.catalogue import vocabulary

SPECS = vocabulary()
FAILOVER = permutations.PLAN

ORDERS = tuple(permutations.orders())

CAREFUL = tuple(
    map(
        Call,
        ("detect", "confirm", "decide", "check-lag", "stop-writes", "fence", "promote", "repoint",
         "scale-up", "warm-caches", "verify", "shift-traffic", "resume-writes", "announce"),
    )
)  # fmt: skip
"""Nothing is wrong with it where the lost region can be fenced."""


def runbook(*steps: Call, plan: Plan = FAILOVER, **more: object) -> Runbook:
    """A runbook of these steps, on the lines from 10 on, where they have none."""
    lined = tuple(
        call if call.line else replace(call, line=10 + number) for number, call in enumerate(steps)
    )
    named = {"name": "made-up", "title": "East is lost, west takes over", **more}
    return Runbook(plan=plan, steps=lined, **{"scenarios": ("partition",), **named})  # type: ignore[arg-type]


def ordered(order: str) -> Runbook:
    """The five steps of a failover in an order such as `SPWTR`."""
    return runbook(*permutations.runbook(order).steps)


def _values(option: Option) -> st.SearchStrategy[Value]:
    if option.choices and option.kind is Texts:
        return st.lists(st.sampled_from(option.choices), max_size=3).map(Texts)
    if option.choices:
        return st.sampled_from(option.choices)
    return {bool: st.booleans(), int: st.integers(0, 99), float: st.floats(0, 99)}.get(
        option.kind, st.just(option.default)
    )


CALLS = st.sampled_from(SPECS).flatmap(
    lambda row: st.fixed_dictionaries(
        {}, optional={each.name: _values(each) for each in row.options}
    ).map(lambda options: Call(row.name, options))
)
PLANS = st.permutations(DATABASES).map(lambda places: Plan(*places[:2]))
RUNBOOKS = st.builds(
    lambda steps, plan, promotes: runbook(*steps, plan=plan, promotes=promotes),
    st.lists(CALLS, max_size=12),
    st.just(FAILOVER) | PLANS,
    st.booleans(),
)
"""Any steps with any options, between any two databases."""
