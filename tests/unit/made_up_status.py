"""A lab as `lab status` may see it, made up: healthy, and changed node by node."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from lab.core.topology import (
    DATABASES,
    EAST_DB1,
    EAST_DB2,
    ONE_WAY_DELAY_MS,
    PLACES,
    REGIONS,
    WEST_DB1,
    WEST_DB2,
    Place,
    links,
)
from lab.infra.clients import UsersStats
from lab.infra.containers import MachineState
from lab.infra.linkstates import LinkState
from lab.postgres.server import NodeState
from lab.postgres.serverprofile import Profile, Slot
from lab.status.look import NAMES_SHOWN, Status, Traffic
from lab.testbed.nodelook import Following, NodeReport

END = 0x5000148
GIB = 2**30
_THROUGH = {WEST_DB1: Place("east", "gateway")}
_UPSTREAM = {EAST_DB2: EAST_DB1, WEST_DB1: EAST_DB1, WEST_DB2: WEST_DB1}
_SLOTS = {EAST_DB1: (EAST_DB2, WEST_DB1), WEST_DB1: (WEST_DB2,)}


def slot(standby: Place, *, lost: bool = False, active: bool = True, kept: int = 0,
         left: int | None = 2 * GIB) -> Slot:  # fmt: skip
    return Slot(standby.server_name, active, lost, None if lost else kept, None if lost else left)


def node(place: Place, *, primary: bool = False, timeline: int = 1, received: int = END,
         lag: int | None = 0, left: int | None = None, proof: float | None = 0.021,
         arrived: float | None = 0.02, receiver: str = "10.91.1.11:5432 streaming",
         **profile: Any) -> NodeReport:  # fmt: skip
    """A database that answers; what is not said is as in a healthy lab."""
    state = NodeState(
        place, place.server_name, not primary, timeline, received, received,
        None if primary else 0.4, "" if primary else receiver,
        "ANY 1 (east_db2)" if place == EAST_DB1 and primary else "", (),
    )  # fmt: skip
    own = {
        "slots": tuple(map(slot, _SLOTS.get(place, ()))),
        "connections": 20,
        "most": 197,
        "shop_sessions": 18,
        "shop_most": 165,
    }
    said = Profile(**{**own, **profile})
    if primary:
        return NodeReport(place, "running", state, "", None, None, None, said)
    way = Following(lag, proof, left, 0, arrived, EAST_DB1, fresh=True)
    upstream = _UPSTREAM.get(place, WEST_DB1)
    return NodeReport(
        place, "running", state, "", upstream, _THROUGH.get(place), way, said, alone_bytes=0
    )


def silent(place: Place, reason: str, machine: str = "running") -> NodeReport:
    return NodeReport(place, machine, None, reason, None, None, None)


def healthy(**changes: Any) -> Status:
    """A lab in which nothing is wrong, with users at work."""
    return replace(_HEALTHY, **changes)


def with_nodes(*changed: NodeReport, **changes: Any) -> Status:
    """The healthy lab, but for these databases."""
    own = {each.place: each for each in changed}
    nodes = tuple(own.get(each.place, each) for each in _HEALTHY.nodes)
    return healthy(nodes=nodes, **changes)


def machines(status: Mapping[Place, str]) -> tuple[MachineState, ...]:
    """All machines; those that are named have another state than `running`."""
    return tuple(MachineState(each, status.get(each, "running"), "", {}) for each in PLACES)


def region_down(name: str) -> tuple[MachineState, ...]:
    return machines({place: "exited" for place in PLACES if place.site == name})


def _stats(population: str) -> UsersStats:
    counts = {"write": {"ok": 1234, "fail": 5, "unknown": 6}, "read": {"ok": 99}}
    return UsersStats.model_validate(
        {
            "boot_id": "boot", "monotonic": 1.0, "running": True, "population": population,
            "in_flight": 0, "totals": counts, "acknowledged_by_region": {}, "answers": {},
        }
    )  # fmt: skip


_LEADS = {
    "east": ("east.gateway", "east.db1", "east.db1", "west.db1 through west.gateway"),
    "west": (
        "west.gateway",
        "east.db1 through east.gateway",
        "east.db1 through east.gateway",
        "west.db1",
    ),
}
_HEALTHY = Status(
    name="lab",
    subnet="10.91",
    machines=machines({}),
    nodes=(node(EAST_DB1, primary=True), *(node(each) for each in DATABASES if each != EAST_DB1)),
    links=tuple(
        LinkState(
            each, exists=True, open=True, toxics=(),
            delay_ms=ONE_WAY_DELAY_MS if each.is_long_distance else 0,
        )
        for each in links()
    ),
    unreachable_gateways=(),
    answers={each.name: dict.fromkeys(NAMES_SHOWN, "10.91.1.11") for each in REGIONS},
    ready={each.name: "takes orders" for each in REGIONS},
    traffic=tuple(Traffic(each.name, 1.0, 20.0, 20.0, _stats(each.name)) for each in REGIONS),
    faults=(),
    leads={name: dict(zip(NAMES_SHOWN, where, strict=True)) for name, where in _LEADS.items()},
    writers={each.name: EAST_DB1 for each in REGIONS},
)  # fmt: skip
