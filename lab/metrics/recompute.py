"""A run's figures computed again from its raw record, beside those of its result.json."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from lab import __version__
from lab.core import jsondocuments
from lab.core.errors import brief
from lab.core.words import count
from lab.metrics import orphans, rawrecord
from lab.metrics.compute import Computed, compute
from lab.metrics.rawrecord import Raw
from lab.records import checksums
from lab.records.result import Result

_NEAR: Final = 1e-9
"""What two processors may make of the same formula: as a share, and in seconds."""

NOTHING: Final = "nothing"


@dataclass(frozen=True, slots=True)
class Difference:
    """One figure, or one file, that is not what it should be: as it lies there, and as it was."""

    what: str
    kept: str
    computed: str


@dataclass(frozen=True, slots=True)
class Recomputed:
    """Of `figures` figures and of the run's files: those that differ. `notes` may explain it."""

    figures: int
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]


def recompute(folder: Path, kept: Result) -> Recomputed:
    """Compute all figures of a run again. Raises LabError when its record is damaged."""
    raw = rawrecord.load(folder)
    found = compute(raw)
    old, new = (dict(_leaves(each.model_dump(mode="json"))) for each in (kept, found.result))
    figures = (
        Difference(jsondocuments.place(where), _said(old, where), _said(new, where))
        for where in {**old, **new}
        if not _same(old.get(where, NOTHING), new.get(where, NOTHING))
    )
    return Recomputed(
        len(new),
        (*_files(raw), *_orphans(folder, found), *figures),
        tuple(_notes(folder, kept)),
    )


Where = tuple[str | int, ...]


def _leaves(value: object, where: Where = ()) -> Iterator[tuple[Where, object]]:
    """Every single value of a document with its place; an empty list counts as one."""
    if isinstance(value, Mapping) and value:
        for name, each in value.items():
            yield from _leaves(each, (*where, name))
    elif isinstance(value, list) and value:
        for number, each in enumerate(value):
            yield from _leaves(each, (*where, number))
    else:
        yield where, value


def _same(one: object, other: object) -> bool:
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=_NEAR, abs_tol=_NEAR)
    return type(one) is type(other) and one == other


def _said(values: Mapping[Where, object], where: Where) -> str:
    if where not in values:
        return NOTHING
    value = values[where]
    return "null" if value is None else brief(str(value))


def _files(raw: Raw) -> Iterator[Difference]:
    """Files that are not those that the drill wrote."""
    for name, what in checksums.changed(raw.folder, raw.files).items():
        yield Difference(f"file {name}", what, "as the lab wrote it")


def _orphans(folder: Path, found: Computed) -> Iterator[Difference]:
    """The files of orphans, which a result names and does not hold."""
    written = orphans.files(found.orphans, f"{found.result.drill} {found.result.started}")
    for name, heads, one in ((orphans.CSV_FILE, 1, "order"), (orphans.SQL_FILE, 0, "line")):
        path, wanted = folder / name, written.get(name)
        there = jsondocuments.content(path).decode(errors="replace") if path.is_file() else None
        if there != wanted:
            kept, computed = (_lines(each, heads, one) for each in (there, wanted))
            both = there is not None and wanted is not None
            yield Difference(name, kept, f"{computed}, not these" if both else computed)


def _lines(text: str | None, heads: int, one: str) -> str:
    return NOTHING if text is None else count(max(0, text.count("\n") - heads), one)


def _notes(folder: Path, kept: Result) -> Iterator[str]:
    if not checksums.is_there(folder):
        yield f"there is no {checksums.FILE}: whether a file was changed cannot be told by it"
    if kept.versions.lab != __version__:
        yield (
            f"the run is of lab {kept.versions.lab}, this is lab {__version__}:"
            " a formula may have changed"
        )
