"""Lose both databases of a region while its far copy is behind: orders that users read are gone.

Run it with `lab drill visible-then-gone`.
"""

from lab.api import Drill, Load, at_least, at_most, fault, later, main

DRILL = Drill(
    name="visible-then-gone",
    title="Orders that users have read are gone",
    situation=(
        "East's synchronous standby dies, and every commit on east.db1 waits for it. Three seconds"
        " later replication to west falls behind. Eight seconds after that east.db1's machine dies,"
        " too."
    ),
    expectations=(
        "From the death of the standby on, no order is answered ok. After its time limit the shop"
        " cancels the wait, and PostgreSQL commits on east.db1 alone: the answer is local, a"
        " warning.",
        "Such an order is visible at once, also to users who know nothing of the warning: reads in"
        " east find it.",
        "The runbook promotes nothing while east.db1 lives. Then west.db1 is promoted, which has"
        " not received these orders.",
        "Orders that users have read are gone. No order that was answered ok is lost.",
    ),
    faults=(fault("zone-loss", node="east.db2"),),
    meanwhile=(
        *later(fault("lag-hold", amount=30), at=3),
        *later(fault("zone-loss", node="east.db1"), at=11),
    ),
    runbook="zones-failover",
    objectives=(
        at_least("seen_then_gone", 1, "this drill must show it: a read of an order proves nothing"),
        at_most("lost", 0, "what was answered ok was on a second disk, and reached west in time"),
        at_most("rto_seconds", 30, "11 s of it are the drill's own plan; the failover is the rest"),
        at_most("split_brain_writes", 0, "no two databases take orders at the same time"),
    ),
    load=Load(writes_per_second=25, reads_per_second=45),
)

if __name__ == "__main__":
    main()
