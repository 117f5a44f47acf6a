"""What a node alone has is written down before the node gives it up. No rewind goes without it.

A rewind, a rebuild and a reset throw orders away that no other database may have. So `Databases`
asks here first, each time. The question is cheap where the answer is no: a standby that has not
come beyond the fork of the primary's history has nothing of its own, and neither has a primary that
was shut down before it. Every other node is read: a standby in place, a server that does not run
from a copy of its data (`lab.postgres.finalread`). Another primary is stopped first, so that it
takes no order after it was read.

What cannot be read is not given up, unless a person insists.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from lab.core import words
from lab.core.errors import LabError, MachineError
from lab.core.lineage import Position, forks_of
from lab.core.lsn import parse_lsn
from lab.core.paths import state_folder
from lab.core.topology import Place
from lab.postgres.node import TORN

if TYPE_CHECKING:
    from lab.infra.machines import Engine
    from lab.metrics.orphans import OrderRow
    from lab.postgres.node import Node

_REPLAY_SECONDS = 15.0
_SHUT_DOWN: Final = "shut down"
_NONE: Final = "none"
_ON_DISK: Final = (
    f"if [ ! -e data/global/pg_control ] || [ -e identity/{TORN} ]; then echo {_NONE}; else"
    " cksum < data/global/pg_control && LC_ALL=C pg_controldata data | sed -n"
    " 's/^Database cluster state: *//p;s/^Latest checkpoint location: *//p;"
    "s/^Latest checkpoint.s TimeLineID: *//p'"
    " && for each in data/pg_wal/*.history; do"
    ' [ ! -e "$each" ] || sed -n "/./s,^,$each ,p" "$each"; done; fi'
)

FOLLOW: Final = "re-pointed"
REWIND: Final = "rewound"
REBUILD: Final = "rebuilt"
"""The ways in which a node comes to follow another one, the gentlest first."""


@dataclass(frozen=True, slots=True)
class Keep:
    """How what a node alone has is kept: the folder, and whether it may be given up unread.

    Without a folder it is one of the lab's state, `orphans/NAME`.
    """

    folder: Path | None = None
    unread: bool = False


@dataclass(frozen=True, slots=True)
class Kept:
    """What was found on a node that is to follow another one.

    `way` is the gentlest that can work. `told` says how many orders the node alone has and where
    they are written, or why there are none. `orders` is how many; None if they were not read.
    """

    way: str
    told: str
    orders: int | None = 0

    @property
    def worth_telling(self) -> str:
        """What must stand beside whatever is done next; empty where nothing is given up."""
        return "" if self.orders == 0 else self.told


@dataclass(frozen=True, slots=True)
class _Disk:
    """The data directory of a server that does not run; `stamp` is another one after each start.

    `position` is that of its last checkpoint: the end of its WAL, if it was shut down. `timeline`
    is the newest of its history, which a promotion begins before its first checkpoint.
    """

    stamp: str
    state: str
    position: Position
    timeline: int


class Salvage:
    """Asks nodes what they alone have, and keeps it."""

    def __init__(self, engine: Engine, nodes: Mapping[Place, Node]) -> None:
        self._engine, self._nodes = engine, nodes
        self._known: dict[tuple[Place, Place, int, str], Kept] = {}

    def keep(self, place: Place, primary: Place, how: Keep) -> Kept:
        """Write down what a node has and the primary has not. Raises LabError if it is unread."""
        try:
            return self._kept(self._nodes[place], self._nodes[primary], how)
        except LabError as error:
            lost = f"what only {place} has"
            hint = "say `accept_unread: true` of this step in the runbook"
            return Kept(REWIND, _given_up(lost, error, how, hint), None)

    def _kept(self, node: Node, primary: Node, how: Keep) -> Kept:
        if not node.answers() and node.is_standby_on_disk():
            with suppress(LabError):  # a copy of its data may start all the same
                node.start_patiently()
        if node.answers() and node.state().in_recovery:
            return self._of_standby(node, primary, how)
        node.stop("fast")
        return self._of_disk(node, primary, how)

    def _of_standby(self, node: Node, primary: Node, how: Keep) -> Kept:
        # In this order: what the node receives in between, the primary has by then.
        here, there = node.position(), primary.position()
        beside = here.alone(there) > 0
        branch = None if beside else _branch(here, node.record_at, primary)
        if branch:
            return Kept(FOLLOW, f"{node} has nothing that {primary} has not")
        node.wait_for_catchup(here.end, _REPLAY_SECONDS)
        kept = self._written(node, primary, here.timeline, how)
        # A standby that was built anew has no log of the time when its timeline began.
        can_follow = not beside and branch is None and not kept.orders
        return replace(kept, way=FOLLOW) if can_follow else kept

    def _of_disk(self, node: Node, primary: Node, how: Keep) -> Kept:
        """Of a server that does not run. A copy of its data is read once for each start of it."""
        disk, there = _on_disk(node), primary.position()
        if disk is None:
            return Kept(REBUILD, f"{node} has no database: its rewind or rebuild was interrupted")
        alone = disk.state != _SHUT_DOWN or disk.position.alone(there)
        if not alone and _branch(disk.position, partial(_record, node), primary):
            return Kept(REWIND, f"{node} has nothing that {primary} has not")
        known = (node.place, primary.place, there.timeline, disk.stamp)
        if known not in self._known:
            self._known[known] = self._written(node, primary, disk.timeline, how)
        return self._known[known]

    def _written(self, node: Node, primary: Node, timeline: int, how: Keep) -> Kept:
        from lab.postgres.finalread import rows_alone

        rows = rows_alone(self._engine, node, primary)
        if not rows:
            return Kept(REWIND, f"{node} has no order that {primary} has not")
        name = f"{node.place.server_name}-timeline-{timeline}"
        file = self._write(how, name, {node.place: rows}, "its own timeline")
        orders = words.count(len(rows), "order")
        return Kept(REWIND, f"{orders} that only {node} has: {file}", len(rows))

    def keep_people(self, how: Keep, *, dead: bool = True) -> str:
        """Write down every order that is neither a simulated user's nor the lab's own.

        Before a reset, which leaves none of them. How many and where; empty for none. Servers that
        do not run are read if `dead` says so. Raises LabError when a node cannot be read.
        """
        try:
            found = self._people(dead=dead)
        except LabError as error:
            return _given_up("what is in the databases", error, how, "lab reset --unread")
        keys = {row.key for rows in found.values() for row in rows}
        if not keys:
            return ""
        file = self._write(how, "before-reset", found, "the time before the reset")
        return f"{words.count(len(keys), 'order')} that no drill placed: {file}"

    def _people(self, *, dead: bool) -> dict[Place, tuple[OrderRow, ...]]:
        """People's orders by node; a standby that has nothing beyond a primary is not read."""
        from lab.postgres.finalread import rows_of_people

        nodes = self._nodes
        stands = dict(zip(nodes, self._engine.each(nodes, self._stand), strict=True))
        primaries = [each.position for each in stands.values() if each and each.primary]

        def rows(place: Place) -> tuple[OrderRow, ...]:
            node, stand = nodes[place], stands[place]
            if stand is None and dead and node.is_standby_on_disk():
                with suppress(LabError):  # a copy of its data may start all the same
                    node.start_patiently()
                stand = self._stand(place)
            if stand is None and not (dead and _on_disk(node)):
                return ()
            if stand and not stand.primary:
                here = stand.position if stand.streams else node.position()
                if any(not here.alone(each) for each in primaries):
                    return ()
                node.wait_for_catchup(here.end, _REPLAY_SECONDS)
            some = rows_of_people(self._engine, node, alive=stand is not None)
            if not (some and stand and stand.primary):
                return some
            node.stop("fast")  # what a client that is at work orders meanwhile must not be missed
            return rows_of_people(self._engine, node, alive=False)

        return dict(zip(nodes, self._engine.each(nodes, rows), strict=True))

    def _stand(self, place: Place) -> _Stand | None:
        """What a server says of itself; None when it does not answer."""
        try:
            state, position = self._nodes[place].stand()
        except LabError:
            return None
        return _Stand(not state.in_recovery, bool(state.receiver), position)

    def _write(
        self, how: Keep, name: str, rows: Mapping[Place, Iterable[OrderRow]], ended: str
    ) -> Path:
        """A file of orphans and one of SQL beside it; no earlier one is written over."""
        from lab.metrics import orphans

        folder = how.folder or state_folder("orphans") / self._engine.lab_name
        named = {place.server_name: each for place, each in rows.items()}
        alone = orphans.collect(named, lambda _key: None)
        table = orphans.to_csv(alone)
        for number in count(1):
            path = folder / f"orphans-{name}{f'-{number}' if number > 1 else ''}.csv"
            if _is_kept(path, table):
                break
        statements = path.with_suffix(".sql")
        _is_kept(statements, orphans.to_sql(alone, ended, str(path), statements.name))
        return path


