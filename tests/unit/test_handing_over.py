"""A primary that is handed over shuts down in good order, or stays primary."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lab.core.errors import CommandFailed, LabError
from lab.steps import returning


class Old:
    """A server that may hang in its shutdown."""

    def __init__(self, *, hangs: bool) -> None:
        self.hangs, self.did = hangs, list[str]()

    def __str__(self) -> str:
        return "east.db1"

    def stop(self, mode: str, within: int = 60) -> None:
        self.did.append(mode)
        if mode == "fast" and self.hangs:
            raise CommandFailed("east.db1", "pg_ctl stop", 1, "server does not shut down")

    def start(self) -> None:
        self.did.append("start")


def test_a_primary_that_does_not_shut_down_is_primary_again() -> None:
    old = Old(hangs=True)
    with pytest.raises(LabError, match="is primary as before") as caught:
        returning._shut_down(cast("Any", old))
    assert old.did == ["fast", "immediate", "start"]
    assert caught.value.next_step == "see what held it up: lab logs east.db1"


def test_a_primary_that_shuts_down_stays_down() -> None:
    old = Old(hangs=False)
    returning._shut_down(cast("Any", old))
    assert old.did == ["fast"]
