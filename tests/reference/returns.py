"""When users could write again, and for how long they could not."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from lab.records.history import Kind, Operation
from reference.case import WINDOW, Case, Group, Span, acknowledged, covered, served
from reference.opinions import Try, pause


@dataclass(frozen=True)
class Return:
    """When a group's service held again after the fault, in seconds; None with a bound."""

    seconds: float | None
    at_least: float | None = None


def watched_until(case: Case) -> float:
    """End of the last window: the record's end, or the last start of any user's write."""
    return min(case.ended, max(case.starts(), default=case.ended))


def holds(case: Case, writes: list[Operation], moment: float) -> bool:
    """True when at least 99 % of the writes started in (moment, moment + 5 s] were served."""
    if moment + WINDOW > watched_until(case):
        return False
    inside = [item for item in writes if moment < item.start <= moment + WINDOW]
    good = sum(map(served, inside))
    return bool(inside) and 100 * good >= 99 * len(inside)


def rto(case: Case, group: Group) -> Return | None:
    """The first acknowledgement after the fault from which on service held."""
    if case.fault is None:
        return None
    writes = case.writes_of(*group)
    if not writes:
        return Return(None, 0.0)
    watched = max(0.0, watched_until(case) - WINDOW - case.fault)
    if holds(case, writes, case.fault):
        return Return(0.0)
    ends = sorted(item.end for item in writes if acknowledged(item) and item.end > case.fault)
    for end in ends:
        if holds(case, writes, end):
            return Return(end - case.fault)
    return Return(None, watched)


def slowest(case: Case) -> float | None:
    """The slowest return of those that honour TTLs; None if one of them did not return."""
    found = [rto(case, (name, True)) for name in case.names]
    seconds = [each.seconds for each in found if each]
    known = [each for each in seconds if each is not None]
    return max(known) if known and len(known) == len(seconds) else None


def rto_first(case: Case, group: Group) -> float | None:
    """End of the longest silence between the fault and the return: a write that went through."""
    back = rto(case, group)
    if case.fault is None or back is None:
        return None
    if back.seconds == 0.0:
        return 0.0
    until = case.ended if back.seconds is None else case.fault + back.seconds
    writes = case.writes_of(*group)
    acks = [item.end for item in writes if acknowledged(item)]
    acks = [end for end in acks if case.fault < end <= case.ended]
    edges = sorted({case.fault, *acks})
    longest, at = -1.0, None
    for index, begin in enumerate(edges):
        if begin >= until:
            break
        end = edges[index + 1] if index + 1 < len(edges) else case.ended
        if end - begin > longest:
            longest, at = end - begin, end if index + 1 < len(edges) else None
    return None if at is None else at - case.fault


def longest_gap(case: Case, population: str, kind: Kind = Kind.WRITE) -> Span | None:
    """The longest time without an answered operation of that kind: seconds, and its begin."""
    if case.acted is None:
        return None
    own = [item for item in case.operations if (item.population, item.kind) == (population, kind)]
    inside = [item.end for item in own if acknowledged(item)]
    edges = {case.acted, max(case.ended, case.acted)}
    edges |= {end for end in inside if case.acted < end < case.ended}
    gaps = [(after - before, before - case.acted) for before, after in pairwise(sorted(edges))]
    return max(gaps, key=lambda gap: gap[0], default=(0.0, 0.0))


def phases(case: Case) -> dict[str, float | None]:
    """Where the time until the return went."""
    fault, back = case.fault, slowest(case)
    if fault is None:
        return {}
    at = None if back is None else fault + back
    spans = {"clients follow": clients(case, at), **marked(case)}
    for phase in ("detect", "decide", "fence", "promote", "re-point"):
        own = [step.span for step in case.steps if step.phase == phase]
        spans.setdefault(phase, own or None)
    if at is None or back is None:
        found = {phase: None if each is None else covered(each) for phase, each in spans.items()}
        return {**found, "unexplained": None}
    inside = {
        phase: None if each is None else [(max(start, fault), min(end, at)) for start, end in each]
        for phase, each in spans.items()
    }
    found = {phase: None if each is None else covered(each) for phase, each in inside.items()}
    return {
        **found,
        "unexplained": back - covered(s for each in inside.values() for s in each or ()),
    }


def marked(case: Case) -> dict[str, list[Span]]:
    """The phases that marks bound."""
    detected, decided = case.marks.get("detected"), case.marks.get("decided")
    if detected is None or case.fault is None:
        return {}
    detect = {"detect": [(case.fault, detected)]}
    return detect if decided is None else {**detect, "decide": [(detected, decided)]}


def clients(case: Case, back: float | None) -> list[Span] | None:
    """How long clients took to follow, once the last re-point step was done."""
    if back is None:
        return None
    turns = [step for step in case.steps if not step.prepares]
    for phase in ("re-point", "promote"):
        ends = [step.span[1] for step in turns if step.phase == phase and step.span[0] < back]
        if ends:
            return [(max(ends), back)] if max(ends) < back else []
    if any(step.phase in ("re-point", "promote") for step in turns):
        return []
    own = [step.span for step in case.steps if step.phase == "clients follow"]
    return [(start, min(end, back)) for start, end in own if start < back] or None


def pause_of_users(case: Case) -> tuple[float, float, float] | None:
    """The longest pause after the fault by the users' history: begin, at least, at most."""
    if case.acted is None:
        return None
    tries = [
        Try(item.start if item.tried is None else item.tried, item.end, acknowledged(item))
        for item in case.writes
    ]
    found = pause(tries, case.acted, case.ended)
    return found.begin, found.least, found.most
