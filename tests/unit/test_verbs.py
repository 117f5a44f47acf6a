"""What verbs refuse: at once, before anything is done or written down."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.core.errors import LabError, UsageError
from lab.core.topology import DATABASES, EAST_DB1, WEST_DB1
from lab.drills import byhand
from lab.drills.byhand import Hands
from lab.drills.row import Drill
from lab.records.journalfile import PASSED_OVER
from lab.runbooks.runbook import Plan, Runbook

PLAN = Plan(EAST_DB1, WEST_DB1)
DRILL = Drill("script", "script", "By hand.", (), (), Runbook("script", "script", PLAN, (), ()), ())


class Stage:
    """A lab and a course that write down what was done to them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done = list[str]()
        journal = SimpleNamespace(acted=None)
        recorder = SimpleNamespace(journal=journal, mark=self._mark)
        course = SimpleNamespace(
            context=SimpleNamespace(recorder=recorder),
            begin=self._begin,
            bring_home=self._bring_home,
            follow=lambda book: self._did(f"follow {book.name}"),
            await_service=lambda _load: self._did("served"),
            completed=lambda recorded, _: recorded,
            put_right=lambda: self._did("healed") and "",
        )
        monkeypatch.setattr(byhand, "Course", lambda *_: course)
        monkeypatch.setattr(byhand, "evaluate", lambda *_, **__: "result")
        monkeypatch.setattr(byhand, "do", self._do)
        monkeypatch.setattr(byhand, "do_all", lambda calls, _: self._did(f"{len(calls)} steps"))
        rows = {each: SimpleNamespace(query=lambda sql: [(sql,)]) for each in DATABASES}
        lab: Any = SimpleNamespace(databases=rows)
        say: Any = SimpleNamespace(console=None)
        self.hands = Hands(DRILL, lab, Path("runs"), say, 1)

    def _did(self, what: str) -> str:
        self.done.append(what)
        return what

    def _begin(self, load: Any) -> SimpleNamespace:
        self._did(f"load {load.writes_per_second:g}")
        return SimpleNamespace(load=load)

    def _bring_home(self, _begun: object, failure: object) -> SimpleNamespace:
        self._did(f"read{f', failed: {failure}' * bool(failure)}")
        return SimpleNamespace(journal=SimpleNamespace(acted=None))

    def _mark(self, name: object, note: str = "") -> None:
        del note
        self.done.append(f"mark {name}")

    def _do(self, call: Any, _context: object, *, failing: str) -> object:
        assert failing == PASSED_OVER  # a script may catch it, and measure what came of it
        self.done.append(call.step)
        return SimpleNamespace(evidence="seen")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Stage:
    return Stage(monkeypatch)


WRONG: list[tuple[Callable[[Hands], object], str, str]] = [
    (lambda lab: lab.promote(forc=True), "no option of promote called 'forc'", "force"),
    (lambda lab: lab.promote(force=1), "force cannot be 1", "True or False"),
    (lambda lab: lab.repoint(where="nowhere"), "where cannot be 'nowhere'", "everywhere, near"),
    (lambda lab: lab.wait("3"), "seconds cannot be '3'", "a number of seconds, such as 3"),  # type: ignore[arg-type]
    (lambda lab: lab.wait(-3), "seconds cannot be -3", "from 0 to 3600"),
    (lambda lab: lab.hold("3s"), "seconds cannot be '3s'", "such as 3"),  # type: ignore[arg-type]
    (lambda lab: lab.load(writes="many"), "writes_per_second cannot be 'many'", "such as 50"),  # type: ignore[arg-type]
    (lambda lab: lab.load(-1), "writes_per_second cannot be -1", "from 0 to 5000"),
    (lambda lab: lab.ask("east.app", "SELECT 1"), "no database called 'east.app'", "east.db"),
    (lambda lab: lab.ask("east.db1", ""), "sql cannot be empty", "a text in quotes"),
    (lambda lab: lab.kill("east.db9"), "no region or database called 'east.db9'", "east.db"),
    (lambda lab: lab.kill("esat"), "no region or database called 'esat'", "east"),
    (lambda lab: lab.cut("west:east:replicaton"), "no link called", "west:east:replication"),
    (lambda lab: lab.cut(""), "link cannot be empty", "a text in quotes"),
    (lambda lab: lab.inject("delai"), "no fault called 'delai'", "delay"),
    (lambda lab: lab.inject("delay", amount=10**6), "out of range", "ms"),
    (lambda lab: lab.inject("delay", amuont=3), "no option of inject called 'amuont'", "amount"),
    (lambda lab: lab.arrange("partition", node="east.db1"), "takes no node", "leave that out"),
    (lambda lab: lab.heal("dely"), "no fault called 'dely'", "delay"),
    (lambda lab: lab.do("fenc"), "no step called 'fenc'", "fence"),
    (lambda lab: lab.do("configure", node="east.db1"), "setting cannot be empty", "a text"),
    (lambda lab: lab.measure(), "no users are at work", "call load() first"),
    (lambda lab: lab.run_runbook("zone-failovr"), "no runbook called", "zone-failover"),
    (lambda lab: lab.run_runbook(""), "runbook cannot be empty", "the name of a runbook"),
    (lambda lab: lab.run_runbook(3), "runbook cannot be 3", "the name of a runbook"),  # type: ignore[arg-type]
    (lambda lab: lab.run_runbook("gone.yaml"), "gone.yaml: cannot be read", "runbook list"),
]


