"""When users hold back: decisions alone, with the time passed in.

Users who try again at once, as often as they like, multiply the load of a shop that has too much of
it already. Two rules keep them from that. Retries are paid from a budget, so that they stay a small
part of all attempts (Finagle's retry budget). And what a shop that says it is overloaded would
refuse anyway is not even sent (adaptive throttling in "Site Reliability Engineering", chapter 21).
"""

from __future__ import annotations

SPAN = 0.5  # seconds after which what a shop said begins to be forgotten; after two it is
FEW = 10  # refusals that say nothing yet
SURPLUS = 1.2  # attempts that are sent for each one that the shop takes
MOST = 200  # attempts of a kind under way at one shop: each has a connection of its own
AT_MOST = 0.9  # share that is held back: the others find out when the shop has room again
SHARE = 0.2  # retries that each operation pays for
RESERVE = 100.0  # retries at most that are paid and not made
REFILL = 10.0  # retries a second for free


class Throttle:
    """What share of attempts of one kind at one shop is held back.

    Only an explicit refusal because of overload counts: an outage throttles no user, and ends for
    users as soon as it ends.
    """

    def __init__(self) -> None:
        self.under_way = 0
        self._since = float("-inf")
        self._now = self._before = (0, 0, 0)  # taken, refused, held back: in this span, the last

    def taken(self, now: float) -> None:
        """An attempt ended in anything but such a refusal."""
        self._add(now, (1, 0, 0))

    def refused(self, now: float) -> None:
        """The shop refused an attempt because of its load."""
        self._add(now, (0, 1, 0))

    def holds_back(self, now: float, chance: float) -> bool:
        """True when an attempt should not be sent; `chance` is between 0 and 1, drawn for it."""
        if self.under_way < MOST and chance >= self.share(now):
            return False
        self._add(now, (0, 0, 1))
        return True

    def share(self, now: float) -> float:
        """The share of attempts that should not be sent, from 0 to 0.9."""
        self._turn(now)
        taken, refused, held = map(sum, zip(self._now, self._before, strict=True))
        if refused <= FEW:
            return 0.0
        offered = taken + refused + held
        return min(max((offered - SURPLUS * taken) / offered, 0.0), AT_MOST)

    def _add(self, now: float, counts: tuple[int, int, int]) -> None:
        self._turn(now)
        taken, refused, held = self._now
        self._now = taken + counts[0], refused + counts[1], held + counts[2]

    def _turn(self, now: float) -> None:
        if now - self._since >= SPAN:
            self._before = self._now if now - self._since < 2 * SPAN else (0, 0, 0)
            self._now, self._since = (0, 0, 0), now


class RetryBudget:
    """How many retries may still be made."""

    def __init__(self, now: float) -> None:
        self._left, self._at = RESERVE, now

    def earn(self) -> None:
        """An operation was begun."""
        self._left = min(self._left + SHARE, RESERVE)

    def spend(self, now: float) -> bool:
        """True when one more retry may be made; it is paid for then."""
        self._left = min(self._left + REFILL * (now - self._at), RESERVE)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
