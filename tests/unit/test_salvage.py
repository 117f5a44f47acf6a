"""What a node alone has is written down before the node gives it up, and nothing goes past that."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.core.errors import LabError
from lab.core.lineage import Position
from lab.core.load import of_drill
from lab.core.lsn import format_lsn
from lab.core.topology import DATABASES, EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2, Follows, Place
from lab.metrics import orphans
from lab.metrics.orphans import OrderRow
from lab.postgres import finalread
from lab.postgres.databases import Databases
from lab.postgres.salvage import FOLLOW, REBUILD, REWIND, Keep, Kept, Salvage

LAB = Path(__file__).parent.parent.parent / "lab"
FORKED = Position(2, 900, {1: 500})
"""The primary's: it left timeline 1 at 500."""


def order(key: str) -> OrderRow:
    return OrderRow(1, key, "ann", 1, 1, 5, "east", 1, "2026-01-02 03:04:05+00")


class Node:
    """A database as it is told to be. `did` is what was done to it, in order."""

    def __init__(self, place: Place, position: Position, *, primary: bool = False) -> None:
        self.place, self.here, self.primary = place, position, primary
        self.runs, self.standby_on_disk, self.disk_state = True, not primary, "in production"
        self.stamp, self.torn, self.keys = "1 1", False, list[str]()
        self.receiver = "10.91.1.11:5432 streaming"
        self.record = "00 ff"  # what stands where its timeline begins
        self.said = position  # what it says of itself, before it has read all of its own log
        self.did: list[str] = []

    def __str__(self) -> str:
        return str(self.place)

    def answers(self) -> bool:
        return self.runs

    def state(self) -> Any:
        return SimpleNamespace(in_recovery=not self.primary, receiver=self.receiver)

    def is_primary(self) -> bool:
        return self.runs and self.primary

    def position(self) -> Position:
        if not self.runs:
            raise LabError(f"{self.place}: no connection to PostgreSQL")
        return self.here

    def stand(self) -> tuple[Any, Position]:
        self.position()
        return self.state(), self.said if not self.receiver else self.here

    def wait_for_catchup(self, lsn: int, _timeout: float) -> None:
        self.did.append(f"replayed {lsn}")

    def stop(self, mode: str) -> None:
        if self.runs:
            self.did.append(f"stopped {mode}")
        self.runs = False

    def is_standby_on_disk(self) -> bool:
        return self.standby_on_disk

    def start_patiently(self) -> None:
        self.did.append("started")
        self.runs = True

    def wal_file_size(self) -> int:
        return 4 << 20

    def record_at(self, _file: str, _offset: int) -> str:
        return self.record.replace(" ", "")

    def asked(self, script: str) -> list[str]:
        if "od -An" in script:
            return [self.record]
        if self.torn:
            return ["none"]
        line, end = self.here.timeline, format_lsn(self.here.end)
        return [self.stamp, self.disk_state, end, str(line), *self._history()]

    def _history(self) -> Iterable[str]:
        for line, lsn in self.here.forks.items():
            yield f"data/pg_wal/{self.here.timeline:08X}.history {line}\t{format_lsn(lsn)}\tthere"

    def rows(self, why: str) -> tuple[OrderRow, ...]:
        self.did.append(f"read {why}")
        return tuple(map(order, self.keys))


Make = Callable[..., Salvage]


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Make:
    """A salvage of some nodes, which are read by being asked."""
    monkeypatch.setenv("LAB_STATE", str(tmp_path / "state"))
    monkeypatch.setattr(
        finalread, "rows_alone", lambda _engine, node, primary: node.rows(f"beside {primary}")
    )
    monkeypatch.setattr(
        finalread, "rows_of_people", lambda _engine, node, *, alive: node.rows("of people")
    )
    engine: Any = SimpleNamespace(lab_name="lab", each=lambda several, act: list(map(act, several)))
    return lambda *nodes: Salvage(engine, {each.place: cast("Any", each) for each in nodes})


def primary() -> Node:
    return Node(WEST_DB1, FORKED, primary=True)


