"""A matrix as a document and a page: rules that show, cells that differ, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest

from lab.commands.matrix import verdict
from lab.core.verdict import Verdict
from lab.drills.matrix import predicted
from lab.report import matrixpage
from lab.runbooks import matrixresults, permutations
from lab.runbooks.matrixresults import QUESTIONS, Grid, Row
from lab.runbooks.predict import End


def made(where: str = "partition") -> tuple[Row, ...]:
    """Every order as if users had seen exactly what was predicted."""
    return tuple(
        Row(order, where, (vector := predicted(order, where).vector), vector, outage=3.0)
        for order in permutations.orders()
    )


def whole(*rows: Row) -> Grid:
    return Grid(rows, 60.0, 2, "2 cores", "lab 0", "2026-01-01T00:00:00+00:00")


def test_the_rules_of_the_exercise_show_by_themselves() -> None:
    found = list(matrixresults.rules(made()))
    assert any(
        each.startswith("“promote the replica, writes on” before “stop writes”: split brain")
        for each in found
    )
    assert any("“shift traffic” before “warm caches" in each and "cold" in each for each in found)
    assert any("“resume read-write” before “stop writes”: end not right" in each for each in found)


def test_a_few_orders_make_no_rule() -> None:
    few = [row for row in made() if row.order in ("SPWTR", "RTWPS")]
    assert len(few) >= 2
    assert list(matrixresults.rules(few)) == []


def test_of_120_orders_60_have_a_pair_one_way_and_60_the_other() -> None:
    for share in matrixresults.shares(made(), QUESTIONS[0]):
        assert share.of == 60


def test_a_matrix_is_read_back_as_it_was_written() -> None:
    found = whole(*made(), *made("region-dead"))
    assert matrixresults.from_json(matrixresults.to_json(found)) == found


def test_the_verdict_is_fail_for_a_disagreement_and_unknown_for_what_was_not_played() -> None:
    first, *rest = made()
    assert verdict(whole(first, *rest)) is Verdict.PASS
    assert verdict(whole(replace(first, observed=None, problem="no"), *rest)) is Verdict.UNKNOWN
    other = replace(first.predicted, end=End.STUCK)
    assert verdict(whole(replace(first, observed=other), *rest)) is Verdict.FAIL


def test_the_page_names_every_order_and_marks_what_differs() -> None:
    first, second, *rest = made()
    other = replace(first.predicted, end=End.STUCK)
    text = matrixpage.page(
        whole(
            replace(first, observed=other), replace(second, observed=None, problem="<busy>"), *rest
        )
    )
    assert all(f">{order}<" in text for order in permutations.orders())
    assert text.count(" differs") == 1 + 1  # the cell, and its style
    assert "not played: &lt;busy&gt;" in text
    assert "{" not in text.split("</style>")[1].replace("{}", "")


@pytest.mark.parametrize("where", permutations.SCENARIOS)
def test_a_page_with_one_order_alone_can_be_drawn(where: str) -> None:
    row = next(iter(made(where)))
    assert row.order in matrixpage.page(whole(row))
