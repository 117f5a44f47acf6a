"""The way back: east was lost, west has taken over, and now east's machines are back.

Run it with `lab drill way-back`.
"""

from lab.api import Drill, at_most, main, step

DRILL = Drill(
    name="way-back",
    title="The way back",
    situation=(
        "East was lost a while ago, and west has taken over: it serves all users. Now east's"
        " machines are back, and east.db1 is to be primary again."
    ),
    expectations=(
        "Orders that only east.db1 has were never sent to west. They are saved to a file before"
        " east.db1 follows west.db1.",
        "Users feel one step of all, the switchover: orders pause, and reads go on in west.",
        "No order is lost on the way back, whatever the loss of east had cost.",
    ),
    leads=(
        step("inject", fault="region-loss", why="the loss that the way back begins with"),
        step("run-runbook", runbook="region-failover", why="west takes over"),
    ),
    faults=(),
    runbook="failback",
    objectives=(
        at_most("lost", 0, "a planned move can wait for every order that was acknowledged"),
        at_most("longest_gap_seconds", 5, "users order again after a short pause"),
        at_most("longest_read_gap_seconds", 2, "users who only read hardly notice"),
        at_most("split_brain_writes", 0, "the old primary takes no order when it is back"),
    ),
)

if __name__ == "__main__":
    main()
