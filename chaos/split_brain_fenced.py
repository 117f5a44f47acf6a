"""The same partition as in split-brain, with the one step that was missing: a fence.

Run it with `lab drill split-brain-fenced`.
"""

from lab.api import at_most, based_on, main

DRILL = based_on(
    "split-brain",
    name="split-brain-fenced",
    title="One primary after all",
    situation=(
        "The regions lose each other; users still reach both. West takes over, but first east.db1"
        " is stopped, by the management network, which does not use the links that were cut."
    ),
    expectations=(
        "Between the fence and the promotion no database takes orders. That is the cost of the"
        " fence.",
        "Then west takes them all, and east's users are sent there.",
        "No order is acknowledged on two timelines.",
        "West does not get the orders that east took between the cut and the fence.",
    ),
    runbook="region-failover",
    objectives=(
        at_most(
            "split_brain_writes",
            0,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        at_most(
            "rto_seconds", 20, "users of both regions must be able to order again, without any help"
        ),
        at_most(
            "rpo_seconds",
            15,
            "the loss is what east took from the cut to the fence; faster notice means less loss",
        ),
    ),
)

if __name__ == "__main__":
    main()
