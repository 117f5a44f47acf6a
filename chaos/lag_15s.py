"""Lose a region whose copy is 15 s behind: exactly those seconds are gone.

Run it with `lab drill lag-15s`.
"""

from lab.api import at_least, at_most, based_on, main, step

DRILL = based_on(
    "region-loss",
    name="lag-15s",
    title="Losing a region while its copy is 15 s behind",
    situation=(
        "Replication from east to west is 15 s behind; nothing else is slower, and no user notices."
        " Then east is gone."
    ),
    expectations=(
        "Users see nothing of the lag: no error, no slower answer.",
        "West is promoted as fast as ever.",
        "All that east acknowledged in its last 15 s is lost. If 15 s were the mean lag, the"
        " worst case would be more: a mean is no upper limit.",
    ),
    arrange=(
        step(
            "inject",
            fault="lag-hold",
            why="an asynchronous copy is as old as its lag; here it is held at 15 s",
        ),
        step(
            "wait", seconds=16, why="the copy must be fully 15 s behind before the region is lost"
        ),
    ),
    objectives=(
        at_most(
            "rpo_seconds",
            20,
            "what is lost is the lag at the moment of the loss, and not much more",
        ),
        at_least("lost", 1, "this drill must do harm: if nothing is lost, there was no lag"),
        at_most("rto_seconds", 10, "lag costs data, not time"),
        at_most(
            "split_brain_writes",
            0,
            "two primaries that both take orders cannot be merged afterwards",
        ),
    ),
)

if __name__ == "__main__":
    main()