@pytest.mark.parametrize(("act", "message", "hint"), WRONG)
def test_a_wrong_verb_is_refused_before_anything_is_done_or_written_down(
    stage: Stage, act: Callable[[Hands], object], message: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        act(stage.hands)
    assert message in caught.value.message
    assert hint in caught.value.next_step
    assert stage.done == []
    stage.hands.load(5)  # nothing was lost: the script may go on
    assert stage.done == ["load 5"]


def test_a_fault_is_time_zero_and_a_step_is_done_with_its_options(stage: Stage) -> None:
    stage.hands.load()
    assert stage.hands.kill("east") == "seen"
    assert stage.done == ["load 50", "mark fault_started", "inject", "mark fault_proven"]


def test_a_second_load_is_refused_and_the_first_goes_on(stage: Stage) -> None:
    stage.hands.load()
    with pytest.raises(UsageError, match=r"load\(\) was called before"):
        stage.hands.load()
    assert stage.done == ["load 50"]
    assert stage.hands.measure() == "result"  # type: ignore[comparison-overlap]


@pytest.mark.parametrize("early", [lambda lab: lab.hold(3), lambda lab: lab.do("fence")])
def test_a_load_that_would_undo_what_was_done_is_refused(
    stage: Stage, early: Callable[[Hands], object]
) -> None:
    early(stage.hands)
    with pytest.raises(UsageError, match=r"would undo (inject|fence)\n.*call load\(\) first"):
        stage.hands.load()


def test_a_query_may_have_a_per_cent_sign(stage: Stage) -> None:
    assert stage.hands.ask("east.db1", "SELECT 'a' LIKE 'a%'") == [("SELECT 'a' LIKE 'a%%'",)]


def test_what_changes_nothing_may_come_before_the_load(stage: Stage) -> None:
    stage.hands.wait(1)
    stage.hands.ask("west.db1", "SELECT 1")
    stage.hands.load()
    assert stage.done[-1] == "load 50"


def test_a_runbook_is_done_as_a_whole_until_users_are_served(stage: Stage) -> None:
    stage.hands.load()
    assert stage.hands.run_runbook("zone-failover").startswith("zone-failover: 10 steps from east")
    assert stage.done[1:] == ["follow zone-failover", "mark runbook_started", "10 steps", "served"]
    with pytest.raises(UsageError, match="has run zone-failover, and a record is about one"):
        stage.hands.run_runbook("zone-failover")


def test_a_runbook_of_a_test_lies_beside_it(stage: Stage, tmp_path: Path) -> None:
    shipped = Path(__file__).parents[2] / "chaos" / "runbooks" / "zone-failover.yaml"
    (tmp_path / "ours.yaml").write_text(shipped.read_text())
    stage.hands._drill = replace(DRILL, file=tmp_path / "test_ours.py")
    stage.hands.run_runbook(Path("ours.yaml"))
    assert "10 steps" in stage.done
    assert "served" not in stage.done  # no users are at work


def test_a_step_that_fails_ends_the_runbook_and_is_measured(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise LabError("no way")

    monkeypatch.setattr(byhand, "do_all", fail)
    stage.hands.load()
    with pytest.raises(LabError, match="no way"):
        stage.hands.run_runbook("zone-failover")
    stage.hands.measure()
    assert "read, failed: no way" in stage.done
    assert "served" not in stage.done


LATE: list[Callable[[Hands], object]] = [
    lambda lab: lab.load(),
    lambda lab: lab.measure(),
    lambda lab: lab.kill("east"),
    lambda lab: lab.hold(3),
    lambda lab: lab.heal(),
    lambda lab: lab.promote(),
    lambda lab: lab.wait(1),
    lambda lab: lab.do("detect"),
    lambda lab: lab.ask("east.db1", "SELECT 1"),
    lambda lab: lab.run_runbook("zone-failover"),
]


@pytest.mark.parametrize("act", LATE)
def test_no_verb_acts_once_the_run_is_measured(
    stage: Stage, act: Callable[[Hands], object]
) -> None:
    stage.hands.load()
    stage.hands.measure()
    done = [*stage.done]
    with pytest.raises(UsageError, match=r"too late: measure\(\) has .*\n.*with up\(\) as lab:"):
        act(stage.hands)
    assert stage.done == done
    assert stage.hands.end() == ""
    assert done.count("healed") == 1


@pytest.mark.parametrize("act", LATE)
def test_no_verb_acts_once_the_block_has_ended(
    stage: Stage, act: Callable[[Hands], object]
) -> None:
    stage.hands.load()
    stage.hands.end()
    with pytest.raises(UsageError, match=r"too late: the block has ended.*\n.*with up\(\) as lab"):
        act(stage.hands)
    assert stage.done == ["load 50", "healed"]
