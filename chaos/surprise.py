"""Something breaks, and only the report names it: find out what it is, and act.

Run it with `lab drill surprise --seed 7`. Each seed has its own fault. The report names it.
"""

from lab.api import Drill, at_most, fault, main

DRILL = Drill(
    name="surprise",
    title="A surprise",
    situation="Users order in both regions. Then something breaks. Only the report names it.",
    expectations=(
        "What users see narrows it down: which region, orders or reads, refused or silent.",
        "Not every fault is a reason to fail over.",
        "Most of the outage is the time that people take to find out.",
    ),
    faults=(),
    one_of=(
        fault("region-loss", region="east"),
        fault("region-loss", region="west"),
        fault("zone-loss", node="east.db1"),
        fault("partition"),
        fault("partition-silent"),
        fault("stop-immediate", node="east.db1"),
        fault("freeze", node="east.db1"),
        fault("freeze", node="east.db2"),
        fault("resolver-down", node="east.dns"),
        fault("app-loss", node="west.app"),
        fault("users-cut-off", region="east"),
        fault("disk-full", node="east.db1"),
    ),
    runbook="region-failover",
    by_hand=True,
    untold=True,
    objectives=(
        at_most("split_brain_writes", 0, "orders that two primaries took can never be merged"),
        at_most("rto_seconds", 600, "a team that finds out within ten minutes is a good one"),
    ),
)

if __name__ == "__main__":
    main()
