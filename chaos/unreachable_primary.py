"""A primary that nobody can reach, by any way: what can safely be done?

Run it with `lab drill unreachable-primary`.
"""

from lab.drill import Drill
from lab.faults.catalogue import fault
from lab.scenes import NOTICE_STREAM, STAND_DOWN, STEERED_AWAY
from lab.steps import STAYS
from lab.verdict import Comparison, Objective

DRILL = Drill(
    name="unreachable-primary",
    title="A primary out of reach",
    situation=(
        "The regions lose each other, and the management network does not lead to east either."
        " From west nobody can tell a dead east from one that takes orders."
    ),
    expectations=(
        "The fence is refused: no way leads to east.db1.",
        "Nobody is promoted. That is the right answer, and it is hard to give at three at night.",
        "Users of west are sent to east, which they can reach: they lose seconds, not orders.",
    ),
    faults=(fault("partition").at(), fault("management-cut").at()),
    takeover=STAYS,
    runbook=(NOTICE_STREAM, STAND_DOWN, STEERED_AWAY),
    objectives=(
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        Objective(
            "lost", 0, "writes", Comparison.AT_MOST,
            "whoever does not promote loses nothing",
        ),
        Objective(
            "rto_seconds", 20, "s", Comparison.AT_MOST,
            "users can move where data cannot",
        ),
    ),
)  # fmt: skip
