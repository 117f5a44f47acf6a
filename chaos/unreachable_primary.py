"""A primary that cannot be reached by any way: what can safely be done?

Run it with `lab drill unreachable-primary`.
"""

from lab.api import Drill, at_most, fault, main

DRILL = Drill(
    name="unreachable-primary",
    title="A primary out of reach",
    situation=(
        "The links between the regions are cut, and the management network does not reach east"
        " either. West cannot tell a dead east from one that takes orders."
    ),
    expectations=(
        "The fence is refused, because east.db1 cannot be reached.",
        "No database is promoted. That is the right answer.",
        "Users of west are sent to east, which they can reach: they lose seconds, not orders.",
    ),
    faults=(fault("partition"), fault("management-cut")),
    runbook="stand-down",
    objectives=(
        at_most(
            "split_brain_writes",
            0,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        at_most("lost", 0, "without a promotion no order is lost"),
        at_most("rto_seconds", 20, "users can move even where data cannot"),
    ),
)

if __name__ == "__main__":
    main()
