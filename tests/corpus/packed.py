"""Recorded runs in one small file each: what a drill wrote, without pictures and logs.

The final reads lie in a pack as text, because their keys are those of the history, which the
compression then sees.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from lab.classify import Row
from lab.record import Journal
from lab.record import from_file as journal_from
from lab.result import Result
from lab.result import from_file as result_from

HERE = Path(__file__).parent
FILES = ("result.json", "journal.json", "history.jsonl", "stopwatch.jsonl")


@dataclass(frozen=True)
class Kept:
    """A recorded run: its folder, and what every node held at the end under each client key."""

    folder: Path
    reads: Mapping[str, Mapping[str, Row]]

    @property
    def result(self) -> Result:
        return result_from(self.folder / "result.json")

    @property
    def journal(self) -> Journal:
        return journal_from(self.folder / "journal.json")


def pack(run: Path, target: Path) -> None:
    """Write a run folder into a file; the same run makes the same bytes."""
    with tarfile.open(target, "w:xz", preset=9) as file:
        for name in FILES:
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
    reads = {
        path.name: dict(map(_row, path.read_text().splitlines()))
        for path in (folder / "reads").iterdir()
    }
    return Kept(folder, reads)


def _row(line: str) -> tuple[str, Row]:
    key, copies = line.split()
    return key, Row(int(copies))


def names() -> list[str]:
    """The runs there are."""
    return sorted(path.name.partition(".")[0] for path in HERE.glob("*.tar.xz"))
