"""A primary that stands still, is replaced, and then goes on where it was.

Run it with `lab drill frozen-primary`.
"""

from dataclasses import replace

from chaos.zone_loss import DRILL as ZONE_LOSS
from lab.faults.catalogue import fault
from lab.steps.drillsteps import (
    COMPARE,
    DECIDE,
    DETECT,
    PROMOTE,
    REFOLLOW,
    REPOINT,
    SLOTS,
    SYNCHRONOUS,
    VERIFY,
)
from lab.steps.scenes import PROVE_FENCED, THAW, lasting

DRILL = replace(
    ZONE_LOSS,
    name="frozen-primary",
    title="The primary that came back",
    situation=(
        "east.db1's machine stands still: nothing answers, no connection ends. Its standby is"
        " promoted. Then east.db1 goes on, and believes that it is primary."
    ),
    expectations=(
        "No server can be stopped in a frozen machine. A fence would kill it; none is used here.",
        "It is fenced by what it waits for: no order counts there before east.db2 has it, and"
        " east.db2 has gone its own way.",
        "After the thaw it takes no order, however it is asked.",
    ),
    faults=(fault("freeze").at(),),
    runbook=(
        DETECT, COMPARE, DECIDE, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT, VERIFY, REFOLLOW,
    ),
    afterwards=(
        THAW,
        PROVE_FENCED,
        lasting(3, "users are at work while two nodes say that they are primary"),
    ),
)  # fmt: skip
