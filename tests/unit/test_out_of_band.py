"""The management network: what it does not reach, and who asks."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1
from lab.infra import managementnet


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))


def test_nothing_is_cut_at_first() -> None:
    assert managementnet.cut("lab") == frozenset()


def test_cuts_add_up_and_are_regained_one_by_one_or_all_at_once() -> None:
    managementnet.lose("lab", [EAST_DB1])
    managementnet.lose("lab", [EAST_DB1, EAST_DB2, WEST_DB1])
    assert managementnet.cut("lab") == {EAST_DB1, EAST_DB2, WEST_DB1}
    managementnet.regain("lab", [EAST_DB1])
    assert managementnet.cut("lab") == {EAST_DB2, WEST_DB1}
    managementnet.regain("lab")
    assert managementnet.cut("lab") == frozenset()
    managementnet.regain("lab")


def test_one_labs_cut_is_not_anothers() -> None:
    managementnet.lose("lab", [EAST_DB1])
    assert managementnet.cut("second") == frozenset()
