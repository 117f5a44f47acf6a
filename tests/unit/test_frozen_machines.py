"""A frozen machine is not dead: it may go on at any moment, and may be a primary then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from contexts import context

from lab.core.addresses import Addresses
from lab.core.errors import CommandFailed, LabError, MachineDown, Refused, UsageError
from lab.core.topology import (
    DATABASES,
    EAST_DB1,
    EAST_DB2,
    PLACES,
    WEST_DB1,
    WRITER_NAME,
    Place,
    Region,
    links_into,
)
from lab.drills import runner
from lab.faults.catalogue import fault
from lab.faults.row import Aim
from lab.faults.sight import Server, Sight
from lab.infra import inventory, machineexits
from lab.infra.containers import MachineState
from lab.infra.linkstates import LinkState
from lab.infra.machines import Engine
from lab.postgres.rolewatch import POSITION_SQL
from lab.postgres.server import NodeState
from lab.postgres.serverprofile import Profile
from lab.postgres.signature import SIGNED_SQL
from lab.postgres.succession import Disk
from lab.runbooks.runbook import Plan
from lab.status import look
from lab.steps import deciding, fencing, promoting
from lab.steps.context import Context
from lab.testbed import fences, inforce, nodelook
from lab.testbed.lab import Lab
from lab.testbed.runbookprogress import Progress

SHOP = Place("east", "app")


# ── the engine ───────────────────────────────────────────────────────────────────────────────


class Container:
    """A container that writes down what is done to it."""

    def __init__(self, place: Place, status: str, log: list[str]) -> None:
        self.name, self.id, self.status, self._log = f"lab-{place.container}", "17", status, log
        ends = {"lab-east": {"IPAMConfig": {"IPv4Address": "10.91.1.11"}, "Aliases": ["db1"]}}
        self.attrs = {"State": {"Status": status}, "NetworkSettings": {"Networks": ends}}

    def listed(self) -> SimpleNamespace:
        return SimpleNamespace(attrs={"Names": [f"/{self.name}"], "State": self.status})

    def kill(self) -> None:
        self._log.append("kill")

    def start(self) -> None:
        self._log.append("start")

    def unpause(self) -> None:
        self._log.append("unpause")


def engine_with(
    monkeypatch: pytest.MonkeyPatch, place: Place, status: str
) -> tuple[Engine, list[str]]:
    """The lab's engine over one container, and what is done to it, in order."""
    log = list[str]()
    container = Container(place, status, log)
    made = SimpleNamespace(
        api=SimpleNamespace(
            disconnect_container_from_network=lambda _id, name, force: log.append(f"off {name}"),
            connect_container_to_network=lambda _id, name, ipv4_address, aliases: log.append(
                f"on {name} as {ipv4_address} {aliases}"
            ),
        ),
        containers=SimpleNamespace(
            get=lambda _name: container, list=lambda **_how: [container.listed()]
        ),
        events=lambda **_how: [],
    )
    monkeypatch.setattr(inventory, "client", lambda timeout: made)
    return Engine("lab"), log


KILLED = ["off lab-east", "kill", "on lab-east as 10.91.1.11 ['db1']"]


@pytest.mark.parametrize(
    ("word", "kinds"),
    [
        ("running", ["running"]),
        ("paused", ["frozen"]),
        ("exited", ["stopped"]),
        ("created", ["stopped"]),
        ("dead", ["stopped"]),
        ("absent", ["stopped"]),
        ("restarting", []),
    ],
)
def test_a_machine_runs_or_is_frozen_or_is_stopped(word: str, kinds: list[str]) -> None:
    state = MachineState(EAST_DB1, word, "", {})
    assert [each for each in ("running", "frozen", "stopped") if getattr(state, each)] == kinds


