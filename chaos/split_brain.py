"""Cut the regions from each other and promote without a fence: two primaries take orders.

Run it with `lab drill split-brain`, and then its twin: `lab drill split-brain-fenced`.
"""

from lab.core.topology import EAST_DB1, WEST, WEST_DB1, WEST_DB2, Follows, Replication
from lab.core.verdict import Comparison, Objective
from lab.drills.drill import Drill
from lab.faults.catalogue import fault
from lab.steps.drillsteps import PROMOTE, SLOTS, SYNCHRONOUS, VERIFY, Takeover
from lab.steps.scenes import DECIDE_BLINDLY, NOTICE_STREAM, REPOINT_NEAR

DRILL = Drill(
    name="split-brain",
    title="Two primaries",
    situation=(
        "The regions lose each other; users still reach both. West sees that east does"
        " not answer, takes it for dead and promotes west.db1. No fence stops east.db1."
    ),
    expectations=(
        "East goes on as if nothing were: its users are served by it all along.",
        "West's users are served by west.db1 once it is promoted.",
        "From then on both acknowledge orders, on two timelines that can never be merged.",
        "What east took since the cut is not in the database that counts now.",
    ),
    faults=(fault("partition").at(),),
    takeover=Takeover(
        lost=(),
        old=EAST_DB1,
        witness=WEST,
        symptoms=("live", "down"),
        after=Replication(
            primary=WEST_DB1, synchronous=WEST_DB2, follows=(Follows(WEST_DB2, WEST_DB1),)
        ),
    ),
    runbook=(NOTICE_STREAM, DECIDE_BLINDLY, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT_NEAR, VERIFY),
    objectives=(
        Objective(
            "split_brain_writes", 1, "writes", Comparison.AT_LEAST,
            "this drill must do harm: without a split brain it shows nothing",
        ),
        Objective(
            "rto_seconds", 15, "s", Comparison.AT_MOST,
            "it looks like a success: all users can order again",
        ),
    ),
)  # fmt: skip
