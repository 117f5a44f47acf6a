"""Lose a region whose copy is 15 s behind: exactly those seconds are gone.

Run it with `lab drill lag-15s`.
"""

from dataclasses import replace

from chaos.region_loss import DRILL as REGION_LOSS
from lab.core.verdict import Comparison, Objective
from lab.faults.catalogue import fault
from lab.steps.scenes import injected, lasting

HELD = fault("lag-hold").at()

DRILL = replace(
    REGION_LOSS,
    name="lag-15s",
    title="Losing a region that was 15 s ahead",
    situation=(
        "Replication from east to west is 15 s behind; nothing else is slower, and no user notices."
        " Then east is gone."
    ),
    expectations=(
        "Users see nothing of the lag: no error, no slower answer.",
        "West is promoted as fast as ever.",
        "All that east acknowledged in its last 15 s is lost. With a mean lag of 15 s the worst"
        " case is worse: the mean is no upper limit.",
    ),
    arrange=(
        injected(HELD, "an asynchronous copy is as old as its lag; here it is held at 15 s"),
        lasting(16, "the copy must be behind by all of it before the region is lost"),
    ),
    objectives=(
        Objective(
            "rpo_seconds", 20, "s", Comparison.AT_MOST,
            "what is lost is the lag at the moment of the loss, and not much more",
        ),
        Objective(
            "lost", 1, "writes", Comparison.AT_LEAST,
            "this drill must do harm: without a loss the lag was none",
        ),
        Objective(
            "rto_seconds", 10, "s", Comparison.AT_MOST,
            "lag costs data, not time",
        ),
        Objective(
            "split_brain_writes", 0, "writes", Comparison.AT_MOST,
            "two primaries that both take orders cannot be merged afterwards",
        ),
    ),
)  # fmt: skip
