"""The proof of a fault is sought beside the runbook, and a fault that no probe saw stays unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from contexts import context

from lab.core.errors import FaultUnseen, LabError
from lab.faults.acting import Proof
from lab.faults.catalogue import fault
from lab.faults.row import Aimed
from lab.records.journalfile import MarkName, Via
from lab.runbooks.runbook import Call
from lab.steps import catalogue
from lab.steps.context import Context
from lab.testbed.journalwriter import EngineClock, Recorder
from lab.testbed.lab import Lab

NO_LAB = cast("Lab", None)
SECONDS = 10


def fault_seen(probe: Callable[[], str | None], seconds: float = SECONDS) -> Aimed:
    """A fault whose effect that probe looks for."""
    row = fault("region-loss")
    return replace(row, seen=lambda _lab, _aim: probe(), proof_seconds=seconds).at()


def recorder_in(folder: Path) -> Recorder:
    """A journal that is written into a folder."""
    return Recorder(EngineClock("boot", 0.0, 0.0), folder / "journal.json", ())


def noting(order: list[str], name: str) -> Callable[[Context], str]:
    """What a step does that only says when it was done."""

    def act(_context: Context) -> str:
        order.append(name)
        return name

    return act


def does(monkeypatch: pytest.MonkeyPatch, act: Callable[[Context], str], *, mends: bool) -> None:
    """Every step does the same now."""
    row = replace(catalogue.step("wait"), act=act, mends=mends)
    monkeypatch.setattr(catalogue, "step", lambda _name: row)


def test_the_search_goes_on_beside_its_caller_and_tells_the_evidence_once() -> None:
    shown, told = threading.Event(), list[str]()
    proof = Proof(
        NO_LAB, [fault_seen(lambda: "dead" if shown.is_set() else None)], told.append
    ).begin()
    assert not told
    shown.set()
    proof.wait()
    assert told == ["dead"]


def test_the_evidence_of_several_faults_is_told_when_the_last_one_was_seen() -> None:
    told = list[str]()
    Proof(
        NO_LAB, [fault_seen(lambda: "cut"), fault_seen(lambda: "dead")], told.append
    ).begin().wait()
    assert told == ["cut; dead"]


def test_a_fault_that_never_shows_is_unseen_and_nothing_is_told() -> None:
    told = list[str]()
    proof = Proof(NO_LAB, [fault_seen(lambda: None, seconds=0.05)], told.append).begin()
    with pytest.raises(FaultUnseen, match="region-loss east to show its effect"):
        proof.wait()
    assert not told


def test_a_search_that_is_given_up_ends_at_once_and_proves_nothing() -> None:
    told = list[str]()
    proof = Proof(NO_LAB, [fault_seen(lambda: None, seconds=3600)], told.append).begin()
    proof.give_up()
    proof.wait()
    assert not told


def test_faults_strike_beside_their_caller_and_are_looked_for_afterwards() -> None:
    order, going_on = list[str](), threading.Event()

    def strike() -> None:
        going_on.wait(60)
        order.append("struck")

    def look() -> str:
        order.append("looked")
        return "dead"

    proof = Proof(NO_LAB, [fault_seen(look)], order.append).begin([strike])
    order.append("the caller goes on")
    going_on.set()
    proof.wait()
    assert order == ["the caller goes on", "struck", "looked", "dead"]


def test_nothing_more_strikes_once_the_search_is_given_up() -> None:
    struck, begun, going_on = list[str](), threading.Event(), threading.Event()

    def first() -> None:
        begun.set()
        going_on.wait(60)
        struck.append("first")

    proof = Proof(NO_LAB, [fault_seen(lambda: None)], struck.append)
    proof.begin([first, lambda: struck.append("second")])
    begun.wait(60)
    threading.Timer(0.1, going_on.set).start()
    proof.give_up()
    assert struck == ["first"]


def test_an_interrupted_end_of_a_search_waits_for_the_strike_that_is_under_way(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What heals comes next: a later strike would undo it."""
    struck, begun, going_on = list[str](), threading.Event(), threading.Event()

    def strike() -> None:
        begun.set()
        going_on.wait(60)
        struck.append("first")

    def interrupted() -> None:
        raise KeyboardInterrupt

    proof = Proof(NO_LAB, [fault_seen(lambda: None)], struck.append)
    proof.begin([strike, lambda: struck.append("second")])
    monkeypatch.setattr(proof, "wait", interrupted)
    begun.wait(60)
    threading.Timer(0.2, going_on.set).start()
    with pytest.raises(KeyboardInterrupt):
        proof.give_up()
    assert struck == ["first"]


def test_a_search_that_was_given_up_before_it_began_strikes_nothing() -> None:
    """An interrupt may come in the moment in which the drill lets it begin."""
    struck = list[str]()
    proof = Proof(NO_LAB, [fault_seen(lambda: None)], struck.append)
    proof.give_up()
    proof.begin([lambda: struck.append("late")])
    proof.wait()
    assert not struck


def test_a_search_that_is_lost_in_an_interrupted_beginning_strikes_no_more_after_the_end() -> None:
    struck, begun, going_on = list[str](), threading.Event(), threading.Event()

    def strike() -> None:
        begun.set()
        going_on.wait(60)
        struck.append("first")

    proof = Proof(NO_LAB, [fault_seen(lambda: None)], struck.append)
    proof.begin([strike, lambda: struck.append("second")])
    search, proof._search = proof._search, None  # the interrupt came before it was kept
    begun.wait(60)
    threading.Timer(0.1, going_on.set).start()
    proof.give_up()
    assert struck == ["first"]
    assert search
    search.result()
    assert struck == ["first"]


def test_a_strike_that_fails_is_no_proof() -> None:
    told = list[str]()

    def strike() -> None:
        raise LabError("the gateway does not answer")

    proof = Proof(NO_LAB, [fault_seen(lambda: "dead")], told.append).begin([strike])
    with pytest.raises(LabError, match="the gateway does not answer"):
        proof.wait()
    assert not told


def test_a_step_that_mends_waits_for_the_proof_and_no_other_step_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = list[str]()
    given = context(recorder=recorder_in(tmp_path), await_proof=lambda: order.append("proof"))
    for name, mends in (("look", False), ("mend", True)):
        does(monkeypatch, noting(order, name), mends=mends)
        catalogue.do(Call(name), given)
    assert order == ["look", "proof", "mend"]


def test_a_step_that_mends_is_not_done_when_the_fault_was_never_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    proof = Proof(NO_LAB, [fault_seen(lambda: None, seconds=0.05)], lambda _evidence: None).begin()
    done = list[str]()
    does(monkeypatch, noting(done, "mend"), mends=True)
    with pytest.raises(FaultUnseen):
        catalogue.do(Call("mend"), context(recorder=recorder_in(tmp_path), await_proof=proof.wait))
    assert not done


def test_two_threads_write_one_journal_and_nothing_is_lost(tmp_path: Path) -> None:
    recorder = recorder_in(tmp_path)
    many = 60

    def mark() -> None:
        for _ in range(many):
            recorder.mark(MarkName.FAULT_PROVEN)

    beside = threading.Thread(target=mark)
    beside.start()
    for _ in range(many):
        recorder.step("step", Via.IN_BAND, None, "", lambda: "done")
    beside.join()
    assert (len(recorder.journal.events), len(recorder.journal.steps)) == (many, many)