# ── the cheap question ───────────────────────────────────────────────────────────────────────


def test_a_standby_that_has_not_come_beyond_the_fork_is_not_read(make: Make) -> None:
    for end in (400, 500):
        node = Node(EAST_DB2, Position(1, end))
        kept = make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep())
        assert (kept.way, kept.worth_telling, node.did) == (FOLLOW, "", [])
        assert kept.told == "east.db2 has nothing that west.db1 has not"


def test_a_primary_that_was_shut_down_before_the_fork_is_not_read(make: Make) -> None:
    node = Node(EAST_DB1, Position(1, 500), primary=True)
    node.runs, node.disk_state = False, "shut down"
    kept = make(node, primary()).keep(EAST_DB1, WEST_DB1, Keep())
    assert (kept.way, kept.worth_telling, node.did) == (REWIND, "", [])


@pytest.mark.parametrize("state", ["in production", "shut down in recovery", "shut down"])
def test_every_other_server_that_does_not_run_is_read(
    make: Make, tmp_path: Path, state: str
) -> None:
    node = Node(EAST_DB1, Position(2, 501, {1: 490}), primary=True)
    node.runs, node.disk_state, node.keys = False, state, ["k1"]
    kept = make(node, primary()).keep(EAST_DB1, WEST_DB1, Keep(tmp_path))
    assert (kept.way, kept.orders, node.did) == (REWIND, 1, ["read beside west.db1"])


ALIKE = Position(2, 800, {1: 500})
"""Of a node whose timeline has the number of the primary's, and begins at the same position."""


def test_a_standby_behind_another_primary_that_was_promoted_alike_is_read(
    make: Make, tmp_path: Path
) -> None:
    node = Node(EAST_DB2, ALIKE)
    assert make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path)).way == FOLLOW
    node.record, node.keys = "00 aa", ["k1"]
    kept = make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path))
    assert (kept.way, kept.orders) == (REWIND, 1)


def test_a_primary_that_was_promoted_alike_and_shut_down_is_read(
    make: Make, tmp_path: Path
) -> None:
    node = Node(EAST_DB1, ALIKE, primary=True)
    node.runs, node.disk_state, node.record, node.keys = False, "shut down", "00 aa", ["k1"]
    assert make(node, primary()).keep(EAST_DB1, WEST_DB1, Keep(tmp_path)).orders == 1


def test_a_standby_whose_log_is_younger_than_its_timeline_is_read_and_follows(
    make: Make, tmp_path: Path
) -> None:
    node = Node(EAST_DB2, ALIKE)
    node.record = ""
    kept = make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path))
    assert (kept.way, kept.orders) == (FOLLOW, 0)
    assert node.did == ["replayed 800", "read beside west.db1"]
    node.keys = ["k1"]
    assert make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path)).way == REWIND


# ── what is found is kept ────────────────────────────────────────────────────────────────────


def test_what_a_standby_alone_has_is_a_table_and_statements_in_the_runs_folder(
    make: Make, tmp_path: Path
) -> None:
    node = Node(EAST_DB2, Position(1, 501))
    node.keys = ["k1", "k2"]
    kept = make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path))
    file = tmp_path / "orphans-east_db2-timeline-1.csv"
    assert kept.told == kept.worth_telling == f"2 orders that only east.db2 has: {file}"
    assert node.did == ["replayed 501", "read beside west.db1"]
    found = orphans.from_csv(file.read_text(), str(file))
    assert [(each.order.key, each.loser) for each in found] == [
        ("k1", "east_db2"), ("k2", "east_db2"),
    ]  # fmt: skip
    statements = file.with_suffix(".sql").read_text()
    assert f"lab reconcile {file}" in statements
    assert "-f orphans-east_db2-timeline-1.sql" in statements


def test_without_a_run_it_is_in_a_folder_of_the_labs_state(make: Make, tmp_path: Path) -> None:
    node = Node(EAST_DB2, Position(1, 501))
    node.keys = ["k1"]
    kept = make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep())
    file = tmp_path / "state" / "orphans" / "lab" / "orphans-east_db2-timeline-1.csv"
    assert kept.told.endswith(f": {file}")
    assert file.is_file()


