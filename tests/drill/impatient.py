"""The drill `wan-partition` with a standby that gives a silent upstream up after 15 s, not 60."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from chaos.wan_partition import DRILL as WHOLE
from lab.core.topology import WEST_DB1
from lab.records.journalfile import Via
from lab.steps.drillsteps import Context, Step

SECONDS = 15


def _limited(context: Context) -> str:
    node = context.lab.databases[WEST_DB1]
    node.query(f"ALTER SYSTEM SET wal_receiver_timeout = '{SECONDS}s'")  # type: ignore[arg-type]
    node.query("SELECT pg_reload_conf()")
    return f"{node}: wal_receiver_timeout = {SECONDS} s"


DRILL = replace(
    WHOLE,
    name="wan-partition-sooner",
    arrange=(
        Step("arrange: a shorter limit", Via.OUT_OF_BAND, None, "tests wait for less", _limited),
    ),
)


def installed(folder: Path) -> str:
    """A PYTHONPATH by which the tool finds this drill, as it finds any drill of a user's own.

    Not in the folder itself: from there commands are run, and Python looks in it without a path.
    """
    about = folder / "own-drills" / "impatient-1.dist-info"
    about.mkdir(parents=True, exist_ok=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: impatient\nVersion: 1\n")
    (about / "entry_points.txt").write_text(f"[lab.drills]\n{DRILL.name} = impatient:DRILL\n")
    return f"{about.parent}:{Path(__file__).parent}"
