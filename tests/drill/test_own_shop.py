"""A drill with a shop in another language, in both regions."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import exampleshop
import pytest
from running import Cli, DrillRun, succeeded

pytestmark = pytest.mark.drill


@pytest.fixture
def example(cli: Cli) -> Iterator[str]:
    """Its image; the lab has its own shop again afterwards."""
    yield exampleshop.image()
    succeeded(cli("up"))


@pytest.mark.family("drills", row="own-shop")
def test_users_of_a_shop_in_another_language_can_order_again(
    example: str, drilled: Callable[..., DrillRun]
) -> None:
    run = drilled("region-loss", LAB_IMAGE_SHOP=example)
    assert run.not_passed() == [], run.look_here
    assert run.result["settings"]["shop_image"] == example  # type: ignore[index]
    assert run.opinion("wal")["verdict"] == "pass", run.look_here
