"""A rehearsal of any runbook begins where that runbook begins, or says why it cannot."""

from __future__ import annotations

import pytest

from lab.core.errors import UsageError
from lab.drills.rehearsal import drill_of
from lab.runbooks.runbook import Runbook
from lab.runbooks.runbookfile import read
from lab.runbooks.scenarios import SCENARIOS, scenario
from lab.runbooks.shipped import find, shipped
from lab.steps.catalogue import vocabulary

BOOKS = tuple(read(path, vocabulary()) for path in shipped())
MADE = [each.name for each in SCENARIOS if not each.later]


def named(name: str) -> Runbook:
    return read(find(name), vocabulary())


def arranged(name: str, where: str) -> list[tuple[str, dict[str, object]]]:
    return [
        (each.step, dict(each.options)) for each in drill_of(named(name), scenario(where)).arrange
    ]


@pytest.mark.parametrize("where", MADE)
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_any_runbook_is_rehearsed_in_any_situation_that_faults_can_make(
    book: Runbook, where: str
) -> None:
    drill = drill_of(book, scenario(where))
    assert (len(drill.faults) > 0) is (where != "healthy")
    assert [each.limit for each in drill.objectives if each.name == "lost"] == (
        [0] if where == "healthy" else []
    )


def test_a_runbook_that_begins_at_another_primary_begins_there() -> None:
    held = ("hold-steering", {})
    assert arranged("region-failover-west", "region-dead") == [("move-primary", {}), held]
    assert arranged("region-failover", "region-dead") == [held]


def test_only_the_runbook_moves_users() -> None:
    assert arranged("split-brain", "partition") == [("hold-steering", {})]


def test_what_was_lost_before_the_incident_is_lost_before_the_runbook_begins() -> None:
    assert arranged("zone-failover", "one-copy-left") == [
        ("inject", {"fault": "blackout", "region": "west"}),
        ("shift-traffic", {"to": "lost"}),
        ("wait", {"seconds": 4}),
    ]
    [fault] = drill_of(named("zone-failover"), scenario("one-copy-left")).faults
    assert (fault.name, str(fault.aim.node)) == ("zone-loss", "east.db1")


@pytest.mark.parametrize("where", [each.name for each in SCENARIOS if each.later])
def test_a_situation_after_a_failover_is_not_rehearsed(where: str) -> None:
    with pytest.raises(UsageError, match="cannot be rehearsed") as caught:
        drill_of(named("failback"), scenario(where))
    assert "lab runbook run" in caught.value.next_step
