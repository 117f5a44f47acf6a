"""A drill has an end: what takes longer than all of it may is unknown, and healed all the same."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from chaos.region_loss import DRILL
from lab.core.errors import TooBusy
from lab.core.load import Load
from lab.core.wait import wait_until
from lab.drills import drill, evidence
from lab.drills.drill import Begun, Course
from lab.records.journalfile import Mark, StepRecord
from lab.runbooks.runbook import Call
from lab.steps import catalogue
from lab.steps.context import Context
from lab.testbed import sampler
from lab.testbed.journalwriter import EngineClock
from lab.testbed.lab import Lab


def _for_ever(_context: Context) -> str:
    return str(wait_until("what never comes", lambda: False, timeout=60, every=0.01))


ENDLESS = replace(DRILL, bound=0.05, arrange=(Call("wait"),))


class _Sampler:
    """One that looks at nothing."""

    def __init__(self, _lab: Lab, _clock: EngineClock) -> None:
        pass

    def marked(self, _mark: Mark) -> None:
        pass

    def said(self, _text: str) -> None:
        pass

    def began(self, _step: str, _why: str) -> None:
        pass

    def ended(self, _record: StepRecord) -> None:
        pass

    def stop(self) -> None:
        pass


def a_lab(reset: Callable[..., str]) -> Lab:
    """As much of a lab as a drill without users needs."""
    users = {"east": SimpleNamespace(clock=lambda: "a reading")}
    return cast("Lab", SimpleNamespace(users=users, obeying_cuts=lambda: None, reset=reset))


def stubbed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A drill plays its steps and heals, and does nothing else."""

    slow = replace(catalogue.step("wait"), act=_for_ever)
    monkeypatch.setattr(catalogue, "step", lambda _name: slow)
    monkeypatch.setattr(Course, "begin", lambda *_: Begun((), Load(), {}))
    monkeypatch.setattr(EngineClock, "calibrate", lambda _clock: EngineClock("boot", 0.0, 0.0))
    monkeypatch.setattr(sampler, "Sampler", _Sampler)
    monkeypatch.setattr(evidence, "collect_logs", lambda *_: None)


def test_a_drill_beyond_its_bound_is_unknown_and_is_healed_without_haste(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    healed: list[str] = []

    def reset(*_: object, **__: object) -> str:
        looks = iter([False, True])
        healed.append(str(wait_until("a machine", lambda: next(looks), timeout=60, every=0)))
        return ""

    stubbed(monkeypatch)
    with pytest.raises(TooBusy, match="what never comes"):
        drill.run(ENDLESS, a_lab(reset), tmp_path, 1, ())
    assert healed == ["True"]
    assert TooBusy.exit_code == 4
