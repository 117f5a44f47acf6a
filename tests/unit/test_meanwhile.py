"""What happens at moments of its own while a runbook runs: in order, and never after the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from contexts import context

from lab.api import fault, later, step
from lab.core.errors import LabError, Unfit, UsageError
from lab.core.topology import WEST, WEST_DB2
from lab.drills.meanwhile import Meanwhile
from lab.drills.row import Timed
from lab.runbooks.runbook import Call
from lab.steps import catalogue
from lab.steps.arranging import aim_of


class Book:
    """A recorder that only does what it is told."""

    def step(self, *given: Any, **_more: Any) -> object:
        return given[4]()


def does(monkeypatch: pytest.MonkeyPatch, act: Callable[[Any], str]) -> None:
    row = replace(catalogue.step("wait"), act=act)
    monkeypatch.setattr(catalogue, "step", lambda _name: row)


def test_each_is_done_in_the_order_of_its_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    done = list[object]()
    does(monkeypatch, lambda told: str(done.append(told.options["seconds"])))
    planned = [Timed(0.02, Call("wait", {"seconds": 2})), Timed(0.0, Call("wait", {"seconds": 1}))]
    beside = Meanwhile(planned, context(recorder=Book()))
    beside.begin()
    beside.wait()
    assert done == [1, 2]


def test_nothing_begins_once_it_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    done, begun, going_on = list[str](), threading.Event(), threading.Event()

    def act(_context: Any) -> str:
        begun.set()
        going_on.wait(60)
        done.append("done")
        return ""

    does(monkeypatch, act)
    beside = Meanwhile([Timed(0.0, Call("wait"))] * 2, context(recorder=Book()))
    beside.begin()
    begun.wait(60)
    threading.Timer(0.05, going_on.set).start()
    beside.give_up()
    assert done == ["done"]


def test_a_step_that_cannot_be_done_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_context: Any) -> str:
        raise LabError("no gateway")

    does(monkeypatch, fails)
    beside = Meanwhile([Timed(0.0, Call("wait"))], context(recorder=Book()))
    beside.begin()
    with pytest.raises(LabError, match="no gateway"):
        beside.wait()
    beside.give_up()


def test_a_fault_later_strikes_and_ends_as_it_is_pointed() -> None:
    aimed = fault("delay", link="west:east:sql", amount=250)
    strikes, ends = later(aimed, at=3, lasting=5)
    assert (strikes.at, ends.at) == (3, 8)
    assert (strikes.call.step, ends.call.step) == ("inject", "heal")
    chosen = catalogue.step("inject").chosen(strikes.call.options)
    assert aim_of(chosen) == aimed
    assert later(aimed, at=0) == (Timed(0, strikes.call),)
    with pytest.raises(UsageError):
        later(aimed, at=-1)


def test_a_step_later_is_done_at_its_moment_and_has_no_end_of_its_own() -> None:
    heals = step("heal", fault="partition")
    assert later(heals, at=43) == (Timed(43, heals),)
    with pytest.raises(Unfit, match="lasting"):
        later(heals, at=43, lasting=5)


@pytest.mark.parametrize("name", ["region-loss", "partition", "cache-loss", "freeze", "lag-hold"])
def test_a_fault_is_named_by_options_and_read_from_them(name: str) -> None:
    [strikes] = later(fault(name), at=0)
    assert aim_of(catalogue.step("inject").chosen(strikes.call.options)) == fault(name)


def test_a_fault_is_pointed_at_what_a_script_names_and_not_at_its_default() -> None:
    row = fault("blackout").fault
    assert row.default.region is not WEST
    assert fault("blackout", region="west").aim.region is WEST
    assert aim_of({"fault": "blackout", "region": "west"}).aim.region is WEST
    assert fault("freeze", node="west.db2").aim.node == WEST_DB2
