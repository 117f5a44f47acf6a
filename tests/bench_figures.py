"""How long the figures of a very large record take: made up, written out, then measured for real.

    python tests/bench_figures.py OPERATIONS     prints one JSON document

The record has what real ones have: two populations, reads among the writes, users that ignore
TTLs, an outage in the middle in which writes fail or stay unanswered, and lost writes. It is read
from JSON lines, the final reads of four databases from Parquet files, as a drill keeps them.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

RATE = 1000.0
"""Operations per second of the made-up record."""

LOST = 20
BOOT = "0f1e2d3c-0000-4000-8000-000000000001"

_OPERATIONS = """
CREATE TABLE made AS SELECT *,
    CASE WHEN age BETWEEN 0 AND 3 THEN CASE WHEN i % 5 = 0 THEN 'unknown' ELSE 'fail' END
         ELSE 'ok' END AS outcome,
    CASE WHEN age < 0 THEN 1 ELSE 2 END AS timeline
FROM (SELECT i, 'east-' || md5(i::VARCHAR) AS "key", 1000 + i / {rate} AS start,
             (i - {count} // 2) / {rate} AS age,
             CASE WHEN i % 4 = 0 THEN 'read' ELSE 'write' END AS kind,
             0.004 + (hash(i) % 10000) / 1e6 AS took
      FROM range({count}) AS numbers(i))
"""
_LINE = """
'{"record":"op","key":"' || "key" || '","kind":"' || kind || '","start":' || start::DECIMAL(18, 6)
|| ',"end":' || (start + took)::DECIMAL(18, 6) || ',"population":"POPULATION","user":' || i % 50
|| ',"honours_ttl":' || (i % 10 <> 0) || ',"outcome":"' || outcome || '","attempts":1'
|| CASE WHEN outcome = 'ok' THEN ',"status":201,"region":"west","node":"west_db1","timeline":'
     || timeline || ',"xid":"' || (3000 + i) || '","lsn":"0/' || printf('%X', 4096 + i) || '"'
   ELSE '' END
|| ',"address":"' || CASE WHEN timeline = 1 THEN '10.91.0.11' ELSE '10.91.0.12' END || '"}'
"""
_COPY = "(FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIM '\x01')"


def make(folder: Path, count: int) -> None:
    """Write history.jsonl and one Parquet file per database."""
    database = duckdb.connect()
    database.execute(_OPERATIONS.format(rate=RATE, count=count))
    names = ("east", "west")
    for number, name in enumerate(names):
        head = {"schema": 1, "record": "header", "population": name, "boot_id": BOOT}
        whole = json.dumps({**head, "pid_start": 1.5, "settings": {}}, separators=(",", ":"))
        line = _LINE.replace("POPULATION", name)
        database.execute(
            f"COPY (SELECT line FROM (SELECT '{whole}' AS line, -1 AS i UNION ALL "
            f"SELECT {line}, i FROM made WHERE i % 2 = {number}) ORDER BY i) "
            f"TO '{folder}/{name}.jsonl' {_COPY}"
        )
    kept = f"age >= 0 OR i < {count} // 2 - {LOST}"
    for node, where in (("west_db1", kept), ("west_db2", kept), ("east_db1", "age < 0")):
        database.execute(
            f"COPY (SELECT \"key\", 1 AS copies FROM made WHERE kind = 'write' AND "
            f"outcome <> 'fail' AND ({where})) TO '{folder}/{node}.parquet'"
        )
    with (folder / "history.jsonl").open("wb") as file:
        for name in names:
            subprocess.run(["cat", str(folder / f"{name}.jsonl")], stdout=file, check=True)
            (folder / f"{name}.jsonl").unlink()


def measured(folder: Path, count: int) -> dict[str, float]:
    """Seconds of each part, peak memory in MiB, and figures that must come out."""
    from lab.metrics import figures
    from lab.metrics.classify import classify
    from lab.metrics.measure import Fork
    from lab.records import ledger
    from lab.records.journalfile import Journal, Mark, MarkName

    fault = 1000 + count / 2 / RATE
    marks = {
        MarkName.STEADY: 1000.0,
        MarkName.FAULT_STARTED: fault,
        MarkName.DETECTED: fault + 1,
        MarkName.LOAD_STOPPED: 1000 + (count - 1) / RATE,
    }
    journal = Journal(BOOT, tuple(Mark(name, at) for name, at in marks.items()))
    reads = {node: folder / f"{node}.parquet" for node in ("west_db1", "west_db2", "east_db1")}
    began = time.perf_counter()
    with ledger.load(folder / "history.jsonl") as record:
        read = time.perf_counter()
        fates = classify(record, {**reads, "east_db2": reads["east_db1"]}, "west_db1",
                         {"east_db1", "east_db2"})  # fmt: skip
        classified = time.perf_counter()
        found = figures.measure(record, journal, fates, Fork(1, 4096), dead={"10.91.0.11"})
        ended = time.perf_counter()
    return {
        "operations": len(record.operations),
        "read": read - began,
        "classify": classified - read,
        "measure": ended - classified,
        "total": ended - began,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "lost": len(fates.lost),
        "rto": max(row.seconds or 0.0 for row in found.recoveries),
    }


def main(count: int) -> None:
    """Make and measure in two processes, so that memory is that of measuring alone.

    Both are children: a process that is started by a large one is said to have been as large.
    """
    with tempfile.TemporaryDirectory(prefix="lab-bench-") as name:
        for act in ("make", "measure"):
            subprocess.run([sys.executable, __file__, str(count), act, name], check=True)


if __name__ == "__main__":
    if sys.argv[2:3] == ["make"]:
        make(Path(sys.argv[3]), int(sys.argv[1]))
    elif sys.argv[2:3] == ["measure"]:
        json.dump(measured(Path(sys.argv[3]), int(sys.argv[1])), sys.stdout)
    else:
        main(int(sys.argv[1]))
