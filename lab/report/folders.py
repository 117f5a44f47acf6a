"""Runs and series as they lie in their folders: read back, and their pages written anew."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core import outputfiles
from lab.core.errors import MachineError, UsageError, brief
from lab.core.paths import real
from lab.metrics import orphans
from lab.records import checksums, compare, journalfile, liverun, spread
from lab.records.liverun import LiveRun
from lab.records.result import Result, from_file, to_json
from lab.records.runfiles import JOURNAL, RAW, RESULT, SPREAD, STOPWATCH, read_of
from lab.records.runfolders import find_run
from lab.records.spread import Series
from lab.report import junit, postmortem, reportpage, seriespages
from lab.report.junit import Suite

if TYPE_CHECKING:
    from lab.metrics.compute import Computed
    from lab.metrics.rawrecord import Raw


def load(name: str | None) -> tuple[Path, Result | Series | LiveRun]:
    """A run or series by name or path, and its folder; without a name the newest of any kind.

    Raises UsageError if it is not there or not finished, if it is of another schema or of two runs,
    or if a file is gone or changed of which the lab wrote a checksum.
    """
    folder = find_run(name)
    if liverun.is_one(folder):
        run = liverun.load(folder)
        liverun.refuse_changed(folder, run)
        return folder, run
    if not os.path.lexists(folder / RESULT):
        found: Result | Series = spread.from_file(folder / SPREAD)
        checksums.refuse_changed(folder, (SPREAD,), "run the series again")
        return folder, found
    found = run_of(folder)
    again = f"see what differs: lab report --recompute {folder}"
    wanted = {*summed(found), *checksums.listed(folder)}
    checksums.refuse_changed(folder, wanted, again)
    return folder, found


def summed(found: Result) -> Iterator[str]:
    """Files that SHA256SUMS must list, by what a run's result says."""
    yield from (RESULT, *RAW)
    yield from map(read_of, {found.winner}.union(*(row.found_on for row in found.lost_writes)))
    if found.orphans_file is not None:
        yield from (orphans.CSV_FILE, orphans.SQL_FILE)
    if any(each.name == "stopwatch" and each.values for each in found.opinions):
        yield STOPWATCH


def run_of(folder: Path) -> Result:
    """The result of a run as it lies there; its checksum is not compared."""
    if liverun.is_one(folder):
        raise _unmeasured(folder)
    if not os.path.lexists(folder / RESULT):
        raise _series(folder)
    found = from_file(folder / RESULT)
    _one_run(folder, found)
    return found


def _unmeasured(folder: Path) -> UsageError:
    return UsageError(
        f"{folder} is a runbook's run on the lab as it stood: it measured nothing",
        f"see what it did: lab report {folder}; measure: lab runbook run … --scenario",
    )


def _series(folder: Path) -> UsageError:
    return UsageError(f"{folder} is a series and no run", f"name one of its runs: see {SPREAD}")


def _one_run(folder: Path, found: Result) -> None:
    """Refuse a result and a journal of two boots: times of one mean nothing in the other."""
    path = folder / JOURNAL
    if not os.path.lexists(path):
        return
    boot = journalfile.from_file(path).boot_id
    if boot != found.boot_id:
        raise UsageError(
            f"{folder} holds files of two runs: {JOURNAL} is of boot {brief(boot)},"
            f" {RESULT} of boot {brief(found.boot_id)}",
            "put the files of one run back together, or run the drill again",
        )


def write_page(folder: Path, document: Result | Series | LiveRun) -> Path:
    """Write report.html or spread.html into a folder; its path."""
    if isinstance(document, Series):
        return write(folder / "spread.html", seriespages.spread(document))
    name = real(folder).name
    if isinstance(document, LiveRun):
        found = (liverun.journal(folder).steps, liverun.orphan_files(folder, document))
        return write(folder / "report.html", seriespages.runbook(document, *found, name))
    return write(folder / "report.html", reportpage.render(document, name))


def post_mortem(folder: Path, document: Result | Series | LiveRun) -> str:
    """The text for a post-mortem of a run. Raises UsageError for a series."""
    name = real(folder).name
    if isinstance(document, Series):
        raise _series(folder)
    if isinstance(document, LiveRun):
        orphan_files = liverun.orphan_files(folder, document)
        return postmortem.of_runbook(document, liverun.journal(folder), orphan_files, name)
    return postmortem.of_run(document, liverun.journal(folder), name)


def write_run(raw: Raw, found: Computed) -> None:
    """Write what was computed from a raw record beside it, and the sums of both."""
    folder, result = raw.folder, found.result
    source = f"{result.drill} {result.started}"
    texts = {RESULT: to_json(result), **orphans.files(found.orphans, source)}
    for name, text in texts.items():
        write(folder / name, text)
    write_page(folder, result)
    checksums.write(folder, [*raw.files, *texts])


def write_series(folder: Path, document: Series) -> None:
    """Write spread.json and spread.html."""
    write(folder / SPREAD, spread.to_json(document))
    checksums.write(folder, [SPREAD])
    write_page(folder, document)


def suites_to(path: Path | None) -> Callable[[Iterable[Suite]], None]:
    """What writes suites to the file of `--junit`, if there is one.

    Raises UsageError at once if that cannot be written.
    """
    if path is None:
        return lambda _: None
    outputfiles.prove_writable(path, junit.FLAG)
    return lambda suites: outputfiles.write(path, junit.document(suites), junit.FLAG)


def write(path: Path, text: str) -> Path:
    """Write a file. Raises MachineError."""
    try:
        if path.is_symlink() and not path.exists():
            raise MachineError(f"cannot write {path}: it is a broken symbolic link", "remove it")
        with outputfiles.opened(path, os.O_TRUNC) as file:
            file.write(text.encode())
    except OSError as error:
        raise MachineError(
            f"cannot write {path}: {error.strerror}", "choose a file that can be written"
        ) from error
    return path


def write_once(path: Path, text: str) -> Path:
    """Write a file that people complete. Raises UsageError if another text is there already."""
    if path.is_file() and path.read_bytes() != text.encode():
        raise UsageError(
            f"{path} is there already, and people may have written in it",
            "write another file: --out FILE; or remove that one",
        )
    return write(path, text)


def side(name: str) -> tuple[Path, compare.Side]:
    """A run or series as one side of a comparison, and its folder."""
    folder, document = load(name)
    if isinstance(document, LiveRun):
        raise _unmeasured(folder)
    shown = real(folder).name
    if isinstance(document, Series):
        return folder, compare.of_series(shown, document)
    return folder, compare.of_run(shown, document)
