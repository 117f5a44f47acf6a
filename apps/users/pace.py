"""An open loop: how many operations are due, whatever became of the earlier ones."""

from __future__ import annotations

import math


class Pace:
    """Counts what is due at a rate that may change.

    Time is the caller's, in monotonic seconds. A late caller is told to catch up, so that a stall
    of this program never hides the load that users would have put on the shop meanwhile.
    """

    def __init__(self, rate: float, now: float) -> None:
        self._rate, self._since, self._given = rate, now, 0
        self._carry = 0.0  # the part of an operation that was due when the rate changed

    def due(self, now: float) -> int:
        """How many to start now, beyond those that earlier calls returned."""
        total = math.floor(self._total(now) + 1e-9)
        fresh = max(total - self._given, 0)
        self._given += fresh
        return fresh

    def change(self, rate: float, now: float) -> None:
        """Another rate from now on; the fraction of an operation that was due is kept."""
        self._carry = min(max(self._total(now) - self._given, 0.0), 1.0)
        self._rate, self._since, self._given = rate, now, 0

    def wait(self, now: float) -> float:
        """Seconds until the next one is due; infinite at rate 0."""
        if not self._rate:
            return math.inf
        return max((self._given + 1 - self._total(now)) / self._rate, 0.0)

    def _total(self, now: float) -> float:
        return (now - self._since) * self._rate + self._carry
