"""Recorded runs and a series in a folder where the lab looks for them; one of them damaged."""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp

import packed
from several import a_series

from damaged.ways import NAMES, WAYS, WHOLE
from lab.records import checksums
from lab.report import folders

RUN, OTHER, SERIES = "2026-01-02T03-00-00Z-a", "2026-01-03T03-00-00Z-b", "2026-01-04T03-00-00Z-a-x6"
_FILES = (
    "result.json", "journal.json", "inputs.json", "disks.json", "history.jsonl", "stopwatch.jsonl",
    "reads", "reads/east_db1.parquet", "reads/west_db1.parquet", "reads/east_db2.parquet",
    "orphans.csv", "orphans.sql", "report.html", "compare.html", "SHA256SUMS",
)  # fmt: skip
_OF_SERIES = ("spread.json", "spread.json", "spread.html", "compare.html", "SHA256SUMS")
_NOT_LISTED = frozenset({"report.html", "spread.html", "compare.html", "SHA256SUMS"})


@dataclass(frozen=True)
class Case:
    """What was damaged, and how: all of it follows from the seed.

    `summed` says that the folder still has its checksums. `name` is how the commands are to call
    the run.
    """

    seed: int
    base: str
    file: str
    way: str
    summed: bool
    name: str

    @property
    def told(self) -> dict[str, object]:
        """It in words."""
        sums = "with" if self.summed else "without"
        return {"seed": self.seed, "run": f"{self.base}, {sums} checksums", "file": self.file,
                "way": self.way}  # fmt: skip

    @property
    def of_record(self) -> bool:
        """Whether the damaged file is one of which the lab writes a checksum."""
        return self.way != "a name" and self.file not in _NOT_LISTED


@contextmanager
def damaged(seed: int) -> Iterator[Case]:
    """A shelf with one damage, as the commands find it."""
    chance = random.Random(seed)  # noqa: S311 - no secret
    base = chance.choice([*packed.names(), "series"])
    summed = chance.random() < 0.5
    with laid_out(base, summed=summed) as folder:
        if chance.random() < 0.02:
            yield Case(seed, base, "", "a name", summed, chance.choice(NAMES))
            return
        files = [file for file in _OF_SERIES if (folder / file).exists()]
        if base != "series":
            files = [file for file in _FILES if (folder / file).exists()]
        path = folder / (file := chance.choice(files))
        ways = WHOLE if path.is_dir() else [way for way in WAYS if way.fits(path)]
        before = _looks(path)
        while _looks(path) == before:
            way = chance.choice(ways)
            way.do(path, chance, folder.parent / OTHER / file)
        yield Case(seed, base, file, way.name, summed, folder.name)


def _looks(path: Path) -> object:
    """What tells a file from another one."""
    if path.is_symlink() or not path.is_file():
        return os.lstat(path).st_mode if os.path.lexists(path) else None
    return path.read_bytes()


@contextmanager
def laid_out(base: str, *, summed: bool) -> Iterator[Path]:
    """A sound run or series, and another run beside it; LAB_RUNS names their folder."""
    with TemporaryDirectory(prefix="lab-damaged-") as work:
        name = SERIES if base == "series" else RUN
        folder = Path(shutil.copytree(_made(base), Path(work) / name))
        others = [each for each in packed.names() if each != base]
        shutil.copytree(_made(others[0]), Path(work) / OTHER)
        if not summed:
            (folder / checksums.FILE).unlink()
        before = os.environ.get("LAB_RUNS")
        os.environ["LAB_RUNS"] = work
        try:
            yield folder
        finally:
            os.environ.pop("LAB_RUNS")
            if before is not None:
                os.environ["LAB_RUNS"] = before


@cache
def _made(base: str) -> Path:
    """The folder as a drill left it."""
    folder = Path(mkdtemp(prefix=f"lab-sound-{base}-"))
    if base == "series":
        folders.write_series(folder, a_series())
    else:
        packed.with_orphans(base, folder)
    (folder / "compare.html").write_text("of another comparison")
    return folder
