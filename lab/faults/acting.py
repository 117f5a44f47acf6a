"""Injecting and healing, each timed until a probe has seen the effect."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar

from lab.core.errors import FaultUnseen, LabError, WaitExpired
from lab.core.interrupts import ended
from lab.core.topology import Link
from lab.core.wait import wait_until
from lab.faults.aftercare import await_service, with_service
from lab.faults.catalogue import faults
from lab.faults.matching import amount, covered
from lab.faults.row import Aimed, Strike, Takes, Touched
from lab.faults.sight import Sight
from lab.infra import changetoken

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

T = TypeVar("T")
_STRIKE_SECONDS = 60.0
"""A strike is over by then: the engine answers a request within that time, or it fails."""


@dataclass(frozen=True, slots=True)
class Effect:
    """What came of an injection or a healing.

    `seconds` is from the call to what the probe saw; `evidence` is what it saw. `already` says
    that there was nothing to do.
    """

    aimed: Aimed
    seconds: float
    evidence: str
    already: bool = False

    def __str__(self) -> str:
        if self.already:
            return f"{self.aimed}: no change was needed: {self.evidence}"
        return f"{self.aimed}: {self.evidence} ({self.seconds:.2f} s)"


def _unheard() -> None:
    """What is called when a fault has struck, if the caller waits for its proof only."""


def inject(
    lab: Lab,
    aimed: Aimed,
    struck: Callable[[], object] = _unheard,
    strikes: Callable[[], object] = _unheard,
) -> Effect:
    """Break it and wait for the proof. Raises LabError; what was done by then is undone.

    `strikes` is called right before it is broken, `struck` between that and the proof.

    What is there already must show its effect too: its command may have been killed half-way.
    """
    if _is_present(lab, aimed):
        if _is_of_links(aimed):
            aimed.arm(lab)()  # what is half done is made whole, and what is whole stays as it is
        struck()
        with suppress(FaultUnseen):
            return Effect(aimed, 0.0, proven(lab, aimed), already=True)
    strike = aimed.fault.arm(lab, aimed.aim)
    began, shown = time.monotonic(), list[Effect]()

    def break_it() -> Effect:
        strikes()
        strike()
        struck()
        evidence = proven(lab, aimed)
        shown.append(Effect(aimed, time.monotonic() - began, evidence))
        return shown[0]

    def undo() -> None:
        if not shown:
            with suppress(LabError):
                changetoken.take(lab.name)  # what was interrupted may still be on its way
                aimed.fault.heal(lab, aimed.aim)

    return ended(break_it, undo, f"wait: {aimed} is being undone, and the command then ends")


def _is_of_links(aimed: Aimed) -> bool:
    return all(isinstance(each, Link) for each in aimed.touches()) and bool(aimed.touches())


def proven(lab: Lab, aimed: Aimed) -> str:
    """Wait until a probe has seen the fault's effect; what it saw. Raises FaultUnseen."""
    return _await_effect(aimed, lambda: aimed.fault.seen(lab, aimed.aim))


def _await_effect(aimed: Aimed, look: Callable[[], T | None]) -> T:
    try:
        return wait_until(
            f"{aimed} to show its effect", look, aimed.fault.proof_seconds, ignoring=(LabError,)
        )
    except WaitExpired as error:
        raise FaultUnseen(error.what, error.timeout, error.last) from error


class Proof:
    """Faults strike, and their effect is looked for, beside everything else.

    Nothing happens before `begin`. `strikes` are done first, one right after the other. `seen` is
    called with the evidence in the moment in which the last effect is seen, and never without
    faults. The search ends by itself: each fault has `proof_seconds` to show its effect.
    """

    def __init__(
        self,
        lab: Lab,
        faults: Iterable[Aimed],
        seen: Callable[[str], object],
    ) -> None:
        self._lab, self._faults, self._seen = lab, tuple(faults), seen
        self._given_up, self._struck = threading.Event(), threading.Event()
        self._striking = threading.Lock()
        self._evidence: list[str] = []
        self._search: Future[None] | None = None

    def begin(self, strikes: Iterable[Strike] = ()) -> Proof:
        """Strike, and search. An interrupted `begin` may have begun: `give_up` ends it too."""
        pool = ThreadPoolExecutor(1, "proof")
        self._search = pool.submit(self._prove, tuple(strikes))
        pool.shutdown(wait=False)
        return self

    def wait(self) -> None:
        """Wait for the end of the search. Raises FaultUnseen when an effect was not seen.

        Raises LabError when a strike failed.
        """
        if self._search is not None:
            self._search.result()

    def await_strike(self, seconds: float) -> None:
        """Wait until all strikes are done, and no longer than that. Raises nothing."""
        self._struck.wait(seconds)

    def give_up(self) -> None:
        """End the search after the strike or the look that is under way. May be repeated.

        No strike begins or goes on afterwards: healing comes next.
        """
        self._given_up.set()
        if self._striking.acquire(timeout=_STRIKE_SECONDS):
            self._striking.release()
        with suppress(LabError):
            self.wait()

    def _prove(self, strikes: Iterable[Strike]) -> None:
        try:
            for strike in strikes:
                with self._striking:
                    if not self._given_up.is_set():
                        strike()
        finally:
            self._struck.set()
        for each in self._faults:
            _await_effect(each, lambda aimed=each: self._given_up.is_set() or self._sees(aimed))  # type: ignore[misc]
        if self._faults and not self._given_up.is_set():
            self._seen("; ".join(self._evidence))

    def _sees(self, aimed: Aimed) -> bool:
        if found := aimed.fault.seen(self._lab, aimed.aim):
            self._evidence.append(found)
        return bool(found)


