"""The one way that all drills run.

default topology → load → what leads to the situation → steady state
  → runbook, step by step, beside the fault and its proof
  → users write again for a while → load stops → final reads → figures → heal
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from lab.core import steering
from lab.core.errors import LabError, TooBusy
from lab.core.interrupts import ended
from lab.core.load import Load
from lab.core.topology import DATABASES, PLACES
from lab.core.wait import pause, within
from lab.drills import collecting, evidence
from lab.drills.collecting import Begun
from lab.drills.evidence import Recorded
from lab.drills.meanwhile import Meanwhile, led_to
from lab.drills.row import Drill
from lab.faults.acting import Proof
from lab.faults.row import Strike
from lab.postgres.salvage import Keep
from lab.records.journalfile import MarkName
from lab.records.runfiles import JOURNAL
from lab.runbooks.runbook import Runbook
from lab.steps.catalogue import do_all
from lab.steps.context import Ask, Context, Ending, Person, agreed, no_person
from lab.testbed import service, tuning, underway
from lab.testbed.journalwriter import EngineClock, Observer, Recorder, SharedRecorder
from lab.testbed.underway import Underway

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

CALM_SECONDS = (0.5, 1.0)
UNNOTICED_SECONDS = 0.3
"""By default no steering notices a fault sooner: it needs 0.4 s of bad checks. The runbook's looks
would slow down those checks, and the strike."""
RESTORE_SECONDS = 40.0
HEALING = "wait: the current step ends, the lab is healed, and then the command ends"
"""The answer to the second Ctrl-C."""


def run(
    chosen: Drill,
    lab: Lab,
    folder: Path,
    seed: int,
    observers: Iterable[Observer],
    ask: Ask = agreed,
    *,
    force: bool = False,
    person: Person = no_person,
) -> Recorded:
    """Run a drill on a lab that is up, and heal whatever happens.

    `ask` puts the runbook's questions to a person; with `force` it promotes where it would refuse.
    `person` acts in a drill by hand.

    Raises LabError when the lab was not in order before the fault; a runbook that fails after it
    is a result (`Recorded.failure`), not an error. Raises TooBusy after the drill's `bound`.
    """
    course = Course(
        chosen.read(), lab, folder, seed, observers, ask=ask, force=force, person=person
    )
    unhealed = list[str]()

    def record() -> Recorded:
        with within(chosen.bound):
            begun = course.begin(chosen.load)
            return course.bring_home(begun, course.break_and_follow(begun))

    recorded = ended(record, lambda: unhealed.append(course.put_right()), HEALING)
    return course.completed(recorded, "".join(unhealed))


class Course:
    """The parts of one drill, in the order of its methods."""

    def __init__(
        self,
        chosen: Drill,
        lab: Lab,
        folder: Path,
        seed: int,
        observers: Iterable[Observer] = (),
        *,
        ask: Ask = agreed,
        force: bool = False,
        person: Person = no_person,
    ) -> None:
        from lab.testbed.sampler import Sampler

        self._chosen, self._seed, self._folder = chosen, seed, folder
        clock = EngineClock.awaited(lab.users["east"].clock)
        self._sampler = Sampler(lab, clock)
        recorder = Recorder(clock, folder / JOURNAL, (*observers, self._sampler))
        recorder.mark(MarkName.DRILL_STARTED, note=f"clock read to ±{clock.error * 1000:.1f} ms")
        if chosen.by_hand:  # what other commands do meanwhile goes into the same journal
            recorder = SharedRecorder(clock, folder / JOURNAL, (*observers, self._sampler))
        book = chosen.book
        plan = book.plan
        # What a step can reach is what a runbook can reach: not always all that the lab can.
        self.context = Context(
            lab.obeying_cuts(), lab, plan, Ending(lab, plan), recorder,
            ask=ask, force=force, person=person, scripts=book.folder,
        )  # fmt: skip

    def follow(self, book: Runbook) -> None:
        """Let what is done from now on be the steps of this runbook."""
        after = Ending(self.context.whole, book.plan)
        self._chosen = replace(self._chosen, runbook=book)
        self.context = replace(self.context, plan=book.plan, after=after, scripts=book.folder)

    def begin(self, load: Load) -> Begun:
        """Default topology, empty shop, what leads to the situation, a steady state."""
        from lab.testbed.topologyviews import topology_now

        lab, recorder = self.context.whole, self.context.recorder
        recorder.say("default topology, empty shop")
        self._tell(lab.reset(Keep(self._folder)))
        self._tune_steerings()
        # Asked now and not right before the fault: asking costs enough to slow users down.
        before = topology_now(lab)
        carried, held = service.begin(lab, load, self._seed, recorder), None
        if self._chosen.leads:
            led_to(self._chosen.leads, replace(self.context, lab=lab))
            before, held = topology_now(lab), evidence.held_by(lab, recorder, self.context.plan)
            service.settle(lab, carried, recorder)
        service.mark_steady(carried, recorder)
        if self._chosen.by_hand:
            recorded = self._folder.absolute(), recorder.clock.boot_id, carried, self._seed
            old = str(self.context.plan.old)
            underway.keep(lab.name, Underway(*recorded, old, untold=self._chosen.untold))
        return Begun(before, carried, service.readings(lab), held)

    def break_and_follow(self, begun: Begun) -> LabError | None:
        """The faults and the runbook; why it stopped half-way, if it did."""
        chosen, context, recorder = self._chosen, self.context, self.context.recorder
        everything = replace(context, lab=context.whole)
        proof = Proof(context.whole, chosen.faults, partial(_proven, recorder))
        meanwhile = Meanwhile(chosen.meanwhile, everything)

        def play() -> None:
            do_all(chosen.arrange, everything)
            strikes = self._armed()
            why = "; and ".join(
                str(each) if chosen.by_hand else each.fault.why for each in chosen.faults
            )
            begins = MarkName.FAULT_STARTED if chosen.faults else MarkName.RUNBOOK_STARTED
            started = recorder.mark(begins, note=why)
            # A strike is over when all machines are dead, which may be later than steering notices.
            proof.begin(strikes)
            meanwhile.begin()
            proof.await_strike(UNNOTICED_SECONDS)
            follower = replace(context, await_proof=proof.wait, begins=meanwhile.reach)
            do_all(chosen.acts, follower, started)
            proof.wait()
            meanwhile.finish()
            self.await_service(begun.load)
            do_all(chosen.afterwards, everything)

        def give_up() -> None:
            # A strike that is not given up would come after the healing.
            proof.give_up()
            meanwhile.give_up()

        def unplayed() -> None:
            proof.wait()
            meanwhile.give_up()
            meanwhile.finish()

        return ended(partial(_stopped, play, unplayed, recorder), give_up, HEALING)

    def await_service(self, load: Load) -> None:
        """Wait until users have been served for a while. Raises WaitExpired."""
        window = self._chosen.window
        self.context.recorder.say(f"waiting until users have been served for {window:g} s")
        # Those who ignore TTLs go on asking the dead region for half a minute: the drill does not
        # wait for them. A little longer than the window, whose last moments must be on record too.
        rate = load.writes_per_second * (1 - load.ignore_ttl_share)
        service.wait_for_service(self.context.whole, rate, window + 2, RESTORE_SECONDS)

    def bring_home(self, begun: Begun, failure: LabError | None = None) -> Recorded:
        """End the load, and read all that there is to read."""
        lab, recorder, chosen = self.context.whole, self.context.recorder, self._chosen
        context = self.context
        if chosen.by_hand:
            underway.forget(lab.name)
            context = collecting.seen(context, context.plan.old)
        promotes = chosen.by_hand or chosen.book.promotes
        ended = collecting.look(context, begun, promotes=promotes)
        recorder.say("users stop; the lab reads every database, also those on dead machines")
        recorder.mark(MarkName.LOAD_STOPPED)
        with ThreadPoolExecutor() as pool:
            rested = pool.submit(lab.stop_load)
            pool.submit(_boot_without_data, lab, rested)
            return collecting.read(context, begun, ended, rested, failure)

    def put_right(self) -> str:
        """Heal, whatever happened; why the lab could not be put back, if it could not."""
        lab, recorder, folder = self.context.whole, self.context.recorder, self._folder
        self._sampler.stop()
        if self._chosen.by_hand:
            underway.forget(lab.name)
        recorder.say("healing: default topology, all machines, all links")
        with suppress(LabError):
            evidence.collect_logs(lab, folder / "logs")
        try:
            # What a lost machine alone has of other clients' orders is among the run's orphans.
            self._tell(lab.reset(Keep(folder, unread=True), dead=False))
            recorder.mark(MarkName.HEALED)
        except LabError as error:
            recorder.say(f"healing failed: {error.message}")
            return error.message
        return ""

    def completed(self, recorded: Recorded, unhealed: str) -> Recorded:
        """What was brought home, with what the healing added to it."""
        journal, samples = self.context.recorder.journal, self._sampler.samples
        return replace(recorded, journal=journal, unhealed=unhealed, samples=samples)

    def _armed(self) -> list[Strike]:
        """What breaks it, once the lab's own questions no longer matter."""
        strikes = [each.arm(self.context.whole) for each in self._chosen.faults]
        # Any moment, and none right after the lab's own questions: they would slow users down, and
        # what they are told in the last milliseconds is what may be lost.
        pause(random.Random(self._seed).uniform(*CALM_SECONDS))  # noqa: S311 - no secret
        return strikes

    def _tune_steerings(self) -> None:
        """The drill's thresholds; the reset has put back the default."""
        if changed := self._chosen.steering.changed:
            tuning.tune(self.context.whole, self._chosen.steering)
            self._tell(f"both steerings use {steering.told(changed)}")

    def _tell(self, text: str) -> None:
        if text:
            self.context.recorder.say(text)


def _boot_without_data(lab: Lab, rested: Future[dict[str, int]]) -> None:
    """Boot what holds no data beside the final reads: healing then has less to wait for."""
    with suppress(LabError):
        rested.result()
        lab.engine.start(each for each in PLACES if each not in DATABASES)


def _stopped(
    play: Callable[[], None], unplayed: Callable[[], None], recorder: Recorder
) -> LabError | None:
    """Play it; why it stopped half-way, if it did.

    `unplayed` raises LabError for a fault that did not strike or was not seen: that explains
    whatever else went wrong.
    """
    try:
        play()
    except TooBusy:
        raise  # neither the runbook's fault nor anything that can be measured
    except LabError as error:
        recorder.say(f"the runbook stopped: {error.message}")
        return _raised(unplayed) or error
    return None


def _proven(recorder: Recorder, seen: str) -> None:
    recorder.mark(MarkName.FAULT_PROVEN, note=seen)


def _raised(look: Callable[[], None]) -> LabError | None:
    """The error that a look raises, if any."""
    try:
        look()
    except TooBusy:
        raise
    except LabError as error:
        return error
    return None
