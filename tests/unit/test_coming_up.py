"""`lab up` on a lab that was made before: its orders stay, and so does its topology."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

import made_up_plights
import pytest
from made_up_disks import (
    ADDRESSES,
    DEFAULT,
    REGION_LOST,
    SWITCHED_OVER,
    standby,
)

from lab.commands.down import _on_its_disks
from lab.commands.emptying import agree, most_of
from lab.core.console import Say
from lab.core.errors import LabError, UsageError
from lab.core.steering import Steering
from lab.core.topology import (
    DATABASES,
    DEFAULT_REPLICATION,
    EAST_DB1,
    EAST_DB2,
    REGIONS,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Place,
    Replication,
)
from lab.postgres.databases import Databases
from lab.postgres.plights import Plight
from lab.postgres.salvage import REBUILD, Keep
from lab.postgres.succession import Disk
from lab.testbed import lifecycle, resuming

BACK_HOME = {place: Disk(disk.standby, 3, disk.upstream) for place, disk in DEFAULT.items()}


class FakeLab:
    """A lab that was up before; it notes what is done to it."""

    def __init__(
        self,
        disks: Mapping[Place, Disk],
        *,
        lost: Collection[Place] = (),
        silent: tuple[Place, ...] = (),
        plights: Mapping[Place, Plight] = MappingProxyType({}),
    ) -> None:
        self.plights, self.rebuilt = dict(plights), list[Place]()
        self.settings = SimpleNamespace(
            addresses=ADDRESSES, late_ms=1, pace=1.0, trust=SimpleNamespace(servers={})
        )
        self.emptied, self.started, self.stopped = False, list[Place](), list[Place]()
        self.named: Replication | None = None
        self.engine: Any = SimpleNamespace(
            each=lambda several, act: [act(each) for each in several],
            running=lambda _place: True,
            state=lambda _place: SimpleNamespace(status="running"),
            look=dict,
            start=lambda _places: None,
            toolbox=lambda: SimpleNamespace(clear=lambda: None),
        )
        self.tuned = list[Steering]()
        steering: Any = SimpleNamespace(
            state=lambda: SimpleNamespace(thresholds={"fall": 7}, other_route=""),
            tune=self.tuned.append,
        )
        self.steerings = dict.fromkeys(REGIONS, steering)
        self.databases = Databases(self.engine, self.settings)  # type: ignore[arg-type]
        self.databases.follow = self._rebuild  # type: ignore[method-assign, assignment]
        self.databases.nodes = {
            place: self._node(place, disks[place], place not in lost, place in silent)
            for place in DATABASES
        }
        self.links = SimpleNamespace(configure=lambda *_: None)

    def _node(self, place: Place, disk: Disk, made: bool, silent: bool) -> Any:
        def start() -> None:
            self.started.append(place)
            if silent:
                raise LabError(f"{place}: no room")

        def runs() -> bool:
            return place in self.started and not silent

        return SimpleNamespace(
            place=place,
            disk=lambda: disk,
            has_golden=lambda: made,
            is_primary=lambda: runs() and not disk.standby,
            answers=runs,
            start=start,
            start_patiently=start,
            ensure_slots=lambda _standbys: (),
            resume_replay=lambda: None,
            reset_setting=lambda _name: None,
            stop=lambda _mode: self.stopped.append(place),
            is_standby_on_disk=lambda: disk.standby,
            initialise=lambda: self.reset(),
            state=lambda: SimpleNamespace(timeline=disk.timeline),
        )

    def reset(self) -> None:
        self.emptied = True

    def _rebuild(self, arrow: Follows, _primary: Place, _keep: Keep, gentlest: str) -> str:
        assert gentlest == REBUILD
        self.rebuilt.append(arrow.standby)
        upstream = self.plights[arrow.upstream]
        received = int(upstream.oldest, 16) * upstream.file_size
        self.plights[arrow.standby] = replace(
            self.plights[arrow.standby], received=received, oldest=upstream.oldest
        )
        return REBUILD

    def open_links(
        self, delay_ms: int = 40, replication: Replication = DEFAULT_REPLICATION
    ) -> None:
        self.named = replication

    def prove(self, _primary: Any, standbys: Iterable[Any], _seconds: float) -> dict[Place, float]:
        assert self.named
        for each in standbys:
            if not each.answers():
                raise LabError(f"{each.place}: no fresh WAL")
        return {}

    def stop_load(self) -> None: ...

    def wait_ready(self) -> None: ...


class _Machines:
    def __init__(self, *_: object) -> None: ...

    def await_all(self) -> None: ...

    def await_one(self, place: Place) -> None: ...


@pytest.fixture
def up(monkeypatch: pytest.MonkeyPatch) -> Callable[[FakeLab], None]:
    """`lab up`, on machines that are there."""

    def bring(lab: FakeLab) -> None:
        monkeypatch.setattr("lab.host.engine.ensure_engine", lambda _say: None)
        monkeypatch.setattr("lab.host.images.ensure_images", lambda _say: {})
        monkeypatch.setattr(lifecycle, "_on_networks", lambda _name: lab)
        monkeypatch.setattr(lifecycle, "Machines", _Machines)
        monkeypatch.setattr("lab.postgres.databases.prove_following", lab.prove)
        monkeypatch.setattr(resuming.plights, "read", lambda _databases: lab.plights)
        lifecycle.up("made-up", Say())

    return bring


@pytest.mark.parametrize(
    ("disks", "primary"),
    [(DEFAULT, EAST_DB1), (SWITCHED_OVER, WEST_DB1), (BACK_HOME, EAST_DB1)],
    ids=["default", "switched-over", "there-and-back"],
)
def test_a_lab_in_order_starts_again_as_it_was_and_nothing_is_emptied(
    disks: Mapping[Place, Disk],
    primary: Place,
    up: Callable[[FakeLab], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    lab = FakeLab(disks)
    up(lab)
    assert not lab.emptied
    assert set(lab.started) == set(DATABASES)
    assert lab.named
    assert (lab.named.primary, lab.named.members) == (primary, {*DATABASES})
    assert lab.tuned == [Steering()] * 2  # a drill that was killed had other thresholds
    assert "!" not in capsys.readouterr().err


def test_a_replaced_primary_stays_down_and_the_way_back_is_named(
    up: Callable[[FakeLab], None], capsys: pytest.CaptureFixture[str]
) -> None:
    lab = FakeLab(REGION_LOST)
    up(lab)
    assert not lab.emptied
    assert lab.started[0] == WEST_DB1
    assert EAST_DB1 not in lab.started
    said = " ".join(capsys.readouterr().err.split())
    assert "! east.db1 stays down: west.db1 was promoted in its place, on timeline 2" in said
    assert "lab runbook run failback" in said
    assert "! east.db2 gets no fresh WAL of west.db1: lab status" in said
    assert "reset" not in said


@pytest.mark.parametrize(
    "disks",
    [
        {**DEFAULT, EAST_DB2: Disk(False, 1)},
        {**DEFAULT, EAST_DB1: standby("")},
        {**DEFAULT, WEST_DB2: standby("", 2)},
    ],
    ids=["two-on-one-timeline", "no-primary", "one-that-is-gone"],
)
def test_no_database_is_started_or_emptied_where_a_person_must_decide(
    disks: Mapping[Place, Disk], up: Callable[[FakeLab], None]
) -> None:
    lab = FakeLab(disks)
    with pytest.raises(LabError, match="lab status, lab psql NODE") as caught:
        up(lab)
    assert caught.value.exit_code == 3
    assert (lab.started, lab.emptied) == ([], False)


def test_a_primary_that_does_not_start_is_named_and_nothing_is_emptied(
    up: Callable[[FakeLab], None],
) -> None:
    lab = FakeLab(DEFAULT, silent=(EAST_DB1,))
    with pytest.raises(LabError, match=r"does not start: east\.db1: no room(?s:.)*heal --all"):
        up(lab)
    assert (lab.started, lab.emptied) == ([EAST_DB1], False)


def test_a_standby_that_does_not_start_is_named_and_the_lab_is_up(
    up: Callable[[FakeLab], None], capsys: pytest.CaptureFixture[str]
) -> None:
    lab = FakeLab(DEFAULT, silent=(WEST_DB2,))
    up(lab)
    assert not lab.emptied
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("!")]
    assert warned == ["! west.db2 gets no fresh WAL of east.db1: lab status"]


def test_a_standby_whose_wal_is_gone_is_rebuilt_and_so_is_the_one_behind_it(
    up: Callable[[FakeLab], None], capsys: pytest.CaptureFixture[str]
) -> None:
    said = dict(zip(DATABASES, made_up_plights.in_order(ADDRESSES), strict=True))
    said[EAST_DB1] = replace(said[EAST_DB1], oldest=f"{9:016X}")
    said[EAST_DB2] = replace(said[EAST_DB2], received=9 << 22)
    lab = FakeLab(DEFAULT, plights=said)
    up(lab)
    assert lab.rebuilt == [WEST_DB1, WEST_DB2]
    warned = [line for line in capsys.readouterr().err.splitlines() if line.startswith("!")]
    assert warned == [
        f"! {each} was rebuilt: its upstream no longer had its WAL" for each in lab.rebuilt
    ]


def test_an_old_primary_that_somebody_has_started_is_stopped_again(
    up: Callable[[FakeLab], None], capsys: pytest.CaptureFixture[str]
) -> None:
    said = dict(zip(DATABASES, made_up_plights.in_order(ADDRESSES), strict=True))
    said[EAST_DB1] = replace(said[EAST_DB1], started=300.0)
    said[WEST_DB1] = replace(said[WEST_DB1], standby=False, timeline=2, promoted=200.0)
    lab = FakeLab(REGION_LOST, plights=said)
    up(lab)
    assert lab.stopped == [EAST_DB1]
    assert "! east.db1 was started although another one had replaced it" in capsys.readouterr().err


def test_a_lab_that_has_lost_a_disk_is_not_made_anew(up: Callable[[FakeLab], None]) -> None:
    for lost in (EAST_DB1, WEST_DB2):
        lab = FakeLab(DEFAULT, lost=[lost])
        with pytest.raises(LabError, match=f"{lost} has lost its disk"):
            up(lab)
        assert (lab.started, lab.emptied) == ([], False)


def test_disks_whose_settings_are_lost_are_removed_by_no_command_but_down() -> None:
    lifecycle._refuse_to_remove_disks("old", ["network old-east"])
    with pytest.raises(LabError, match="to give them up: lab down; then: lab up"):
        lifecycle._refuse_to_remove_disks("old", ["container old-east-db1", "volume old-east-db1"])


@pytest.mark.parametrize(
    ("orders", "said"),
    [
        ([0, 0, 0, 0], ""),
        ([7, 7, 6, 6], "7 orders on east.db1"),
        ([0, 0, 1, 0], "1 order on west.db1"),
    ],
)
def test_a_command_that_empties_the_lab_counts_orders_first(orders: list[int], said: str) -> None:
    assert most_of(dict(zip(DATABASES, orders, strict=True))) == said


def test_orders_are_counted_on_the_primary_although_a_standby_was_asked_later() -> None:
    orders = dict(zip(DATABASES, (412, 413, 411, 411), strict=True))
    assert most_of(orders, [EAST_DB1]) == "412 orders on east.db1"
    assert most_of(orders | {EAST_DB1: 0}, [EAST_DB1]) == "413 orders on east.db2"
    assert most_of(dict.fromkeys(DATABASES, 0), [EAST_DB1]) == ""


def test_orders_are_given_up_without_a_terminal_only_if_that_is_said() -> None:
    agree("lab down", "")
    with pytest.raises(UsageError, match="lab down empties the lab: 7 orders on east") as refused:
        agree("lab down", "7 orders on east.db1")
    assert "--yes" in refused.value.next_step


@pytest.mark.parametrize(
    ("disks", "said"),
    [
        ((), ""),
        (
            ("volume lab-east-db1",),
            "the data on the lab's disks (the databases do not run, so it cannot be counted)",
        ),
    ],
)
def test_disks_that_no_database_tells_of_are_not_removed_unasked(
    disks: tuple[str, ...], said: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.setattr(lifecycle, "disks", lambda _name: disks)
    assert _on_its_disks("gone") == said
