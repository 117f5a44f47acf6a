"""What people and runbooks have set and not yet ended, and which faults are in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Final

from lab.core.topology import REGIONS
from lab.core.words import listed
from lab.status.look import Status
from lab.status.row import Next, Situation, Told, Turn, back, brings_back, choice, healing, run
from lab.testbed.inforce import ENDS, InForce
from lab.testbed.wayback import BACK

VERIFY: Final = "verify"
"""The step that places a customer's order."""

_ENDS: Final = Next(ENDS, "removes these settings, if exactly one database is primary", Turn.OPEN)
_ANEW: Final = "runs the runbook again from its first step, after customers can order"


def _refused(found: Status) -> Iterator[Told]:
    refusing = [each for each in found.in_force if each.refuses]
    alike = {(each.since, each.by) for each in refusing}
    if len(refusing) == len(REGIONS) and len(alike) == 1:  # one runbook tells all shops at a time
        both = "the shops of both regions refuse customers' orders"
        refusing = [replace(refusing[0], what=both)]
    yield from _lasts(refusing, Turn.ORDERS if _stops_runs(found) else Turn.OPEN)


def _stops_runs(found: Status) -> bool:
    """True where customers can be let in now, and `verify` stops the run that goes on until then.

    A run may verify while it refuses customers itself, and not while another run or a person does.
    """
    return len(found.primaries) == 1 and any(
        each.refuses and each.by != (found.cut_run or None) for each in found.in_force
    )


def _pinned(found: Status) -> Iterator[Told]:
    yield from _lasts((each for each in found.in_force if not each.refuses), Turn.OPEN)


def _lasts(several: Iterable[InForce], turn: Turn) -> Iterator[Told]:
    if told := "; ".join(map(str, several)):
        yield f"{told[0].upper()}{told[1:]}.", (replace(_ENDS, turn=turn),)


def _goes_on(found: Status) -> tuple[Next, ...]:
    """A way back that was cut follows what mends an outage; any other runbook may be that."""
    turn = Turn.FOLLOW if found.cut in BACK.values() else Turn.ORDERS
    on = run(
        found.cut_source or found.cut,
        "continues the interrupted runbook at the step where it stopped",
        turn,
    )
    if VERIFY in found.cut_left and _stops_runs(found):
        return _after_customers(found, on)
    return choice(on, _ENDS) if found.in_force else (on,)


def _after_customers(found: Status, on: Next) -> tuple[Next, ...]:
    """Where `verify` would stop the run: customers come first, and that gives the run up.

    With a name that leads past the primary they could not order: the run goes on as far as it can.
    """
    first = replace(_ENDS, turn=Turn.ORDERS)
    if on.turn is Turn.FOLLOW and found.cut_left != (VERIFY,):
        return first, replace(on, does=_ANEW)
    return (on, first) if found.astray else (first,)


def _waits(found: Status) -> Iterator[Told]:
    for place in found.replaced:
        yield (
            f"{place} was replaced and needs a failback: {_in_its_place(found)}. Its machine runs"
            " and starts no server by itself.",
            back(found, place, brings_back(place)),
        )


def _in_its_place(found: Status) -> str:
    if not found.primaries:
        return "another database replaced it, but that one does not answer, or is no longer primary"
    verb = "is" if len(found.primaries) == 1 else "are"
    return f"{listed(found.primaries)} {verb} primary in its place"


def _cut(found: Status) -> Iterator[Told]:
    if found.cut:
        yield f"The runbook {found.cut} did not finish.", _goes_on(found)


def _unseen(found: Status) -> Iterator[Told]:
    if found.unseen:
        yield (
            "A machine did not report its state in time, so this list of faults may be incomplete.",
            (
                Next("lab status", "asks again", Turn.LOOK),
                Next("lab doctor", "checks this host: engine, disk, memory", Turn.LOOK),
            ),
        )


def _in_force(found: Status) -> Iterator[Told]:
    if found.faults:
        kind = "A fault is" if len(found.faults) == 1 else "Faults are"
        yield f"{kind} in force: {'; '.join(found.faults)}.", (healing(found),)


REFUSED = Situation("customers-refused", _refused)
UNSEEN = Situation("faults-unseen", _unseen)
IN_FORCE = Situation("fault-in-force", _in_force)
PINNED = Situation("pinned", _pinned, wrong=False)
WAITS = Situation("waits-for-the-way-back", _waits, wrong=False)
CUT = Situation("runbook-cut", _cut, wrong=False)
