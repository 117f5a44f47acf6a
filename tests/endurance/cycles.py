"""East is lost, west takes over, east is back and primary again: so many times under one load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from tool import WORK, folder_of, operations, ran, tell

from lab.core.topology import EAST
from lab.metrics.orphans import from_csv
from lab.records.history import Kind
from lab.records.runfiles import HISTORY

_SCRIPT: Final = """\
from lab.api import based_on, step

LOST = based_on({file!r}).leads
BACK = (step("run-runbook", runbook="failback"), step("wait", seconds=5))
DRILL = based_on(
    {file!r},
    name="there-and-back",
    title="There and back, {times} times",
    leads=(*{more} * (*LOST, *BACK), *LOST),
    bound=float("inf"),
)
"""
_WAY_BACK: Final = Path(__file__).parents[2] / "chaos" / "way_back.py"


def cycles(times: int = 10, seed: int = 1) -> bool:
    """One drill; each loss may cost what east alone has by then, which each way back saves."""
    script = WORK / "there_and_back.py"
    script.write_text(_SCRIPT.format(file=str(_WAY_BACK), times=times, more=times - 1))
    done = ran("drill", str(script), "--json", "--seed", str(seed), patience=3600)
    if not done.stdout:
        raise SystemExit(done.stderr)
    result: dict[str, Any] = json.loads(done.stdout)
    wrong = _wrong(result, folder_of(result))
    unmet = [each["name"] for each in result["objectives"] if each["verdict"] != "pass"]
    tell(cycles=times, verdict=result["verdict"], acknowledged=result["acknowledged"],
         lost=result["lost"], lost_earlier=result["lost_earlier"], by_timeline=wrong.pop("lost"),
         gap=_longest(result, "longest_gap_seconds"), unmet=unmet, **wrong,
         read_gap=_longest(result, "longest_read_gap_seconds"))  # fmt: skip
    return not (result["lost"] or unmet or any(wrong.values()))


def _longest(result: dict[str, Any], figure: str) -> dict[str, float]:
    return {row["population"]: round(row[figure], 3) for row in result["populations"]}


def _wrong(result: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Lost orders by timeline; those that west had acknowledged; those that are in no file."""
    gone = {*result["lost_earlier_ids"], *result["lost_ids"]}
    saved = {
        each.order.key
        for path in folder.glob("orphans-*.csv")
        for each in from_csv(path.read_text(), str(path))
    }
    lost = [
        each for each in operations(folder / HISTORY)
        if each.kind is Kind.WRITE and each.key in gone
    ]  # fmt: skip
    lines = sorted({each.timeline or 0 for each in lost})
    return {
        "lost": {line: sum(each.timeline == line for each in lost) for line in lines},
        "lost_by_west": [each.key for each in lost if not (each.node or "").startswith(EAST.name)],
        "in_no_file": sorted(gone - saved),
    }