def heal(lab: Lab, aimed: Aimed) -> Effect:
    """Put back what the fault broke, and wait until a probe has seen that it is over.

    Then the command checks that users are served. If they are not, it says so and still succeeds:
    another fault may be in force.
    """
    there = aimed.fault.present(Sight(lab))
    present = covered(aimed, [replace(aim, amount=None) for aim in there])
    told = replace(aimed, aim=replace(aimed.aim, amount=amount(aimed, there)))
    began = time.monotonic()
    changetoken.take(lab.name)
    aimed.fault.heal(lab, aimed.aim)
    evidence = _over(lab, aimed)
    await_service(lab, aimed.serves(), lambda: bool(in_force(lab)))
    served = with_service(lab, evidence, aimed)
    return Effect(told, time.monotonic() - began, served, already=not present)


def in_force(lab: Lab, *, settled: bool = False) -> tuple[Aimed, ...]:
    """Every fault in force now, by looking. What a wide fault explains is not listed again.

    With `settled`, what earlier commands left at work inside machines ends before the look.
    """
    return seen_in(Sight(lab, settled=settled))


def seen_in(sight: Sight) -> tuple[Aimed, ...]:
    """The same, from one look at the lab."""
    sight.look()
    found = [Aimed(row, aim) for row in faults() for aim in row.present(sight)]
    return tuple(_widest(found))


def _widest(found: Iterable[Aimed]) -> Iterator[Aimed]:
    explained: set[Touched] = set()
    for each in sorted(found, key=_narrowness):
        touched = _touched(each)
        if not touched or not touched <= explained:
            explained |= touched
            yield each


def _narrowness(aimed: Aimed) -> tuple[int, bool]:
    """The widest comes first, and of two as wide the one that can only be this."""
    return -len(_touched(aimed)), aimed.fault.takes is not Takes.NOTHING


def _touched(aimed: Aimed) -> set[Touched]:
    return set(aimed.fault.touches(aimed.aim))


def heal_all(lab: Lab) -> tuple[Effect, ...]:
    """Heal everything that is in force: first all that is broken, then the proofs.

    One fault may hide another, or stand in the way of its healing: there is another round as long
    as something was healed. Raises LabError for what cannot be healed.
    """
    changetoken.take(lab.name)
    began, healed, left = time.monotonic(), dict[Aimed, str](), in_force(lab, settled=True)
    while left:
        problems = _mend(lab, left)
        healed |= {aimed: _over(lab, aimed) for aimed in left if aimed not in problems}
        before, left = left, in_force(lab, settled=True)
        if left == before:
            told = "; ".join(problems.values()) or f"still in force: {', '.join(map(str, left))}"
            raise LabError(told, "see what stands in the way: lab status")
    await_service(lab, {each for aimed in healed for each in aimed.serves()}, lambda: False)
    return tuple(
        Effect(aimed, time.monotonic() - began, with_service(lab, evidence, aimed))
        for aimed, evidence in healed.items()
    )


def _mend(lab: Lab, faults: Iterable[Aimed]) -> dict[Aimed, str]:
    """Put back what can be; why the others could not be.

    What stood in the way of one may be gone when another is put back. A proof must not come in
    between: what it needs may be what could not be put back yet.
    """
    problems = dict.fromkeys(faults, "")
    while problems:
        still = {aimed: problem for aimed in problems if (problem := _mended(lab, aimed))}
        if len(still) == len(problems):
            return still
        problems = still
    return {}


def _mended(lab: Lab, aimed: Aimed) -> str:
    """Put it back; why that could not be done, or nothing."""
    try:
        aimed.fault.heal(lab, aimed.aim)
    except LabError as error:
        return f"{aimed}: {error.message}"
    return ""


def _over(lab: Lab, aimed: Aimed) -> str:
    return wait_until(
        f"{aimed} to be gone",
        lambda: aimed.fault.gone(lab, aimed.aim),
        aimed.fault.heal_seconds,
        ignoring=(LabError,),
    )


def _is_present(lab: Lab, aimed: Aimed) -> bool:
    return covered(aimed, aimed.fault.present(Sight(lab)))
