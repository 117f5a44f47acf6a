"""What a run left in force: it is told, a customer's order meets it, and one command ends it."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import context
from rich.console import Console

from lab.core.errors import LabError, MachineDown, Refused, WaitExpired
from lab.core.topology import (
    DATABASES,
    EAST,
    EAST_DB1,
    EAST_DB2,
    REGIONS,
    WEST,
    WEST_DB1,
    WEST_DB2,
    Region,
)
from lab.infra.clients import SteeringState
from lab.infra.shopclient import Mode
from lab.status import look, panels
from lab.steps import fitness, reopening
from lab.steps.context import Context
from lab.testbed import inforce

RUN = "2026-11-28T10-00-03Z-runbook-region-failover"
OPEN = Mode(read_only=False)
CLOSED = Mode(read_only=True, since=1_795_860_003.0, by=RUN)
SAID = f"east's shop refuses customers' orders since 2026-11-28 10:00:03 UTC, by {RUN}"


class Shop:
    """A region's shop: what it says of its mode, and who ordered there."""

    def __init__(self, mode: Mode | None) -> None:
        self.state, self.ordered, self.node = mode, list[str](), "west_db1"

    def mode(self) -> Mode:
        if self.state is None:
            raise LabError("no answer")
        return self.state

    def token(self) -> str:
        return "customer"

    def order(self, token: str, _key: str) -> Any:
        self.ordered.append(token)
        return SimpleNamespace(outcome="ok", node=self.node, timeline=2)

    def operator_order(self, key: str) -> Any:
        return self.order("operator", key)


def steering(region: Region, pinned: str | None, share: int | None = None) -> Any:
    state = SteeringState(
        boot_id="boot", monotonic=1.0, region=region.name, view={}, answer=(), pinned=pinned,
        share=share,
    )  # fmt: skip
    return SimpleNamespace(state=lambda: state)


class Databases(dict[Any, Any]):
    """West's first is primary."""

    def primaries(self) -> tuple[Any, ...]:
        return (WEST_DB1,)


class SilentOnce(dict[Any, Any]):
    """East's first is primary, and does not answer the first question."""

    asked = 0

    def primaries(self) -> tuple[Any, ...]:
        self.asked += 1
        return (EAST_DB1,) if self.asked > 1 else ()


def lab(east: Mode | None, west: Mode | None = OPEN, pinned: str | None = None) -> Any:
    guests = {EAST: Shop(east), WEST: Shop(west)}
    database = SimpleNamespace(query=lambda *_, **__: [(1,)])
    return SimpleNamespace(
        name="lab",
        guests=guests,
        steerings={each: steering(each, pinned, 100 if pinned else None) for each in REGIONS},
        databases=Databases({WEST_DB1: database}),
        names=SimpleNamespace(ttl=lambda _region, _name: 2),
    )


def deed(found: Any, by: str = "another-run") -> Context:
    recorder = SimpleNamespace(mark=lambda *_, **__: 0.0)
    return context(found, recorder=recorder, run=by)


# ── told ─────────────────────────────────────────────────────────────────────────────────────


def test_what_lasts_is_told_with_since_when_and_by_which_run() -> None:
    found = [str(each) for each in inforce.look(lab(CLOSED, pinned="west"))]
    assert found == [
        SAID,
        "east's steering is pinned: users are sent to west",
        "west's steering is pinned: users are sent to west",
    ]
    assert inforce.look(lab(OPEN)) == ()
    assert inforce.look(lab(None, None)) == ()  # what does not answer is left out


def test_a_share_of_users_that_is_sent_elsewhere_is_told() -> None:
    found = lab(OPEN)
    found.steerings[EAST] = steering(EAST, "west", 10)
    [told] = inforce.look(found)
    assert str(told) == "east's steering is pinned: 10 % of look-ups are sent to west"


def test_the_status_shows_it_and_the_command_that_ends_it() -> None:
    found = look.Status("lab", "10.91", (), (), (), (), {}, {}, (), (), (
        inforce.InForce("east's shop refuses customers' orders", "2026-11-28 10:00:03 UTC", RUN),
    ))  # fmt: skip
    console = Console(width=200, record=True)
    console.print(panels.status(found))
    text = console.export_text()
    for part in ("refuses customers' orders", "2026-11-28 10:00:03 UTC", RUN, inforce.ENDS):
        assert part in text


# ── met by a customer ────────────────────────────────────────────────────────────────────────


def test_an_order_that_verifies_is_a_customers() -> None:
    found = lab(OPEN)
    assert fitness._verify(deed(found)).startswith("a customer's order verify-")
    assert found.guests[WEST].ordered == ["customer"]


