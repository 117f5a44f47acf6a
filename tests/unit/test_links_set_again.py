"""Links are put back, also at a gateway that ends while it is told to."""

from __future__ import annotations

from collections.abc import Iterable
from types import SimpleNamespace

import pytest

from lab.core.errors import LabError
from lab.core.topology import EAST, WEST, Place
from lab.testbed.lab import Lab

GATEWAYS = tuple(Place(each.name, "gateway") for each in (EAST, WEST))


def test_a_gateway_that_ends_while_it_takes_its_links_is_started_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    alive, told = {*GATEWAYS}, list[int]()

    def configure(delay_ms: int) -> None:
        told.append(delay_ms)
        if len(told) == 1:
            alive.discard(GATEWAYS[0])
        if len(alive) < len(GATEWAYS):
            raise LabError("east.gateway does not answer as a gateway should")

    def boot(_lab: Lab, places: Iterable[Place]) -> None:
        assert set(places) == {GATEWAYS[0]}
        alive.update(places)

    lab = Lab.__new__(Lab)
    lab.links = SimpleNamespace(configure=configure)  # type: ignore[assignment]
    lab.engine = SimpleNamespace(alive=lambda places: [p for p in places if p in alive])  # type: ignore[assignment]
    monkeypatch.setattr(Lab, "boot", boot)
    lab.set_links(40)
    assert told == [40, 40]
