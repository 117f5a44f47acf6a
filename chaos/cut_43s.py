"""Cut the regions from each other for 43 seconds, and promote meanwhile without a fence.

Run it with `lab drill cut-43s`. docs/incidents.md tells the story.
"""

from lab.api import at_least, at_most, based_on, later, main, step

DRILL = based_on(
    "split-brain",
    name="cut-43s",
    title="A cut of 43 seconds, and what it leaves",
    situation=(
        "The regions lose each other for 43 s; users still reach both. West takes east for dead and"
        " promotes west.db1. No fence stops east.db1. Then the links are back."
    ),
    expectations=(
        "West's users are served by west.db1 once it is promoted; east's users notice nothing.",
        "Both primaries acknowledge orders until the end: the links come back, but the timelines"
        " stay apart.",
        "East has orders that west lacks, and west has orders that east lacks.",
        "The lost orders are on east's machines: lab reconcile lists them by key.",
    ),
    meanwhile=later(step("heal", fault="partition", why="the network is repaired"), at=43),
    afterwards=(step("wait", seconds=5, why="both sides take orders with the links back"),),
    objectives=(
        at_least("split_brain_seconds", 30, "two primaries took orders for most of the cut"),
        at_least("orphaned", 1, "east has orders that the new primary lacks"),
        at_most("unaccounted", 0, "every lost order is still on a machine in east"),
        at_most("rto_seconds", 15, "it looks like a success: all users can order again"),
    ),
)

if __name__ == "__main__":
    main()
