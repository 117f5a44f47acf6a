"""Make or repair the project's virtual environment. Only the standard library: it runs first.

    python3 .ci/environment.py .venv

Installs exactly what requirements.lock names (hashes checked), then the project itself, editable.
Two at once wait for each other; one that was interrupted is simply run again.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
INPUTS = (PROJECT / "requirements.lock", PROJECT / "pyproject.toml")
LIBRARIES = (
    "dns.query", "dns.tsigkeyring", "dns.update", "docker", "jwt", "psycopg", "requests",
    "rich.live", "toxiproxy.api", "trustme",
)  # fmt: skip
"""What the tool loads only when it acts."""
BEAT_SECONDS = 5.0
"""How long nothing is said: on a busy machine the libraries take a minute."""
PIP = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile")


def main(folder: Path) -> int:
    """Bring `folder` up to date; the exit code says whether it is."""
    with INPUTS[0].open() as lock:  # a file that is there anyway, and that nothing here removes
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with saying("waiting for another make that prepares the virtual environment"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / ".ready"
        if stamp.is_file() and stamp.read_text() == wanted():
            stamp.touch()
            return 0
        return prepare(folder, stamp)


def wanted() -> str:
    """What the environment must have been made from: the inputs and this Python's version."""
    digest = hashlib.sha256()
    for file in INPUTS:
        digest.update(file.read_bytes())
    return f"{sys.version_info[0]}.{sys.version_info[1]} {digest.hexdigest()}\n"


def prepare(folder: Path, stamp: Path) -> int:
    """Create the environment when it cannot be used, and install what is wanted."""
    started = time.monotonic()
    stamp.unlink(missing_ok=True)
    python = folder / "bin" / "python"
    if not usable(python):
        version = sys.version.split()[0]
        with saying(f"making a virtual environment in {folder.name} (Python {version})"):
            venv.create(folder, clear=True, with_pip=True)
    libraries = len(re.findall(r"^[^\s#]\S*==", INPUTS[0].read_text(), re.MULTILINE))
    with saying(f"installing the {libraries} libraries in requirements.lock"):
        if not (by_uv(python) or by_pip(python, "--require-hashes", "-r", str(INPUTS[0]))):
            return failed()
    # No build isolation: what builds the project is in the lock as well.
    with saying("installing the lab itself"):
        if not by_pip(python, "--no-build-isolation", "--editable", str(PROJECT)):
            return failed()
        compile_what_runs(python)
    stamp.write_text(wanted())
    say(f"virtual environment ready ({time.monotonic() - started:.0f} s)")
    return 0


def compile_what_runs(python: Path) -> None:
    """Load the tool and its libraries once, which leaves their byte code beside them.

    Nothing else would where PYTHONDONTWRITEBYTECODE is set, as in many containers: then every
    command would compile all that it loads, for half a second and more. The drills are compiled and
    not loaded: some of them are scripts that start a lab.
    """
    program = (
        "import compileall, importlib, pkgutil, lab\n"
        "for each in pkgutil.walk_packages(lab.__path__, 'lab.'):\n"
        "    if not each.name.endswith('.__main__'): importlib.import_module(each.name)\n"
        f"for each in {LIBRARIES!r}: importlib.import_module(each)\n"
        f"compileall.compile_dir({str(PROJECT / 'chaos')!r}, quiet=2)\n"
    )
    env = {**surroundings(), "PYTHONDONTWRITEBYTECODE": ""}
    subprocess.run([str(python), "-c", program], env=env, capture_output=True)


def failed() -> int:
    """Say where to look; the exit code of a failure."""
    say("that failed: the lines above say why; pip uses the index that it is set to here")
    return 1


def by_pip(python: Path, *arguments: str) -> bool:
    """Install with the environment's own pip; False (and pip's words above) when it failed."""
    command = [str(python), "-m", "pip", *PIP, *arguments]
    return subprocess.run(command, env=surroundings()).returncode == 0


def by_uv(python: Path) -> bool:
    """Install everything with uv, several times faster; False when it cannot, so that pip does it.

    uv itself comes by pip. It reads none of pip's settings, so that it may not find an index that
    pip finds; its words are not shown, since pip's follow.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as only_uv:
        only_uv.write(block_of("uv", INPUTS[0].read_text()))
        only_uv.flush()
        if not by_pip(python, "--require-hashes", "-r", only_uv.name):
            return False
    command = [str(python), "-m", "uv", "pip", "install", "--python", str(python), "--no-deps"]
    asked = subprocess.run(
        [*command, "--require-hashes", "-r", str(INPUTS[0])],
        env={**surroundings(), "UV_NATIVE_TLS": "1", **index_of_pip(python)},
        capture_output=True,
    )
    return asked.returncode == 0


def block_of(name: str, lock: str) -> str:
    """The lines of one library in a lock file: its version and its hashes."""
    found = re.search(rf"^{name}==.*\n(?:[ \t].*\n)*", lock, re.MULTILINE)
    return found[0] if found else ""


def index_of_pip(python: Path) -> dict[str, str]:
    """The index that pip is set to, in uv's words; nothing when it is the usual one."""
    asked = subprocess.run(
        [str(python), "-m", "pip", "config", "get", "global.index-url"],
        env=surroundings(),
        capture_output=True,
        text=True,
    )
    index = os.environ.get("PIP_INDEX_URL") or asked.stdout.strip()
    return {"UV_DEFAULT_INDEX": index} if index else {}


def usable(python: Path) -> bool:
    """True when the environment's own Python still runs, is the version wanted, and has pip."""
    probe = "import sys, pip; print(*sys.version_info[:2])"
    try:
        asked = subprocess.run([str(python), "-c", probe], capture_output=True, text=True)
    except OSError:
        return False
    return asked.stdout.split() == [str(part) for part in sys.version_info[:2]]


def surroundings() -> dict[str, str]:
    """Ours, without what would lead pip into another environment."""
    ignored = ("PYTHONPATH", "PYTHONHOME", "PIP_TARGET", "PIP_USER", "PIP_PREFIX")
    return {name: value for name, value in os.environ.items() if name not in ignored}


@contextmanager
def saying(what: str) -> Iterator[None]:
    """Say what is going on, and every few seconds that it still is."""
    say(what)
    started, ended = time.monotonic(), threading.Event()

    def beat() -> None:
        while not ended.wait(BEAT_SECONDS):
            say(f"… {time.monotonic() - started:.0f} s")

    beating = threading.Thread(target=beat, daemon=True)
    beating.start()
    try:
        yield
    finally:
        ended.set()
        beating.join()


def say(text: str) -> None:
    """One line of progress."""
    print(f"  {text}", file=sys.stderr, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