def test_an_earlier_export_is_never_written_over(make: Make, tmp_path: Path) -> None:
    node = Node(EAST_DB2, Position(1, 501))
    salvage = make(node, primary())
    told = list[str]()
    for keys in (["k1"], ["k1"], ["k1", "k2"], ["k1"]):
        node.keys = keys
        told.append(salvage.keep(EAST_DB2, WEST_DB1, Keep(tmp_path)).told)
    names = [text.rpartition("/")[2] for text in told]
    first, second = "orphans-east_db2-timeline-1.csv", "orphans-east_db2-timeline-1-2.csv"
    assert names == [first, first, second, first]
    assert "k2" not in (tmp_path / first).read_text()


def test_a_node_without_orders_of_its_own_leaves_no_file(make: Make, tmp_path: Path) -> None:
    node = Node(EAST_DB2, Position(1, 501))
    kept = make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path))
    assert (kept.way, kept.worth_telling) == (REWIND, "")
    assert kept.told == "east.db2 has no order that west.db1 has not"
    assert not list(tmp_path.iterdir())


def test_another_primary_is_stopped_before_it_is_read(make: Make, tmp_path: Path) -> None:
    node = Node(EAST_DB1, Position(1, 900), primary=True)
    make(node, primary()).keep(EAST_DB1, WEST_DB1, Keep(tmp_path))
    assert node.did == ["stopped fast", "read beside west.db1"]


def test_a_standby_that_does_not_run_is_started_to_be_asked(make: Make) -> None:
    node = Node(EAST_DB2, Position(1, 400))
    node.runs = False
    assert make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep()).way == FOLLOW
    assert node.did == ["started"]


def test_a_server_that_does_not_run_is_read_once_for_each_of_its_starts(
    make: Make, tmp_path: Path
) -> None:
    node = Node(EAST_DB1, Position(1, 900), primary=True)
    node.runs, node.keys = False, ["k1"]
    salvage = make(node, primary())
    first = salvage.keep(EAST_DB1, WEST_DB1, Keep(tmp_path))
    assert salvage.keep(EAST_DB1, WEST_DB1, Keep(tmp_path)) == first
    assert node.did == ["read beside west.db1"]
    node.stamp = "2 2"
    salvage.keep(EAST_DB1, WEST_DB1, Keep(tmp_path))
    assert len(node.did) == 2


# ── what cannot be read is not given up ──────────────────────────────────────────────────────


def test_what_cannot_be_read_is_left_as_it_is_unless_a_person_insists(make: Make) -> None:
    there = primary()
    there.runs = False
    salvage = make(Node(EAST_DB2, Position(1, 501)), there)
    with pytest.raises(LabError, match=r"what only east\.db2 has cannot be read") as caught:
        salvage.keep(EAST_DB2, WEST_DB1, Keep())
    assert "accept_unread: true" in caught.value.next_step
    kept = salvage.keep(EAST_DB2, WEST_DB1, Keep(unread=True))
    assert kept.way == REWIND
    assert kept.worth_telling.startswith("what only east.db2 has was abandoned unread: west.db1")


def test_what_a_cut_rewind_left_is_no_database_and_is_rebuilt(make: Make) -> None:
    node = Node(EAST_DB1, Position(1, 900), primary=True)
    node.runs, node.torn = False, True
    assert make(node, primary()).keep(EAST_DB1, WEST_DB1, Keep()).way == REBUILD
    assert node.did == []


