"""Lose a region: power and network of everything in east are gone at once.

Run it with `lab drill region-loss`. To make a drill of your own, copy this file, change the data
and add an entry point to the group `lab.drills`.
"""

from lab.core.topology import (
    EAST,
    EAST_DB1,
    WEST,
    WEST_DB1,
    WEST_DB2,
    Follows,
    Replication,
    machines_of,
)
from lab.core.verdict import Comparison, Objective
from lab.drills.drill import Drill
from lab.faults.catalogue import fault
from lab.steps.drillsteps import REGION_RUNBOOK, Takeover

DRILL = Drill(
    name="region-loss",
    title="Losing a region",
    situation=(
        "Both regions serve users; every order is written by east.db1, which waits for its"
        " standby east.db2 in the zone next door and streams to west without waiting."
        " Then east is gone: machines, databases, resolver and the road into it."
    ),
    expectations=(
        "West's health checks notice, because they look at east as users do.",
        "West's copy is promoted; from then on it is the only history there is.",
        "Orders that east acknowledged and had not yet sent across are lost:"
        " about as many as it takes in one link delay.",
        "Users come back by themselves, once their resolver's answer has run out.",
        "No order is taken by two primaries.",
    ),
    faults=(fault("region-loss").at(),),
    takeover=Takeover(
        lost=machines_of(EAST),
        old=EAST_DB1,
        witness=WEST,
        symptoms=("down",),
        after=Replication(
            primary=WEST_DB1, synchronous=WEST_DB2, follows=(Follows(WEST_DB2, WEST_DB1),)
        ),
    ),
    runbook=REGION_RUNBOOK,
    objectives=(
        Objective(
            "rto_seconds", 10, "s", Comparison.AT_MOST,
            "users of both regions must be able to order again, without any help",
        ),
        Objective(
            "rpo_seconds", 5, "s", Comparison.AT_MOST,
            "asynchronous replication loses what was on its way: a moment, not minutes",
        ),
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
    ),
)  # fmt: skip
