"""Lose a resolver when users know a second one.

Run it with `lab drill dns-outage-two`, beside `lab drill dns-outage`.
"""

from lab.api import Load, at_most, based_on, main

DRILL = based_on(
    "dns-outage",
    name="dns-outage-two",
    title="The resolver is gone; users know two resolvers",
    situation=(
        "Every shop, every database and every link works. East's resolver dies; east's users know"
        " west's as well and ask it after 250 ms."
    ),
    expectations=(
        "Some look-ups take a quarter of a second longer; all users get an answer.",
        "The second resolver sends east's users to west, which serves both now.",
        "Yet some orders fail: east's own machines know only the resolver that died, and its"
        " gateway cannot find the primary for a new connection. Redundancy helps only"
        " clients that have a second way.",
    ),
    load=Load(resolvers=2),
    objectives=(
        at_most("lost", 0, "names hold no data"),
        at_most("longest_gap_seconds", 3, "a second resolver is the cheapest redundancy there is"),
    ),
)

if __name__ == "__main__":
    main()
