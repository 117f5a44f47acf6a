"""Lose a zone: the primary's machine dies, the rest of its region is fine.

Run it with `lab drill zone-loss`.
"""

from lab.core.topology import (
    EAST,
    EAST_DB1,
    EAST_DB2,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Replication,
)
from lab.core.verdict import Comparison, Objective
from lab.drills.drill import Drill
from lab.faults.catalogue import fault
from lab.steps.drillsteps import ZONE_RUNBOOK, Takeover

DRILL = Drill(
    name="zone-loss",
    title="Losing a zone",
    situation=(
        "Every order is written by east.db1, and no order is acknowledged before east.db2, in"
        " another zone of the same region, has it on disk. Then east.db1's machine dies."
    ),
    expectations=(
        "The region is still there, but its shop can take no order: the deep check says so.",
        "East's standby is promoted; it holds every order that was acknowledged.",
        "Nothing that was answered ok is lost.",
        "West finds the new primary behind the same gateway and follows it.",
    ),
    faults=(fault("zone-loss").at(),),
    takeover=Takeover(
        lost=(EAST_DB1,),
        old=EAST_DB1,
        witness=EAST,
        symptoms=("live", "down"),
        after=Replication(
            primary=EAST_DB2,
            # No standby is left in the region, and waiting for west would cost each order a round
            # trip: until db1 is back, this region is one fault away from losing orders.
            synchronous=None,
            follows=(Follows(WEST_DB1, EAST_DB2), Follows(WEST_DB2, WEST_DB1)),
        ),
        refollow=(Follows(WEST_DB1, EAST_DB2), Follows(WEST_DB2, WEST_DB1)),
    ),
    runbook=ZONE_RUNBOOK,
    objectives=(
        Objective(
            "lost", 0, "writes", Comparison.AT_MOST,
            "that is what the synchronous standby is paid for",
        ),
        Objective(
            "rto_seconds", 10, "s", Comparison.AT_MOST,
            "users of both regions must be able to order again, without any help",
        ),
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
    ),
)  # fmt: skip
