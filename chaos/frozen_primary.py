"""A primary that is frozen, is replaced, and then goes on where it was.

Run it with `lab drill frozen-primary`.
"""

from lab.api import based_on, fault, main, step

DRILL = based_on(
    "zone-loss",
    name="frozen-primary",
    title="The primary that came back",
    situation=(
        "east.db1's machine is frozen: nothing answers, no connection ends. Its standby is"
        " promoted. Then east.db1 resumes, and believes that it is primary."
    ),
    expectations=(
        "No server can be stopped in a frozen machine. A fence would kill it; none is used here.",
        "Its standby is its fence: east.db1 acknowledges no order before east.db2 has it, and"
        " east.db2 no longer follows it.",
        "After the thaw it takes no order, whichever way the order comes.",
    ),
    faults=(fault("freeze"),),
    runbook="unfenced-failover",
    afterwards=(
        step("thaw"),
        step("prove-fence"),
        step("wait", seconds=3, why="users try to order while two nodes say that they are primary"),
    ),
)

if __name__ == "__main__":
    main()
