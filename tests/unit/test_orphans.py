"""Orders that only a loser has: no column is lost on the way, and replay is safe or refused."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from dataclasses import astuple, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_up import region_loss
from shop.sessions import password_matches

from lab.core.errors import UsageError
from lab.drills.reconcile import load, told_by
from lab.metrics.orphans import (
    CSV_FILE,
    LOCKED,
    OrderRow,
    Orphan,
    Present,
    State,
    collect,
    decide,
    from_csv,
    insert_order,
    literal,
    order_row,
    to_csv,
    to_sql,
)
from lab.metrics.rawrecord import Disk, Disks
from lab.metrics.walopinion import Evidence
from lab.records import checksums
from lab.records.result import to_json

ROW = OrderRow(7, "east-1", "east-ab-0001", 3, 2, 1500, "east", 1, "2026-01-02 03:04:05+00")
ORPHAN = Orphan(ROW, "ok", "east_db1")
PRODUCTS = frozenset({3})
KEYS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))


def orphan(outcome: str = "ok", **changes: object) -> Orphan:
    return Orphan(replace(ROW, **changes), outcome, "east_db1")  # type: ignore[arg-type]


def meaning(quoted: str) -> str:
    """What PostgreSQL reads in a literal ('…' or E'…' with escaped backslashes)."""
    escaped = quoted.startswith("E")
    body = quoted.removeprefix("E")[1:-1].replace("''", "\x00")
    assert "'" not in body
    assert escaped or "\\" not in body
    return (
        re.sub(r"\\(.)", r"\1", body.replace("\x00", "'")) if escaped else body.replace("\x00", "'")
    )


# ── files ────────────────────────────────────────────────────────────────────────────────────


@given(KEYS, TEXT)
def test_any_order_survives_the_way_to_the_file_and_back(key: str, customer: str) -> None:
    customer = customer.replace("\r", "")  # a name never has one, and a CSV reader folds it
    wanted = (orphan(key=key, customer=customer), orphan("unknown", key=f"{key}2"))
    assert from_csv(to_csv(wanted), "there") == wanted


@pytest.mark.parametrize(
    "text", ["", "a,b\n1,2\n", to_csv([ORPHAN]) + "1,2\n", to_csv([ORPHAN]).replace("7", "x")]
)
def test_a_file_that_holds_something_else_is_wrong_usage(text: str) -> None:
    with pytest.raises(UsageError, match=r"orphans\.csv is no file of orphans"):
        from_csv(text, "orphans.csv")


def cut(text: str) -> str:
    return text[:-4]


DAMAGE = {
    "a column too few": (lambda text: text + "1,2\n", "line 3: 2 columns instead of 11"),
    "no number": (lambda text: text.replace("7,", "x,"), "line 2: id is 'x': no number"),
    "a number of 400 digits": (lambda text: text.replace("7,", f"{'9' * 400},"), "id is '999"),
    "a number behind zeros": (
        lambda text: text.replace("7,", f"{'0' * 20}{'9' * 30},"), "id is '000",
    ),
    "a number of 5000 digits": (lambda text: text.replace("7,", f"{'0' * 5000},"), "id is '000"),
    "digits of another script": (lambda text: text.replace("7,", "٣,"), "id is '٣': no number"),
    "a month that no year has": (
        lambda text: text.replace("-01-02 ", "-13-02 "), "created_at is '2026-13-02",
    ),
    "an endless field": (lambda text: text + "x" * 200_000 + "\n", "line 3: no row of a table"),
    "a number too large for its column": (
        lambda text: text.replace(",1500,", f",{2**31},"), "unit_price_cents is '2147483648'",
    ),
    "a negative number": (lambda text: text.replace(",1500,", ",-1,"), "unit_price_cents is '-1'"),
    "a line twice": (
        lambda text: text + text.splitlines()[1] + "\n", "line 3: the key 'east-1' was there",
    ),
    "a cut line": (cut, "its last line is cut"),
    "no moment": (lambda text: text.replace("03:04:05", "25:04:05"), "line 2: created_at is"),
    "an unknown node": (lambda text: text.replace("_db1", "_db7"), "no such answer or node"),
    "a NUL": (lambda text: text.replace("-ab-", "-\0-"), "customer has a character"),
}  # fmt: skip


@pytest.mark.parametrize(("damage", "told"), DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_file_of_orphans_is_refused_with_its_line(
    damage: Callable[[str], str], told: str
) -> None:
    with pytest.raises(UsageError, match=r"^orphans\.csv is no file of orphans: line") as refused:
        from_csv(damage(to_csv([ORPHAN])), "orphans.csv")
    assert told in refused.value.message
    assert refused.value.next_step


def left(folder: Path, orphaned: tuple[Orphan, ...]) -> Path:
    """A made-up run that left orphans, or none."""
    found = region_loss().model_copy(update={"orphans_file": CSV_FILE if orphaned else None})
    (folder / "result.json").write_text(to_json(found))
    if orphaned:
        (folder / CSV_FILE).write_text(to_csv(orphaned))
        checksums.write(folder, [CSV_FILE])
    return folder


def every_lost_order() -> tuple[Orphan, ...]:
    return tuple(orphan(key=key) for key in region_loss().lost_ids)


def test_the_orphans_of_a_run_are_read_back(tmp_path: Path) -> None:
    assert load(left(tmp_path, every_lost_order())) == every_lost_order()


def test_a_run_without_orphans_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="left no orphans"):
        load(left(tmp_path, ()))


def test_a_file_of_orphans_that_is_gone_is_no_run_without_any(tmp_path: Path) -> None:
    (left(tmp_path, every_lost_order()) / CSV_FILE).unlink()
    with pytest.raises(UsageError, match=r"orphans\.csv is gone, but the run left orphans"):
        load(tmp_path)


def test_a_file_of_orphans_that_is_cut_at_the_end_of_a_line_is_refused(tmp_path: Path) -> None:
    whole = every_lost_order()
    left(tmp_path, whole[:-1])
    with pytest.raises(UsageError, match=f"lacks 1 of {len(whole)} lost orders"):
        load(tmp_path)
    (left(tmp_path, whole) / CSV_FILE).write_text(to_csv((*whole, orphan("unknown"))))
    with pytest.raises(UsageError, match=r"orphans\.csv is changed"):
        load(tmp_path)


def test_orphans_of_a_run_without_its_checksums_are_refused(tmp_path: Path) -> None:
    (left(tmp_path, every_lost_order()) / checksums.FILE).unlink()
    with pytest.raises(UsageError, match=r"SHA256SUMS is gone: nothing tells what else is"):
        load(tmp_path)


def test_a_file_of_orphans_in_a_run_that_left_none_is_refused(tmp_path: Path) -> None:
    (left(tmp_path, ()) / CSV_FILE).write_text(to_csv([ORPHAN]))
    with pytest.raises(UsageError, match=r"orphans\.csv is not of this run, which left no orphans"):
        load(tmp_path)


def test_an_order_that_no_loser_of_the_run_had_is_refused(tmp_path: Path) -> None:
    known, foreign = every_lost_order(), orphan("unknown", key="east-foreign")
    left(tmp_path, known)
    disks = Disks(disks={"east_db1": Disk(Evidence(), tuple(each.order for each in known))})
    (tmp_path / "disks.json").write_text(disks.model_dump_json())
    assert load(tmp_path) == known
    changed = replace(known[0], order=replace(known[0].order, quantity=99))
    for others in ((*known, foreign), (changed, *known[1:])):
        left(tmp_path, others)
        with pytest.raises(UsageError, match=r"orphans\.csv has 1 order that no loser of the run"):
            load(tmp_path)


@pytest.mark.parametrize("made", [Path.mkdir, lambda path: path.symlink_to(CSV_FILE)])
def test_what_stands_in_the_place_of_the_file_is_named(
    tmp_path: Path, made: Callable[[Path], None]
) -> None:
    path = left(tmp_path, every_lost_order()) / CSV_FILE
    path.unlink()
    made(path)
    with pytest.raises(UsageError, match=r"orphans\.csv"):
        load(tmp_path)


def test_a_row_is_read_from_the_texts_of_its_columns() -> None:
    assert order_row([str(value) for value in astuple(ROW)]) == ROW


def test_an_order_that_two_machines_have_is_one_orphan_of_the_first() -> None:
    rows = {"east_db1": [ROW], "east_db2": [replace(ROW, attempts=2), replace(ROW, key="k2")]}
    found = collect(rows, {"east-1": "ok"}.get)
    assert [(e.order.key, e.order.attempts, e.outcome, e.loser) for e in found] == [
        ("east-1", 1, "ok", "east_db1"),
        ("k2", 1, "not recorded", "east_db2"),
    ]


# ── SQL ──────────────────────────────────────────────────────────────────────────────────────


@given(TEXT)
def test_a_literal_means_the_text_it_was_made_of(text: str) -> None:
    assert meaning(literal(text)) == text


def test_a_text_that_no_database_can_hold_is_refused() -> None:
    with pytest.raises(UsageError):
        literal("a\0b")


def test_an_order_is_inserted_under_its_key_and_without_its_old_id() -> None:
    assert insert_order(ROW) == (
        "INSERT INTO orders (key, customer, product_id, quantity, unit_price_cents, region,"
        " attempts, created_at) VALUES ('east-1', 'east-ab-0001', 3, 2, 1500, 'east', 1,"
        " '2026-01-02 03:04:05+00') ON CONFLICT (key) DO NOTHING"
    )


def test_the_file_is_one_transaction_with_accounts_before_orders() -> None:
    text = to_sql([ORPHAN, orphan(key="k2"), orphan("fail", key="k3")], "region-loss")
    statements = [line for line in text.splitlines() if not line.startswith("--")]
    assert statements[0] == "BEGIN;"
    assert statements[-1] == "COMMIT;"
    assert [line.split()[2] for line in statements[1:-1]] == ["customers", "orders", "orders"]
    assert LOCKED in statements[1]
    assert "k3" not in text
    assert "1 left out: its user was told that it failed" in text


def test_nothing_in_the_file_s_head_can_end_its_comment() -> None:
    lines = to_sql([ORPHAN], "x\nDROP TABLE orders;").splitlines()
    assert not any(line.startswith("DROP") for line in lines)


def test_a_file_that_a_step_wrote_is_taken_as_it_is_and_that_of_a_run_by_its_run(
    tmp_path: Path,
) -> None:
    file = tmp_path / "orphans-east_db1-timeline-1.csv"
    file.write_text(to_csv([ORPHAN]))
    assert told_by(str(file)) == (file.name, (ORPHAN,))
    file.rename(tmp_path / CSV_FILE)
    with pytest.raises(UsageError, match="no finished run"):
        told_by(str(tmp_path / CSV_FILE))


# ── what can be done ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("found", "present", "state", "new_customer", "why"),
    [
        (ORPHAN, Present({}, {"east-ab-0001"}, PRODUCTS), State.READY, False, "is there"),
        (ORPHAN, Present({}, frozenset(), PRODUCTS), State.READY, True, "without a password"),
        (ORPHAN, Present({"east-1": ("east-ab-0001", 3, 2)}), State.ALREADY, False, "is there"),
        (ORPHAN, Present({"east-1": ("east-ab-0001", 3, 9)}), State.CONFLICT, False, "another"),
        (ORPHAN, Present({"east-1": ("someone", 3, 2)}), State.CONFLICT, False, "another"),
        (ORPHAN, Present({}, {"east-ab-0001"}), State.CONFLICT, False, "no product 3"),
        (orphan("fail"), Present({}, frozenset(), PRODUCTS), State.CONFLICT, False, "failed"),
        (orphan("unknown"), Present({}, frozenset(), PRODUCTS), State.READY, True, "account"),
        (orphan(key="watch-1"), Present({}, frozenset(), PRODUCTS), State.OWN, False, "lab"),
        (orphan("fail", key="verify-1"), Present(), State.OWN, False, "lab"),
    ],
)  # fmt: skip
def test_what_becomes_of_an_orphan(
    found: Orphan, present: Present, state: State, new_customer: bool, why: str
) -> None:
    (decision,) = decide([found], present)
    assert (decision.state, decision.new_customer) == (state, new_customer)
    assert why in decision.why


@given(
    st.lists(st.tuples(KEYS, st.sampled_from(["ok", "unknown", "local"])), unique_by=lambda e: e[0])
)
def test_what_was_replayed_is_there_the_next_time(wanted: list[tuple[str, str]]) -> None:
    orphans = [orphan(outcome, key=key) for key, outcome in wanted]
    first = decide(orphans, Present({}, frozenset(), PRODUCTS))
    replayed = [d.orphan.order for d in first if d.state is State.READY]
    now = Present(
        {o.key: (o.customer, o.product_id, o.quantity) for o in replayed}, frozenset(), PRODUCTS
    )
    assert not [d for d in decide(orphans, now) if d.state is State.READY]


@pytest.mark.parametrize("password", ["", "00$", LOCKED, "carried-over-without-a-password"])
def test_no_login_works_for_an_account_that_was_carried_over(password: str) -> None:
    assert not asyncio.run(password_matches(password, LOCKED))
