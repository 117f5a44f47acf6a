"""Lose east's resolver when its users know no other.

Run it with `lab drill dns-outage`, then `lab drill dns-outage-two`.
"""

from lab.core.load import Load
from lab.core.verdict import Comparison, Objective
from lab.drills.drill import Drill
from lab.faults.catalogue import fault
from lab.steps.drillsteps import STAYS
from lab.steps.scenes import NOTICE_NAMES, RESTART_RESOLVER, lasting

DRILL = Drill(
    name="dns-outage",
    title="Names that are gone, one resolver",
    situation=(
        "Every shop, every database and every link works. East's resolver dies, and east's users"
        " know no other."
    ),
    expectations=(
        "Users go on for as long as they remember the address: two seconds here.",
        "Then east's users can order nothing, although every shop and every database works.",
        "The resolver comes back without records, gets them again, and users are served.",
    ),
    faults=(fault("resolver-down").at(),),
    takeover=STAYS,
    runbook=(
        NOTICE_NAMES,
        lasting(8, "a person is told, and finds out that it is only DNS"),
        RESTART_RESOLVER,
    ),
    load=Load(resolvers=1),
    objectives=(
        Objective(
            "lost", 0, "writes", Comparison.AT_MOST,
            "names hold no data",
        ),
        Objective(
            "rto_seconds", 30, "s", Comparison.AT_MOST,
            "users wait until the resolver is back",
        ),
    ),
)  # fmt: skip
