"""What people and runbooks have told the lab and left so, and what faults are in force."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from lab.core.topology import REGIONS
from lab.core.words import listed
from lab.status.look import Status
from lab.status.row import Next, Situation, Told, Turn, back, brings_back, choice, healing, run
from lab.testbed.inforce import ENDS, InForce
from lab.testbed.wayback import BACK

_ENDS = Next(ENDS, "ends what was set, if one database is primary", Turn.OPEN)


def _refused(found: Status) -> Iterator[Told]:
    refusing = [each for each in found.in_force if each.refuses]
    alike = {(each.since, each.by) for each in refusing}
    if len(refusing) == len(REGIONS) and len(alike) == 1:  # one runbook tells all shops at a time
        both = "the shops of both regions refuse customers' orders"
        refusing = [replace(refusing[0], what=both)]
    yield from _lasts(refusing)


def _pinned(found: Status) -> Iterator[Told]:
    yield from _lasts(each for each in found.in_force if not each.refuses)


def _lasts(several: Iterable[InForce]) -> Iterator[Told]:
    if told := "; ".join(map(str, several)):
        yield f"{told[0].upper()}{told[1:]}.", (_ENDS,)


def _goes_on(found: Status) -> tuple[Next, ...]:
    """A way back that was cut follows what mends an outage; any other runbook may be that."""
    turn = Turn.FOLLOW if found.cut in BACK.values() else Turn.ORDERS
    on = run(found.cut, "goes on where it was cut", turn)
    return choice(on, _ENDS) if found.in_force else (on,)


def _waits(found: Status) -> Iterator[Told]:
    for place in found.replaced:
        yield (
            f"{place} waits for the way back: {listed(found.primaries)} is primary"
            " in its place. Its machine runs and starts no server by itself.",
            back(found, place, brings_back(place)),
        )


def _cut(found: Status) -> Iterator[Told]:
    if found.cut:
        yield f"The runbook {found.cut} did not come to its end.", _goes_on(found)


def _unseen(found: Status) -> Iterator[Told]:
    if found.unseen:
        yield (
            "A machine did not say in time how it is: faults may be in force that are not named.",
            (
                Next("lab status", "asks again", Turn.LOOK),
                Next("lab doctor", "shows what is wrong around it", Turn.LOOK),
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
