"""Healing: a fault is over when what it broke works again, whatever else is broken beside it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.core.addresses import Addresses
from lab.core.errors import LabError, MachineDown, WaitExpired
from lab.core.topology import (
    DATABASES,
    EAST,
    EAST_DB1,
    EAST_DB2,
    PLACES,
    REGIONS,
    WEST,
    WEST_DB1,
    WEST_DB2,
    WRITER_NAME,
    Place,
    Region,
    head_name,
    link,
    links,
    machines_of,
)
from lab.faults import acting, aftercare
from lab.faults.catalogue import fault, faults
from lab.faults.row import Aim, Aimed
from lab.faults.sight import Server, Sight
from lab.infra.dnsnames import address_seen_from
from lab.infra.linkstates import LinkState
from lab.postgres.succession import Disk
from lab.testbed.bringback import bring_back, start_server

ADDRESSES = Addresses("10.91")
DEFAULT = {place: Disk(place != EAST_DB1, 1) for place in DATABASES}
REPLACED = {**DEFAULT, WEST_DB1: Disk(False, 2)}
"""West was promoted while east was away."""


class FakeLab:
    """A lab of which these machines are dead, these servers silent; it takes no orders at all."""

    name = "made-up"

    def __init__(
        self,
        dead: Collection[Place] = (),
        silent: Collection[Place] = (),
        disks: Mapping[Place, Disk] = DEFAULT,
        serving: bool = False,
    ) -> None:
        self.dead, self.silent, self.disks = set(dead), set(silent), disks
        self.started = list[Place]()
        self.settings = SimpleNamespace(addresses=ADDRESSES, https=False)
        self.engine = self
        self.refusing = False
        self.guests = {each: self._guest(serving) for each in REGIONS}
        self.links = SimpleNamespace(states=self._states, heal=lambda _links: None)
        self.names = SimpleNamespace(ask=self._ask)
        self.databases = Databases(self)
        self.steerings = {each: SimpleNamespace(state=self._view) for each in REGIONS}

    def _guest(self, serving: bool) -> Any:
        mode = lambda: SimpleNamespace(read_only=self.refusing)  # noqa: E731
        return SimpleNamespace(ready=lambda: (serving, "no"), mode=mode, live=lambda: True)

    # as an engine

    def running(self, place: Place) -> bool:
        return place not in self.dead

    def state(self, place: Place) -> Any:
        return SimpleNamespace(stopped=place in self.dead, frozen=False)

    def boot(self, places: Iterable[Place]) -> None:
        self.dead -= set(places)

    @staticmethod
    def each(several: Iterable[Any], act: Callable[[Any], Any]) -> list[Any]:
        return [act(each) for each in several]

    def run(self, place: Place, argv: Sequence[str], **_: object) -> str:
        if place in self.dead:
            raise MachineDown(place, "exited")
        if argv[0] == "/cli":
            return "PONG"
        host, port = argv[4], argv[5]
        found = {"connect": 0.001, "answers": [0.002], "close": 0.0, "error": ""}
        if not self._reached(host, port):
            found |= {"answers": [], "error": "reset"}
        return json.dumps(found)

    def run_code(self, _place: Place, _argv: Sequence[str]) -> tuple[int, str]:
        return 1, ""

    def _reached(self, host: str, port: str) -> bool:
        for each in links():
            ends = {
                each.listen(ADDRESSES),
                f"{ADDRESSES.internet(each.gateway)}:{each.purpose.port}",
            }
            if f"{host}:{port}" in ends:
                target = each.purpose.target
                place = Place(each.entered.name, "db1" if target == "head" else target)
                return self.works(place)
        return any(ADDRESSES.inside(p) == host and self.works(p) for p in PLACES[:14])

    def works(self, place: Place) -> bool:
        return place not in self.dead and place not in self.silent

    def reopen(self, _primary: Place) -> None: ...

    # as gateways, resolvers, steerings

    def _states(self, entered: Region) -> tuple[LinkState, ...]:
        return tuple(LinkState(e, True, True, 0, ()) for e in links() if e.entered is entered)

    def _ask(self, viewer: Region, name: str) -> tuple[str, ...]:
        heads = {head_name(each): ADDRESSES.inside(Place(each.name, "db1")) for each in REGIONS}
        heads |= {WRITER_NAME: ADDRESSES.inside(EAST_DB1)} if viewer is EAST else {}
        return (heads.get(name, ADDRESSES.inside(Place(viewer.name, "gateway"))),)

    def _view(self) -> Any:
        view = {
            each.name: SimpleNamespace(
                state="live" if self.works(Place(each.name, "app")) else "down"
            )
            for each in REGIONS
        }
        return SimpleNamespace(view=view, answer=())


class Databases:
    """Its servers, which answer unless they are silent."""

    def __init__(self, lab: FakeLab) -> None:
        self._lab = lab

    def primaries(self) -> tuple[Place, ...]:
        return tuple(p for p in DATABASES if self._lab.works(p) and not self._lab.disks[p].standby)

    def __getitem__(self, place: Place) -> Any:
        def start() -> None:
            self._lab.silent.discard(place)
            self._lab.started.append(place)

        def state() -> Any:
            if not self._lab.works(place):
                raise LabError(f"{place} does not answer")
            return SimpleNamespace(receiver="")

        return SimpleNamespace(
            answers=lambda: self._lab.works(place),
            disk=lambda: self._lab.disks[place],
            start=start,
            start_patiently=start,
            state=state,
        )


def gone(one: Aimed, lab: FakeLab) -> str | None:
    return one.fault.gone(lab, one.aim)  # type: ignore[arg-type]


OF_MACHINES = (
    "zone-loss", "app-loss", "cache-loss", "gateway-crash", "crash", "stop-clean",
    "stop-immediate", "disk-full", "freeze", "region-loss", "blackout", "engine-restart",
)  # fmt: skip


@pytest.mark.parametrize("name", OF_MACHINES)
def test_a_machine_that_works_again_is_healed_although_no_region_takes_orders(name: str) -> None:
    assert gone(fault(name).at(), FakeLab())


@pytest.mark.parametrize("name", OF_MACHINES)
def test_a_machine_that_does_not_work_is_not_healed(name: str) -> None:
    assert gone(fault(name).at(), FakeLab(dead=PLACES)) is None


def test_what_asks_a_machine_otherwise_may_be_dead_when_the_machine_is_healed() -> None:
    for name, asks in (("cache-loss", "steering"), ("app-loss", "steering")):
        assert gone(fault(name).at(), FakeLab(dead=[Place("east", asks)]))
    frozen = Aimed(fault("freeze"), Aim(node=Place("east", "app")))
    assert gone(frozen, FakeLab(dead=[Place("east", "steering")]))


OF_LINKS = (
    "partition", "partition-silent", "users-cut-off", "steering-blind", "steerings-disagree",
    "lag-hold", "bandwidth", "delay", "slow-close",
)  # fmt: skip


@pytest.mark.parametrize("name", OF_LINKS)
def test_a_link_is_healed_although_what_it_leads_to_is_dead(name: str) -> None:
    one = fault(name).at()
    for region in REGIONS:
        assert gone(one, FakeLab(dead=machines_of(region)))
        assert gone(one, FakeLab(dead=[Place(region.name, "app")]))
        assert gone(one, FakeLab(dead=[Place(region.name, "db1")]))


@pytest.mark.parametrize("name", ["partition", "users-cut-off", "delay"])
def test_a_link_that_leads_to_what_works_and_is_not_answered_is_not_healed(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab = FakeLab()
    monkeypatch.setattr(lab, "_reached", lambda host, _: host.endswith(".80"))
    assert gone(fault(name).at(), lab) is None


def test_a_link_that_its_gateway_calls_closed_is_not_healed_whatever_it_leads_to() -> None:
    lab = FakeLab(dead=[Place("west", "app")])
    shut = link("east:west:app")
    states = lab.links.states
    lab.links.states = lambda entered: tuple(
        replace(each, open=each.link != shut) for each in states(entered)
    )
    assert gone(fault("partition").at(), lab) is None


@pytest.mark.parametrize("name", ["planted-setting", "connections-exhausted"])
def test_what_a_server_that_does_not_run_had_is_gone(name: str) -> None:
    one = fault(name).at()
    assert one.aim.node is not None
    assert gone(one, FakeLab(silent=[one.aim.node]))


def test_every_fault_that_takes_users_their_shop_says_whom_it_serves() -> None:
    serving = {row.name for row in faults() if row.at().serves()}
    assert serving == set(OF_MACHINES) - {"cache-loss"}
    assert fault("region-loss").at().serves() == (EAST,)


# ── a primary that was replaced ──────────────────────────────────────────────────────────────


def test_a_database_that_was_replaced_stays_down_and_its_machine_is_healed() -> None:
    lab = FakeLab(dead=machines_of(EAST), silent=[EAST_DB1], disks=REPLACED)
    bring_back(lab, machines_of(EAST))  # type: ignore[arg-type]
    assert EAST_DB1 not in lab.started
    assert EAST_DB2 in lab.started
    for name in ("region-loss", "crash", "zone-loss", "stop-immediate"):
        assert gone(fault(name).at(), lab)
    assert "west.db1 was promoted in its place" in str(gone(fault("crash").at(), lab))


def test_a_primary_whose_successor_cannot_be_ruled_out_is_not_started() -> None:
    lab = FakeLab(dead=[WEST_DB1], silent=[EAST_DB1], disks={**DEFAULT})
    with pytest.raises(LabError, match=r"(?s)cannot ask west\.db1.*heal"):
        start_server(lab, EAST_DB1)  # type: ignore[arg-type]
    assert lab.started == []
    lab.dead.clear()
    start_server(lab, EAST_DB1)  # type: ignore[arg-type]
    assert lab.started == [EAST_DB1]


def _sight(lab: FakeLab) -> Sight:
    sight = Sight(lab)  # type: ignore[arg-type]
    words = frozenset({"in production", "pidfile"})
    vars(sight)["servers"] = {
        each: Server(words if each in lab.silent else frozenset({"running"})) for each in DATABASES
    }
    return sight


def test_a_server_that_stays_down_is_no_fault_and_any_other_is() -> None:
    crashed = fault("crash").present
    assert crashed(_sight(FakeLab(silent=[EAST_DB1]))) == (Aim(node=EAST_DB1),)
    assert crashed(_sight(FakeLab(silent=[EAST_DB1], disks=REPLACED))) == ()


def _led_to(lab: FakeLab, place: Place, *viewers: Region) -> None:
    """These resolvers answer, and lead writers to that database."""

    def ask(viewer: Region, _name: str) -> tuple[str, ...]:
        if viewer not in viewers:
            raise LabError("no answer")
        return (address_seen_from(viewer, place, ADDRESSES),)

    lab.names.ask = ask


WEST_KNOWN = {EAST_DB1: Disk(False, 1), EAST_DB2: Disk(True, 2)}


@pytest.mark.parametrize(
    ("disks", "named", "viewers", "down"),
    [
        (DEFAULT, WEST_DB1, (EAST,), True),
        (DEFAULT, EAST_DB2, (EAST, WEST), False),
        (DEFAULT, EAST_DB1, (EAST,), False),
        (DEFAULT, EAST_DB1, (), False),
        (WEST_KNOWN, EAST_DB1, (), True),
    ],
    ids=["a name leads to west", "a name leads to a standby next door",
         "a name leads there", "no name is known", "another disk knows the newer timeline"],
)  # fmt: skip
def test_a_primary_that_was_replaced_is_no_fault_while_its_successor_is_dark(
    disks: Mapping[Place, Disk], named: Place, viewers: tuple[Region, ...], down: bool
) -> None:
    lab = FakeLab(dead=machines_of(WEST), silent=[EAST_DB1], disks={**DEFAULT, **disks})
    _led_to(lab, named, *viewers)
    sight = _sight(lab)
    assert sight.replaced == sight.left_down == ({EAST_DB1} if down else set())
    assert fault("crash").present(sight) == (() if down else (Aim(node=EAST_DB1),))


@pytest.mark.parametrize(("viewers", "down"), [((EAST, WEST), True), ((WEST,), False)])
def test_from_across_a_name_does_not_tell_two_databases_of_one_region_apart(
    viewers: tuple[Region, ...], down: bool
) -> None:
    lab = FakeLab(dead=[EAST_DB2], silent=[EAST_DB1])
    _led_to(lab, EAST_DB2, *viewers)
    assert (EAST_DB1 in _sight(lab).replaced) == down


def test_the_newer_of_two_primaries_is_no_fault_where_a_person_stopped_it() -> None:
    sight = _sight(FakeLab(silent=[WEST_DB1], disks=REPLACED))
    assert fault("crash").present(sight) == (Aim(node=WEST_DB1),)
    vars(sight)["servers"][WEST_DB1] = Server(frozenset({"in production"}))
    assert fault("stop-immediate").present(sight) == ()
    assert sight.replaced == {WEST_DB1}


@pytest.mark.parametrize(
    ("there", "told"),
    [
        ((20.0,), "lag-hold west:east:replication (20 s): gone"),
        ((), "lag-hold west:east:replication: no change was needed: gone"),
        ((20.0, 30.0), "lag-hold west:east:replication: gone"),
    ],
    ids=["as it was in force", "it was not in force", "of two strengths"],
)
def test_a_fault_that_is_healed_is_told_as_strong_as_it_was(
    there: tuple[float, ...], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = fault("lag-hold")
    aims = tuple(replace(row.default, amount=each) for each in there)
    made_up = replace(
        row, present=lambda _sight: aims, heal=lambda *_: None, gone=lambda *_: "gone"
    )
    monkeypatch.setattr(acting.changetoken, "take", lambda _name: None)
    monkeypatch.setattr(acting, "await_service", lambda *_: None)
    healed = acting.heal(FakeLab(), made_up.at())  # type: ignore[arg-type]
    assert str(healed).split(" (0.0")[0] == told


@pytest.mark.parametrize(
    ("disks", "way"),
    [
        (REPLACED, "The failback: lab runbook run failback"),
        ({**DEFAULT, EAST_DB2: Disk(False, 2)}, "The failback: lab runbook run zone-failback"),
        ({**DEFAULT, WEST_DB1: Disk(False, 2), EAST_DB1: Disk(False, 3)}, "return-west"),
        ({**DEFAULT, WEST_DB2: Disk(False, 2)}, "write one with the steps of failback"),
    ],
)
def test_the_way_back_is_named_for_each_database_that_stays_down(
    disks: Mapping[Place, Disk], way: str
) -> None:
    old = max((p for p in disks if not disks[p].standby), key=lambda p: -disks[p].timeline)
    lab: Any = FakeLab(silent=[old], disks=disks, serving=True)
    [line] = aftercare.rest(lab, [fault("region-loss").at()], [])
    assert line.startswith(f"{old} stays down")
    assert "orders that exist only there stay on its disk" in line
    assert way in line


def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """For how long a healing waits for service that does not come, wait by wait."""
    found = list[float]()

    def expired(what: str, _probe: object, timeout: float) -> None:
        found.append(timeout)
        raise WaitExpired(what, timeout, None)

    monkeypatch.setattr(aftercare, "wait_until", expired)
    return found


@pytest.mark.parametrize(
    ("region", "refusing", "disks", "long"),
    [
        (EAST, False, DEFAULT, True),
        (EAST, True, DEFAULT, False),
        (EAST, False, REPLACED, False),
        (WEST, False, REPLACED, True),
    ],
)
def test_service_is_not_awaited_where_only_a_person_can_bring_it_back(
    region: Region,
    refusing: bool,
    disks: Mapping[Place, Disk],
    long: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A shop was told to refuse customers, or its writer's name leads to what stays down."""
    lab: Any = FakeLab(silent=[EAST_DB1] if disks is REPLACED else [], disks=disks)
    lab.refusing, waited = refusing, waits(monkeypatch)
    aftercare.await_service(lab, [region], lambda: False)
    assert waited == [3.0, 20.0][: 1 + long]


