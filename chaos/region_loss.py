"""Lose a region: power and network of everything in east are gone at once.

Run it with `lab drill region-loss`. To make a drill of your own, copy this file into any folder,
change it, and run it with `lab drill ./my_drill.py` (docs/drills.md).
"""

from lab.api import Drill, at_most, fault, main

DRILL = Drill(
    name="region-loss",
    title="Losing a region",
    situation=(
        "Both regions serve users; every order is written by east.db1, which waits for its standby"
        " east.db2 in the other zone of east, and streams to west without waiting. Then east is"
        " gone: machines, databases, resolver and the network into it."
    ),
    expectations=(
        "West's health checks notice, because they look at east as users do.",
        "West's copy is promoted; from then on it is the only history that counts.",
        "Orders that east acknowledged but had not yet sent to west are lost: about as many as"
        " east acknowledges during one link delay.",
        "Users come back by themselves, once the address that they remember has expired.",
        "No order is taken by two primaries.",
    ),
    faults=(fault("region-loss"),),
    runbook="region-failover",
    objectives=(
        at_most(
            "rto_seconds", 10, "users of both regions must be able to order again, without any help"
        ),
        at_most(
            "rpo_seconds",
            5,
            "asynchronous replication loses the orders that the standby had not received: seconds"
            " at most, not minutes",
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
