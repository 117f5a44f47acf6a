"""A step that fails: tried again, passed over, or the end of the run; and what comes next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.core.errors import FaultUnseen, LabError, Refused
from lab.records.journalfile import FAILED, PASSED_OVER, RETRIED
from lab.runbooks.runbook import Call, after_failure
from lab.steps import catalogue

CONTEXT = cast("Any", None)


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Steps as they are tried, each with the word for its failure. `bad-N` fails N times."""
    found: list[tuple[str, str]] = []

    def do(call: Call, _context: Any, _started: Any = None, failing: str = FAILED) -> Any:
        found.append((call.step, failing))
        name, _, times = call.step.partition("-")
        if name == "bad" and [step for step, _ in found].count(call.step) <= int(times):
            raise Refused("no")
        if name == "unseen":
            raise FaultUnseen("the fault", 1.0, None)
        return SimpleNamespace(evidence="done")

    monkeypatch.setattr(catalogue, "do", do)
    monkeypatch.setattr(catalogue, "pause", lambda _seconds: None)
    return found


def run(*calls: Call) -> None:
    catalogue.do_all(calls, CONTEXT)


def test_a_step_is_tried_again_as_often_as_its_call_says(tried: list[tuple[str, str]]) -> None:
    run(Call("bad-2", retry=2), Call("good"))
    assert tried == [
        ("bad-2", RETRIED), ("bad-2", RETRIED), ("bad-2", FAILED), ("good", FAILED),
    ]  # fmt: skip


def test_a_step_that_fails_too_often_ends_the_run(tried: list[tuple[str, str]]) -> None:
    with pytest.raises(LabError):
        run(Call("bad-9", retry=1), Call("good"))
    assert [failing for _, failing in tried] == [RETRIED, FAILED]


def test_a_step_that_may_fail_is_passed_over(tried: list[tuple[str, str]]) -> None:
    run(Call("bad-9", retry=1, on_failure="continue"), Call("good"))
    assert tried == [("bad-9", RETRIED), ("bad-9", PASSED_OVER), ("good", FAILED)]


def test_a_failure_leads_to_the_step_that_is_named(tried: list[tuple[str, str]]) -> None:
    run(Call("bad-9", on_failure="go-to last"), Call("middle"), Call("last"))
    assert [step for step, _ in tried] == ["bad-9", "last"]


def test_a_fault_without_an_effect_is_no_failure_of_a_step(tried: list[tuple[str, str]]) -> None:
    with pytest.raises(FaultUnseen):
        run(Call("unseen", retry=3, on_failure="continue"), Call("good"))
    assert len(tried) == 1


def test_the_first_later_step_of_that_name_follows_a_failure() -> None:
    calls = Call("a"), Call("b", on_failure="go-to a"), Call("c"), Call("a"), Call("a")
    assert after_failure(calls, 1) == 3
    assert after_failure((Call("b", on_failure="continue"), Call("c")), 0) == 1
