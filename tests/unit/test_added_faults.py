"""Faults that a command line adds to a run: `--with 'freeze node=west.db2 at=promote for=10s'`."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.commands.parsing.faultwords import completed
from lab.core.errors import LabError, UsageError
from lab.core.topology import links
from lab.drills.addedfaults import Added, added_to, read
from lab.drills.execution import Plan, again
from lab.drills.finding import drill
from lab.drills.rehearsal import drill_of
from lab.drills.row import Drill
from lab.faults.catalogue import aimed, fault, faults
from lab.faults.row import Aimed, Fault, Takes
from lab.runbooks.runbookfile import read as runbook
from lab.runbooks.scenarios import scenario
from lab.runbooks.shipped import find
from lab.steps.catalogue import vocabulary

LOSS = drill("region-loss").read()
BOOK = runbook(find("drain"), vocabulary())
DRAIN = drill_of(BOOK, scenario("healthy"))
PARTITION = drill_of(runbook(find("split-brain"), vocabulary()), scenario("partition"))


# ── a text is read as it is written ──────────────────────────────────────────────────────────────


def _links(row: Fault) -> list[str]:
    fits = (each for each in links() if not row.purposes or each.purpose.name in row.purposes)
    return [each.name for each in fits] if row.takes is Takes.LINKS else []


@st.composite
def pointed(draw: st.DrawFn) -> Aimed:
    """Any fault, at any of its targets, as strong as it may be."""
    row = draw(st.sampled_from(faults()))
    amount = None
    if row.amount is not None:
        amount = draw(st.integers(int(row.amount.least), int(row.amount.most)))
    named = draw(st.sampled_from([None, *_links(row)]))
    chosen = [each for each in links() if each.name == named]
    node = draw(st.sampled_from([None, *row.nodes]))
    return aimed(row, chosen, node, amount=amount)


moments = st.integers(0, 3_600_000).map(lambda each: each / 1000)
added = st.builds(
    Added,
    pointed(),
    st.one_of(st.none(), moments, st.sampled_from([each.name for each in vocabulary()])),
    st.one_of(st.none(), st.integers(1, 3_600_000).map(lambda each: each / 1000)),
)


@given(added)
def test_what_is_written_is_read_as_it_was(one: Added) -> None:
    assert read(str(one)) == one


def test_spaces_and_units_are_as_people_type_them() -> None:
    assert read("  lag-hold   amount=1500ms at=1m for=0.5s ") == Added(
        fault("lag-hold").at(aimed(fault("lag-hold"), amount=1.5).aim), 60.0, 0.5
    )


# ── it becomes the rows that a drill's script has ────────────────────────────────────────────────


def rows(chosen: Drill) -> tuple[list[str], list[tuple[float, str, str]]]:
    """Steps before the faults and beside the runbook."""
    meanwhile = [(each.at, each.step, each.call.step) for each in chosen.meanwhile]
    return [each.step for each in chosen.arrange], meanwhile


@pytest.mark.parametrize(
    ("text", "arranged", "meanwhile"),
    [
        ("partition at=0s for=43s", [], [(0, "", "inject"), (43, "", "heal")]),
        ("lag-hold amount=15s", ["inject", "wait"], []),
        ("disk-full for=20s", ["inject"], [(20, "", "heal")]),
        ("freeze node=west.db2 at=promote", [], [(0, "promote", "inject")]),
        ("freeze at=promote for=9s", [], [(0, "promote", "inject"), (9, "promote", "heal")]),
    ],
)
def test_a_fault_strikes_before_during_or_at_a_step(
    text: str, arranged: list[str], meanwhile: list[tuple[float, str, str]]
) -> None:
    assert rows(added_to(LOSS, [text])) == (arranged, meanwhile)


def test_a_lag_is_whole_before_the_faults_strike() -> None:
    [_, wait] = added_to(LOSS, ["lag-hold amount=20s"]).arrange
    assert wait.options == {"seconds": 21}


def test_what_a_drill_has_of_its_own_stays_and_comes_first() -> None:
    own = drill("visible-then-gone").read()
    more = added_to(own, ["delay amount=250ms", "partition at=1s"])
    assert more.meanwhile[: len(own.meanwhile)] == own.meanwhile
    assert [each.step for each in more.arrange] == ["inject"]
    assert more.objectives == own.objectives


def test_the_command_that_runs_it_again_adds_the_same_faults() -> None:
    texts = ["partition at=0s for=43s", "freeze node=west.db2 at=promote"]
    chosen = added_to(LOSS, texts)
    command = Plan(drill=chosen, lab="x", seed=3).command(3)
    assert command == ["lab", "drill", "region-loss", "--seed", "3", "--with", texts[0], "--with",
                       texts[1]]  # fmt: skip
    assert added_to(LOSS, again(chosen)[1::2]) == chosen


# ── mistakes ─────────────────────────────────────────────────────────────────────────────────────

MISTAKES = [
    (LOSS, "partitoin at=3s", "there is no fault called 'partitoin'", "did you mean partition"),
    (LOSS, "partition att=3s", "no option of --with called 'att'", "did you mean at?"),
    (LOSS, "partition 3s", "no option of --with called '3s'", "known: amount, at"),
    (LOSS, "freeze node=east.db1 link=west:east:sql", "link and node are given", "keep one"),
    (LOSS, "freeze at=1s at=2s", "at is given twice", "keep one"),
    (LOSS, "partition amount=3s", "partition takes no amount", "lab fault list partition"),
    (LOSS, "lag-hold amount=15", "amount 15: a duration needs a unit", "write 15s"),
    (LOSS, "lag-hold amount=90s", "'90s' is out of range", "1 to 50 s"),
    (LOSS, "freeze node=west.db9", "no node called 'west.db9'", "did you mean west.db"),
    (LOSS, "resets node=east.db1", "resets takes no node", "it takes link"),
    (LOSS, "freeze at=promot", "no step in region-failover called 'promot'", "mean promote?"),
    (LOSS, "freeze at=rewind", "no step in region-failover called 'rewind'", "mean repoint?"),
    (LOSS, "freeze at=3", "at 3: a duration needs a unit", "write 3s"),
    (LOSS, "freeze at=-3s", "at '-3s' is no duration", "write 500ms"),
    (LOSS, "freeze at=", "at has no value", "write at=VALUE"),
    (LOSS, "freeze for=0s", "for '0s' is no time", "more than 0 s"),
    (LOSS, "freeze for=2h", "for '2h' is more than 3600s", "3600s or less"),
    (LOSS, "freeze at=200s for=100s", "the run is over by then", "less than 300 s"),
    (LOSS, "region-loss at=3s", "the run has region-loss region=east already", "each fault once"),
    (LOSS, "engine-restart at=3s", "engine-restart cannot be part of a run", "by itself"),
    (LOSS, "second-primary", "needs a primary that was replaced", "at=announce"),
    (LOSS, "", "no fault is named", "lab fault list"),
    (LOSS, "at=3s", "no fault is named", "its name comes first"),
    (DRAIN, "freeze at=promote", "no step in drain called 'promote'", "known: "),
    (PARTITION, "partition at=3s", "the run has partition already", "leave one out"),
]  # fmt: skip


@pytest.mark.parametrize(("chosen", "text", "told", "hint"), MISTAKES)
def test_a_mistake_is_told_with_the_text_and_a_correct_example(
    chosen: Drill, text: str, told: str, hint: str
) -> None:
    with pytest.raises(UsageError) as caught:
        added_to(chosen, [text])
    error = caught.value
    assert error.message.startswith(f"--with {text!r}: ")
    assert told in error.message
    assert hint in error.next_step
    example = error.next_step.partition("for example --with '")[2].removesuffix("'")
    assert added_to(chosen, [example]).added == (example,)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("freeze node=west.db2", "freeze node=west.db2 at=5s"),
        ("lag-hold amount=15s", "lag-hold amount=5s at=9s"),
        ("freeze at=1s", "freeze node=east.db1 at=9s"),
    ],
)
def test_the_same_fault_twice_is_refused_whatever_its_strength(first: str, second: str) -> None:
    with pytest.raises(LabError, match="already"):
        added_to(LOSS, [first, second])
    with pytest.raises(LabError, match="already"):
        added_to(drill("lag-15s").read(), ["lag-hold amount=5s"])
    assert added_to(LOSS, [first, "freeze node=west.db1 at=5s"]).added[0] == str(read(first))


@pytest.mark.parametrize("row", faults(), ids=lambda row: row.name)
def test_every_fault_can_be_added_or_says_why_not(row: Fault) -> None:
    if row.unfit:
        with pytest.raises(UsageError, match="cannot be part of a run"):
            added_to(DRAIN, [row.name])
    else:
        assert added_to(DRAIN, [f"{row.name} at=3s"]).meanwhile


# ── the shell ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("begun", "found"),
    [
        ("parti", ["partition", "partition-silent"]),
        ("region-loss r", ["region-loss region=east", "region-loss region=west"]),
        ("freeze node=x a", ["freeze node=x at=", "freeze node=x amount="]),
        ("freeze node=west.db", ["freeze node=west.db1", "freeze node=west.db2"]),
        ("freeze at=prom", ["freeze at=promote"]),
        ("delay am", ["delay amount=200ms"]),
        ("freeze am", []),
        ("silent link=west:east:re", ["silent link=west:east:replication"]),
        ("freeze for=", ["freeze for=10s"]),
        ("freeze no=", []),
    ],
)
def test_the_shell_completes_the_last_word(begun: str, found: list[str]) -> None:
    assert completed(begun) == found
