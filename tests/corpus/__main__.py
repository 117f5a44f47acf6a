"""Record the corpus anew: run each drill by the command line, and pack what it wrote.

    python tests/corpus [DRILL …]

The lab that LAB_NAME names is used. tests/unit/test_recorded_runs.py reads the packs; three of them
take half a megabyte. On a machine with nothing else to do a run is short, and its pack small.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from packed import HERE, pack

DRILLS = ("region-loss", "zone-loss", "split-brain")


def record(drill: str) -> None:
    """Run a drill; its pack replaces the one before if the run passed."""
    with tempfile.TemporaryDirectory() as work:
        command = [sys.executable, "-m", "lab", "drill", drill]
        subprocess.run(command, env={**os.environ, "LAB_RUNS": work}, check=True)
        [run] = Path(work).iterdir()
        pack(run, HERE / f"{drill}.tar.xz")


if __name__ == "__main__":
    for each in sys.argv[1:] or DRILLS:
        record(each)
