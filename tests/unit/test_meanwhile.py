"""What happens at moments of its own while a runbook runs: in order, and never after the end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from contexts import context

from lab.api import fault, later, step
from lab.core.errors import FaultUnseen, LabError, Unfit, UnknownName, Unplayed, UsageError
from lab.core.topology import WEST, WEST_DB2
from lab.core.wait import wait_until
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


def test_a_fault_strikes_when_a_step_begins_and_lasts_from_then_on() -> None:
    strikes, ends = later(fault("freeze", node="west.db2"), at="promote", lasting=5)
    assert [(each.at, each.step) for each in (strikes, ends)] == [(0, "promote"), (5, "promote")]
    assert strikes.moment == "when promote begins"
    with pytest.raises(UnknownName, match="no step called 'promot'"):
        later(fault("freeze"), at="promot")


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


# ── the steps of the runbook, and its end ────────────────────────────────────────────────────────

FREEZE = fault("freeze", node="west.db2")
CUT = fault("partition")


class Injected:
    """What `inject` and `heal` do here: they note it, and the proof waits until it may end."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, seen: threading.Event | None = None
    ) -> None:
        self.done, self._seen = list[str](), seen
        rows = {each.name: each for each in catalogue.steps()}
        acts = {"inject": self._inject, "heal": self._note, "wait": self._note}
        made = {name: replace(rows[name], act=act) for name, act in acts.items()}
        monkeypatch.setattr(catalogue, "step", made.__getitem__)

    def _note(self, told: Any) -> str:
        self.done.append(str(told.options.get("fault", "the step")))
        return ""

    def _inject(self, told: Any) -> str:
        self._note(told)
        told.struck()
        if self._seen is not None and not self._seen.wait(60):
            raise FaultUnseen("it to show its effect", 60, None)
        return ""


def test_a_step_acts_when_what_strikes_with_it_has_struck_and_before_the_proof(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = threading.Event()
    what = Injected(monkeypatch, seen)
    planned = (*later(FREEZE, at="wait"), *later(CUT, at="wait"))
    beside = Meanwhile(planned, context(recorder=Book()))
    beside.begin()
    assert what.done == []
    catalogue.do(Call("wait", {"seconds": 1}), context(recorder=Book(), begins=beside.reach))
    assert sorted(what.done[:2]) == ["freeze", "partition"]
    assert what.done[2:] == ["the step"]
    seen.set()
    beside.finish()
    catalogue.do(Call("wait", {"seconds": 1}), context(recorder=Book(), begins=beside.reach))
    assert what.done[3:] == ["the step"], "it strikes at the first of these steps alone"


def test_no_fault_waits_for_the_proof_of_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = threading.Event()
    what = Injected(monkeypatch, seen)
    beside = Meanwhile((*later(CUT, at=0), *later(FREEZE, at=0)), context(recorder=Book()))
    beside.begin()
    wait_until("both to strike", lambda: len(what.done) == 2, 30)
    seen.set()
    beside.finish()


@pytest.mark.parametrize(
    ("planned", "told"),
    [
        (later(FREEZE, at="promote"),
         "freeze west.db2 was to strike when promote begins: that step never began"),
        (later(step("heal", fault="partition"), at="promote"),
         "heal partition was to come when promote begins: that step never began"),
        (later(CUT, at=30), "partition was to strike at 30 s: the runbook ended before"),
    ],
)  # fmt: skip
def test_a_moment_that_never_comes_is_told(planned: tuple[Timed, ...], told: str) -> None:
    beside = Meanwhile(planned, context(recorder=Book()))
    beside.begin()
    with pytest.raises(Unplayed) as caught:
        beside.finish()
    assert caught.value.message == told


def test_what_is_in_force_when_the_runbook_ends_is_healed_at_its_moment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    what = Injected(monkeypatch)
    heals = later(step("heal", fault="delay"), at=0.3)
    beside = Meanwhile((*later(CUT, at=0, lasting=0.3), *heals), context(recorder=Book()))
    beside.begin()
    wait_until("it to strike", lambda: what.done, 30)
    beside.finish()
    assert sorted(what.done) == ["delay", "partition", "partition"]


def test_a_strike_that_fails_lets_its_step_go_on_and_is_no_failure_of_the_runbook() -> None:
    beside = Meanwhile(later(FREEZE, at="promote"), context(recorder=Failing()))
    beside.begin()
    beside.reach("promote")
    with pytest.raises(Unplayed, match="the engine refuses"):
        beside.finish()


def test_a_run_that_never_began_misses_no_moment() -> None:
    Meanwhile(later(FREEZE, at="promote"), context(recorder=Book())).finish()


class Failing:
    """A recorder whose steps fail."""

    def step(self, *_given: Any, **_more: Any) -> object:
        raise LabError("the engine refuses")
