"""Made-up operations and records for tests of the pure core. Never a result of a drill."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, replace

from lab.metrics.assemble import assemble
from lab.metrics.figures import Figures
from lab.records import ledger
from lab.records.history import Kind, Operation, Outcome
from lab.records.journalfile import Journal
from lab.records.ledger import Ledger
from lab.records.lineformats import FIELDS
from lab.records.result import Result
from lab.records.resultrows import Machine, Run, Versions

BOOT = "0f1e2d3c-0000-4000-8000-000000000001"

_WRITE = Operation(
    key="east-0",
    kind=Kind.WRITE,
    start=0.0,
    end=0.01,
    population="east",
    user=1,
    honours_ttl=True,
    outcome=Outcome.OK,
    attempts=1,
)


def write(key: str, outcome: Outcome = Outcome.OK, **changes: object) -> Operation:
    """A write; `end` is 10 ms after `start` unless given, servers' fields fit the outcome."""
    start = float(str(changes.pop("start", 0.0)))
    told = {"region": "east", "node": "east_db1", "timeline": 1, "xid": "7", "lsn": "0/10"}
    answered = told if outcome in (Outcome.OK, Outcome.LOCAL) else {}
    fields = {"end": start + 0.01, **answered, **changes}
    return replace(_WRITE, key=key, outcome=outcome, start=start, **fields)  # type: ignore[arg-type]


def header(population: str = "east", boot: str = BOOT, schema: int = 1) -> bytes:
    """One header line with its newline."""
    document = {
        "schema": schema,
        "record": "header",
        "population": population,
        "boot_id": boot,
        "pid_start": 1.5,
        "settings": {"ttl": 2, "nested": {"deep": True}},
    }
    return _line(document)


def line(item: Operation) -> bytes:
    """One operation's line with its newline, as users write it: what is empty is left out."""
    fields = asdict(item)
    told = {each.name: fields[each.name] for each in FIELDS if fields[each.name] is not None}
    return _line({"record": "op", **told})


def lines(items: Iterable[Operation]) -> bytes:
    """Many of them."""
    return b"".join(map(line, items))


def loaded(items: Iterable[Operation]) -> Ledger:
    """A ledger of these operations, each population under a header of its own."""
    every = list(items)
    names = sorted({item.population for item in every}) or ["east"]
    parts = [header(name) + lines(i for i in every if i.population == name) for name in names]
    return ledger.load(*parts)


def _line(document: dict[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def run(**changes: object) -> Run:
    """What a drill runner would hand over."""
    fields: dict[str, object] = {
        "drill": "region-loss",
        "title": "East is gone",
        "pattern": "hot-single-writer",
        "seed": 7,
        "started": "2026-01-02T03:04:05Z",
        "command": "lab drill region-loss --seed 7",
        "versions": Versions(lab="0.1.0", engine="20.10", postgresql="17.6"),
        "machine": Machine(
            cpus=2, memory_bytes=25 * 2**30, kernel="6.1", architecture="x86_64", system="Debian"
        ),
        "settings": {"writes_per_second": 100, "one_way_delay_ms": 40},
    }
    return Run.model_validate({**fields, **changes})


def unjudged(found: Figures) -> Result:
    """The document of such figures, of which metrics are read; nothing judged it."""
    with loaded([]) as told:
        return assemble(run(), Journal(BOOT, ()), told, found)
