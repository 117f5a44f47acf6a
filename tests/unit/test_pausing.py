"""Replication between the regions is paused by the same link that faults close."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
from made_up_servers import MadeUp

from lab.core.errors import Refused
from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, Link, Place, link
from lab.faults import acting
from lab.faults.acting import Effect
from lab.faults.catalogue import fault
from lab.faults.row import Aim, Aimed
from lab.infra.linkstates import LinkState
from lab.runbooks.runbook import Plan
from lab.steps import pausing

WAY = link("west:east:replication")


class Links:
    """Gateways of which one link may be closed."""

    def __init__(self) -> None:
        self.closed = set[Link]()

    def states(self, _entered: object) -> tuple[LinkState, ...]:
        return (LinkState(WAY, True, WAY not in self.closed, 40, ()),)

    def armed(self, wanted: list[Link], act: Callable[[Any], object]) -> Callable[[], None]:
        def strike() -> None:
            for each in wanted:
                act(SimpleNamespace(enable=lambda each=each: self.closed.discard(each)))

        return strike


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    found = MadeUp()
    found.lab.links = Links()

    def inject(_lab: object, aimed: Aimed) -> Effect:
        [way] = aimed.aim.links
        already = way in found.lab.links.closed
        found.lab.links.closed.add(way)
        return Effect(aimed, 0.1, f"{way.name}: {aimed.name}", already=already)

    monkeypatch.setattr(acting, "inject", inject)
    monkeypatch.setattr(acting, "in_force", lambda _lab: ())
    return found


def test_the_link_by_which_wal_comes_is_closed_as_the_fault_refused(made: MadeUp) -> None:
    told = "west.db1 has received WAL up to 0/5000 on timeline 1"
    first = made.do("pause-replication")
    assert first == f"{WAY.name} is closed ({WAY.name}: refused); {told}"
    assert made.lab.links.closed == {WAY}
    assert made.do("pause-replication").startswith(f"{WAY.name} was closed already")


def test_inside_a_region_there_is_no_link_to_close(made: MadeUp) -> None:
    for name in ("pause-replication", "resume-replication"):
        with pytest.raises(Refused, match=r"both in east: WAL passes no gateway between them"):
            made.do(name, Plan(EAST_DB1, EAST_DB2))


def test_a_gateway_that_does_not_run_lets_nothing_pass(made: MadeUp) -> None:
    made.engine.dead.add(Place("east", "gateway"))
    assert made.do("pause-replication") == (
        "east.gateway does not run: nothing passes west:east:replication"
    )


def test_replication_goes_on_when_the_link_is_open_again(made: MadeUp) -> None:
    made.do("pause-replication")
    assert made.do("resume-replication") == f"{WAY.name} is open; west.db1 streams again"
    again = f"{WAY.name} is open already: nothing is left to do"
    assert made.do("resume-replication") == again
    made.do("pause-replication")
    made[WEST_DB1].primary = True
    assert made.do("resume-replication").endswith("west.db1 is primary and receives nothing")


def test_a_standby_that_does_not_come_back_is_said_so(
    made: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pausing, "_STREAM_SECONDS", 0.0)
    made[WEST_DB1].receiver = ""
    made.do("pause-replication")
    assert "west.db1 does not stream yet" in made.do("resume-replication")


def test_a_link_that_a_wider_fault_closed_is_not_this_steps_to_open(
    made: MadeUp, monkeypatch: pytest.MonkeyPatch
) -> None:
    lagging = Aimed(fault("lag-hold"), Aim(links=(WAY,), amount=15.0))
    monkeypatch.setattr(acting, "in_force", lambda _lab: (fault("partition").at(), lagging))
    made.do("pause-replication")
    with pytest.raises(Refused, match="closed by a fault that closes more: partition") as caught:
        made.do("resume-replication")
    assert caught.value.next_step == "end that: lab fault heal partition"
    monkeypatch.setattr(acting, "in_force", lambda _lab: (lagging,))
    assert "is open" in made.do("resume-replication")