def test_service_is_awaited_for_the_other_region_beside_one_that_waits_in_vain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lab: Any = FakeLab(silent=[EAST_DB1], disks=REPLACED)
    waited = waits(monkeypatch)
    aftercare.await_service(lab, REGIONS, lambda: False)
    assert waited == [3.0, 20.0]


def test_what_is_not_in_order_beside_a_healing_is_told_in_lines_of_its_own() -> None:
    lab: Any = FakeLab()
    lines = aftercare.rest(lab, [fault("crash").at()], [fault("partition").at()])
    assert lines == (
        "still in force: partition; to heal it: lab fault heal --all",
        "west takes no orders: no",
    )


# ── heal_all ─────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeLab:
    class _Sight:
        def __init__(self, lab: object, *, settled: bool = False) -> None: ...

        def look(self) -> None: ...

    monkeypatch.setattr(acting, "Sight", _Sight)
    monkeypatch.setattr("lab.faults.aftercare._SOON_SECONDS", 0.0)
    monkeypatch.setattr("lab.faults.aftercare._SERVICE_SECONDS", 0.0)
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    return FakeLab()


@pytest.mark.parametrize("order", [("zone-loss", "freeze"), ("freeze", "zone-loss")])
def test_what_stands_in_the_way_is_put_back_before_anything_is_proven(
    order: tuple[str, str], made_up: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost primary starts only when its frozen standby runs, and proofs need that primary."""
    broken, proven_while = {"zone-loss", "freeze"}, list[set[str]]()

    def heal(name: str) -> None:
        if name == "zone-loss" and "freeze" in broken:
            raise LabError("its standby does not answer")
        broken.discard(name)

    def over(name: str) -> str:
        proven_while.append(set(broken))
        return "gone"

    rows = [
        replace(
            fault(name),
            present=lambda _sight, name=name: (Aim(node=EAST_DB1),) if name in broken else (),
            touches=lambda _aim, name=name: (name,),
            heal=lambda _lab, _aim, name=name: heal(name),
            gone=lambda _lab, _aim, name=name: over(name),
        )
        for name in order
    ]
    monkeypatch.setattr(acting, "faults", lambda: tuple(rows))
    healed = acting.heal_all(made_up)  # type: ignore[arg-type]
    assert {each.aimed.name for each in healed} == broken | set(order)
    assert proven_while == [set(), set()]


def test_one_of_two_faults_is_healed_although_the_other_keeps_the_shops_from_working(
    made_up: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = replace(
        fault("crash"),
        present=lambda _sight: (Aim(node=EAST_DB1),),
        heal=lambda _lab, _aim: None,
    )
    monkeypatch.setattr(acting, "faults", lambda: (row,))
    done = acting.heal(made_up, row.at())  # type: ignore[arg-type]
    assert done.evidence == "east.db1 runs and answers; east takes no orders: no"


def test_what_cannot_be_healed_is_told_without_advice_that_throws_orders_away(
    made_up: FakeLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_lab: object, _aim: object) -> None:
        raise LabError("its disk is gone")

    row = replace(fault("crash"), present=lambda _sight: (Aim(node=EAST_DB1),), heal=fail)
    monkeypatch.setattr(acting, "faults", lambda: (row,))
    with pytest.raises(LabError, match="its disk is gone") as caught:
        acting.heal_all(made_up)  # type: ignore[arg-type]
    assert "reset" not in str(caught.value)
