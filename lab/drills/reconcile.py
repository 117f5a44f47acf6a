"""Compares orders that only a dead machine had with the lab as it is now, and replays them.

The orders are read from the run's folder. The current primary is asked which of them it has. Orders
are replayed by client key, all in one transaction, so that a second replay does nothing.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.core import jsondocuments
from lab.core.errors import LabError, Refused, UsageError, WaitExpired
from lab.core.lazylibraries import lazily
from lab.core.topology import Place
from lab.core.wait import wait_until
from lab.core.words import count, listed
from lab.metrics import orphans
from lab.metrics.orphans import (
    Decision,
    Orphan,
    Present,
    State,
    decide,
    insert_customer,
    insert_order,
)
from lab.metrics.rawrecord import Disks
from lab.postgres.databases import DATABASE
from lab.postgres.node import Node
from lab.records import checksums, liverun
from lab.records.history import Location
from lab.records.runfiles import DISKS
from lab.records.runfolders import find_run
from lab.report.folders import run_of
from lab.testbed.lab import Lab

if TYPE_CHECKING:
    import psycopg
else:
    psycopg = lazily("psycopg")

_CONFIRM_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """What can be done about each orphan on `writer`, and what was done.

    `replayed` and `accounts` are the keys and names that `apply` inserted, None before it.
    `standby` says whether the standby that the primary waits for has them; empty before.
    """

    run: str
    writer: Place
    decisions: tuple[Decision, ...]
    replayed: tuple[str, ...] | None = None
    accounts: tuple[str, ...] | None = None
    standby: str = ""

    @property
    def counts(self) -> dict[State, int]:
        """How many orphans are in each state."""
        found = Counter(each.state for each in self.decisions)
        return {state: found[state] for state in State}


def told_by(source: str) -> tuple[str, tuple[Orphan, ...]]:
    """What to call the orphans of a run, or of a file that a step wrote, and these.

    The file of a run is held against that run. Raises UsageError.
    """
    path = Path(source)
    if path.suffix == ".csv" and path.name != orphans.CSV_FILE and path.is_file():
        return path.name, _read(path, "put back the file that the lab wrote")
    folder = find_run(str(path.parent) if path.name == orphans.CSV_FILE else source)
    return folder.name, load(folder)


def load(folder: Path) -> tuple[Orphan, ...]:
    """The orphans of a run. Raises UsageError when it has none, or not all that it should have."""
    if liverun.is_one(folder):
        return _of_runbook(folder)
    file, result = folder / orphans.CSV_FILE, run_of(folder)
    again = f"put back the file that the lab wrote; see: lab report --recompute {folder}"
    if result.orphans_file is None and not os.path.lexists(file):
        raise UsageError(
            f"run {folder.name} left no orphans: no lost machine holds an order that the others"
            " lack",
            f"see its report: lab report {folder}",
        )
    if result.orphans_file is None:
        raise UsageError(f"{file} is not of this run, which left no orphans", again)
    if not os.path.lexists(file):
        raise UsageError(f"{file} is gone, but the run left orphans", again)
    checksums.refuse_changed(folder, (orphans.CSV_FILE,), again)
    found = _read(file, again)
    lost = {row.key for row in result.lost_writes if row.location is Location.LOSER_ONLY}
    if missing := len(lost - {each.order.key for each in found}):
        raise UsageError(f"{file} lacks {missing} of {len(lost)} lost orders", again)
    if os.path.lexists(folder / DISKS):
        _refuse_strangers(folder, file, found, again)
    return found


def _of_runbook(folder: Path) -> tuple[Orphan, ...]:
    """What a runbook's steps wrote down, in this run or in those that it went on with."""
    run = liverun.load(folder)
    liverun.refuse_changed(folder, run)
    files = liverun.orphan_files(folder, run)
    if not files:
        raise UsageError(
            f"run {folder.name} left no orphans: no step saved any order",
            f"see what it did: lab report {folder}",
        )
    found: dict[str, Orphan] = {}
    for name in files:
        again = "put back the file that the lab wrote"
        found |= {each.order.key: each for each in _read(folder / name, again)}
    return tuple(found.values())


