"""Where things are: the project itself, and what the lab remembers between commands."""

from __future__ import annotations

import os
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent


def state_dir() -> Path:
    """The folder for locks, logs, downloads and secrets of this user; made when missing.

    $LAB_STATE, or failover-lab under $XDG_STATE_HOME, or ~/.local/state/failover-lab.
    """
    chosen = os.environ.get("LAB_STATE")
    if chosen:
        folder = Path(chosen).expanduser()
    else:
        parent = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        folder = Path(parent).expanduser() / "failover-lab"
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def state_folder(name: str) -> Path:
    """A folder called `name` inside the state folder; made when missing."""
    folder = state_dir() / name
    folder.mkdir(exist_ok=True)
    return folder