def test_what_cannot_be_written_down_is_not_given_up(make: Make, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    node = Node(EAST_DB2, Position(1, 501))
    node.keys = ["k1"]
    with pytest.raises(LabError, match="cannot write"):
        make(node, primary()).keep(EAST_DB2, WEST_DB1, Keep(tmp_path / "file"))


# ── no way around it ─────────────────────────────────────────────────────────────────────────


DESTROYS = {"rewind_to", "backup_from", "restore_golden"}


def test_only_the_funnel_gives_up_what_a_node_has() -> None:
    """And in it only these: the nodes of a new lab have nothing yet."""
    found = {
        (path.name, function.name, call.func.attr)
        for path in LAB.rglob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for call in ast.walk(function)
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)
        if call.func.attr in DESTROYS
    }
    assert {(file, name) for file, name, _ in found} == {
        ("databases.py", "copy"), ("databases.py", "initialise"), ("databases.py", "_rebuild"),
        ("databases.py", "_rewind"), ("databases.py", "restore"),
    }  # fmt: skip


class Funnel(Databases):
    """Databases whose nodes are not there: what is done to them is written down."""

    must_rewind = True

    def __init__(self, kept: Kept | LabError) -> None:
        self.did: list[str] = []

        def keep(place: Place, _primary: Place, _how: Keep) -> Kept:
            self.did.append(f"asked {place}")
            if isinstance(kept, LabError):
                raise kept
            return kept

        def doing(place: Place, what: str) -> Callable[..., None]:
            return lambda *_args: self.did.append(f"{what} {place}")

        def rewinding(place: Place) -> Callable[..., bool]:
            return lambda *_args: self.did.append(f"rewound {place}") or self.must_rewind

        self.salvage = cast("Any", SimpleNamespace(keep=keep))
        self.nodes = {
            place: cast("Any", SimpleNamespace(
                reload_upstream=doing(place, "re-pointed"), rewind_to=rewinding(place),
                backup_from=doing(place, "rebuilt"), write_identity=lambda *_: None,
                ensure_slots=lambda _: None,
            ))
            for place in DATABASES
        }  # fmt: skip

    def upstream(self, arrow: Follows) -> Any:
        return arrow.upstream


