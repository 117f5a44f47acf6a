"""A shop that answers and can do nothing: the shallow check is green, the deep one red.

Run it with `lab drill gray-failure`.
"""

from lab.api import based_on, fault, main

DRILL = based_on(
    "zone-loss",
    name="gray-failure",
    title="Green lights, no orders",
    situation=(
        "Both shops answer, and every machine runs. The database server behind them has stopped at"
        " once, without a clean shutdown: no order can be taken."
    ),
    expectations=(
        "The shallow check keeps saying that all is well.",
        "The deep check, which does what an order does, says no within a second.",
        "The runbook acts on the deep check and promotes the standby; nothing that was answered ok"
        " is lost.",
    ),
    faults=(fault("stop-immediate"),),
    runbook="gray-failure",
)

if __name__ == "__main__":
    main()
