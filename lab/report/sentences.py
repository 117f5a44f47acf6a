"""What happened, in plain sentences made from the figures of a result. Pure."""

from __future__ import annotations

from collections import Counter

from lab.core.verdict import Verdict
from lab.core.words import count, listed, moment, seconds, size
from lab.records.journalfile import MarkName
from lab.records.result import Result
from lab.records.resultrows import PopulationRow, RecoveryRow


def headline(result: Result) -> str:
    """The verdict and what it stands on, in one line."""
    judged = result.objectives
    failed = [row.name for row in judged if row.verdict is Verdict.FAIL]
    open_ = [row.name for row in judged if row.verdict is Verdict.UNKNOWN]
    if not judged:
        return "Nothing was judged."
    if failed:
        return f"{len(failed)} of {count(len(judged), 'objective')} broken: {', '.join(failed)}."
    if open_:
        return (
            f"{len(open_)} of {count(len(judged), 'objective')} undecided (unknown):"
            f" {', '.join(open_)}."
        )
    return f"All {count(len(judged), 'objective')} were met."


def sentences(result: Result) -> tuple[str, ...]:
    """The fault, the load, the interruption, the loss, what was read and is gone, split brain."""
    losses = filter(None, (loss(result), earlier(result), seen_then_gone(result)))
    return (
        _fault(result),
        _load(result),
        _interruption(result),
        *losses,
        split_brain(result),
    )


def _fault(result: Result) -> str:
    if MarkName.FAULT_STARTED.value not in result.marks:
        steps = _steps(result, "; ") if is_planned(result) else ""
        return f"This run of {result.drill} had no fault{steps}."
    proven = result.marks.get("fault_proven")
    seen = (
        "was started, but its effect was never seen"
        if proven is None
        else f"was seen to take effect {seconds(proven)} after it was started"
    )
    return f"The fault of {result.drill} {seen}{_steps(result, '; ')}."


def _steps(result: Result, before: str) -> str:
    failed = sum(step.outcome == "failed" for step in result.steps)
    then = f", {count(failed, 'step')} failed" if failed else ""
    return f"{before}the run had {count(len(result.steps), 'step')}{then}"


def _load(result: Result) -> str:
    told = {row.outcome.value: row.winner + row.loser_only + row.nowhere for row in result.outcomes}
    extra = f", {told['local']:,} acknowledged with a warning" if told.get("local") else ""
    return (
        f"Users started {count(sum(told.values()), 'write')} meanwhile: {result.acknowledged:,}"
        f" acknowledged{extra}, {told.get('fail', 0):,} failed, and {result.unknown:,} left without"
        f" an answer, of which {result.recovered:,} are stored on {result.winner}."
    )


def is_planned(result: Result) -> bool:
    """True for a run without a fault: something was done to users, and nothing was broken."""
    return MarkName.RUNBOOK_STARTED.value in result.marks


def pauses(result: Result) -> tuple[PopulationRow, ...]:
    """Populations whose longest pause is longer than what their RTO says.

    A run without a fault has no RTO; after one, users may be interrupted once service has held.
    """
    return tuple(row for row in result.populations if _is_untold(row, result))


def _is_untold(row: PopulationRow, result: Result) -> bool:
    if row.longest_gap_seconds is None:
        return False
    back = result.rto_seconds.get(row.population)
    later = back is not None and row.longest_gap_seconds > max(back, result.rto_patience)
    return later or is_planned(result)


def _interruption(result: Result) -> str:
    told = [_back(row) for row in result.recoveries if row.honours_ttl]
    told += [f"users {row.population} {pause(row)}" for row in pauses(result)]
    if not told:
        return "How long users could not write was not measured."
    text = "; ".join(told)
    return f"{text[0].upper()}{text[1:]}."


def pause(row: PopulationRow) -> str:
    """The longest times without an order and without a read, as a predicate of the users."""
    text = f"had no acknowledged order for {seconds(row.longest_gap_seconds)} at the longest"
    if row.longest_read_gap_seconds is None:
        return text
    return f"{text}, and no answered read for {seconds(row.longest_read_gap_seconds)}"


def _back(row: RecoveryRow) -> str:
    who = f"users {row.population}"
    if row.seconds is None:
        return f"no return of {who} was recorded ({row.why})"
    if not row.interrupted:
        text = f"{who} were {'never interrupted' if row.relapsed is None else 'served at first'}"
    else:
        text = f"{who} could write again {seconds(row.seconds)} after the fault"
    if row.relapsed is None:
        return text
    return f"{text}, but were interrupted later, at {moment(row.relapsed)}"


def loss(result: Result) -> str:
    """How many acknowledged writes are gone, where they still are, and how far back they reach."""
    if not result.lost:
        return "No acknowledged write was lost: every one is on " + result.winner + "."
    nodes = sorted({node for row in result.lost_writes for node in row.found_on})
    there = f"{_part(result.orphaned, result)} still on {listed(nodes)}" if nodes else ""
    gone = f"{_part(result.unaccounted, result)} in no database that was read"
    reach = [] if result.rpo_seconds is None else [seconds(result.rpo_seconds)]
    if result.rpo_wal_bytes is not None:
        reach.append(f"at least {size(result.rpo_wal_bytes)} of WAL")
    tail = f"; that is {listed(reach)}" if reach else ""
    be = "was" if result.lost == 1 else "were"
    where = listed([text for text in (there, gone if result.unaccounted else "") if text])
    return f"{count(result.lost, 'acknowledged write')} {be} lost, {where}{tail}."


def earlier(result: Result) -> str:
    """What the loss that led to the situation had cost; empty if it cost nothing."""
    if not (many := result.lost_earlier):
        return ""
    be = "was" if many == 1 else "were"
    return (
        f"{count(many, 'acknowledged write')} {be} lost before, by what led to the situation:"
        f" {'it is' if many == 1 else 'they are'} not counted here."
    )


def seen_then_gone(result: Result) -> str:
    """How many orders users had read that are gone, by what was told of them; empty if none."""
    rows = result.seen_then_gone
    if not rows:
        return ""
    told = Counter(row.outcome.value for row in rows)
    answers = listed(f"{many:,} answered {outcome}" for outcome, many in told.most_common())
    be = "is" if len(rows) == 1 else "are"
    return (
        f"{count(len(rows), 'order')} that users had read {be} missing from {result.winner}:"
        f" {answers}."
    )


def _part(some: int, result: Result) -> str:
    return "all of them" if some == result.lost > 1 else f"{some:,}"


def split_brain(result: Result) -> str:
    """Whether two primaries took writes at once, for how long and how many."""
    if result.split_brain_writes is None:
        return "Whether two primaries took writes at once could not be told."
    if not result.split_brain_writes:
        return "No two primaries took writes at the same time."
    return (
        f"Two primaries took writes at once for {seconds(result.split_brain_seconds)}:"
        f" {count(result.split_brain_writes, 'write')} went to an old one after the new one had"
        " acknowledged its first."
    )
