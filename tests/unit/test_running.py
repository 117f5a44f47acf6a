"""A runbook on the lab as it stands, as its command sees it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any, cast

import pytest

from lab.commands.runbook import liverun, run
from lab.commands.runbook.run import Wanted
from lab.core.errors import CommandFailed, LabError, Refused, UsageError
from lab.drills import runner
from lab.drills.runner import Manner
from lab.runbooks import runbookfile, shipped
from lab.steps.catalogue import looks_again, vocabulary
from lab.testbed import inforce
from lab.testbed.runbookprogress import Progress

FAILOVER = runbookfile.read(shipped.find("region-failover"), vocabulary())
DRAIN = runbookfile.read(shipped.find("drain"), vocabulary())


@pytest.mark.parametrize(
    "error",
    [
        Refused("more than the RPO would be lost", "accept it"),
        UsageError("no terminal to ask on"),
        CommandFailed("west.db1", "pg_ctl promote", 1, "no room"),
    ],
)
def test_a_runbook_that_stops_ends_with_the_code_of_what_stopped_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, error: LabError
) -> None:
    def stops(*_: object) -> object:
        raise error

    monkeypatch.setattr(runner, "run", stops)
    monkeypatch.setattr(inforce, "look", lambda _lab: ())
    begin = Progress("region-failover", "mark")
    record = liverun._record(FAILOVER, "lab", begin, Wanted())
    with pytest.raises(type(error)) as caught:
        liverun._run(
            cast("Any", None), FAILOVER, begin, tmp_path, Manner(), record, nullcontext(())
        )
    assert caught.value.exit_code == error.exit_code
    assert "the same command continues at this step" in str(caught.value)


def test_what_a_run_has_noticed_is_not_looked_for_again_once_it_has_mended_it() -> None:
    assert {"detect", "confirm"} <= looks_again(changed=False)
    assert looks_again(changed=False) - looks_again(changed=True) == {"detect", "compare-checks"}


def test_a_loss_is_accepted_by_each_step_that_would_refuse_it() -> None:
    accepting = run._accepting(FAILOVER)
    changed = [each for each in accepting.steps if each not in FAILOVER.steps]
    assert [(each.step, each.options) for each in changed] == [
        ("check-lag", {"rpo": 300, "accept_loss": True}),
        ("promote", {"accept_loss": True}),
    ]
    with pytest.raises(UsageError, match="no step of drain refuses a loss"):
        run._accepting(DRAIN)
