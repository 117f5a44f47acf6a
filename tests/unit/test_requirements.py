"""What the lock files promise: every machine that the lab is made for finds what they name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from lab.core.errors import MachineError
from lab.host import packageimages

ROOT = Path(__file__).parent.parent.parent
APPS, TOOL = ROOT / "apps/requirements.lock", ROOT / "requirements.lock"


def locked(path: Path) -> dict[str, tuple[Requirement, frozenset[str]]]:
    """Requirement and hashes by name."""
    found = {}
    for entry in re.split(r"\n(?=[a-z])", path.read_text()):
        if "==" in (line := entry.partition("\\\n")[0]):
            each = Requirement(line.strip())
            found[each.name] = each, frozenset(re.findall(r"sha256:[0-9a-f]{64}", entry))
    return found


@pytest.mark.parametrize("machine", packageimages.MACHINES.values())
def test_every_machine_gets_the_same_libraries_into_its_images(machine: str) -> None:
    image = {
        "sys_platform": "linux",
        "platform_system": "Linux",
        "os_name": "posix",
        "platform_machine": machine,
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "python_version": packageimages.PYTHON,
        "python_full_version": f"{packageimages.PYTHON}.0",
    }
    wanted = {
        name
        for name, (each, _) in locked(APPS).items()
        if each.marker is None or each.marker.evaluate(image)
    }
    asked = (ROOT / "apps/requirements.in").read_text().split()
    assert {Requirement(each).name for each in asked} <= wanted
    assert set(locked(APPS)) - wanted <= {"tzdata", "colorama"}  # for Windows alone


def test_the_images_lock_has_the_hashes_of_every_platform() -> None:
    """The tool's lock is compiled for all of them; both name the same versions."""
    tool = locked(TOOL)
    for name, (each, hashes) in locked(APPS).items():
        assert hashes, name
        assert each.specifier == tool[name][0].specifier
        assert hashes == tool[name][1], name


def test_lock_files_are_compiled_for_no_single_platform() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert "--python-platform" not in makefile
    assert makefile.count("--universal") == 2


@pytest.mark.parametrize("lock", [APPS, TOOL])
def test_lock_files_hold_no_index_address(lock: Path) -> None:
    assert "://" not in lock.read_text()


def test_an_engine_on_another_kind_of_machine_is_refused_in_words() -> None:
    with pytest.raises(MachineError, match="runs s390x; the lab is made for amd64 and arm64"):
        packageimages._machine("s390x")
