"""Starting Docker's engine on this machine, also after it was killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from lab.core.console import Say
from lab.core.errors import MachineError, WaitExpired
from lab.core.paths import state_folder
from lab.core.wait import wait_until
from lab.host import apt

START_TIMEOUT = 180.0
"""Seconds; 2 are usual. An engine that was killed first removes what was on its networks: with 40
machines and a busy processor that took more than 60."""
STOP_TIMEOUT = 60.0  # seconds: it gives each container ten to end
RUN = Path("/var/run")
PROC = Path("/proc")


def installed() -> bool:
    """True when the engine's program is on this machine."""
    return shutil.which("dockerd") is not None


def packages() -> tuple[str, ...]:
    """Debian's packages for an engine. From Debian 13 on the docker command is one of its own."""
    extra = ("docker-cli",) if apt.candidate("docker-cli") else ()
    return ("docker.io", "iptables", *extra)


def start(say: Say, answers: Callable[[], bool]) -> None:
    """Start the engine and wait until it answers. Raises MachineError with the end of its log."""
    if _has_systemd():
        with say.step("systemctl start docker"):
            _systemctl("start", answers)
        return
    log = state_folder("logs") / "dockerd.log"
    with say.step("start the container engine"):
        if clear_leftovers(say):  # another is about to start
            _await(answers, lambda: False, log)
        else:
            _launch(log, answers)


def why_not_to_restart() -> str:
    """Why the engine cannot be restarted from here; empty if it can."""
    if os.geteuid():
        return "only root may restart the container engine"
    if not alive(RUN / "docker.pid", "dockerd"):
        return "the container engine does not run as a process of this machine"
    return ""


def restart(say: Say, answers: Callable[[], bool]) -> None:
    """End the engine in good order, all its containers with it, and start it again."""
    if _has_systemd():
        _systemctl("restart", answers)
        return
    pid_file = RUN / "docker.pid"
    os.kill(int(pid_file.read_text()), signal.SIGTERM)
    wait_until("the container engine to end", lambda: not alive(pid_file, "dockerd"), STOP_TIMEOUT)
    start(say, answers)


def _has_systemd() -> bool:
    return Path("/run/systemd/system").is_dir() and shutil.which("systemctl") is not None


def _systemctl(verb: str, answers: Callable[[], bool]) -> None:
    ended = subprocess.run(["systemctl", verb, "docker"], capture_output=True, text=True)
    if ended.returncode:
        raise MachineError(
            f"`systemctl {verb} docker` ended with code {ended.returncode}: {ended.stderr.strip()}",
            "look at: journalctl -u docker -n 50",
        )
    wait_until("the container engine to answer", answers, START_TIMEOUT)


def clear_leftovers(say: Say, run: Path = RUN, proc: Path = PROC) -> bool:
    """Remove what a killed engine left behind; True when one is alive after all.

    dockerd refuses to start while any process has the number in docker.pid, and trusts
    containerd.pid in the same way.
    """
    pid_file = run / "docker.pid"
    if alive(pid_file, "dockerd", proc):
        return True
    _remove(say, pid_file)
    containerd = run / "docker" / "containerd"
    if not alive(containerd / "containerd.pid", "containerd", proc):
        _remove(say, containerd / "containerd.pid", *sorted(containerd.glob("*.sock*")))
    return False


def alive(pid_file: Path, program: str, proc: Path = PROC) -> bool:
    """True when the process that `pid_file` names is `program`, and neither gone nor a zombie."""
    try:
        return _name_of(int(pid_file.read_text()), proc) == program
    except (OSError, ValueError):
        return False


def _name_of(number: int, proc: Path = PROC) -> str | None:
    """The name of a process; None when it is gone or a zombie."""
    try:
        name = (proc / str(number) / "comm").read_text().strip()
        # "123 (name) S …": the name may hold spaces and brackets, the state follows the last one.
        state = (proc / str(number) / "stat").read_text().rpartition(")")[2].split()[0]
    except (OSError, IndexError):
        return None
    return None if state in ("Z", "X") else name


def _remove(say: Say, *files: Path) -> None:
    for file in files:
        if file.exists():
            say.note(f"removing {file}, left by an engine that was killed")
            file.unlink(missing_ok=True)


def _launch(log: Path, answers: Callable[[], bool]) -> None:
    # In a session of its own it outlives this command and its terminal. It is the shell's child,
    # not ours, so that a long run whose engine is killed keeps no zombie with its number.
    started = subprocess.run(
        ["sh", "-c", 'dockerd < /dev/null > "$1" 2>&1 & echo $!', "sh", str(log)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        start_new_session=True,
    )
    number = int(started.stdout)
    _await(answers, lambda: _name_of(number) is None, log)


def _await(answers: Callable[[], bool], ended: Callable[[], bool], log: Path) -> None:
    try:
        wait_until(
            "the container engine to answer", lambda: ended() or answers(), START_TIMEOUT, every=0.1
        )
    except WaitExpired as error:
        raise _failed(str(error), log) from error
    if ended():
        raise _failed("dockerd ended", log)


def _failed(what: str, log: Path) -> MachineError:
    lines = log.read_text(errors="replace").strip().splitlines() if log.is_file() else []
    tail = "\n    ".join(line[:240] for line in lines[-6:])
    return MachineError(
        f"the container engine did not start: {what}\n    {tail}", f"the whole log is in {log}"
    )
