"""Lose east's resolver when its users know no other.

Run it with `lab drill dns-outage`, then `lab drill dns-outage-two`.
"""

from lab.api import Drill, Load, at_most, fault, main

DRILL = Drill(
    name="dns-outage",
    title="The resolver is gone; users know one resolver",
    situation=(
        "Every shop, every database and every link works. East's resolver dies, and east's users"
        " know no other."
    ),
    expectations=(
        "Users can order as long as they remember the address: two seconds here.",
        "Then east's users can order nothing, although every shop and every database works.",
        "The resolver comes back without records, receives them again, and users are served.",
    ),
    faults=(fault("resolver-down"),),
    runbook="restart-resolver",
    load=Load(resolvers=1),
    objectives=(
        at_most("lost", 0, "names hold no data"),
        at_most("rto_seconds", 30, "users wait until the resolver is back"),
    ),
)

if __name__ == "__main__":
    main()
