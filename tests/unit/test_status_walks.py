"""What a person meets who follows `lab status` to the letter, look by look."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_up_status import END, machines, node, region_down, silent, with_nodes

from lab.core.topology import EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2
from lab.status.catalogue import findings
from lab.status.look import Status
from lab.status.plan import plan
from lab.testbed.inforce import InForce
from lab.testbed.nodelook import STOPPED, alone

HEAL = "lab fault heal --all"
REOPEN = "lab runbook run reopen --fresh"
FAILBACK = "lab runbook run failback"
TAKE_OVER = "lab runbook run region-failover"
STOP_EAST = "lab fault inject stop-immediate --node east.db1"
STOP_WEST = "lab fault inject stop-immediate --node west.db1"
SINCE = "2026-11-28 10:00:03 UTC"
REFUSED = (InForce("east's shop refuses customers' orders", SINCE, "another-run", refuses=True),)
IN_WEST = with_nodes(
    silent(EAST_DB1, STOPPED),
    node(WEST_DB1, primary=True, timeline=2),
    replaced=(EAST_DB1,),
    writers={"east": WEST_DB1, "west": WEST_DB1},
)
"""West has taken over, and east.db1 waits for the way back."""


def steps(found: Status) -> list[list[str]]:
    return [[each.command for each in step.ways] for step in plan(findings(found))]


def does(found: Status) -> dict[str, str]:
    return {each.command: each.does for step in plan(findings(found)) for each in step.ways}


def says(found: Status, name: str) -> str:
    return " ".join(each.says for each in findings(found) if each.name == name)


def followed(found: Status, command: str) -> Status:
    """What the next look sees: a made-up lab in which commands do what they do in a real one."""
    if command == REOPEN:
        return replace(found, in_force=(), cut="", cut_run="", cut_left=())
    if command.startswith(FAILBACK):
        refused = [e for e in found.in_force if e.refuses and e.by != found.cut_run]
        home = replace(found, nodes=with_nodes().nodes, writers=with_nodes().writers, replaced=())
        left = ("verify",) if refused else ()
        return replace(home, cut="failback" if refused else "", cut_left=left)
    raise AssertionError(command)


@pytest.mark.parametrize("left", [("switch-over", "send-home", "verify"), ("verify",)])
def test_a_way_back_that_another_runs_read_only_mode_stops_ends_when_status_is_followed(
    left: tuple[str, ...],
) -> None:
    found = replace(IN_WEST, in_force=REFUSED, cut="failback", cut_run="own-run", cut_left=left)
    walked = list[str]()
    while told := steps(found):
        walked.append(told[0][0])
        assert len(walked) == len(set(walked)), walked
        found = followed(found, walked[-1])
    assert walked == [REOPEN, FAILBACK]


def test_customers_are_let_in_before_a_cut_way_back_begins_anew() -> None:
    found = replace(
        IN_WEST, in_force=REFUSED, cut="failback", cut_run="own-run", cut_left=("rewind", "verify")
    )
    assert steps(found) == [[REOPEN], [FAILBACK]]
    assert does(found)[REOPEN].endswith("; abandons failback")
    assert ("runs the runbook again from its first step, after customers can order") in does(found)[
        FAILBACK
    ]
    assert "goes on" not in does(found)[FAILBACK]


def test_a_run_of_which_only_the_order_of_a_customer_is_left_is_not_begun_anew() -> None:
    healthy = with_nodes(in_force=REFUSED, cut="failback", cut_run="own-run", cut_left=("verify",))
    assert steps(healthy) == [[REOPEN]]


def test_customers_are_let_in_before_a_way_back_that_was_not_begun() -> None:
    assert steps(replace(IN_WEST, in_force=REFUSED)) == [[REOPEN], [FAILBACK]]


def test_a_run_that_refuses_customers_itself_goes_on() -> None:
    own = (replace(REFUSED[0], by="own-run"),)
    found = replace(
        IN_WEST, in_force=own, cut="failback", cut_run="own-run", cut_left=("rewind", "verify")
    )
    assert steps(found) == [[FAILBACK, REOPEN]]


def test_a_person_who_refuses_customers_is_another_one_than_any_run() -> None:
    found = with_nodes(
        in_force=(replace(REFUSED[0], by=""),), cut="five-steps", cut_left=("verify",)
    )
    assert steps(found) == [[REOPEN]]


def test_a_failover_goes_on_until_the_name_leads_to_the_primary_and_then_customers_are_let_in() -> (
    None
):
    found = with_nodes(
        silent(EAST_DB1, "its machine is down", "exited"),
        node(WEST_DB1, primary=True, timeline=2),
        in_force=REFUSED, cut="region-failover", cut_run="own-run", cut_left=("repoint", "verify"),
    )  # fmt: skip
    assert steps(found) == [[TAKE_OVER], [REOPEN]]
    named = replace(found, writers={"east": WEST_DB1, "west": WEST_DB1}, cut_left=("verify",))
    assert steps(named) == [[REOPEN]]


def both_dark(**changes: object) -> Status:
    """West took over from a lost east, east was healed, and now west is dark."""
    return with_nodes(
        silent(EAST_DB1, STOPPED),
        replace(node(EAST_DB2, receiver=""), following=None),
        silent(WEST_DB1, "its machine is down", "exited"),
        silent(WEST_DB2, "its machine is down", "exited"),
        machines=region_down("west"),
        faults=("blackout west",),
        writers={"east": None, "west": None},
        **changes,
    )


def test_with_the_successor_dark_a_replaced_primary_waits_and_the_successor_is_healed_first() -> (
    None
):
    found = both_dark(replaced=(EAST_DB1,))
    assert steps(found) == [[HEAL]]
    assert says(found, "no-primary") == (
        "No database takes orders: west.db1 or west.db2 was primary, and none of them answers. Of"
        " those that answer, east.db2 has most WAL: up to 0/5000148 on timeline 1. west.db1 and"
        " west.db2 do not answer, and may have newer orders than every database that answers: heal"
        " them first."
    )
    assert says(found, "waits-for-the-way-back") == (
        "east.db1 was replaced and needs a failback: another database replaced it, but that one"
        " does not answer, or is no longer primary. Its machine runs and starts no server by"
        " itself."
    )


def test_a_database_that_may_have_been_promoted_and_is_dark_may_have_newer_orders() -> None:
    found = both_dark()
    assert steps(found)[0][0] == HEAL
    assert says(found, "no-primary").endswith(
        " west.db1 does not answer, and may have newer orders than every database that answers:"
        " heal it first."
    )


def two(east: int, west: int) -> Status:
    """Two primaries, each with as much WAL of its own; both writers' names lead to east.db1."""
    return with_nodes(
        *alone(
            (
                node(EAST_DB1, primary=True, received=END + east),
                node(WEST_DB1, primary=True, timeline=2, received=END + west, forks={1: END}),
            )
        )
    )


