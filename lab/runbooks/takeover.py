"""Works out the topology in which a plan ends, from what is known of the machines. Pure."""

from __future__ import annotations

from collections.abc import Collection

from lab.core.topology import DATABASES, REGIONS, Follows, Place, Region, Replication
from lab.runbooks.runbook import Plan


def topology_after(
    plan: Plan, alive: Collection[Place], behind: Collection[Place], *, joined: bool
) -> Replication:
    """Who is primary, whom it waits for and who follows whom, once the plan's new node has it.

    `alive` are the databases that run, `behind` those that stream from the new one already; regions
    that are not `joined` cannot follow each other. The primary waits for its twin next door, if
    that is behind it: every order would wait for a standby that is not there yet. Waiting for the
    other region would cost each order a round trip.
    """
    new, twin = plan.new, plan.new.twin
    near = [twin] if twin in alive and twin != plan.old else []
    far = [
        each
        for each in DATABASES
        if each.region is not new.region and each in alive and each != plan.old and joined
    ]
    arrows = [Follows(each, new) for each in near]
    arrows += [Follows(each, new if number == 0 else far[0]) for number, each in enumerate(far)]
    waits_for = next((each for each in near if each in behind), None)
    return Replication(new, waits_for, tuple(arrows))


def heads_after(lost: Region, after: Replication) -> dict[Region, Place]:
    """Where the names of the regions' heads lead after a takeover.

    A region whose head was lost and that has no other leads to the primary. One that is only cut
    off is left out: its own database answers reads, and no way leads to the primary.
    """
    regions = {lost, *(node.region for node in after.members)}
    return {each: after.head_of(each) for each in REGIONS if each in regions}
