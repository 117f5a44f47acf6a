"""Lose a zone whose standby commits did not wait for. Set it beside zone-loss.

Run it with `lab drill zone-loss-async`, then `lab report --compare` the two.
"""

from dataclasses import replace

from chaos.zone_loss import DRILL as ZONE_LOSS
from lab.core.verdict import Comparison, Objective
from lab.steps.scenes import ASYNCHRONOUS

DRILL = replace(
    ZONE_LOSS,
    name="zone-loss-async",
    title="Losing a zone, asynchronously",
    situation=(
        "Every order is acknowledged as soon as it is on east.db1's own disk; the standby next"
        " door follows as fast as it can. Then east.db1's machine dies."
    ),
    expectations=(
        "Orders are acknowledged sooner: one disk instead of two.",
        "East's standby is promoted as in zone-loss.",
        "Whatever it had not received yet is gone: next door that is milliseconds, and it may be"
        " nothing; no promise says so.",
    ),
    arrange=(ASYNCHRONOUS,),
    objectives=(
        Objective(
            "rpo_seconds", 1, "s", Comparison.AT_MOST,
            "next door the lag is short; what is promised is nothing at all",
        ),
        *(each for each in ZONE_LOSS.objectives if each.name != "lost"),
    ),
)  # fmt: skip
