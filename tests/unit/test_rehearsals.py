"""A rehearsal of any runbook begins where that runbook begins, or says why it cannot."""

from __future__ import annotations

import pytest

from lab.core.topology import WEST
from lab.drills.rehearsal import drill_of
from lab.runbooks.runbook import Runbook
from lab.runbooks.runbookfile import read
from lab.runbooks.scenarios import SCENARIOS, scenario
from lab.runbooks.shipped import find, shipped
from lab.steps.calling import called
from lab.steps.catalogue import vocabulary

BOOKS = tuple(read(path, vocabulary()) for path in shipped())
EVERY = [each.name for each in SCENARIOS]


def named(name: str) -> Runbook:
    return read(find(name), vocabulary())


def led(name: str, where: str) -> list[tuple[str, dict[str, object]]]:
    return [
        (each.step, dict(each.options)) for each in drill_of(named(name), scenario(where)).leads
    ]


@pytest.mark.parametrize("where", EVERY)
@pytest.mark.parametrize("book", BOOKS, ids=lambda book: book.name)
def test_any_runbook_is_rehearsed_in_any_situation(book: Runbook, where: str) -> None:
    drill = drill_of(book, scenario(where))
    broken = where not in ("healthy", "returned", "zone-returned")
    assert (len(drill.faults) > 0) is broken
    limits = [each.limit for each in drill.objectives if each.name == "lost"]
    assert limits == ([] if broken else [0])
    for each in drill.leads:
        called(each.step, each.options)


def test_a_runbook_that_begins_at_another_primary_begins_there() -> None:
    held = ("hold-steering", {})
    assert led("region-failover-west", "region-dead") == [
        ("move-primary", {"to": "west.db1"}), held,
    ]  # fmt: skip
    assert led("region-failover", "region-dead") == [held]


def test_only_the_runbook_moves_users() -> None:
    assert led("split-brain", "partition") == [("hold-steering", {})]


def test_what_was_lost_before_the_incident_is_lost_before_the_runbook_begins() -> None:
    assert led("zone-failover", "one-copy-left") == [
        ("inject", {"fault": "blackout", "region": "west"}),
        ("shift-traffic", {"to": "lost"}),
        ("wait", {"seconds": 4}),
    ]
    [fault] = drill_of(named("zone-failover"), scenario("one-copy-left")).faults
    assert (fault.name, str(fault.aim.node)) == ("zone-loss", "east.db1")


LOST = ("inject", {"fault": "blackout", "region": "east"})
TAKEN_OVER = (
    "run-runbook", {"runbook": "region-failover", "old": "east.db1", "new": "west.db1"}
)  # fmt: skip
GATHERED = [("shift-traffic", {"to": "lost"}), ("wait", {"seconds": 4})]


def test_a_way_back_begins_after_a_loss_and_the_failover_that_followed_it() -> None:
    assert led("failback", "returned") == [LOST, TAKEN_OVER, *GATHERED]
    assert led("zone-failback", "zone-returned") == [
        ("inject", {"fault": "zone-loss", "node": "east.db1"}),
        ("run-runbook", {"runbook": "zone-failover", "old": "east.db1", "new": "east.db2"}),
        ("hold-steering", {}),
    ]


def test_a_loss_in_the_west_begins_with_a_primary_in_the_west() -> None:
    first, second, third, *_ = led("return-west", "returned")
    assert first == ("move-primary", {"to": "west.db1"})
    assert second == ("inject", {"fault": "blackout", "region": "west"})
    assert third[1] == {"runbook": "region-failover", "old": "west.db1", "new": "east.db1"}


def test_a_survivor_is_lost_while_the_first_region_follows_again_in_part() -> None:
    back = {"old": "west.db1", "new": "east.db1", "until": "follow"}
    assert led("region-failover-west", "survivor-lost") == [
        LOST, TAKEN_OVER, ("run-runbook", {"runbook": "return-west", **back}), *GATHERED,
    ]  # fmt: skip
    [fault] = drill_of(named("region-failover-west"), scenario("survivor-lost")).faults
    assert (fault.name, fault.aim.region) == ("blackout", WEST)


def test_all_that_led_there_must_be_in_the_journal() -> None:
    drill = drill_of(named("failback"), scenario("returned"))
    assert [each.step for each in drill.calls][:2] == ["inject", "run-runbook"]
