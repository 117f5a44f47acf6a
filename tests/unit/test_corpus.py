"""Fixed records with what must be found in them, one file each: readable, and never regenerated."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from pure_builders import BOOT

from lab.core.errors import UsageError
from lab.metrics.classify import classify
from lab.metrics.figures import Figures, measure
from lab.metrics.placing import Row
from lab.records import ledger
from lab.records.journalfile import Journal, Mark, MarkName

CASES = sorted((Path(__file__).parent / "corpus").glob("*.json"))
NAMES = (
    "lost", "orphaned", "recovered", "unexpected", "duplicated", "unknown_absent", "local_lost",
)  # fmt: skip


def figures(case: dict[str, Any], folder: Path) -> tuple[Figures, int]:
    path = folder / "history.jsonl"
    path.write_text("\n".join(case["history"]) + case["tail"], encoding="utf-8")
    reads = {
        node: {key: Row(copies) for key, copies in rows.items()}
        for node, rows in case["reads"].items()
    }
    journal = Journal(BOOT, (Mark(MarkName.FAULT_STARTED, case["fault"]),))
    with ledger.load(path) as record:
        found = classify(record, reads, case["winner"], set(case["losers"]))
        return measure(record, journal, found), len(record.cut_lines)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_a_record_of_the_corpus_reads_as_it_always_did(path: Path, tmp_path: Path) -> None:
    case = json.loads(path.read_text())
    if "error" in case:
        with pytest.raises(UsageError, match=re.escape(case["error"])):
            figures(case, tmp_path)
        return
    expected = case["expected"]
    found, cut = figures(case, tmp_path)
    fates = found.classification
    for name in NAMES:
        assert [fate.key for fate in getattr(fates, name)] == expected[name], name
    assert list(fates.unrecorded) == expected["unrecorded"]
    assert list(fates.unread) == expected.get("unread", [])
    assert cut == expected["cut_lines"]
    assert found.split_brain.writes == expected.get("split_brain_writes", 0)
    assert found.split_brain.seconds == expected.get("split_brain_seconds", 0.0)
    assert list(found.split_brain.timelines) == expected.get("split_brain_timelines", [])
    stale = [(row.read.key, row.lost) for row in found.stale]
    assert [key for key, lost in stale if not lost] == expected.get("stale", [])
    assert [key for key, lost in stale if lost] == expected.get("missed_because_lost", [])
    gone = [[row.write.key, row.reads] for row in fates.seen_then_gone]
    assert gone == expected.get("seen_then_gone", [])


def test_the_corpus_is_there() -> None:
    assert len(CASES) >= 20
