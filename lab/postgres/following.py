"""The proof that standbys follow a primary."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import TYPE_CHECKING

from lab.core.topology import Place

if TYPE_CHECKING:
    from lab.postgres.node import Node


def prove_following(primary: Node, standbys: Iterable[Node], timeout: float) -> dict[Place, float]:
    """Write a mark on the primary and wait until each standby has replayed it.

    Seconds that each one took; raises WaitExpired for the first that does not get it. This is
    the only proof that a node follows: status words say `streaming` in a loop of failures too.
    """
    mark, started = primary.sign(), time.monotonic()
    took: dict[Place, float] = {}
    for standby in standbys:
        standby.wait_for_catchup(mark.lsn, timeout, mark.timeline)
        standby.refuse_another_branch(mark)
        took[standby.place] = time.monotonic() - started
    return took
