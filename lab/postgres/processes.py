"""Whether a server's process runs in a machine, and how it is ended: shell words.

The lock file alone does not tell: a server whose files were deleted runs on for a while.
"""

from __future__ import annotations

from typing import Final

HOME: Final = "/var/lib/postgresql"
OLDEST: Final = (
    f"{{ oldest=$(pgrep -o -u postgres -x postgres)"
    f" && case $(readlink /proc/$oldest/cwd) in {HOME}/data*) ;; *) false ;; esac; }}"
)
LOCKED: Final = "pg_ctl status >/dev/null 2>&1"
RUNS: Final = f"{{ {LOCKED} || {OLDEST}; }}"
"""True where a server runs, also one whose data directory was deleted, with its lock file."""
STATUS: Final = ("sh", "-c", f"cd {HOME} && {{ {RUNS} || exit 3; }}")
"""The command that ends with 0 where a server runs, and with 3 where none does."""
STRAY_ENDED: Final = (
    f"for _ in $(seq 500); do {OLDEST} || break; kill -QUIT $oldest; sleep 0.02; done && ! {OLDEST}"
)


def stopping(mode: str, within: int = 60) -> str:
    """Shell words: stop the server if it runs, in so many seconds."""
    ended = f"{{ ! {LOCKED} || pg_ctl stop -s -t {within} -m {mode}; }}"
    return f"{{ {ended} && {STRAY_ENDED}; }}"
