"""The catalogue as data: rows that say everything, and aims that fit."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.commands.fault.inject import seconds_of
from lab.commands.fault.target import aimed as aimed_by_words
from lab.core.errors import UnknownName, UsageError
from lab.core.quantity import strength
from lab.core.topology import EAST, EAST_DB1, WEST_DB2, Place, link, links
from lab.drills.finding import drills
from lab.faults import acting
from lab.faults.catalogue import aimed, fault, faults
from lab.faults.linked import _NOT_ASKED, _told
from lab.faults.listing import markdown
from lab.faults.row import Aim, Aimed, Amount, Fault, Takes
from lab.faults.sight import Server
from lab.faults.slow import _is_uneven
from lab.infra.linkstates import LinkState, Toxic
from lab.infra.probe import Pinged

ROWS = faults()
LINK = link("east:west:sql")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_a_row_says_what_it_does_teaches_and_who_notices(row: Fault) -> None:
    for text in (row.why, row.teaches, row.how, row.noticed):
        assert len(text) > 15
        assert not text.endswith(".")


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_what_a_row_means_without_being_told_is_something_that_it_takes(row: Fault) -> None:
    default = row.at().aim
    if row.takes is Takes.LINKS:
        assert default.links
        assert not row.purposes or {each.purpose.name for each in default.links} <= {*row.purposes}
    if row.takes is Takes.NODE:
        assert default.node in row.nodes
    if row.takes is Takes.REGION:
        assert default.region is not None
    assert (default.amount is None) == (row.amount is None)
    assert not row.touches(default) or all(row.touches(default))


def test_no_two_rows_have_one_name_and_the_list_is_in_order() -> None:
    names = [row.name for row in ROWS]
    assert names == sorted(set(names))


def test_an_unknown_fault_names_the_nearest_one() -> None:
    with pytest.raises(UnknownName, match="partitoin") as caught:
        fault("partitoin")
    assert "partition" in caught.value.nearest


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("freeze", {"links": [LINK]}, "freeze takes no --link"),
        ("refused", {"node": EAST_DB1}, "refused takes no --node"),
        ("partition", {"region": EAST}, "partition takes no --region"),
        ("bandwidth", {"links": [LINK]}, "cannot target east:west:sql"),
        ("app-loss", {"node": EAST_DB1}, "cannot target east.db1"),
        ("refused", {"amount": 3.0}, "takes no --amount"),
        ("delay", {"amount": 99_999.0}, "out of range"),
        ("delay", {"amount": 0.0}, "out of range"),
    ],
)
def test_what_does_not_fit_is_refused_with_a_reason(
    name: str, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        aimed(fault(name), **given)


def test_what_is_named_is_aimed_at_and_the_rest_is_what_the_row_means() -> None:
    chosen = aimed(fault("delay"), [LINK, link("west:east:app")], amount=35.0)
    assert chosen.aim == Aim(links=(LINK, link("west:east:app")), amount=35.0)
    assert str(chosen) == "delay east:west:sql, west:east:app (35 ms)"
    assert aimed(fault("freeze"), node=WEST_DB2).aim == Aim(node=WEST_DB2)
    assert str(aimed(fault("partition"))) == "partition"


@given(st.floats(allow_nan=False))
def test_a_strength_is_taken_within_its_limits_and_refused_beyond(value: float) -> None:
    amount = Amount("late by", "ms", 10, 1, 100)
    if 1 <= value <= 100:
        assert amount.checked(value, "delay") == value
    else:
        with pytest.raises(UsageError, match="1 to 100 ms"):
            amount.checked(value, "delay")


@pytest.mark.parametrize("row", [each for each in ROWS if each.amount], ids=lambda row: row.name)
def test_a_strength_beyond_the_limits_is_told_as_it_was_typed(row: Fault) -> None:
    amount, typed = row.amount, "999GiB" if row.name == "bandwidth" else "999h"
    assert amount
    with pytest.raises(UsageError) as caught:
        aimed_by_words(row.name, [], None, None, typed)
    assert caught.value.message == f"{row.name}: --amount '{typed}' is out of range"
    assert caught.value.next_step == (
        f"{amount.what}: {amount.least:g} to {amount.most:g} {amount.unit}"
    )


@pytest.mark.parametrize("typed", ["0s", "0ms", "0.0h"])
def test_a_fault_that_is_to_last_no_time_is_refused(typed: str) -> None:
    with pytest.raises(UsageError, match=rf"--for '{typed}' is no time\n.*more than 0 s"):
        seconds_of(typed)
    assert seconds_of("1ms") == 0.001


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [("200ms", "ms", 200), ("1s", "ms", 1000), ("15s", "s", 15), ("1m", "s", 60),
     ("32KiB", "KiB/s", 32), ("32KiB/s", "KiB/s", 32), ("1MiB", "KiB/s", 1024)],
)  # fmt: skip
def test_a_strength_is_written_with_its_unit(text: str, unit: str, value: float) -> None:
    assert strength(text, unit, "--amount") == pytest.approx(value)


@pytest.mark.parametrize(("text", "unit"), [("200", "ms"), ("15", "s"), ("32", "KiB/s")])
def test_a_strength_without_a_unit_is_refused(text: str, unit: str) -> None:
    with pytest.raises(UsageError, match="needs a unit"):
        strength(text, unit, "--amount")


# ── what is in force ─────────────────────────────────────────────────────────────────────────


class Seen:
    """A lab as it might look: links that are closed or poisoned, machines that are dead."""

    def __init__(self, closed: Sequence[str] = (), dead: Sequence[Place] = ()) -> None:
        self.links = {
            each: LinkState(each, True, each.name not in closed, 0, ()) for each in links()
        }
        self._dead = dead
        self.machines: dict[Place, Any] = {}
        self.servers: dict[Place, Server] = {}

    def closed(self, which: Any) -> bool:
        return not self.links[which].open

    def dead(self, place: Place) -> bool:
        return place in self._dead


def present(name: str, seen: Seen) -> tuple[Aim, ...]:
    return fault(name).present(seen)  # type: ignore[arg-type]


def test_a_closed_link_is_refused_and_all_between_the_regions_are_a_partition() -> None:
    one = Seen(closed=["east:west:sql"])
    assert present("refused", one) == (Aim(links=(LINK,)),)
    assert present("partition", one) == ()
    wan = [each.name for each in links() if each.origin in ("east", "west")]
    assert len(present("partition", Seen(closed=wan))) == 1
    assert present("partition", Seen(closed=wan[1:])) == ()


def test_a_poisoned_link_says_how_strongly() -> None:
    seen = Seen()
    toxic = Toxic("delay", "latency", "upstream", {"latency": 250})
    seen.links[LINK] = replace(seen.links[LINK], toxics=(toxic,))
    assert present("delay", seen) == (Aim(links=(LINK,), amount=250.0),)
    assert present("jitter", seen) == ()


def test_a_dead_region_is_told_from_single_dead_machines() -> None:
    from lab.core.topology import machines_of

    whole = machines_of(EAST)
    assert present("region-loss", Seen(dead=whole)) == (Aim(region=EAST),)
    assert present("region-loss", Seen(dead=whole[1:])) == ()
    assert present("zone-loss", Seen(dead=[EAST_DB1])) == (Aim(node=EAST_DB1),)


def test_a_wide_fault_explains_the_narrow_ones() -> None:
    region = Aimed(fault("region-loss"), Aim(region=EAST))
    node = Aimed(fault("zone-loss"), Aim(node=EAST_DB1))
    closed = Aimed(fault("refused"), Aim(links=(link("west:east:sql"),)))
    elsewhere = Aimed(fault("refused"), Aim(links=(LINK,)))
    found = list(acting._widest([node, closed, region, elsewhere]))
    assert found == [region, elsewhere]


def test_of_two_faults_as_wide_the_one_that_can_only_be_that_is_named() -> None:
    view = link("checks-west:east:app")
    general = Aimed(fault("refused"), Aim(links=(view,)))
    special = fault("steerings-disagree").at()
    assert list(acting._widest([general, special])) == [special]


@pytest.mark.parametrize(
    ("words", "state"),
    [
        ({"running", "pidfile", "in production"}, "running"),
        ({"pidfile", "in production"}, "crashed"),
        ({"in production"}, "stopped_at_once"),
        ({"shut down"}, "stopped_clean"),
        ({"standby", "shut down in recovery"}, "stopped_clean"),
        ({"standby", "in archive recovery"}, "stopped_at_once"),
    ],
)
def test_what_stands_on_a_disk_tells_how_a_server_ended(words: set[str], state: str) -> None:
    server = Server(frozenset(words))
    states = ("running", "crashed", "stopped_at_once", "stopped_clean")
    assert [each for each in states if getattr(server, each)] == [state]


def test_the_documentation_holds_the_rows_as_they_are() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "faults.md").read_text()
    assert text.partition("<!-- catalogue -->\n")[2] == markdown(ROWS)


def test_the_documentation_has_a_measured_time_for_every_fault() -> None:
    text = (Path(__file__).parent.parent.parent / "docs" / "faults.md").read_text()
    for row in ROWS:
        assert f"| {row.name} |" in text


def test_the_readme_names_every_drill() -> None:
    text = (Path(__file__).parent.parent.parent / "README.md").read_text()
    assert [each.name for each in drills() if f"`{each.name}`" not in text] == []


def test_a_busy_machine_that_answers_late_now_and_then_is_no_jitter() -> None:
    steady, uneven = [0.01] * 10, [0.01 + 0.012 * number for number in range(10)]
    for answers, expected in ((steady, False), ([*steady, 0.3, 0.4], False), (uneven, True)):
        found = Pinged(0.001, tuple(answers), None, "")
        assert _is_uneven(link("west:east:app"), found, fault("jitter").at().aim) is expected


def test_a_lost_region_is_cut_off_then_its_databases_die_then_the_rest() -> None:
    struck = list[object]()

    def armed(places: Sequence[Place]) -> Callable[[], None]:
        return lambda: struck.append({each.service for each in places})

    lab: Any = SimpleNamespace(
        links=SimpleNamespace(armed_to_close=lambda _links: lambda: struck.append("border")),
        engine=SimpleNamespace(armed_to_kill=armed),
    )
    fault("region-loss").at().arm(lab)()
    border, databases, rest = struck
    assert (border, databases) == ("border", {"db1", "db2"})
    assert rest == {"gateway", "dns", "app", "cache", "steering"}


@pytest.mark.parametrize(
    ("error", "told"),
    [
        ("", "answer"), ("refused", "refuse connections"), ("silent", "give no answer"),
        ("reset", "reset connections"), ("closed", "close connections"),
        (_NOT_ASKED.error, "were not tried: no machine in that region can test the link"),
    ],
)  # fmt: skip
def test_links_that_say_the_same_are_told_together(error: str, told: str) -> None:
    three = {each: Pinged(0.001, (0.002,), None, error) for each in links()[:3]}
    assert _told(three) == f"3 links {told}"