def test_a_primary_that_did_not_answer_in_time_is_asked_again() -> None:
    """On a busy machine the present primary was silent once, and the standby was waited for."""
    found = lab(OPEN)
    found.databases = SilentOnce({EAST_DB1: SimpleNamespace(query=lambda *_, **__: [(1,)])})
    found.guests[WEST].node = "east_db1"
    assert "answered ok by east.db1" in fitness._verify(deed(found))


@pytest.mark.parametrize(("east", "west"), [(CLOSED, OPEN), (OPEN, CLOSED), (None, CLOSED)])
def test_what_another_run_left_in_force_fails_the_verification(
    east: Mode | None, west: Mode | None
) -> None:
    found = lab(east, west)
    with pytest.raises(Refused, match=f"refuses customers' orders since .*, by {RUN}") as caught:
        fitness._verify(deed(found))
    assert caught.value.next_step == "to end that, run: lab runbook run reopen --fresh"
    assert found.guests[WEST].ordered == []


def test_a_run_that_itself_refuses_customers_verifies_as_an_operator() -> None:
    found = lab(CLOSED, CLOSED)
    order = r"an operator's order verify-\S+ \(this run still refuses customers\) answered ok by .*"
    assert re.fullmatch(order, fitness._verify(deed(found, RUN)))
    assert found.guests[WEST].ordered == ["operator"]


@pytest.mark.parametrize(
    ("runs", "answers", "told"),
    [
        (False, True, "west.db1 acknowledges no order before west.db2 has it, and west.db2 does"),
        (True, False, "west.db1 acknowledges no order before west.db2 has it, and west.db2 does"),
        (True, True, ""),
    ],
)
def test_an_order_that_waits_for_a_standby_names_the_standby(
    monkeypatch: pytest.MonkeyPatch, runs: bool, answers: bool, told: str
) -> None:
    """A frozen standby is asked nothing: it would keep the question."""
    found = lab(OPEN)
    receipt = SimpleNamespace(outcome="local", node="west_db1", timeline=2)
    monkeypatch.setattr(found.guests[WEST], "order", lambda *_: receipt)
    monkeypatch.setattr(fitness, "_VERIFY_SECONDS", 0.01)
    found.databases[WEST_DB1].state = lambda: SimpleNamespace(waits_for=(WEST_DB2,))
    found.databases[WEST_DB2] = SimpleNamespace(answers=lambda: runs and answers)
    found.engine = SimpleNamespace(running=lambda _place: runs)
    with pytest.raises(WaitExpired, match="a real order was answered 'local'") as caught:
        fitness._verify(deed(found))
    assert told in caught.value.message
    assert bool(told) is ("acknowledges no order" in caught.value.message)


# ── ended ────────────────────────────────────────────────────────────────────────────────────


class Machines:
    """Databases by what they say: primary, standby, or nothing; and what the engine says then."""

    def __init__(self, *primaries: Any, silent: Any = None, status: str = "", code: int = 0):
        self._primaries, self._silent = primaries, silent
        self._status, self._code = status, code

    def __getitem__(self, place: Any) -> Any:
        return SimpleNamespace(answers=lambda: place != self._silent)

    def primaries(self) -> Any:
        return self._primaries

    def state(self, _place: Any) -> Any:
        return SimpleNamespace(stopped=self._status == "exited")

    def run_code(self, place: Any, _argv: Any) -> tuple[int, str]:
        if self._status != "running":
            raise MachineDown(place, self._status)
        return self._code, ""


@pytest.mark.parametrize(
    ("machines", "why"),
    [
        (Machines(EAST_DB1, WEST_DB1), "east.db1 and west.db1 would both take orders"),
        (Machines(), "no database is primary"),
        (Machines(WEST_DB1, silent=EAST_DB1, status="paused"), "east.db1 cannot be asked"),
        (Machines(WEST_DB1, silent=EAST_DB1, status="running"), "east.db1 cannot be asked"),
        (Machines(WEST_DB1, silent=EAST_DB1, status="running", code=3), ""),  # it was fenced
        (Machines(WEST_DB1, silent=EAST_DB2, status="exited"), ""),
        (Machines(WEST_DB1), ""),
    ],
)
def test_customers_order_again_only_where_one_database_can_take_the_orders(
    machines: Machines, why: str
) -> None:
    found = cast("Any", SimpleNamespace(databases=machines, engine=machines))
    assert len(DATABASES) == 4
    if not why:
        reopening._refuse_without_one_primary(found)
        return
    with pytest.raises(Refused, match=why):
        reopening._refuse_without_one_primary(found)
