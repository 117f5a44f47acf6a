"""`lab status` in an incident: it names what is wrong and the next command, in 80 columns."""

from __future__ import annotations

import io
import json
import re
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial

import pytest
from made_up_status import (
    END,
    GIB,
    healthy,
    machines,
    node,
    region_down,
    silent,
    slot,
    with_nodes,
)
from rich.console import Console

from lab.commands.status import status
from lab.core import words
from lab.core.topology import DATABASES, EAST_DB1, EAST_DB2, WEST_DB1, WEST_DB2, Place
from lab.postgres.serverprofile import Profile
from lab.report.runtables import Typed
from lab.runbooks import runbookfile, shipped
from lab.status import panels
from lab.status.catalogue import SITUATIONS, findings
from lab.status.look import Status
from lab.status.plan import Step, plan
from lab.status.row import BACK, FAILOVERS, Finding, Next, Turn
from lab.steps import catalogue as moves
from lab.testbed.inforce import InForce
from lab.testbed.nodelook import STOPPED, NodeReport, alone, source_of

MIB = 2**20
HEALS = "lab fault heal --all"
BACK_HOME = "lab runbook run failback"
SINCE = "2026-11-28 10:00:03 UTC"
FROZEN = silent(EAST_DB1, "its machine is frozen", "paused")
GONE = silent(EAST_DB1, "its machine is down", "exited")
LEFT_ALONE = node(WEST_DB1, arrived=None, proof=None, receiver="")


def shown(found: Status, typed: Typed = str) -> str:
    text = io.StringIO()
    Console(file=text, width=80).print(panels.status(found, typed))
    return text.getvalue()


def in_one_line(found: Status, typed: Typed = str) -> str:
    return re.sub(r"\s+", " ", shown(found, typed))


@dataclass(frozen=True)
class Case:
    """A lab, the situations that are to be recognised in it, and what is to be read of them."""

    name: str
    found: Status
    recognised: tuple[str, ...]
    says: tuple[str, ...]


def promoted_beside() -> tuple[NodeReport, ...]:
    nodes = (
        node(EAST_DB1, primary=True, received=END + 4 * MIB),
        node(WEST_DB1, primary=True, timeline=2, received=END + MIB, forks={1: END}),
    )
    return tuple(each for each in alone(nodes))


