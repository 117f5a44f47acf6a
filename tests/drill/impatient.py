"""The drill `wan-partition` with a standby that gives a silent upstream up after 15 s, not 60."""

from __future__ import annotations

from pathlib import Path

from lab.api import based_on, step

SECONDS = 15

DRILL = based_on(
    "wan-partition",
    name="wan-partition-sooner",
    arrange=(
        step(
            "configure",
            node="west.db1",
            setting="wal_receiver_timeout",
            value=f"{SECONDS}s",
            why="tests wait for less",
        ),
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