def _read(file: Path, again: str) -> tuple[Orphan, ...]:
    try:
        text = jsondocuments.content(file).decode()
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is no text", again) from error
    return orphans.from_csv(text, str(file))


def _refuse_strangers(folder: Path, file: Path, found: Iterable[Orphan], again: str) -> None:
    """Every order stands in what the drill kept of the losers' disks."""
    disks = jsondocuments.read(folder / DISKS, Disks.model_validate_json, "record of disks")
    kept = {(loser, row) for loser, disk in disks.disks.items() for row in disk.rows}
    if foreign := sum((each.loser, each.order) not in kept for each in found):
        raise UsageError(
            f"{file} has {count(foreign, 'order')} that no loser of the run had", again
        )


def look(lab: Lab, run: str, found: Iterable[Orphan]) -> Reconciliation:
    """What would become of each orphan now. Changes nothing. Raises LabError."""
    wanted = tuple(found)
    writer = writer_of(lab)
    with writer.connect(DATABASE) as connection:
        return Reconciliation(run, writer.place, decide(wanted, _present(connection, wanted)))


def apply(lab: Lab, run: str, found: Iterable[Orphan]) -> Reconciliation:
    """Replay what is ready, in one transaction; says what there was before. Raises LabError."""
    wanted = tuple(found)
    writer = writer_of(lab)
    with writer.connect(DATABASE) as connection, connection.transaction():
        before = decide(wanted, _present(connection, wanted))
        ready = [each.orphan.order for each in before if each.state is State.READY]
        names = dict.fromkeys(e.orphan.order.customer for e in before if e.new_customer)
        accounts = tuple(n for n in names if _inserted(connection, insert_customer(n)))
        replayed = tuple(o.key for o in ready if _inserted(connection, insert_order(o)))
    done = Reconciliation(run, writer.place, before, replayed, accounts)
    return replace(done, standby=_confirmed(writer)) if replayed else done


def writer_of(lab: Lab) -> Node:
    """The node that takes writes. Raises LabError when none does, or more than one."""
    primaries = [node for node in lab.databases.nodes.values() if node.is_primary()]
    if len(primaries) == 1:
        return primaries[0]
    if not primaries:
        raise LabError(
            "no database takes writes", "see: lab status; lab up starts the one that was primary"
        )
    both = listed(primaries)
    raise Refused(
        f"{both} both take writes, so there is no single database to replay into", "lab status"
    )


def _present(connection: psycopg.Connection[Any], wanted: tuple[Orphan, ...]) -> Present:
    rows = [each.order for each in wanted]
    found = connection.execute(
        "SELECT key, customer, product_id, quantity FROM orders WHERE key = ANY (%s)",
        ([order.key for order in rows],),
    ).fetchall()
    customers = connection.execute(
        "SELECT username FROM customers WHERE username = ANY (%s)",
        (list({order.customer for order in rows}),),
    ).fetchall()
    products = connection.execute(
        "SELECT id FROM products WHERE id = ANY (%s)", (list({o.product_id for o in rows}),)
    ).fetchall()
    return Present(
        {key: (customer, product, quantity) for key, customer, product, quantity in found},
        frozenset(name for (name,) in customers),
        frozenset(number for (number,) in products),
    )


def _inserted(connection: psycopg.Connection[Any], statement: str) -> bool:
    """Run an insert; False when the row is there already."""
    return connection.execute(statement.encode()).rowcount == 1


def _confirmed(writer: Node) -> str:
    """Whether the standby that commits wait for has what was written.

    The tool's own sessions never wait at commit, because that wait knows no time limit. So it is
    waited for here, and an order that one machine alone has is not passed over in silence.
    """
    if not writer.synchronous_names():
        return f"{writer} waits for no standby: only {writer} is known to have them"
    end = writer.lsn()
    try:
        wait_until(
            "the synchronous standby to have the orders",
            lambda: writer.query(
                "SELECT 1 FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum')"
                " AND flush_lsn - '0/0'::pg_lsn >= %s",
                (end,),
            ),
            _CONFIRM_SECONDS,
        )
    except WaitExpired:
        return (
            f"no standby has confirmed them in {_CONFIRM_SECONDS:g} s: only {writer} is known to"
            " have them"
        )
    return "its synchronous standby has them too"
