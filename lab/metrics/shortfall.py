"""What the promotion of a standby would lose: what other nodes flushed and it did not receive.

Pure. Bytes are of WAL, durations are seconds. What is not known stays unknown: a standby that is
cut off cannot tell how much was written after the last word that reached it.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from lab.core.words import count, seconds

UNSEEN_SECONDS = 0.5
"""For so long a primary may take orders after the last sign of it: a steering looks that often."""


@dataclass(frozen=True, slots=True)
class Beyond:
    """What another node has that the one to be promoted has not received.

    `commits` are the times of the commits in these `size` bytes, None where its log could not be
    read. `orders` is how many orders they left, None where its server does not say.
    """

    node: str
    size: int
    commits: tuple[datetime, ...] | None = None
    orders: int | None = None

    @property
    def seconds(self) -> float | None:
        """From the first commit that is missing to the last one; None where that is not known."""
        if self.commits is None:
            return None if self.size else 0.0
        span = [*self.commits] or [datetime.min]
        return (max(span) - min(span)).total_seconds()

    def __str__(self) -> str:
        if not self.size:
            return f"{self.node} has no WAL beyond that"
        text = f"{self.node} has {self.size:,} B beyond that"
        if self.commits is None:
            return f"{text}, and the commits in it cannot be read"
        text += f": {count(len(self.commits), 'commit')} over {seconds(self.seconds)}"
        if self.orders is not None:
            return f"{text}, {count(self.orders, 'order')} among them"
        return f"{text}, and each may be an order" if self.commits else text


@dataclass(frozen=True, slots=True)
class Ages:
    """For how long, up to now, nothing newer was received, and the old primary was not heard of.

    `received` counts from when the last commit that was received was made, `heard` from the last
    proof that a primary was at work, which `by` had. None: not known.
    """

    received: float | None = None
    heard: float | None = None
    by: str = ""

    @property
    def apart(self) -> float | None:
        """How much older the last commit is than the last proof: time passes for both alike."""
        if self.received is None or self.heard is None:
            return None
        return max(0.0, self.received - self.heard)

    def __str__(self) -> str:
        if self.received is None:
            return "The time of the last received commit is unknown"
        if self.heard is None:
            age = seconds(self.received)
            return f"The last received commit is {age} old. No sign of a primary is known"
        return (
            f"The last received commit is {seconds(self.apart)} older than the last sign of a"
            f" working primary; {self.by} saw that sign {seconds(self.heard)} ago"
        )


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What would be lost: `seconds` of orders (None: unknown), and how that is known.

    `guessed` says that no node which has what is missing could be asked.
    """

    seconds: float | None
    told: str
    guessed: bool = False

    def exceeds(self, limit: float) -> bool:
        """True where more than `limit` seconds may be lost: what no sign tells of counts."""
        if self.seconds is None:
            return True
        return self.seconds + (UNSEEN_SECONDS if self.guessed else 0.0) > limit


def shortfall(
    name: str, old: Beyond | None, copies: Collection[Beyond], ages: Ages, announced: int = 0
) -> Shortfall:
    """What the node to be promoted lacks of what `name`, the old primary, took.

    Exactly what the old primary has, if it can be asked (`old`). Else about the time that lies
    between the last commit that was received and the last sign of a primary, and at least what any
    other copy has: that copy does not tell how long the primary went on. `announced` are bytes that
    the old primary still named to the node.
    """
    ahead = [each for each in copies if each.size]
    others = ". ".join(map(str, ahead or copies))
    if old is not None and (old.seconds is not None or ages.apart is None):
        return Shortfall(old.seconds, ". ".join(filter(None, [str(old), others])))
    known = [each.seconds for each in ahead if each.seconds is not None]
    lost = None if ages.apart is None else max([ages.apart, *known])
    what = str(old) if old else f"{name} cannot be asked"
    named = f"{name} had announced {announced:,} B that did not arrive" if announced else ""
    amount = "" if old or ahead else f"What {name} took after that is unknown"
    told = ". ".join(filter(None, [what, named, others, str(ages), amount]))
    return Shortfall(lost, told, guessed=True)
