"""What `lab status` asks is told by the lab's own names and in the lab's own words."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from made_up_status import node

from lab.core.addresses import Addresses
from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    EAST,
    EAST_DB1,
    EAST_DB2,
    WEST,
    WEST_DB1,
    WRITER_NAME,
    Place,
    Region,
    head_name,
)
from lab.infra.containers import MachineState
from lab.status import look
from lab.status.look import NAMES_SHOWN
from lab.testbed import runbookprogress
from lab.testbed.nodelook import SILENT, behind, why_silent

ADDRESSES = Addresses("10.91")
LIBPQ = 'connection failed: connection to server at "127.0.0.1", port 32780 failed: '


@pytest.mark.parametrize(
    ("machine", "said", "words"),
    [
        ("running", f"{LIBPQ}FATAL:  the database system is starting up", "its server is starting"),
        ("running", f"{LIBPQ}FATAL:  sorry, too many clients already",
         "it has no connection left"),
        ("running", f"{LIBPQ}server closed the connection unexpectedly", SILENT),
        ("paused", "east.db1 is frozen and may resume: it is frozen", "its machine is frozen"),
        ("exited", "east.db1 does not run: it is stopped", "its machine is down"),
        ("absent", "east.db1 does not run: it is absent", "its machine does not exist"),
    ],
)  # fmt: skip
def test_a_database_that_does_not_answer_says_why_in_the_labs_words(
    machine: str, said: str, words: str
) -> None:
    assert why_silent(MachineState(EAST_DB1, machine, "", {}), LabError(said)) == words


@pytest.mark.parametrize(
    ("host", "leads"),
    [
        ("10.91.1.11", (EAST_DB1, None)),
        ("10.91.2.2", (EAST_DB2, Place("east", "gateway"))),
        ("10.91.1.3", (WEST_DB1, Place("west", "gateway"))),
        ("", (None, None)),
    ],
)
def test_an_address_is_a_node_or_what_a_gateway_leads_to(host: str, leads: object) -> None:
    heads = {EAST: EAST_DB2, WEST: WEST_DB1}
    assert behind(ADDRESSES, host, lambda region: heads[region]) == leads


def names(answers: dict[tuple[str, str], tuple[str, ...] | None]) -> look._Names:
    def addresses(viewer: Region, name: str) -> tuple[str, ...] | None:
        return answers.get((viewer.name, name), ())

    return look._Names(ADDRESSES, cast("Any", SimpleNamespace(addresses=addresses)))


def test_names_are_told_by_node_and_by_the_way_to_it() -> None:
    found = names(
        {
            ("west", WRITER_NAME): ("10.91.2.2",),
            ("east", head_name(EAST)): ("10.91.1.12",),
            ("west", APP_NAME): ("10.91.0.11", "10.91.0.12"),
            ("west", head_name(WEST)): None,
        }
    )
    told = found.words(found.asked(WEST))
    assert told == {
        APP_NAME: "east.gateway, west.gateway",
        WRITER_NAME: "east.db2 through east.gateway",
        head_name(EAST): "no such name",
        head_name(WEST): "no answer",
    }
    assert set(told) == set(NAMES_SHOWN)
    assert found.node(("10.91.2.2",)) == EAST_DB2
    assert found.node(None) is None


def test_a_gateway_without_a_head_leads_to_no_node() -> None:
    found = names({("west", WRITER_NAME): ("10.91.2.2",)})
    assert found.words(found.asked(WEST))[WRITER_NAME] == "no node through east.gateway"


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("ok", "takes orders"),
        ("read-only", "takes no orders: read-only mode"),
        ("the node is a standby or read-only: cannot execute INSERT in a read-only transaction",
         "takes no orders: its database takes no writes"),
        (f"{LIBPQ}timeout expired", "takes no orders: its database does not answer"),
    ],
)  # fmt: skip
def test_a_shop_says_in_the_labs_words_why_it_takes_no_orders(answer: str, told: str) -> None:
    guest = SimpleNamespace(ready=lambda: (answer == "ok", answer))
    assert look._ready(cast("Any", SimpleNamespace(guests={EAST: guest})), EAST) == told


@pytest.mark.parametrize(
    ("done", "timeline", "told"),
    [(3, 1, "region-failover"), (0, 1, ""), (3, 2, "")],
    ids=["cut after three steps", "nothing was done", "it was another incident"],
)
def test_a_runbook_that_was_cut_is_told_of_in_its_own_incident_alone(
    monkeypatch: pytest.MonkeyPatch, done: int, timeline: int, told: str
) -> None:
    sight = runbookprogress.Sight({"east.db1": 1}, None, "")
    found = runbookprogress.Progress("region-failover", done=done, new="west.db1", sight=sight)
    monkeypatch.setattr(runbookprogress, "kept", lambda _name: found)
    nodes = (node(EAST_DB1, primary=True, timeline=timeline),)
    assert look._cut(cast("Any", SimpleNamespace(name="lab")), nodes).runbook == told
