"""East is lost, and the runbook of this repository brings users back."""

from lab.api import Drill, at_most, fault, main

DRILL = Drill(
    name="east-is-lost",
    title="Losing east, with our runbook",
    situation="Everything in east is gone. West has all orders but those of the last moment.",
    expectations=(
        "Users of both regions can order again, at west.db1.",
        "Orders of the last moment are lost: west's copy is asynchronous.",
    ),
    faults=(fault("region-loss", region="east"),),
    runbook="../runbooks/east-is-lost.yaml",
    objectives=(
        at_most("rto_seconds", 60, "users must be able to order again"),
        at_most("split_brain_writes", 0, "two primaries cannot be merged"),
    ),
)

if __name__ == "__main__":
    main()