CASES = (
    Case(
        "the primary's machine is frozen",
        with_nodes(
            FROZEN,
            node(EAST_DB2, arrived=None, proof=None),
            node(WEST_DB1, received=END - 3 * MIB, arrived=None, proof=None, lag=3 * MIB),
            machines=machines({EAST_DB1: "paused"}),
            faults=("freeze east.db1",),
        ),
        ("no-primary", "machine-frozen", "fault-in-force"),
        (
            "No database takes orders: east.db1 was primary, and its machine is frozen.",
            "east.db2 and west.db2 have most WAL: up to 0/5000148 on timeline 1; west.db1 lacks"
            " 3.0 MiB of it.",
            "lab runbook run zone-failover # east.db2 takes over",
            "lab runbook run region-failover # west.db1 takes over",
            HEALS,
        ),
    ),
    Case(
        "a region is lost and nothing was done",
        with_nodes(
            GONE,
            silent(EAST_DB2, "its machine is down", "exited"),
            replace(LEFT_ALONE, upstream=None, following=None),
            machines=region_down("east"),
            faults=("region-loss east",),
            writers={"east": None, "west": None},  # east's resolver is gone with it
        ),
        ("no-primary", "machine-down", "fault-in-force"),
        (
            "No database takes orders: east.db1 or east.db2 was primary, and none of them answers.",
            "The region east is down: none of its 7 machines runs.",
            "west.db1 and west.db2 have most WAL",
            "lab runbook run region-failover # west.db1 takes over",
        ),
    ),
    Case(
        "two primaries",
        with_nodes(
            *promoted_beside(),
            writers={"east": EAST_DB1, "west": WEST_DB1},
            faults=("partition",),
        ),
        ("two-primaries", "fault-in-force"),
        (
            "Two primaries: east.db1 (timeline 1) and west.db1 (timeline 2). Orders that one of"
            " them takes are not on the other: only east.db1 has 4.0 MiB and only west.db1 has 1.0"
            " MiB of WAL.",
            "The name writer resolves to east.db1 in east and to west.db1 in west.",
            "lab fault inject stop-immediate --node west.db1 # keeps east.db1",
            "or lab fault inject stop-immediate --node east.db1 # keeps west.db1",
        ),
    ),
    Case(
        "replay is paused",
        with_nodes(
            replace(
                node(WEST_DB1, proof=None, paused=True),
                state=replace(node(WEST_DB1).state, replayed=END - 2 * MIB),  # type: ignore[type-var]
            )
        ),
        ("replay-paused",),
        (
            "WAL arrives at west.db1 and is not replayed: replay is paused. 2.0 MiB wait there",
            'lab psql west.db1 -c "SELECT pg_wal_replay_resume()"',
            "fresh WAL arrives, is not replayed: replay is paused",
        ),
    ),
    Case(
        "replication is held back",
        with_nodes(
            node(WEST_DB1, arrived=None, proof=None, lag=4096),
            node(WEST_DB2, arrived=None, proof=None, lag=4096),
            faults=("lag-hold west:east:replication (15 s)",),
        ),
        ("late", "fault-in-force"),
        (
            "Fresh WAL does not arrive at west.db1 within 2 s, although it is connected to east.db1"
            " through east.gateway; it lacks 4.0 KiB.",
            "A fault is in force: lag-hold west:east:replication (15 s).",
            HEALS,
        ),
    ),
    Case(
        "a standby has no upstream",
        with_nodes(
            node(WEST_DB1, arrived=None, proof=None, receiver="", lag=2048),
            node(WEST_DB2, arrived=None, proof=None),
        ),
        ("cut-off",),
        (
            "west.db1 receives nothing: it has no connection to east.db1 through east.gateway; it"
            " lacks 2.0 KiB.",
            "lab runbook run return-west # makes west.db1 follow",
        ),
    ),
    Case(
        "a standby's slot is missing",
        with_nodes(
            node(WEST_DB1, slots=()), node(WEST_DB2, arrived=None, proof=None, receiver="", lag=0)
        ),
        ("cut-off",),
        (
            "west.db2 receives nothing: it has no connection to west.db1, which has no slot for"
            " west.db2.",
            "lab logs west.db2 # shows the cause",
        ),
    ),
    Case(
        "a standby's slot is lost",
        with_nodes(
            node(EAST_DB1, primary=True, slots=(slot(EAST_DB2), slot(WEST_DB1, lost=True))),
            node(WEST_DB1, arrived=None, proof=None, receiver="", lag=3 * GIB),
        ),
        ("slot-lost", "cut-off"),
        (
            "The slot of west.db1 at east.db1 is lost: east.db1 no longer has the WAL that west.db1"
            " needs, and west.db1 must be rebuilt.",
            "lab runbook run return-west # rebuilds west.db1",
            "west.db1 lost: must be rebuilt",
        ),
    ),
    Case(
        "a standby's slot is nearly lost",
        with_nodes(
            node(
                EAST_DB1,
                primary=True,
                slots=(
                    slot(EAST_DB2),
                    slot(WEST_DB1, active=False, kept=GIB + GIB // 2, left=GIB // 2),
                ),
            ),
            silent(WEST_DB1, "its machine is down", "exited"),
            machines=machines({WEST_DB1: "exited"}),
        ),
        ("machine-down", "slot-fills"),
        (
            "east.db1 keeps 1.5 GiB of WAL for west.db1, which does not fetch it. After 512.0 MiB"
            " more the slot is lost, and west.db1 must be rebuilt.",
        ),
    ),
    Case(
        "the standby that commits wait for is frozen",
        with_nodes(
            node(EAST_DB1, primary=True, waiting=12, longest=0.9),
            silent(EAST_DB2, "its machine is frozen", "paused"),
            machines=machines({EAST_DB2: "paused"}),
            faults=("freeze east.db2",),
        ),
        ("machine-frozen", "commits-wait", "fault-in-force"),
        (
            "Commits at east.db1 wait for east.db2 (its machine is frozen): no order is confirmed."
            " 12 sessions wait now, the longest for 0.90 s.",
        ),
    ),
    Case(
        "connections are nearly spent",
        with_nodes(
            node(EAST_DB1, primary=True, connections=167, shop_sessions=163),
            faults=("connections-exhausted east.db1",),
        ),
        ("connections-spent", "fault-in-force"),
        (
            "east.db1 has 2 connections left for shops, of 165. Shops still serve customers over"
            " their open connections, but cannot open more than these.",
            "2 of 165",
            "lab psql east.db1 -c",
        ),
    ),
    Case(
        "writes were stopped and are not resumed",
        healthy(
            in_force=(
                InForce("east's shop refuses customers' orders", SINCE, "a-run", refuses=True),
                InForce("west's shop refuses customers' orders", SINCE, "a-run", refuses=True),
            ),
            ready={"east": "takes no orders: read-only", "west": "takes no orders: read-only"},
            cut="five-steps",
            cut_run="a-run",
            cut_left=("verify",),
        ),
        ("customers-refused", "runbook-cut"),
        (
            f"The shops of both regions refuse customers' orders since {SINCE}, by a-run.",
            "lab runbook run reopen --fresh # removes these settings",
            "lab runbook run five-steps # continues the interrupted runbook at the step where it"
            " stopped",
        ),
    ),
    Case(
        "a region's users are pinned to the other one",
        healthy(
            in_force=(InForce("east's steering is pinned: users are sent to west", SINCE, "a-run"),)
        ),
        ("pinned",),
        (
            "nothing is wrong",
            f"East's steering is pinned: users are sent to west since {SINCE}, by a-run.",
            "lab runbook run reopen --fresh",
        ),
    ),
    Case(
        "a node was replaced, needs a failback",
        with_nodes(
            silent(EAST_DB1, STOPPED),
            node(WEST_DB1, primary=True, timeline=2),
            replaced=(EAST_DB1,),
            writers={"east": WEST_DB1, "west": WEST_DB1},
        ),
        ("waits-for-the-way-back",),
        (
            "nothing is wrong",
            "east.db1 was replaced and needs a failback: west.db1 is primary in its place.",
            f"{BACK_HOME} # first saves to a file the orders that only east.db1 has, then brings"
            " east.db1 back; at the end, makes east.db1 primary again",
        ),
    ),
    Case(
        "a standby went another way",
        with_nodes(
            silent(EAST_DB1, STOPPED),
            replace(
                node(EAST_DB2, proof=None, arrived=None, left=END - MIB, lag=MIB, receiver=""),
                alone_bytes=MIB,
            ),
            node(WEST_DB1, primary=True, timeline=2),
            replaced=(EAST_DB1,),
            writers={"east": WEST_DB1, "west": WEST_DB1},
        ),
        ("another-way", "waits-for-the-way-back"),
        (
            "east.db2 is on timeline 1; east.db1 left that timeline at 0/4F00148. Only east.db2 has"
            " the 1.0 MiB of WAL after that point.",
            BACK_HOME,
        ),
    ),
    Case(
        "a writer's name leads past the primary",
        with_nodes(
            silent(EAST_DB1, "its machine is down", "exited"),
            node(WEST_DB1, primary=True, timeline=2),
            machines=machines({EAST_DB1: "exited"}),
        ),
        ("machine-down", "writer-astray"),
        (
            "The name writer resolves to east.db1 in east and to east.db1 in west, but west.db1 is"
            " primary: shops of east and west can take no order.",
            "lab runbook run region-failover # points it to west.db1; sends all users to west",
            BACK_HOME,
        ),
    ),
    Case(
        "a machine did not say how it is",
        healthy(unseen=True),
        ("faults-unseen",),
        ("A machine did not report its state in time", "lab status # asks again"),
    ),
    Case(
        "a server does not run while its machine does",
        with_nodes(silent(WEST_DB2, STOPPED), faults=("crash west.db2",)),
        ("server-down", "fault-in-force"),
        ("west.db2 accepts no connections: its server does not run.", HEALS),
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_an_incident_is_named_with_the_next_command(case: Case) -> None:
    assert tuple(each.name for each in findings(case.found)) == case.recognised
    told = in_one_line(case.found)
    for each in case.says:
        assert each in told


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_status_fits_80_columns_and_says_nothing_in_the_words_of_a_library(case: Case) -> None:
    text = shown(case.found)
    assert max(map(len, text.splitlines())) <= 80
    assert not re.search(r"None|exited|paused\b(?<!is paused)|FATAL|connection to server", text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_thing_that_is_wrong_names_a_command(case: Case) -> None:
    assert [each.says for each in findings(case.found) if each.wrong and not each.next] == []


def steps(found: Status) -> list[list[str]]:
    """The commands of a page: each step with what may be run in place of it."""
    return [[each.command for each in step.ways] for step in plan(findings(found))]


HEALED = "lab fault heal --all"
STOP_EAST = "lab fault inject stop-immediate --node east.db1"
STOP_WEST = "lab fault inject stop-immediate --node west.db1"
TAKE_OVER = "lab runbook run region-failover"
REOPEN = "lab runbook run reopen --fresh"
CLOSED = ("refused west:east:replication",)


@dataclass(frozen=True)
class Order:
    """A lab, and the steps that are to be told of it, each with its alternatives."""

    name: str
    found: Status
    steps: list[list[str]]


WENT_ANOTHER_WAY = (
    silent(EAST_DB1, STOPPED),
    replace(
        node(EAST_DB2, proof=None, arrived=None, left=END - MIB, lag=MIB, receiver=""),
        alone_bytes=MIB,
    ),
    node(WEST_DB1, primary=True, timeline=2),
)
PINNED_WEST = (InForce("west's steering is pinned: users are sent to west", SINCE, "a-run"),)
ORDERS = (
    Order(
        "a frozen primary is thawed, or one of two takes over",
        CASES[0].found,
        [[HEALED, "lab runbook run zone-failover", TAKE_OVER]],
    ),
    Order(
        "a primary that a person froze is thawed, or one of two takes over",
        replace(CASES[0].found, faults=()),
        [[HEALED, "lab runbook run zone-failover", TAKE_OVER]],
    ),
    Order(
        "a lost region is healed, or the other one takes over",
        CASES[1].found,
        [[HEALED, TAKE_OVER]],
    ),
    Order(
        "of two primaries one is stopped before anything else",
        CASES[2].found,
        [[STOP_WEST, STOP_EAST], [HEALED]],
    ),
    Order(
        "the writer's name is mended before the way back",
        with_nodes(
            *WENT_ANOTHER_WAY,
            replaced=(EAST_DB1,),
            writers={"east": EAST_DB1, "west": WEST_DB1},
            faults=("partition",),
        ),
        [[HEALED], [TAKE_OVER], [BACK_HOME]],
    ),
    Order(
        "a link is healed before a standby is rebuilt over it",
        with_nodes(
            node(EAST_DB1, primary=True, slots=(slot(EAST_DB2), slot(WEST_DB1, lost=True))),
            node(WEST_DB1, arrived=None, proof=None, receiver="", lag=3 * GIB),
            faults=CLOSED,
        ),
        [[HEALED], ["lab runbook run return-west"], ["lab logs west.db1"]],
    ),
    Order(
        "steering steers again after the way back",
        with_nodes(
            *WENT_ANOTHER_WAY,
            replaced=(EAST_DB1,),
            writers={"east": WEST_DB1, "west": WEST_DB1},
            in_force=PINNED_WEST,
        ),
        [[BACK_HOME], [REOPEN]],
    ),
    Order(
        "a runbook that was cut goes on, or what it set is ended",
        healthy(in_force=PINNED_WEST, cut="five-steps"),
        [["lab runbook run five-steps", REOPEN]],
    ),
    Order(
        "a failover that was cut goes on, and customers may order at the very end",
        replace(
            CASES[0].found,
            cut="region-failover",
            in_force=(
                InForce("east's shop refuses customers' orders", SINCE, "a-run", refuses=True),
            ),
        ),
        [[HEALED, "lab runbook run zone-failover --fresh", TAKE_OVER], [REOPEN]],
    ),
    Order(
        "a way back that was cut goes on once the fault is healed, or what was set is ended",
        with_nodes(
            *WENT_ANOTHER_WAY,
            replaced=(EAST_DB1,),
            writers={"east": WEST_DB1, "west": WEST_DB1},
            in_force=PINNED_WEST,
            faults=("region-loss east",),
            cut="failback",
        ),
        [[HEALED], [BACK_HOME, REOPEN]],
    ),
    Order(
        "who holds connections is asked before the fault is ended",
        with_nodes(
            node(EAST_DB1, primary=True, connections=167, shop_sessions=163),
            faults=("connections-exhausted east.db1",),
        ),
        [
            [
                'lab psql east.db1 -c "SELECT count(*), application_name FROM pg_stat_activity'
                ' GROUP BY 2"'
            ],
            [HEALED],
        ],
    ),
)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_a_page_has_one_order_of_steps_and_what_may_be_run_in_place_of_each(order: Order) -> None:
    assert steps(order.found) == order.steps
    turns = {each.command: each.turn for one in plan(findings(order.found)) for each in one.ways}
    for step in plan(findings(order.found)):
        first, *others = step.ways
        assert [each.instead_of for each in step.ways] == ["", *(first.command for _ in others)]
    assert turns.get(REOPEN, Turn.OPEN) is Turn.OPEN


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.name)
def test_steps_are_numbered_and_alternatives_begin_with_or(order: Order) -> None:
    told = in_one_line(order.found)
    shown_at = []
    for number, (first, *others) in enumerate(order.steps, 1):
        shown_at += [told.index(f" {number}. {first}"), *(told.index(f" or {e}") for e in others)]
    assert shown_at == sorted(shown_at)
    assert len(re.findall(r" or lab ", told)) == sum(len(each) - 1 for each in order.steps)
    assert max(map(len, shown(order.found).splitlines())) <= 80


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_command_stands_twice_on_a_page_and_each_says_why(case: Case) -> None:
    ways = [each for step in plan(findings(case.found)) for each in step.ways]
    assert len({each.command for each in ways}) == len(ways)
    assert [each.command for each in ways if not each.does] == []


def test_a_command_of_several_findings_is_one_step_at_the_earliest_of_their_turns() -> None:
    found = (
        Finding("a", "", (Next("lab one", "does this", Turn.FOLLOW),)),
        Finding("b", "", (Next("lab two", "does much", Turn.ORDERS),)),
        Finding("c", "", (Next("lab one", "does that; does this", Turn.STOP),)),
    )
    assert plan(found) == (
        Step((Next("lab one", "does this; does that", Turn.STOP),)),
        Step((Next("lab two", "does much", Turn.ORDERS),)),
    )


def test_a_command_in_the_place_of_a_runbook_that_was_cut_says_that_it_gives_that_up() -> None:
    found = replace(CASES[0].found, cut="region-failover")
    ways = {each.command: each.does for step in plan(findings(found)) for each in step.ways}
    assert ways["lab runbook run zone-failover --fresh"].endswith("; abandons region-failover")
    assert "gives up" not in ways[TAKE_OVER] + ways[HEALED]


@pytest.mark.parametrize("cut", ["", "zone-failover", "region-failover", "failback"])
def test_each_command_of_a_finding_is_in_the_order_whatever_was_cut(cut: str) -> None:
    healed = replace(CASES[0].found, faults=(), machines=machines({}))
    for found in (healed, *(case.found for case in CASES)):
        told = findings(replace(found, cut=cut))
        wanted = {each.command for one in told for each in one.next}
        assert wanted == {each.command for step in plan(told) for each in step.ways}


def test_a_slot_that_is_about_to_be_lost_is_told_before_the_standby_that_lacks_its_wal() -> None:
    fills = slot(WEST_DB1, active=False, kept=2 * GIB, left=0)
    found = with_nodes(
        node(EAST_DB1, primary=True, slots=(slot(EAST_DB2), fills)),
        node(WEST_DB1, arrived=None, proof=None, receiver="", lag=2 * GIB),
        faults=CLOSED,
    )
    names = [each.name for each in findings(found)]
    assert names == ["slot-fills", "cut-off", "fault-in-force"]
    told = in_one_line(found)
    assert "the next checkpoint may invalidate the slot, and then west.db1 must be rebuilt." in told


def test_shops_that_were_told_at_two_times_are_told_one_by_one() -> None:
    two = tuple(
        InForce(f"{each}'s shop refuses customers' orders", f"2026-11-28 10:0{number}:00 UTC", by,
                refuses=True)
        for number, (each, by) in enumerate((("east", "a-run"), ("west", "")))
    )  # fmt: skip
    told = in_one_line(healthy(in_force=two))
    assert "East's shop refuses customers' orders since 2026-11-28 10:00:00 UTC, by a-run;" in told
    assert "west's shop refuses customers' orders since 2026-11-28 10:01:00 UTC." in told


def test_a_standby_that_replays_is_told_without_a_time_that_leaves_out_the_way() -> None:
    told = in_one_line(healthy())
    assert "west.db1: fresh WAL is replayed" in told
    assert not re.search(r"fresh WAL in \d", told)


def test_every_link_of_a_gateway_that_does_not_answer_is_meant() -> None:
    found = healthy(links=(), unreachable_gateways=("east.gateway",))
    assert re.search(r"every link of east\.gateway +all +no answer", shown(found))


def test_as_data_each_step_lists_its_commands_and_the_finding_says_what_each_stands_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.testbed.lab.Lab.attached", lambda _name: nullcontext())
    monkeypatch.setattr("lab.status.look.look", lambda _lab: CASES[0].found)
    status(as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert [[each["command"] for each in step] for step in told["next"]] == steps(CASES[0].found)
    [none] = [each for each in told["findings"] if each["name"] == "no-primary"]
    assert [each["instead_of"] for each in none["next"]] == ["", HEALED, HEALED]


def test_commands_as_data_name_the_lab_that_was_asked_about(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.testbed.lab.Lab.attached", lambda _name: nullcontext())
    monkeypatch.setattr("lab.status.look.look", lambda _lab: CASES[0].found)
    status(name="second", as_json=True)
    told = json.loads(capsys.readouterr().out)
    ways = [way for step in told["next"] for way in step]
    ways += [way for each in told["findings"] for way in each["next"]]
    typed = [way[field] for way in ways for field in ("command", "instead_of") if way[field]]
    named = [each for each in typed if "--name second" in each]
    assert [each for each in typed if each not in named] == ["lab runbook list"] * typed.count(
        "lab runbook list"
    )
    assert named


def test_nothing_is_wrong_with_a_healthy_lab() -> None:
    assert findings(healthy()) == ()
    told = shown(healthy())
    assert "nothing is wrong" in told
    assert max(map(len, told.splitlines())) <= 80
    assert "east.db1 through east.gateway" in told
    assert "machines  all 17 run" in told
    assert "links  all 18 open, 40 ms each way between the regions" in told


def test_every_situation_is_recognised_in_one_of_the_cases() -> None:
    assert {name for case in CASES for name in case.recognised} == {row.name for row in SITUATIONS}


def test_commands_name_the_lab_if_it_is_not_the_usual_one() -> None:
    told = in_one_line(CASES[0].found, partial(words.typed, program="lab", flag=" --name second"))
    assert "lab runbook run --name second zone-failover" in told
    assert "lab fault heal --name second --all" in told


def test_what_a_person_is_told_to_run_are_runbooks_that_lead_there() -> None:
    books = [runbookfile.read(path, moves.vocabulary()) for path in shipped.shipped()]
    plans = {book.name: (book.plan.old, book.plan.new) for book in books}
    assert {pair: plans[name] for pair, name in FAILOVERS.items()} == {p: p for p in FAILOVERS}
    for (primary, place), name in BACK.items():
        old, new = plans[name]
        assert primary in (old, new), name
        assert place.site == new.site, name


def test_a_standby_is_proven_against_the_primary_at_the_end_of_its_own_upstreams() -> None:
    nodes = (
        node(EAST_DB1, primary=True), node(EAST_DB2), node(WEST_DB1, primary=True), node(WEST_DB2),
    )  # fmt: skip
    asked = {each.place: each for each in nodes}
    assert source_of(asked[EAST_DB2], asked) == EAST_DB1
    assert source_of(asked[WEST_DB2], asked) == WEST_DB1


def test_without_a_primary_a_standby_is_compared_with_the_one_that_it_follows() -> None:
    nodes = (FROZEN, node(EAST_DB2), node(WEST_DB1), node(WEST_DB2))
    asked = {each.place: each for each in nodes}
    assert source_of(asked[WEST_DB2], asked) == WEST_DB1
    assert source_of(asked[WEST_DB1], asked) is None


def _has(*nodes: NodeReport) -> dict[Place, int | None]:
    return {each.place: each.alone_bytes for each in alone(nodes)}


def test_what_a_node_alone_has_counts_from_the_fork() -> None:
    first, second = promoted_beside()
    assert _has(first, second) == {EAST_DB1: 4 * MIB, WEST_DB1: MIB}


def test_without_a_primary_the_node_that_has_most_alone_has_the_difference() -> None:
    assert _has(node(EAST_DB2), node(WEST_DB1, received=END - MIB)) == {EAST_DB2: MIB, WEST_DB1: 0}


def test_the_only_primary_and_a_standby_of_its_timeline_have_nothing_alone() -> None:
    # The standby was asked a moment later, and has what the primary wrote in between.
    assert _has(node(EAST_DB1, primary=True), node(EAST_DB2, received=END + 512)) == {
        EAST_DB1: None, EAST_DB2: 0,
    }  # fmt: skip


def test_every_database_has_a_row_whatever_becomes_of_it() -> None:
    nodes = tuple(silent(each, "its machine is down", "exited") for each in DATABASES)
    found = healthy(nodes=nodes, machines=machines(dict.fromkeys(DATABASES, "exited")))
    lines = shown(found)
    assert all(re.search(rf"^{each} +silent", lines, re.MULTILINE) for each in DATABASES)
    assert "No standby answers." in in_one_line(found)


@pytest.mark.parametrize(
    ("taken", "shops", "limit", "left"),
    [(20, 18, 165, 147), (190, 18, 165, 7), (165, 165, 165, 0), (20, 18, None, 177)],
    ids=["their own limit", "the server's", "all are taken", "no limit of their own"],
)
def test_the_connections_that_are_left_for_shops_are_the_fewer_of_two(
    taken: int, shops: int, limit: int | None, left: int
) -> None:
    said = Profile(connections=taken, most=197, shop_sessions=shops, shop_most=limit)
    assert said.connections_left == left
