"""The raw record of a run in its folder: everything from which its figures are computed.

`inputs.json` holds what the drill knew beside the records of other programs, `disks.json` what the
losers' disks told. With history, journal, stopwatch record and final reads they are all there is: a
drill computes its figures from what it kept here, and `lab report --recompute` does so again.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from lab.core import jsondocuments
from lab.core.errors import UsageError
from lab.core.topology import DATABASES
from lab.core.verdict import Objective
from lab.metrics import contradictions, entrycounts
from lab.metrics.classify import Opening
from lab.metrics.measure import Fork
from lab.metrics.orphans import OrderRow
from lab.metrics.walopinion import Evidence
from lab.records import duckdbstore, journalfile, journalmarks
from lab.records.journalfile import Journal
from lab.records.resultrows import Count, Duration, Model, Rate, Run
from lab.records.runfiles import (
    DISKS,
    HISTORY,
    INPUTS,
    JOURNAL,
    OPENING,
    RAW,
    STOPWATCH,
    read_of,
)
from lab.records.samples import Sampled

SCHEMA: Final[Literal[1]] = 1
_HINT: Final = "run the drill again with this lab"
_NAMES: Final = "|".join(each.server_name for each in DATABASES)
Server: TypeAlias = Annotated[str, Field(pattern=f"^({_NAMES})$")]
"""The server name of a database."""


class Stopped(Model):
    """Why a runbook did not come to its end.

    `unseen`: a fault did not strike, or no probe saw what it does. `timed_out`: a wait ended.
    """

    reason: str
    unseen: bool = False
    timed_out: bool = False


class Inputs(Model):
    """All of inputs.json. Nodes go by their server names; times of samples are the engine's.

    `old` is the node that was primary, `promoted` says whether another one took over, `fork` where
    it left the old timeline. `dead` are the gateways' addresses that the fault took away, `reads`
    the nodes that were read in the end. `populations` are the users that were to work, at
    `operations_per_second` each, and `written` is how many operations each of them counted as it
    wrote them down; users of a lab before this one did not tell. `entries` are the numbers of
    entries of all other records (`lab.metrics.entrycounts`), which older labs did not count.
    `steps` are the names of all that was to be done, in order; older labs did not keep them.
    `waiting` is the share of time that programs waited for a processor (`lab.records.machineload`).
    `opening` is the moment from which on the primary was read when the measured part began; None
    in a run that nothing led to.
    `by_hand`: people acted, several times perhaps, and no runbook had to come to its end.
    """

    schema_version: Literal[1] = SCHEMA
    run: Run
    winner: Server
    losers: tuple[Server, ...]
    old: Server
    promoted: bool
    fork: Fork | None
    reads: tuple[Server, ...]
    dead: tuple[str, ...]
    populations: tuple[str, ...]
    operations_per_second: Rate
    written: dict[str, Count] = Field(default_factory=dict)
    entries: dict[str, dict[str, Count]] = Field(default_factory=dict)
    steps: tuple[str, ...] = ()
    window: Duration
    objectives: tuple[Objective, ...]
    failure: Stopped | None = None
    waiting: Rate | None = None
    by_hand: bool = False
    samples: tuple[Sampled, ...] = ()
    opening: Annotated[float, Field(ge=0, allow_inf_nan=False)] | None = None


@dataclass(frozen=True, slots=True)
class Disk:
    """What one loser's disk told: its WAL against its rows, and the orders that it alone has."""

    evidence: Evidence
    rows: tuple[OrderRow, ...] = ()


class Disks(Model):
    """All of disks.json, by server name."""

    schema_version: Literal[1] = SCHEMA
    disks: dict[Server, Disk] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Raw:
    """A run's raw record; the large parts of it stay files."""

    folder: Path
    inputs: Inputs
    journal: Journal
    disks: Mapping[str, Disk]

    @property
    def history(self) -> Path:
        """What users asked for and were told."""
        return self.folder / HISTORY

    @property
    def stopwatch(self) -> Path:
        """The independent record of the outage; a run may have none."""
        return self.folder / STOPWATCH

    @property
    def reads(self) -> dict[str, Path]:
        """The final read of each node."""
        return {node: read_file(self.folder, node) for node in self.inputs.reads}

    @property
    def opening(self) -> Opening | None:
        """What the primary held when the measured part began, if something led to it."""
        at = self.inputs.opening
        return None if at is None else Opening(at, read_file(self.folder, OPENING))

    @property
    def files(self) -> tuple[str, ...]:
        """Its files, as they are named from its folder."""
        return (
            *RAW,
            *_files_of(self.inputs),
            *([STOPWATCH] if os.path.lexists(self.stopwatch) else []),
        )


def read_file(folder: Path, node: str) -> Path:
    """Where a node's final read lies."""
    return folder / read_of(node)


def keep(folder: Path, inputs: Inputs, disks: Mapping[str, Disk]) -> None:
    """Write what the drill knew; journal and records of other programs lie there already.

    `inputs` says how many entries these programs counted, the others are counted here.
    """
    journal = journalfile.from_file(folder / JOURNAL)
    counted = {**inputs.entries, **entrycounts.count(journal, inputs.samples, disks)}
    whole = inputs.model_copy(update={"entries": counted})
    for name, document in ((INPUTS, whole), (DISKS, Disks(disks=dict(disks)))):
        (folder / name).write_text(document.model_dump_json(indent=1) + "\n")


def load(folder: Path) -> Raw:
    """The raw record of a run, checked as far as it is no large file.

    Raises UsageError when a part of it is missing or damaged.
    """
    _refuse_without(folder, RAW)
    inputs = jsondocuments.versioned(folder / INPUTS, Inputs, ("inputs", "record of inputs"), _HINT)
    _refuse_without(folder, _files_of(inputs))
    for name in _reads_of(inputs):
        duckdbstore.refuse_damaged(read_file(folder, name))
    disks = jsondocuments.versioned(folder / DISKS, Disks, ("disks", "record of disks"), _HINT)
    journal = journalfile.from_file(folder / JOURNAL)
    for name, objection in (
        (JOURNAL, journalmarks.impossible(journal, by_hand=inputs.by_hand)),
        (INPUTS, contradictions.inputs_json(inputs, journal)),
        (DISKS, contradictions.disks_json(inputs, disks.disks)),
        *_miscounts(inputs.entries, entrycounts.count(journal, inputs.samples, disks.disks)),
    ):
        if objection:
            said = f"{folder / name} is nothing that a drill writes: {objection}"
            raise UsageError(said, jsondocuments.CHANGED)
    return Raw(folder, inputs, journal, disks.disks)


def _miscounts(told: entrycounts.Entries, found: entrycounts.Entries) -> Iterator[tuple[str, str]]:
    return ((name, entrycounts.miscounted(told.get(name, {}), found[name])) for name in found)


def _reads_of(inputs: Inputs) -> tuple[str, ...]:
    return (*inputs.reads, *([] if inputs.opening is None else [OPENING]))


def _files_of(inputs: Inputs) -> tuple[str, ...]:
    return tuple(map(read_of, _reads_of(inputs)))


def _refuse_without(folder: Path, wanted: Collection[str]) -> None:
    """Each of them must be there, and be a file."""
    missing = [name for name in wanted if not os.path.lexists(folder / name)]
    if missing:
        raise UsageError(
            f"{folder} has no {', no '.join(missing)}: its figures cannot be computed again",
            "a lab before this one did not keep all of it; run the drill again",
        )
    for name in wanted:
        jsondocuments.refuse_no_file(folder / name)
