"""What people are told is what the shops say at that moment, not what a runbook is for."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from contexts import context

from lab.core.errors import LabError
from lab.core.topology import EAST, WEST, Region
from lab.infra.shopclient import Guest, Readiness
from lab.steps import deciding

TAKES_EAST = Readiness(True, "ok", "east_db1")
TAKES_WEST = Readiness(True, "ok", "west_db1")
REFUSES = Readiness(False, "read-only", "")


def announced(says: dict[Region, Readiness | None]) -> str:
    """What is recorded, which is the one line that people see."""

    def guest(region: Region) -> object:
        def readiness() -> Readiness:
            if (found := says[region]) is None:
                raise LabError(f"{region.name}.gateway does not run: it is stopped")
            return found

        return SimpleNamespace(readiness=readiness)

    lab = SimpleNamespace(guests={each: guest(each) for each in says})
    said = deciding._announce(context(lab, recorder=SimpleNamespace()))  # its evidence alone
    assert said.startswith("announced: ")
    return said.removeprefix("announced: ")


def test_before_anything_was_done_the_old_primary_is_announced() -> None:
    assert announced({EAST: TAKES_EAST, WEST: TAKES_EAST}) == (
        "orders are taken in west, at east.db1; orders are taken in east, at east.db1"
    )


def test_where_no_order_is_taken_that_is_announced_with_the_reason() -> None:
    assert announced({EAST: None, WEST: REFUSES}) == (
        "no orders are taken in west: read-only;"
        " no orders are taken in east: east.gateway does not run: it is stopped"
    )


def test_the_node_that_takes_orders_is_announced() -> None:
    assert announced({EAST: None, WEST: TAKES_WEST}).startswith("orders are taken in west, at west")


@pytest.mark.parametrize(
    ("status", "body", "wanted"),
    [
        (200, {"reason": "ok", "node": "west_db1"}, TAKES_WEST),
        (503, {"reason": "read-only", "node": None}, REFUSES),
        (502, None, Readiness(False, "status 502", "")),
    ],
)
def test_a_shop_says_which_node_would_take_an_order(
    status: int, body: object, wanted: Readiness, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = SimpleNamespace(status_code=status, json=lambda: body)
    monkeypatch.setattr(Guest, "_send", lambda *_: answer)
    guest = Guest.__new__(Guest)
    assert guest.readiness() == wanted
    assert guest.ready() == (wanted.ready, wanted.reason)