@pytest.mark.parametrize(("word", "alive"), [("running", 1), ("paused", 1), ("exited", 0)])
def test_only_a_machine_without_a_process_is_not_alive(
    monkeypatch: pytest.MonkeyPatch, word: str, alive: int
) -> None:
    engine, _ = engine_with(monkeypatch, EAST_DB1, word)
    assert engine.alive([EAST_DB1]) == (EAST_DB1,) * alive


def test_a_frozen_machine_is_killed_off_its_networks(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, log = engine_with(monkeypatch, EAST_DB1, "paused")
    engine.kill([EAST_DB1])
    assert log == KILLED


def test_a_strike_at_a_frozen_machine_cuts_it_off_first(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, log = engine_with(monkeypatch, EAST_DB1, "paused")

    class Heard:
        def __init__(self, _client: object, _names: object) -> None: ...

        def of(self, kills: Iterable[tuple[str, Callable[[], None]]]) -> None:
            for _, kill in kills:
                kill()

    monkeypatch.setattr(machineexits, "Killing", Heard)
    strike = engine.armed_to_kill([EAST_DB1])
    assert log == []
    strike()
    assert log == KILLED


def test_a_machine_that_runs_is_killed_where_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, log = engine_with(monkeypatch, EAST_DB1, "running")
    engine.kill([EAST_DB1])
    assert log == ["kill"]


@pytest.mark.parametrize(
    ("place", "word", "done"),
    [
        (EAST_DB1, "paused", [*KILLED, "start"]),
        (SHOP, "paused", ["unpause"]),
        (EAST_DB1, "exited", ["start"]),
        (EAST_DB1, "running", []),
    ],
)
def test_who_starts_machines_lets_no_frozen_database_go_on(
    monkeypatch: pytest.MonkeyPatch, place: Place, word: str, done: list[str]
) -> None:
    engine, log = engine_with(monkeypatch, place, word)
    engine.start([place])
    assert log == done


# ── steps and faults ─────────────────────────────────────────────────────────────────────────


@dataclass
class Machines:
    """An engine and its databases: `words` are machines' states, `timelines` primaries' disks."""

    words: dict[Place, str] = field(default_factory=dict)
    timelines: dict[Place, int] = field(default_factory=lambda: {EAST_DB1: 1})
    off: set[Place] = field(default_factory=set)
    done: list[str] = field(default_factory=list)

    def state(self, place: Place) -> MachineState:
        return MachineState(place, self.words.get(place, "running"), "", {})

    def running(self, place: Place) -> bool:
        return self.state(place).running

    each = staticmethod(Engine.each)

    def alive(self, places: Iterable[Place]) -> tuple[Place, ...]:
        return tuple(each for each in places if not self.state(each).stopped)

    def run_code(self, place: Place, argv: Iterable[str]) -> tuple[int, str]:
        raise CommandFailed(str(place), " ".join(argv), -1, "it is paused")

    def kill(self, places: Iterable[Place]) -> None:
        for each in places:
            self.words[each] = "exited"
            self.done.append(f"killed {each}")

    def thaw(self, places: Iterable[Place]) -> None:
        for each in places:
            self.words[each] = "running"
            self.done.append(f"thawed {each}")

    def boot(self, places: Iterable[Place]) -> None:
        for each in places:
            if self.state(each).frozen:
                self.kill([each])
            self.words[each] = "running"
            self.off |= {each} & self.timelines.keys()

    def server(self, place: Place) -> Any:
        def must_run() -> None:
            if not self.running(place):
                raise MachineDown(place, self.words[place])

        def on_disk() -> Disk:
            must_run()
            return Disk(place not in self.timelines, self.timelines.get(place, 1))

        def asked() -> SimpleNamespace:
            must_run()
            primary = place in self.timelines
            return SimpleNamespace(
                in_recovery=not primary, role="primary" if primary else "standby", receiver=""
            )

        return SimpleNamespace(
            state=asked,
            answers=lambda: self.running(place) and place not in self.off,
            is_primary=lambda: place in self.primaries(),
            is_standby_on_disk=lambda: place not in self.timelines,
            stop=lambda *_how: self.run_code(place, ["pg_ctl"]),
            disk=on_disk,
            start=lambda: self.done.append(f"started {place}"),
            start_patiently=lambda: self.done.append(f"started {place}"),
        )

    def primaries(self) -> tuple[Place, ...]:
        return tuple(p for p in self.timelines if self.running(p) and p not in self.off)

    def lab(self) -> Lab:
        class Databases(dict[Place, Any]):
            primaries = self.primaries

        databases = Databases({place: self.server(place) for place in DATABASES})
        seen = SimpleNamespace(view={"east": SimpleNamespace(state="live")})
        steerings = {WEST_DB1.region: SimpleNamespace(state=lambda: seen)}
        return cast(
            "Lab",
            SimpleNamespace(engine=self, databases=databases, boot=self.boot, steerings=steerings),
        )


def deed(lab: Lab, **options: Any) -> Context:
    return context(lab, options=options, run="a-run")


def test_a_frozen_primary_is_killed_by_a_fence_and_not_called_dead() -> None:
    machines = Machines({EAST_DB1: "paused"})
    said = fences.fence(machines.lab(), EAST_DB1)
    assert machines.done == ["killed east.db1"]
    assert "its machine was killed" in said
    assert "dead" not in said


def test_a_frozen_standby_needs_no_fence() -> None:
    machines = Machines({EAST_DB1: "paused"}, timelines={WEST_DB1: 2})
    assert "a standby" in fences.fence(machines.lab(), EAST_DB1)
    assert machines.done == []


def test_a_frozen_primary_is_confirmed_as_frozen() -> None:
    said = deciding._confirm(deed(Machines({EAST_DB1: "paused"}).lab()))
    assert "east.db1's machine is frozen" in said
    assert "may resume at any moment" in said


@pytest.mark.parametrize(
    ("place", "said"),
    [
        (EAST_DB1, r"east\.db1 may still take orders .*is frozen and may resume"),
        (EAST_DB2, r"east\.db2 is frozen and a primary"),
    ],
)
def test_no_database_is_promoted_beside_a_frozen_primary(place: Place, said: str) -> None:
    machines = Machines({EAST_DB1: "exited"} | {place: "paused"}, timelines={place: 1})
    with pytest.raises(Refused, match=said):
        promoting._refuse_beside_a_primary(deed(machines.lab()), {})


def test_a_runbook_of_another_day_is_refused_while_the_primary_is_frozen() -> None:
    machines = Machines({EAST_DB2: "paused"}, timelines={EAST_DB2: 2})
    with pytest.raises(UsageError, match=r"but east\.db2 is frozen and a primary"):
        runner.refuse_the_wrong_way(machines.lab(), deed(machines.lab()).plan)


@pytest.mark.parametrize("words", [{EAST_DB1: "exited"}, {EAST_DB2: "paused"}])
def test_a_dead_primary_and_a_frozen_standby_are_in_no_ones_way(words: dict[Place, str]) -> None:
    machines = Machines(words, timelines={EAST_DB1: 1} if EAST_DB1 in words else {})
    promoting._refuse_beside_a_primary(deed(machines.lab()), {})


@pytest.mark.parametrize(("word", "settled"), [("exited", True), ("paused", False)])
def test_a_frozen_shop_that_was_not_told_may_go_on_taking_orders(word: str, settled: bool) -> None:
    def refuse(*_how: object) -> None:
        raise LabError("no answer")

    lab: Any = Machines({SHOP: word}).lab()
    lab.guests = {SHOP.region: SimpleNamespace(set_read_only=refuse)}
    assert fencing._tell(deed(lab), SHOP.region, read_only=True)[0] is settled


def thaw(machines: Machines, place: Place = EAST_DB1) -> list[str]:
    fault("freeze").heal(machines.lab(), Aim(node=place))
    return machines.done


@pytest.mark.parametrize("place", [EAST_DB1, EAST_DB2, SHOP])
def test_what_was_frozen_goes_on_where_it_was(place: Place) -> None:
    assert thaw(Machines({place: "paused"}), place) == [f"thawed {place}"]


def test_a_frozen_primary_that_was_replaced_never_goes_on() -> None:
    machines = Machines({EAST_DB1: "paused"}, timelines={EAST_DB1: 1, WEST_DB1: 2})
    for _ in range(2):
        assert thaw(machines) == ["killed east.db1"]
        gone = fault("freeze").gone(machines.lab(), Aim(node=EAST_DB1))
        assert "east.db1 stays down: west.db1 was promoted in its place" in str(gone)


def test_a_frozen_primary_that_is_the_newest_comes_back_as_after_a_crash() -> None:
    machines = Machines({WEST_DB1: "paused"}, timelines={EAST_DB1: 1, WEST_DB1: 2})
    with pytest.raises(LabError, match=r"east\.db1 runs as primary, although west\.db1 was"):
        thaw(machines, WEST_DB1)
    machines.off.add(EAST_DB1)
    assert thaw(machines, WEST_DB1) == ["killed west.db1", "started west.db1"]


def test_of_two_frozen_primaries_the_newer_one_comes_back() -> None:
    machines = Machines(
        {EAST_DB1: "paused", WEST_DB1: "paused"}, timelines={EAST_DB1: 1, WEST_DB1: 2}
    )
    with pytest.raises(LabError, match=r"cannot ask west\.db1, whose machine does not run"):
        thaw(machines)
    assert thaw(machines, WEST_DB1)[-1] == "started west.db1"


def test_every_frozen_machine_is_seen_so_that_healing_all_ends_it() -> None:
    dns = Place("west", "dns")
    machines = Machines({EAST_DB2: "paused", SHOP: "exited", dns: "paused"})
    sight: Any = SimpleNamespace(machines={place: machines.state(place) for place in PLACES})
    assert set(fault("freeze").present(sight)) == {Aim(node=EAST_DB2), Aim(node=dns)}
    assert thaw(machines, dns) == ["thawed west.dns"]


# ── one look ─────────────────────────────────────────────────────────────────────────────────


def test_a_server_that_answered_has_not_crashed_in_the_same_look() -> None:
    lab: Any = SimpleNamespace(
        name="lab",
        engine=SimpleNamespace(run_code=lambda *_a: (0, "pidfile\nthat is all")),
        databases=dict.fromkeys(DATABASES, SimpleNamespace(query=_gone)),
    )
    assert Sight(lab)._server(EAST_DB1).crashed
    assert Sight(lab, answered=lambda _place: True)._server(EAST_DB1) == Server(
        frozenset({"running"})
    )


def _gone(_sql: object) -> object:
    raise LabError("no connection")


class Restarting:
    """A standby that is asked what it is, and is stopped for a moment right after that."""

    def __init__(self, place: Place) -> None:
        self.place, self.query = place, _gone

    def said(self) -> tuple[NodeState, Profile]:
        standby = self.place != EAST_DB1
        state = NodeState(
            self.place, self.place.server_name, standby, 1, 10, 10, None, "", "", ()
        )  # fmt: skip
        return state, Profile(follows="10.91.1.11")

    @contextmanager
    def connect(self) -> Iterator[Any]:
        rows = {POSITION_SQL: ("", True, 1, 10, 10, None), SIGNED_SQL: (10, 1, "7", 10)}

        def execute(sql: str, _given: object = ()) -> Any:
            row = rows.get(sql, (10,))
            return SimpleNamespace(fetchall=lambda: [row], fetchone=lambda: row)

        yield SimpleNamespace(execute=execute)


def test_status_shows_no_fault_beside_what_contradicts_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that follows has not crashed, an open link is not closed, a name that is known is."""
    looks = Counter[object]()

    def listeners(into: Region) -> tuple[LinkState, ...]:
        looks[into] += 1
        now_open = looks[into] == 1
        return tuple(LinkState(each, True, now_open, 0, ()) for each in links_into(into))

    def resolver(viewer: Region, name: str) -> tuple[str, ...]:
        looks[viewer, name] += 1
        return ("10.91.0.11",) if looks[viewer, name] == 1 else ()

    states: Mapping[Place, MachineState] = {
        place: MachineState(place, "running", "", {}, frozenset({place.site})) for place in PLACES
    }
    databases = {place: Restarting(place) for place in DATABASES}
    lab: Any = SimpleNamespace(
        name="lab",
        settings=SimpleNamespace(subnet="10.91", name="lab", addresses=Addresses("10.91")),
        engine=SimpleNamespace(
            look=lambda: states,
            state=states.get,
            each=Engine.each,
            run_code=lambda *_a: (0, "pidfile\nthat is all"),
        ),
        databases=databases,
        links=SimpleNamespace(states=listeners),
        names=SimpleNamespace(ask=resolver),
        guests={},
        users={},
    )
    lab.as_seen_now = lambda: lab
    monkeypatch.setattr(nodelook, "profile", lambda place, _line: databases[place].said())
    monkeypatch.setattr(look, "_cut", lambda *_a: Progress(""))
    monkeypatch.setattr(look, "_ready", lambda *_a: "takes orders")
    monkeypatch.setattr(look, "_traffic", lambda *_a: None)
    monkeypatch.setattr(inforce, "look", lambda _lab: ())
    found = look.look(lab)
    assert [node.following is not None for node in found.nodes] == [False, True, True, True]
    assert found.faults == ()
    assert all(each.open for each in found.links)
    assert {answers[WRITER_NAME] for answers in found.answers.values()} == {"10.91.0.11"}
    assert not found.unseen
    monkeypatch.setattr(look, "seen_in", _gone)
    found = look.look(lab)  # in an incident all else is shown that can be
    assert found.unseen
    assert [node.following is not None for node in found.nodes] == [False, True, True, True]
    assert found.links


# ── waited for ───────────────────────────────────────────────────────────────────────────────


class Thawing:
    """A primary that is frozen at the first looks; a question meanwhile would be kept."""

    def __init__(self, looks: int, *, new: bool = False) -> None:
        self.left, self.new, self.kept = looks, new, 0

    def running(self, _place: Place) -> bool:
        self.left -= 1
        return self.left < 0

    def __getitem__(self, place: Place) -> Any:
        return SimpleNamespace(is_primary=lambda: self._answers(place))

    def _answers(self, place: Place) -> bool:
        if place == EAST_DB1:
            self.kept += self.left >= 0
        return self.new if place == EAST_DB2 else True


def waiting(found: Thawing) -> Context:
    plan = Plan(EAST_DB1, EAST_DB2)
    recorder = SimpleNamespace(mark=lambda *_, **__: 0.0)
    lab = SimpleNamespace(engine=found, databases=found)
    return context(lab, plan, recorder=recorder, options={"within": 1})


def test_a_primary_that_goes_on_is_waited_for_and_asked_nothing_before() -> None:
    found = Thawing(3)
    told = deciding._wait_for_primary(waiting(found))
    assert told.startswith("east.db1 answers as primary after ")
    assert found.kept == 0


def test_a_primary_that_does_not_go_on_is_a_decision_of_people() -> None:
    with pytest.raises(Refused, match=r"east\.db1 did not come back within 1 s") as caught:
        deciding._wait_for_primary(waiting(Thawing(10**6)))
    assert "promote" in caught.value.next_step
    with pytest.raises(Refused, match=r"east\.db2 is primary"):
        deciding._wait_for_primary(waiting(Thawing(0, new=True)))
