"""Recorded runs in one small file each: what a drill wrote, without pictures and logs.

The final reads lie in a pack as text, because their keys are those of the history, which the
compression then sees.
"""

from __future__ import annotations

import io
import json
import shutil
import tarfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from lab.core.addresses import Addresses
from lab.core.lsn import parse_lsn
from lab.core.topology import DATABASES, Place
from lab.drills import finding
from lab.metrics import rawrecord
from lab.metrics.compute import compute
from lab.metrics.measure import Fork
from lab.metrics.orphans import OrderRow
from lab.metrics.rawrecord import Disk, Inputs, Raw
from lab.metrics.waldump import Commit
from lab.metrics.walopinion import Evidence
from lab.records import duckdbstore, result
from lab.records.result import Result
from lab.records.resultrows import Run
from lab.report import folders

HERE = Path(__file__).parent
FILES = ("result.json", "journal.json", "history.jsonl", "stopwatch.jsonl")
RATES = ("writes_per_second", "reads_per_second")
LATER = ("inputs.json", "disks.json")
"""What packs have that were made since a lab keeps it."""


@dataclass(frozen=True)
class Kept:
    """A recorded run in a folder. One of an older lab lacks what the losers' disks told."""

    folder: Path
    whole: bool

    @property
    def result(self) -> Result:
        return result.from_file(self.folder / "result.json")

    @property
    def raw(self) -> Raw:
        return rawrecord.load(self.folder)


def pack(run: Path, target: Path) -> None:
    """Write a run folder into a file; the same run makes the same bytes."""
    with tarfile.open(target, "w:xz", preset=9) as file:
        for name in (*FILES, *LATER):
            _add(file, name, (run / name).read_bytes())
        for path in sorted((run / "reads").glob("*.parquet")):
            rows = duckdb.read_parquet(str(path)).fetchall()
            _add(file, f"reads/{path.stem}", "".join(f"{k} {n}\n" for k, n in rows).encode())


def _add(file: tarfile.TarFile, name: str, content: bytes) -> None:
    about = tarfile.TarInfo(name)
    about.size = len(content)
    file.addfile(about, io.BytesIO(content))


def unpack(name: str, folder: Path) -> Kept:
    """A run of the corpus, laid out in a folder as the drill left it."""
    with tarfile.open(HERE / f"{name}.tar.xz") as file:
        file.extractall(folder, filter="data")
    texts = folder / "texts"
    (folder / "reads").rename(texts)
    (folder / "reads").mkdir()
    for path in texts.iterdir():
        rows = (line.split() for line in path.read_text().splitlines())
        copies = {key: int(count) for key, count in rows}
        duckdbstore.to_parquet(rawrecord.read_file(folder, path.name), copies)
    shutil.rmtree(texts)
    whole = (folder / LATER[0]).exists()
    if not whole:
        _add_inputs(folder)
    return Kept(folder, whole)


def as_left(name: str, folder: Path) -> Result:
    """The same with the result that this lab computes from it, its page and its checksums."""
    raw = unpack(name, folder).raw
    found = compute(raw)
    folders.write_run(raw, found)
    return found.result


def with_orphans(name: str, folder: Path) -> Result:
    """The same, with a made-up log of the old primary: the lost orders' commits and rows."""
    recorded = unpack(name, folder)
    lost, given = recorded.result.lost_writes, recorded.raw.inputs
    at = datetime(2026, 1, 5, tzinfo=UTC)
    begin = given.fork.lsn if given.fork else 0
    commits = tuple(Commit(row.timeline or 0, int(row.xid or 0), begin, at) for row in lost)
    rows = tuple(
        OrderRow(n, row.key, f"c{n}", 3, 1, 500, "east", 1, "2026-01-05 03:04:05+00")
        for n, row in enumerate(lost)
    )
    rawrecord.keep(folder, given, {given.old: Disk(Evidence(commits), rows)})
    raw = rawrecord.load(folder)
    found = compute(raw)
    folders.write_run(raw, found)
    return found.result


def _add_inputs(folder: Path) -> None:
    """What an older lab did not keep, as far as its result says it."""
    written = result.from_file(folder / "result.json")
    plan = finding.drill(written.drill).read()
    old, lost = plan.book.plan.old, [*plan.faults[0].touches()]
    winner = next(each for each in DATABASES if each.server_name == written.winner)
    losers = tuple(p.server_name for p in DATABASES if p in {old, *lost} - {winner})
    gateways = [p for p in lost if isinstance(p, Place) and p.service == "gateway"]
    waiting = written.settings.get("processor_wait_share")
    fork = _fork(written)
    found = Inputs(
        run=Run(**{field: getattr(written, field) for field in Run.model_fields}),
        winner=written.winner,
        losers=losers,
        old=old.server_name,
        promoted=fork is not None,
        fork=fork,
        reads=tuple(sorted(path.stem for path in (folder / "reads").iterdir())),
        dead=tuple(map(Addresses(_subnet(folder / "history.jsonl")).internet, gateways)),
        populations=tuple(row.population for row in written.populations),
        entries={"stopwatch.jsonl": {"attempts": _lines(folder / "stopwatch.jsonl") - 1}},
        operations_per_second=sum(float(written.settings[name] or 0) for name in RATES),
        window=plan.window,
        objectives=plan.objectives,
        waiting=None if waiting is None else float(waiting),
    )
    unread = Disk(Evidence(problem="its log was not kept"))
    rawrecord.keep(folder, found, dict.fromkeys(losers, unread))


def _lines(path: Path) -> int:
    return len(path.read_bytes().splitlines())


def _subnet(history: Path) -> str:
    """The lab's first two bytes, by the resolvers that the users were told."""
    with history.open() as lines:
        resolver = str(json.loads(next(lines))["settings"]["resolvers"][0])
    return resolver.rsplit(".", 2)[0]


def _fork(written: Result) -> Fork | None:
    """Where the winner left the old timeline, as the opinion on the WAL says it."""
    told = {each.name: each for each in written.opinions}["wal"].values.get("fork")
    if not isinstance(told, str) or not told:
        return None
    lsn, _, timeline = told.partition(" on timeline ")
    return Fork(int(timeline), parse_lsn(lsn))


def names() -> list[str]:
    """The runs there are."""
    return sorted(path.name.partition(".")[0] for path in HERE.glob("*.tar.xz"))
