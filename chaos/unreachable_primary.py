"""A primary that cannot be reached by any way: what can safely be done?

Run it with `lab drill unreachable-primary`.
"""

from lab.core.verdict import Comparison, Objective
from lab.drills.drill import Drill
from lab.faults.catalogue import fault
from lab.steps.drillsteps import STAYS
from lab.steps.scenes import NOTICE_STREAM, STAND_DOWN, STEERED_AWAY

DRILL = Drill(
    name="unreachable-primary",
    title="A primary out of reach",
    situation=(
        "The regions lose each other, and the management network does not lead to east either."
        " West cannot tell a dead east from one that takes orders."
    ),
    expectations=(
        "The fence is refused: no way leads to east.db1.",
        "No database is promoted. That is the right answer.",
        "Users of west are sent to east, which they can reach: they lose seconds, not orders.",
    ),
    faults=(fault("partition").at(), fault("management-cut").at()),
    takeover=STAYS,
    runbook=(NOTICE_STREAM, STAND_DOWN, STEERED_AWAY),
    objectives=(
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        Objective(
            "lost", 0, "writes", Comparison.AT_MOST,
            "without a promotion no order is lost",
        ),
        Objective(
            "rto_seconds", 20, "s", Comparison.AT_MOST,
            "users can move where data cannot",
        ),
    ),
)  # fmt: skip
