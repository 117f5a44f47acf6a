"""Names of the files in a run's folder, as they are named from there. Pure.

The files of orphans are named in `lab.metrics.orphans`, the list of checksums in
`lab.records.checksums`.
"""

from __future__ import annotations

from typing import Final

RESULT: Final = "result.json"
SPREAD: Final = "spread.json"
RUNBOOK: Final = "runbook.json"
MATRIX: Final = "matrix.json"
TUNE: Final = "tune.json"
INPUTS: Final = "inputs.json"
DISKS: Final = "disks.json"
JOURNAL: Final = "journal.json"
HISTORY: Final = "history.jsonl"
STOPWATCH: Final = "stopwatch.jsonl"
RAW: Final = (INPUTS, DISKS, JOURNAL, HISTORY)
"""What every run's figures are made of, beside the final reads and what a stopwatch recorded."""


OPENING: Final = "opening"
"""Instead of a node: what the primary held when the measured part of the run began."""


def read_of(node: str) -> str:
    """The final read of a node, or the opening read."""
    return f"reads/{node}.parquet"


def leading_journal(number: int, runbook: str) -> str:
    """The journal of a runbook that led to the situation in which a run began."""
    return f"journal-{number}-{runbook}.json"


def script_output(number: str, program: str) -> str:
    """What a script of a team's own printed. For a search both may be `*`."""
    return f"script-{number}-{program}.txt"
