"""Cut the regions from each other and promote without a fence: two primaries take orders.

Run it with `lab drill split-brain`, and then its twin: `lab drill split-brain-fenced`.
"""

from lab.api import Drill, at_least, at_most, fault, main

DRILL = Drill(
    name="split-brain",
    title="Two primaries",
    situation=(
        "The regions lose each other; users still reach both. West sees that east does"
        " not answer, takes it for dead and promotes west.db1. No fence stops east.db1."
    ),
    expectations=(
        "East continues as if nothing had happened, and serves its users all the time.",
        "West's users are served by west.db1 once it is promoted.",
        "From then on both acknowledge orders, on two timelines that can never be merged.",
        "What east took since the cut is not in the database that counts now.",
    ),
    faults=(fault("partition"),),
    runbook="split-brain",
    objectives=(
        at_least(
            "split_brain_writes",
            1,
            "this drill must do harm: without a split brain it shows nothing",
        ),
        at_most("rto_seconds", 15, "it looks like a success: all users can order again"),
    ),
)

if __name__ == "__main__":
    main()
