"""Lose a zone: the primary's machine dies, the rest of its region is fine.

Run it with `lab drill zone-loss`.
"""

from lab.api import Drill, at_most, fault, main

DRILL = Drill(
    name="zone-loss",
    title="Losing a zone",
    situation=(
        "Every order is written by east.db1, and no order is acknowledged before east.db2, in"
        " another zone of the same region, has it on disk. Then east.db1's machine dies."
    ),
    expectations=(
        "The region is still there, but its shop can take no order. The health check that asks for"
        " an order says so.",
        "East's standby is promoted: a synchronous standby has every acknowledged order.",
        "Nothing that was answered ok is lost.",
        "West's databases find the new primary behind the same gateway and follow it.",
    ),
    faults=(fault("zone-loss"),),
    runbook="zone-failover",
    objectives=(
        at_most("lost", 0, "a synchronous standby costs every order time so that none is lost"),
        at_most(
            "rto_seconds", 10, "users of both regions must be able to order again, without any help"
        ),
        at_most(
            "split_brain_writes",
            0,
            "two primaries that both take orders cannot be merged afterwards",
        ),
    ),
)

if __name__ == "__main__":
    main()
