"""Cut the regions from each other in silence, and see how much later it is noticed.

Run it with `lab drill wan-partition`. It takes more than a minute: that is its point.
"""

from lab.core.verdict import Comparison, Objective
from lab.drills.drill import Drill
from lab.faults.catalogue import fault
from lab.steps.drillsteps import STAYS
from lab.steps.scenes import NOTICE_STREAM, STEERED_AWAY, compared_with, healed

SILENT, TOLD = fault("partition-silent").at(), fault("partition").at()

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
        "West's standby notices after 60 s: wal_receiver_timeout, as PostgreSQL comes.",
        "The same cut, with links that are closed, is noticed at once.",
        "Nothing is lost: there was one primary all the time.",
    ),
    faults=(SILENT,),
    takeover=STAYS,
    runbook=(STEERED_AWAY, NOTICE_STREAM),
    afterwards=(
        healed(SILENT, "so that the same can be done again, in another way"),
        compared_with(TOLD),
    ),
    objectives=(
        Objective(
            "lost", 0, "writes", Comparison.AT_MOST,
            "a partition takes nothing away without a promotion",
        ),
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        Objective(
            "rto_seconds", 15, "s", Comparison.AT_MOST,
            "users can move where data cannot",
        ),
    ),
)  # fmt: skip
