"""The tables of `lab tune`, as rows of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.core import words
from lab.core.steering import FIELDS, MACHINE_ENDS_SECONDS
from lab.patience.cells import NOTHING, QUESTIONS, UNKNOWN, Cell, Loss, Outcome, Tuned, points
from lab.patience.rows import Patience
from lab.report.table import Column, Table

_NOT_PLAYED: Final = "not played"


def tables(found: Tuned) -> tuple[Table, ...]:
    """All that there are rows for."""
    every = (patiences(found), changes(found), blips(found), confirmed(found))
    return tuple(each for each in every if each.rows)


def patiences(found: Tuned) -> Table:
    """What each patience costs, and what it spares."""
    return Table(
        "Each patience",
        (
            Column("patience"),
            Column("a loss is noticed after", "n"),
            Column("RTO of a real loss", "n"),
            Column("blips that moved users", "n"),
            Column("blips after which the runbook would promote", "n"),
            Column("beaten by"),
        ),
        tuple(_patience(found, each) for each in found.patiences),
        "A patience beats another one if it is better in RTO, moves or promotions, and worse in"
        " none of them.",
    )


def changes(found: Tuned) -> Table:
    """What the patiences are."""
    return Table(
        "What they are",
        (Column("patience"), Column("what it is", "line"), Column("what it changes", "line")),
        tuple((each.name, each.why, _changes(each)) for each in found.patiences),
        "Changes are written as --patience takes them.",
    )


def blips(found: Tuned) -> Table:
    """What each patience makes of each blip."""
    lengths = sorted({each.seconds for each in found.cells})
    kinds = [*dict.fromkeys((each.patience, each.blip) for each in found.cells)]
    by_place = {each.place: each for each in found.cells}
    return Table(
        "Each blip, by how long it lasts",
        (Column("patience"), Column("blip"), *(Column(f"{each:g} s") for each in lengths)),
        tuple(
            (
                *kind,
                *(
                    by_place[(*kind, each)].told if (*kind, each) in by_place else ""
                    for each in lengths
                ),
            )
            for kind in kinds
        ),
        "The worst effect of each blip. 4/10: it came in 4 of 10 replays.",
    )


def confirmed(found: Tuned) -> Table:
    """What the lab did, beside what recordings say."""
    rows = [*map(_cell_row, (each for each in found.cells if each.live or each.problem))]
    tried = (each for each in found.losses if each.live_noticed is not None or each.problem)
    return Table(
        "Tried on the lab",
        (
            Column("patience"),
            Column("what", "line"),
            Column("predicted", "line"),
            Column("seen", "line"),
            Column(""),
        ),
        (*rows, *map(_loss_row, tried)),
        f"Chosen by the seed {found.seed}, of cells of which all replays end alike.",
    )


def summary(found: Tuned) -> Iterator[str]:
    """What it comes to, in sentences."""
    edge = sum(not each.firm for each in found.cells if each.replays)
    open_ = sum(not each.replays for each in found.cells)
    yield (
        f"{words.count(len(found.cells), 'cell')}: of {len(found.cells) - edge - open_} all replays"
        f" end alike; of {edge} they differ, because the blip ends close to a threshold"
    )
    if found.stretch > 1:
        waits = words.seconds(MACHINE_ENDS_SECONDS * found.stretch)
        yield f"This machine is slow: confirm waits {waits} instead of {MACHINE_ENDS_SECONDS:g} s"
    if open_:
        yield f"{words.count(open_, 'cell')} without a recording that can be played"
    if not found.live:
        yield "Predicted from recordings alone: no RTO was measured, and nothing was confirmed"
        return
    played = found.played
    agreed = sum(each.agrees for each in played)
    yield f"{agreed} of {len(played)} did on the lab what was predicted"


def _patience(found: Tuned, row: Patience) -> tuple[str, ...]:
    loss, known = found.loss(row.name), {each.patience: each for each in points(found)}
    own = known.get(row.name)
    beaten = [name for name, each in known.items() if own and each.beats(own)]
    return (
        row.name,
        _noticed(loss),
        words.seconds(loss.longest_rto),
        f"{own.moved:.0%}" if own else words.NOT_MEASURED,
        f"{own.promoted:.0%}" if own else words.NOT_MEASURED,
        words.listed(beaten) or "–",
    )


def _noticed(loss: Loss) -> str:
    if not loss.noticed:
        return words.seconds(loss.live_noticed)
    low, high = min(loss.noticed), max(loss.noticed)
    return f"{low:.2f}–{high:.2f} s"


def _changes(row: Patience) -> str:
    """What it changes, as `--patience` takes it."""
    units = {name: "s" if fit.unit == "s" else "" for name, fit in FIELDS.items()}
    changed = [f"{name}={value:g}{units[name]}" for name, value in row.steering.changed.items()]
    return " ".join([*changed, *([f"after={row.after}s"] if row.after else [])])


def _cell_row(cell: Cell) -> tuple[str, ...]:
    said = outcome(cell.expected) if cell.expected else cell.told if cell.replays else UNKNOWN
    seen = _NOT_PLAYED if cell.live is None else outcome(cell.live)
    what = f"{cell.blip}, {cell.seconds:g} s"
    return cell.patience, what, said, _because(seen, cell.problem), judged(cell)


def _loss_row(loss: Loss) -> tuple[str, ...]:
    seen = _NOT_PLAYED if loss.live_noticed is None else words.seconds(loss.live_noticed)
    said, why = _noticed(loss), _because(seen, loss.problem)
    return loss.patience, "a loss, noticed after", said, why, judged(loss)


def _because(seen: str, problem: str) -> str:
    return f"{seen}: {problem}" if problem else seen


def judged(each: Cell | Loss) -> str:
    """Whether the lab did what was predicted."""
    return "unknown" if each.problem else "as predicted" if each.agrees else "NOT as predicted"


def outcome(seen: Outcome) -> str:
    """All that a blip did, in the words of the tables."""
    found = dict.fromkeys(each.word for each in QUESTIONS if each.of(seen))
    return words.listed(found) or NOTHING
