"""Cut the regions from each other in silence, and see how much later the cut is noticed.

Run it with `lab drill wan-partition`. It takes more than a minute: that is its point.
"""

from lab.api import Drill, at_most, fault, main, step

DRILL = Drill(
    name="wan-partition",
    title="Regions that lose each other",
    situation=(
        "Between the regions every byte vanishes, and no connection ends. Users reach both regions,"
        " and no database is promoted: east.db1 stays primary."
    ),
    expectations=(
        "West's shop notices within a second, because it has a limit of its own.",
        "West's users are sent to east, where the primary is.",
        "West's standby notices after 60 s: PostgreSQL's default wal_receiver_timeout.",
        "The same cut, with links that are closed, is noticed at once.",
        "Nothing is lost: there was one primary all the time.",
    ),
    faults=(fault("partition-silent"),),
    runbook="sit-out-partition",
    afterwards=(
        step("heal", fault="partition-silent", why="so that the same links can be cut differently"),
        step("time-notice", fault="partition", why="the same cut ends connections this time"),
    ),
    objectives=(
        at_most("lost", 0, "a partition loses no order as long as no database is promoted"),
        at_most(
            "split_brain_writes",
            0,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        at_most("rto_seconds", 15, "users can move even where data cannot"),
    ),
)

if __name__ == "__main__":
    main()
