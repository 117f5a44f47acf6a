"""Seconds that a test file may take on two quiet cores. `pytest --budget` fails on more.

What is over its budget is only printed otherwise: no test may depend on a quiet machine.
"""

from __future__ import annotations

from collections.abc import Mapping

SPENT: dict[str, float] = {}
"""Seconds by test file of this run: set-up, call and tear-down."""

BY_FILE: Mapping[str, float] = {
    "tests/drill/test_after_a_failover.py": 150,
    "tests/docker/test_own_shop.py": 90,  # with the example's image to be built
    "tests/drill/test_all_drills.py": 120,
    "tests/drill/test_every_fault.py": 60,
    "tests/drill/test_killed.py": 60,
    "tests/drill/test_load.py": 50,
    "tests/drill/test_pytest_examples.py": 150,
    "tests/drill/test_region_loss.py": 60,
    "tests/drill/test_runbooks.py": 120,
    "tests/drill/test_up_and_down.py": 100,
    "tests/drill/test_ways_in.py": 20,
    "tests/drill/test_zone_loss.py": 35,
}
BY_FOLDER: Mapping[str, float] = {"tests/unit": 20, "tests/docker": 45, "tests/drill": 60}
"""For files without a row. A folder that is missing here has no limit."""


def limit(file: str) -> float:
    """Seconds that a file may take."""
    return BY_FILE.get(file, BY_FOLDER.get(file.rpartition("/")[0], float("inf")))


def over(spent: Mapping[str, float]) -> list[str]:
    """Files that took longer than they may."""
    return [file for file, seconds in spent.items() if seconds > limit(file)]


def table(spent: Mapping[str, float], least: float = 5.0) -> list[str]:
    """Lines of a table, the slowest file first; those under `least` seconds are one line."""
    slow = sorted((each for each in spent if spent[each] >= least), key=spent.__getitem__)
    lines = [
        f"{spent[each]:6.0f} of {limit(each):4.0f} s  {each}{'  OVER' * (each in over(spent))}"
        for each in reversed(slow)
    ]
    rest = [seconds for file, seconds in spent.items() if file not in slow]
    return [*lines, f"{sum(rest):6.0f}            {len(rest)} other files"]
