"""Every fault of the catalogue on a lab that works: proven, listed, repeated, healed.

A fault that did nothing would turn its row red twice: before it, no probe may see its effect; and
after it, one must.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from running import LAB_NAME, Cli, succeeded

from lab.cluster import Lab
from lab.errors import LabError
from lab.faults import acting
from lab.faults.catalogue import faults
from lab.faults.row import Aimed, Fault

pytestmark = pytest.mark.drill


@pytest.fixture(scope="module")
def whole(cli: Cli) -> Iterator[Lab]:
    """One lab for all rows: each of them leaves it as it was."""
    succeeded(cli("up"))
    with Lab.attached(LAB_NAME) as attached:
        yield attached
        attached.reset()


def seen(lab: Lab, aimed: Aimed) -> str | None:
    try:
        return aimed.fault.seen(lab, aimed.aim)
    except LabError:
        return None


def gone(lab: Lab, aimed: Aimed) -> str | None:
    try:
        return aimed.fault.gone(lab, aimed.aim)
    except LabError:
        return None


@pytest.mark.parametrize("row", faults(), ids=lambda row: row.name)
def test_a_fault_is_proven_listed_not_done_twice_and_healed(row: Fault, whole: Lab) -> None:
    aimed = row.at()
    if row.name == "engine-restart" and whole.engine.strangers():
        with pytest.raises(LabError, match="not this lab's"):
            acting.inject(whole, aimed)
        return
    assert seen(whole, aimed) is None, "its effect is seen although nothing was done"
    done = acting.inject(whole, aimed)
    try:
        assert done.evidence
        assert not done.already
        assert row.name in [each.name for each in acting.in_force(whole)]
        assert acting.inject(whole, aimed).already
        assert gone(whole, aimed) is None, "it is said to be gone while it is in force"
    finally:
        healed = acting.heal(whole, aimed)
    assert healed.evidence
    assert acting.in_force(whole) == ()
    assert seen(whole, aimed) is None, "its effect is seen although it was healed"
    assert acting.heal(whole, aimed).already
