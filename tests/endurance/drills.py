"""One drill again and again, alone or beside programs that keep the machine busy.

Alone it shows how far the figures of one machine lie apart. On a busy machine a drill may pass, or
be unknown with the reason; it never fails, never hangs and never takes longer than its bound.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from tool import last_words, must, ran, tell

LOOPS = 6
BOUND_SECONDS = 300.0
TESTS = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/unit")
ROOT = Path(__file__).parent.parent.parent


def drills(times: int, drill: str = "region-loss") -> bool:
    """The drill, with nothing beside it."""
    return _series(times, drill)


def busy(times: int, drill: str = "region-loss") -> bool:
    """The drill beside six busy loops, and unit tests that begin anew when they have ended."""
    must("up")
    with _kept_busy():
        return _series(times, drill)


@contextmanager
def _kept_busy() -> Iterator[None]:
    # They end with this program, however that ends.
    here = f"import os, subprocess, sys\nwhile os.getppid() == {os.getpid()}: "
    tests = f"subprocess.run([sys.executable, *{TESTS!r}])"
    with ExitStack() as stack:
        for program in (*(here + "pass",) * LOOPS, here + tests):
            # A session each, as programs of several people have: the kernel shares by session.
            started = subprocess.Popen(
                [sys.executable, "-c", program], cwd=ROOT, start_new_session=True,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            stack.callback(started.wait)
            stack.callback(_end, started)
        yield


def _end(started: subprocess.Popen[bytes]) -> None:
    subprocess.run(["pkill", "-KILL", "--session", str(started.pid)], check=False)


def _series(times: int, drill: str) -> bool:
    found = [_once(drill, number) for number in range(1, times + 1)]
    measured = sorted(each["rto"] for each in found if each.get("rto") is not None)
    verdicts = [each["verdict"] for each in found]
    tell(
        times=times,
        verdicts={name: verdicts.count(name) for name in sorted(set(verdicts))},
        rto_median=round(statistics.median(measured), 3) if measured else None,
        decide_most=max((each["decide"] for each in found if "decide" in each), default=None),
        unexplained_most=max((each["rest"] for each in found if "rest" in each), default=None),
    )
    return set(verdicts) <= {"pass", "unknown"}


def _once(drill: str, number: int) -> dict[str, Any]:
    began = time.monotonic()
    try:
        done = ran("drill", drill, "--json", "--seed", str(number), patience=BOUND_SECONDS)
    except subprocess.TimeoutExpired:
        found: dict[str, Any] = {"verdict": "hang"}
    else:
        found = _figures(done)
    found = {"seed": number, "seconds": round(time.monotonic() - began, 1), **found}
    tell(**found)
    return found


def _figures(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    if not done.stdout:
        verdict = "unknown" if done.returncode == 4 else f"exit code {done.returncode}"
        return {"verdict": verdict, "why": last_words(done.stderr)}
    result = json.loads(done.stdout)
    unmet = [
        f"{each['name']}: {each['detail']}" for each in result["objectives"]
        if each["verdict"] != "pass"
    ]  # fmt: skip
    rto = result["rto_seconds"]["max"]
    parts = {each["phase"]: each["seconds"] for each in result["rto_phases"] or ()}
    return {
        "verdict": result["verdict"], "lost": result["lost"], "rto": rto, "unmet": unmet,
        "decide": parts.get("decide"), "rest": parts.get("unexplained"),
        "pace": result["settings"].get("pace"),
        "waited": result["settings"].get("processor_wait_share"),
    }  # fmt: skip
