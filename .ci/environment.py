"""Make or repair the project's virtual environment. Only the standard library: it runs first.

    python3 .ci/environment.py .venv            all that is needed to develop the lab
    python3 .ci/environment.py FOLDER light     what `lab runbook check` needs

Installs exactly what requirements.lock names (hashes checked). Of a light environment that is all;
else the project itself follows, editable.
Two at once wait for each other; one that was interrupted is simply run again.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.metadata
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
import tomllib
import venv
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
INPUTS = (PROJECT / "requirements.lock", PROJECT / "pyproject.toml")
LIBRARIES = (
    "dns.query", "dns.tsigkeyring", "dns.update", "docker", "jwt", "psycopg", "requests",
    "rich.live", "toxiproxy.api", "trustme",
)  # fmt: skip
"""What the tool loads only when it acts."""
BLOCK = re.compile(r"^(?P<name>[^\s#]\S*)==.*\n(?:[ \t].*\n)*", re.MULTILINE)
"""A library in the lock file: its version, its hashes and, in a comment, what needs it."""
NEEDED_BY = re.compile(r"^    # (?:via|  ) ?(\S+)$", re.MULTILINE)
BEAT_SECONDS = 5.0
"""How long nothing is said: on a busy machine the libraries take a minute."""
PIP = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-compile")


def main(folder: Path, light: bool = False) -> int:
    """Bring `folder` up to date; the exit code says whether it is."""
    with INPUTS[0].open() as lock:  # a file that is there anyway, and that nothing here removes
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            with saying("waiting for another make that prepares the virtual environment"):
                fcntl.flock(lock, fcntl.LOCK_EX)
        stamp = folder / ".ready"
        if stamp.is_file() and stamp.read_text() == wanted(light):
            stamp.touch()
            return 0
        return prepare(folder, stamp, light)


def wanted(light: bool) -> str:
    """What the environment must have been made from: the inputs and this Python's version."""
    digest = hashlib.sha256()
    for file in INPUTS:
        digest.update(file.read_bytes())
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    return f"{python} {digest.hexdigest()}{' light' * light}\n"


def prepare(folder: Path, stamp: Path, light: bool) -> int:
    """Create the environment when it cannot be used, and install what is wanted."""
    started = time.monotonic()
    stamp.unlink(missing_ok=True)
    python = folder / "bin" / "python"
    if not usable(python, light):
        version = sys.version.split()[0]
        with saying(f"making a virtual environment in {folder.name} (Python {version})"):
            venv.create(folder, clear=True, with_pip=not (light and has_pip()))
    lock = INPUTS[0].read_text()
    chosen = part_of(lock, light_roots()) if light else lock
    told = f"installing {len(BLOCK.findall(chosen))} of the" if light else "installing the"
    with saying(f"{told} {len(BLOCK.findall(lock))} libraries in requirements.lock"):
        if not ((not light and by_uv(python)) or by_lock(python, chosen)):
            return failed()
    if not (light or install_the_lab(python)):
        return failed()
    stamp.write_text(wanted(light))
    say(f"virtual environment ready ({time.monotonic() - started:.0f} s)")
    return 0


def install_the_lab(python: Path) -> bool:
    """Install the project. No build isolation: what builds it is in the lock as well."""
    with saying("installing the lab itself"):
        done = by_pip(python, "--no-build-isolation", "--editable", str(PROJECT))
        if done:
            compile_what_runs(python)
    return done


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
    """Install with pip; False (and pip's words above) when it failed.

    It is the environment's own pip, or this Python's: a light environment does without, since
    making one takes as long as all that goes into it.
    """
    own = any(python.parent.parent.glob("lib/python*/site-packages/pip"))
    pip = [python, "-m", "pip"] if own else [sys.executable, "-m", "pip", "--python", python]
    command = [*map(str, pip), *PIP, *arguments]
    return subprocess.run(command, env=surroundings()).returncode == 0


def by_lock(python: Path, lock: str) -> bool:
    """Install with pip what a lock file's text names."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write(lock)
        file.flush()
        return by_pip(python, "--require-hashes", "-r", file.name)


def by_uv(python: Path) -> bool:
    """Install everything with uv, several times faster; False when it cannot, so that pip does it.

    uv itself comes by pip. It reads none of pip's settings, so that it may not find an index that
    pip finds; its words are not shown, since pip's follow.
    """
    if not by_lock(python, part_of(INPUTS[0].read_text(), ["uv"])):
        return False
    command = [str(python), "-m", "uv", "pip", "install", "--python", str(python), "--no-deps"]
    asked = subprocess.run(
        [*command, "--require-hashes", "-r", str(INPUTS[0])],
        env={**surroundings(), "UV_NATIVE_TLS": "1", **index_of_pip(python)},
        capture_output=True,
    )
    return asked.returncode == 0


def part_of(lock: str, roots: Iterable[str]) -> str:
    """The lines of some libraries in a lock file, and of all that these need."""
    blocks = [(found["name"], found[0]) for found in BLOCK.finditer(lock)]
    chosen: set[str] = set()
    more = set(roots)
    while more:
        chosen |= more
        more = {name for name, text in blocks if chosen & {*NEEDED_BY.findall(text)}} - chosen
    return "".join(text for name, text in blocks if name in chosen)


def light_roots() -> list[str]:
    """What the project asks for without its extras."""
    asked = tomllib.loads(INPUTS[1].read_text())["project"]["dependencies"]
    return [re.split(r"[^\w.-]", each)[0] for each in asked]


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


def has_pip() -> bool:
    """True when this Python has a pip that installs into another environment (`--python`)."""
    try:
        version = importlib.metadata.version("pip")
    except importlib.metadata.PackageNotFoundError:
        return False
    return [int(part) for part in version.split(".")[:2]] >= [22, 3]


def usable(python: Path, light: bool) -> bool:
    """True when the environment's Python runs, is the version wanted, and has pip if it must."""
    probe = f"import sys{'' if light else ', pip'}; print(*sys.version_info[:2])"
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
    sys.exit(main(Path(sys.argv[1]).absolute(), sys.argv[2:] == ["light"]))
