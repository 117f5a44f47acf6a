"""Lose the synchronous standby: the primary is well, and no order is acknowledged.

Run it with `lab drill standby-loss`.
"""

from lab.api import Drill, at_most, fault, main, step

DRILL = Drill(
    name="standby-loss",
    title="Losing the synchronous standby",
    situation=(
        "No order is acknowledged before east.db2 has it on disk. Then east.db2's machine dies."
    ),
    expectations=(
        "The primary is well, and every commit waits: orders are refused in time, or acknowledged"
        " with a warning. None is acknowledged as safe.",
        "The deep health check places an order, and notices that. The shallow one does not.",
        "The runbook promotes nothing. It tells the primary to wait for no standby, on record.",
        "When the standby is back and has caught up, the primary waits for it again.",
        "No acknowledged order is lost.",
    ),
    faults=(fault("zone-loss", node="east.db2"),),
    runbook="standby-loss",
    objectives=(
        at_most("lost", 0, "the primary lives, and has every order"),
        at_most("rto_seconds", 10, "users of both regions must be able to order again"),
        at_most("split_brain_writes", 0, "there is one primary, before and after"),
    ),
    afterwards=(
        step("heal", why="the standby's machine comes back"),
        step("go-sync", retry=20, why="the wait is switched on again when the standby streams"),
        step("verify", why="an order that waits for the standby is acknowledged"),
    ),
)

if __name__ == "__main__":
    main()
