"""The same partition as in split-brain, with the one step that was missing: a fence.

Run it with `lab drill split-brain-fenced`.
"""

from dataclasses import replace

from chaos.split_brain import DRILL as SPLIT_BRAIN
from lab.core.verdict import Comparison, Objective
from lab.steps.drillsteps import (
    DECIDE,
    FENCE,
    PROMOTE,
    REPOINT,
    SLOTS,
    STEERED,
    SYNCHRONOUS,
    VERIFY,
)
from lab.steps.scenes import NOTICE_STREAM, PROVE_FENCED

DRILL = replace(
    SPLIT_BRAIN,
    name="split-brain-fenced",
    title="One primary after all",
    situation=(
        "The regions lose each other; users still reach both. West takes over, but first east.db1"
        " is stopped, by the management network, which does not use the links that were cut."
    ),
    expectations=(
        "Between the fence and the promotion no database takes orders: that is its price.",
        "Then west takes them all, and east's users are sent there.",
        "No order is acknowledged on two timelines.",
        "What east took between the cut and the fence is lost to west: a fence ends the damage,"
        " it does not undo it.",
    ),
    runbook=(
        NOTICE_STREAM, DECIDE, FENCE, PROVE_FENCED, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT, VERIFY,
        STEERED,
    ),
    objectives=(
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
        Objective(
            "rto_seconds", 20, "s", Comparison.AT_MOST,
            "users of both regions must be able to order again, without any help",
        ),
        Objective(
            "rpo_seconds", 15, "s", Comparison.AT_MOST,
            "what is lost is what east took from the cut to the fence: noticing fast is cheap",
        ),
    ),
)  # fmt: skip
