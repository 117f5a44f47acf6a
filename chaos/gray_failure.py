"""A shop that answers and can do nothing: the shallow check is green, the deep one red.

Run it with `lab drill gray-failure`.
"""

from dataclasses import replace

from chaos.zone_loss import DRILL as ZONE_LOSS
from lab.faults.catalogue import fault
from lab.steps.drillsteps import (
    COMPARE,
    DECIDE,
    DETECT,
    FENCE,
    PROMOTE,
    REFOLLOW,
    REPOINT,
    SLOTS,
    SYNCHRONOUS,
    VERIFY,
)
from lab.steps.scenes import LOOK_TWICE

DRILL = replace(
    ZONE_LOSS,
    name="gray-failure",
    title="Green lights, no orders",
    situation=(
        "Both shops answer, and every machine runs. The database server behind them has stopped"
        " without a word: no order can be taken."
    ),
    expectations=(
        "The shallow check goes on saying that all is well.",
        "The deep check, which does what an order does, says no within a second.",
        "Acting on the deep check, the standby is promoted; nothing that was answered ok is lost.",
    ),
    faults=(fault("stop-immediate").at(),),
    runbook=(
        DETECT, LOOK_TWICE, COMPARE, DECIDE, FENCE, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT, VERIFY,
        REFOLLOW,
    ),
)  # fmt: skip