@pytest.mark.parametrize(
    ("east", "west", "order"),
    [
        (81_408, 144, [STOP_WEST, STOP_EAST]),
        (144, 81_408, [STOP_EAST, STOP_WEST]),
        (0, 0, [STOP_EAST, STOP_WEST]),
    ],
)
def test_of_two_primaries_either_may_be_kept_and_the_one_that_costs_less_stands_first(
    east: int, west: int, order: list[str]
) -> None:
    assert steps(two(east, west)) == [order]


def test_each_way_out_of_two_primaries_says_what_it_costs() -> None:
    assert does(two(81_408, 144))[STOP_EAST] == (
        "keeps west.db1; orders in the 79.5 KiB of WAL that exist only on east.db1 are no longer"
        " visible: they stay on its disk, and the failback saves them to a file"
    )
    assert does(two(0, 144))[STOP_EAST].startswith(
        "keeps west.db1; orders that exist only on east.db1"
    )


def test_the_primary_that_was_stopped_of_two_waits_for_the_way_back_whichever_it_was() -> None:
    found = with_nodes(silent(WEST_DB1, STOPPED), replaced=(WEST_DB1,))
    assert steps(found) == [["lab runbook run return-west"]]
    assert "east.db1 is primary in its place" in says(found, "waits-for-the-way-back")


def test_of_three_primaries_one_at_a_time_is_given_up() -> None:
    third = node(EAST_DB2, primary=True, timeline=2)
    found = replace(two(0, 0), nodes=(*two(0, 0).nodes[:1], third, *two(0, 0).nodes[2:]))
    assert len(steps(found)[0]) == 3
    assert "keeps east.db2 and west.db1" in does(found)[STOP_EAST]


def test_a_database_waits_beside_two_that_answer_as_primary() -> None:
    found = replace(two(0, 0), replaced=(EAST_DB2,), machines=machines({}))
    assert "east.db1 and west.db1 are primary" in says(found, "waits-for-the-way-back")