class _Stand(NamedTuple):
    """A server that answers. One that streams has read all of its own log."""

    primary: bool
    streams: bool
    position: Position


def _given_up(lost: str, error: LabError, how: Keep, hint: str) -> str:
    """What is said of what could not be read, if a person insists. Raises LabError otherwise."""
    if how.unread:
        why = re.sub(r"\s+", " ", error.message)
        return f"{lost} was abandoned unread: {why}"
    raise LabError(
        f"{lost} cannot be read, and nothing was done to it: {error.message}",
        f"{error.next_step or 'see: lab status'}; to give it up unread: {hint}",
    ) from error


def _branch(here: Position, own: Callable[[str, int], str], primary: Node) -> bool | None:
    """Whether a node's timeline is the primary's of that number; None if the log is too young."""
    begin = here.begin(primary.wal_file_size()) if here.forks else None
    if begin is None:
        return True
    found, wanted = own(*begin), primary.record_at(*begin)
    return found == wanted if found and wanted else None


def _record(node: Node, file: str, offset: int) -> str:
    read = f"od -An -v -tx1 -j {offset} -N 64 data/{file}"
    said = node.asked(f"if [ -e data/{file} ]; then {read}; else echo; fi")
    return "".join(said).replace(" ", "")


def _on_disk(node: Node) -> _Disk | None:
    """The data of a server that does not run; None if there is no database."""
    said = node.asked(_ON_DISK)
    if said == [_NONE]:
        return None
    stamp, state, end, last, *lines = said
    named = [line.removeprefix("data/pg_wal/").split(".history ", 1) for line in lines]
    histories = {int(number, 16): list[str]() for number, _ in named}
    for number, line in named:
        histories[int(number, 16)].append(line)
    timeline = int(last)
    forks = forks_of("\n".join(histories.get(timeline, ())))
    position = Position(timeline, parse_lsn(end), forks)
    return _Disk(stamp, state, position, max(timeline, *histories, 0))


def _is_kept(path: Path, text: str) -> bool:
    """Write a file that is new, down to the disk; True when it holds this text. Raises LabError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        if path.exists():
            return path.read_bytes() == text.encode()
        with path.open("x", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise MachineError(
            f"cannot write {path}: {error.strerror}", "make room, or choose LAB_STATE=/some/folder"
        ) from error
    return True
