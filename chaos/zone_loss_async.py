"""Lose a zone when commits did not wait for the standby. Compare it with zone-loss.

Run it with `lab drill zone-loss-async`, then `lab report --compare` the two.
"""

from lab.api import at_most, based_on, main, step

DRILL = based_on(
    "zone-loss",
    name="zone-loss-async",
    title="Losing a zone, asynchronously",
    situation=(
        "Every order is acknowledged as soon as it is on east.db1's own disk; the standby next"
        " door follows as fast as it can. Then east.db1's machine dies."
    ),
    expectations=(
        "Orders are acknowledged sooner: one disk instead of two.",
        "East's standby is promoted as in zone-loss.",
        "Orders that it had not received yet are gone: next door those of milliseconds. There may"
        " be none, but nothing guarantees that.",
    ),
    arrange=(step("wait-for-no-standby"),),
    objectives=(
        at_most("rpo_seconds", 1, "within a region the lag is short, but nothing guarantees that"),
        *(each for each in based_on("zone-loss").objectives if each.name != "lost"),
    ),
)

if __name__ == "__main__":
    main()