@pytest.fixture
def proven(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lab.postgres.databases.prove_following", lambda *_: {})


@pytest.mark.usefixtures("proven")
@pytest.mark.parametrize(
    ("way", "did"), [(FOLLOW, "re-pointed"), (REWIND, "rewound"), (REBUILD, "rebuilt")]
)
def test_a_node_is_asked_first_and_then_follows_by_the_gentlest_way_that_can_work(
    way: str, did: str
) -> None:
    funnel = Funnel(Kept(way, "3 orders that only east.db2 has: /runs/x.csv", 3))
    told = funnel.follow(Follows(EAST_DB2, EAST_DB1), WEST_DB1)
    assert funnel.did == ["asked east.db2", f"{did} east.db2"]
    assert told == f"{way}; 3 orders that only east.db2 has: /runs/x.csv"


@pytest.mark.usefixtures("proven")
def test_a_server_that_was_shut_down_and_needed_no_rewind_is_not_said_to_be_rewound() -> None:
    funnel = Funnel(Kept(REWIND, "east.db1 has nothing that west.db1 has not"))
    funnel.must_rewind = False
    assert funnel.follow(Follows(EAST_DB1, WEST_DB1), WEST_DB1) == FOLLOW
    assert funnel.did == ["asked east.db1", "rewound east.db1"]  # pg_rewind found nothing to do


@pytest.mark.usefixtures("proven")
def test_nothing_is_done_to_a_node_that_was_not_read() -> None:
    funnel = Funnel(LabError("unread"))
    with pytest.raises(LabError, match="unread"):
        funnel.follow_all([Follows(WEST_DB1, EAST_DB2), Follows(WEST_DB2, WEST_DB1)], EAST_DB2,
                          Keep())  # fmt: skip
    assert funnel.did == ["asked west.db1"]


# ── before a reset ───────────────────────────────────────────────────────────────────────────


def in_order() -> list[Node]:
    at = Position(1, 500)
    return [Node(EAST_DB1, at, primary=True), *(Node(place, at) for place in DATABASES[1:])]


def test_a_reset_of_a_lab_in_order_reads_its_primary_and_keeps_nothing_of_an_empty_shop(
    make: Make, tmp_path: Path
) -> None:
    nodes = in_order()
    assert make(*nodes).keep_people(Keep(tmp_path)) == ""
    assert [each.did for each in nodes] == [["read of people"], [], [], []]
    assert not list(tmp_path.iterdir())


def test_what_people_ordered_is_kept_before_a_reset_also_while_they_go_on(
    make: Make, tmp_path: Path
) -> None:
    nodes = in_order()
    nodes[0].keys = ["k1", "k2"]
    told = make(*nodes).keep_people(Keep(tmp_path))
    assert told == f"2 orders that no drill placed: {tmp_path / 'orphans-before-reset.csv'}"
    assert nodes[0].did == ["read of people", "stopped fast", "read of people"]


def test_before_a_reset_a_standby_that_is_ahead_and_a_dead_primary_are_read_too(
    make: Make, tmp_path: Path
) -> None:
    nodes = in_order()
    nodes[0].runs, nodes[0].keys = False, ["k1"]
    nodes[1].primary, nodes[1].here = True, Position(2, 700, {1: 500})
    nodes[2].here, nodes[2].keys = Position(1, 600), ["k2"]
    assert make(*nodes).keep_people(Keep(tmp_path)).startswith("2 orders that no drill placed")
    assert [each.did for each in nodes] == [
        ["read of people"], ["read of people"], ["replayed 600", "read of people"], [],
    ]  # fmt: skip


def test_a_standby_that_has_just_booted_is_taken_at_all_that_is_on_its_disk(
    make: Make, tmp_path: Path
) -> None:
    nodes = in_order()
    nodes[2].here, nodes[2].receiver, nodes[2].keys = Position(1, 600), "", ["k2"]
    assert make(*nodes).keep_people(Keep(tmp_path)).startswith("1 order that no drill placed")


def test_the_end_of_a_drill_does_not_read_the_dead_again(make: Make, tmp_path: Path) -> None:
    nodes = in_order()
    nodes[0].runs, nodes[1].primary = False, True
    make(*nodes).keep_people(Keep(tmp_path), dead=False)
    assert nodes[0].did == []


def test_a_reset_stops_at_what_cannot_be_read_unless_a_person_insists(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_args: object, **_more: object) -> None:
        raise LabError("east.db1: invalid page")

    monkeypatch.setattr(finalread, "rows_of_people", broken)
    salvage = make(*in_order())
    with pytest.raises(LabError, match=r"cannot be read, .* invalid page") as caught:
        salvage.keep_people(Keep())
    assert "lab reset --unread" in caught.value.next_step
    assert "abandoned unread" in salvage.keep_people(Keep(unread=True))


@pytest.mark.parametrize(
    ("key", "whose"),
    [
        ("east-" + 32 * "a", "a simulated user's"), ("west-" + 32 * "0", "a simulated user's"),
        ("verify-" + 32 * "a", "the lab's"), ("watch-1", "the lab's"),
        ("mine-" + 32 * "a", "a person's"), ("east-1", "a person's"), ("k", "a person's"),
    ],
)  # fmt: skip
def test_only_what_no_person_placed_goes_without_a_copy(key: str, whose: str) -> None:
    assert of_drill(key) == (whose != "a person's")


@pytest.mark.usefixtures("proven")
def test_nothing_is_put_back_before_what_people_ordered_is_written_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    funnel = Funnel(Kept(FOLLOW, ""))
    funnel._engine = cast("Any", SimpleNamespace(each=lambda several, act: list(map(act, several))))
    monkeypatch.setattr(funnel, "prove", lambda _: {})
    for node in funnel.nodes.values():
        monkeypatch.setattr(node, "restore_golden", lambda *_: funnel.did.append("put back"),
                            raising=False)  # fmt: skip

    def asked() -> str:
        funnel.did.append("asked")
        return "2 orders"

    assert funnel.restore(asked=asked) == "2 orders"
    monkeypatch.setattr(funnel.salvage, "keep_people", lambda _: asked(), raising=False)
    assert funnel.restore() == "2 orders"
    assert funnel.did == ["asked", *4 * ["put back"]] * 2
