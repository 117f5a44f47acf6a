"""The thresholds of the figures: formulas compute with them, and texts are formatted from them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

WINDOW: Final = 5.0
"""Seconds over which a recovery must hold. Interruptions under 1 % of it are not seen."""

PATIENCE: Final = 1.5
"""Seconds after which a user gives up one attempt: a write that took longer was not served."""

SHARE: Final = 99
"""Percent of the writes started in a stretch that must be served for it to be good."""

CAPACITY: Final = 90
"""Percent of the rate before the fault that must be served for capacity to count as recovered."""

SPIKE: Final = 2.0
"""A latency limit is so many times the slowest population's p99 before the fault."""

DAYS: Final = 30
"""The period of an error budget."""

TARGETS: Final = (0.999, 0.9999)
"""The error budgets that are counted: shares of writes that are to be served."""

_NAMED: Final[Mapping[str, float]] = {
    "window": WINDOW, "patience": PATIENCE, "share": SHARE, "capacity": CAPACITY, "spike": SPIKE,
}  # fmt: skip


def filled(text: str, **own: float) -> str:
    """A text whose gaps, such as `{window}`, are filled with thresholds; a run may have its own.

    Raises KeyError for a gap that no threshold has.
    """
    return text.format_map({name: f"{value:g}" for name, value in {**_NAMED, **own}.items()})
