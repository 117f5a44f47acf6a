"""Runbook steps as rows: what each does, by which path, for which phase of the recovery, and why.

A step is idempotent: doing what is done already succeeds and says so. It returns its evidence,
one line that says what was seen, and raises LabError when it cannot make true what it is for.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.load import VERIFY_PREFIX
from lab.core.lsn import format_lsn
from lab.core.topology import (
    APP_NAME,
    DATABASES,
    DEFAULT_REPLICATION,
    EAST_DB1,
    WEST,
    WRITER_NAME,
    Follows,
    Place,
    Region,
    Replication,
)
from lab.core.wait import wait_until
from lab.records.journalfile import MarkName, Phase, StepRecord, Via
from lab.runbooks.takeover import heads_after
from lab.testbed import fences

if TYPE_CHECKING:
    from lab.infra.shopclient import Guest, Receipt
    from lab.testbed.journalwriter import Recorder
    from lab.testbed.lab import Lab

DETECT_SECONDS = 30.0
CONFIRM_SECONDS = 10.0
_LOOK_EVERY_SECONDS = 0.02
"""Between two looks at the lost region. Half of it is part of each recovery, as time to decide."""
VERIFY_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Takeover:
    """What a failover aims at.

    `witness` is the region whose steering notices, when it sees the lost region in a state that
    is in `symptoms`. `after` is the topology to end in; `refollow` are the arrows that must be
    moved for it because both ends are alive.
    """

    lost: tuple[Place, ...]
    old: Place
    witness: Region
    symptoms: tuple[str, ...]
    after: Replication
    refollow: tuple[Follows, ...] = ()

    @property
    def new(self) -> Place:
        """The node to be promoted."""
        return self.after.primary

    @property
    def promotes(self) -> bool:
        """False when the primary is to stay where it is."""
        return self.new != self.old


STAYS = Takeover(
    lost=(), old=EAST_DB1, witness=WEST, symptoms=("live", "down"), after=DEFAULT_REPLICATION
)
"""No database is promoted: the primary stays where it is."""


def _nothing_to_prove() -> None:
    """A runbook on the lab as it stands has no fault of its own."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a step works on.

    `lab` is what a runbook can reach, which a fault may have made less than everything; `whole`
    is the lab as the drill itself reaches it, to break and to heal. `await_proof` waits until the
    effect of the drill's faults has been seen, and raises FaultUnseen when it was not. `run` is the
    name of the folder in which the run began, if that is another one than the recorder's.
    """

    lab: Lab
    takeover: Takeover
    recorder: Recorder
    whole: Lab
    await_proof: Callable[[], None] = _nothing_to_prove
    run: str = ""

    @property
    def by(self) -> str:
        """In whose name something is set that lasts: a run that goes on keeps its name."""
        return self.run or self.recorder.folder.name


@dataclass(frozen=True, slots=True)
class Step:
    """One row of a runbook.

    A step that `mends` may end what a fault began: it waits for the fault's proof, which no
    probe could find afterwards. `prepares` as in `StepRecord`.
    """

    name: str
    via: Via
    phase: Phase | None
    why: str
    act: Callable[[Context], str]
    mends: bool = False
    prepares: bool = False

    def do(self, context: Context, started: float | None = None) -> StepRecord:
        """Do it and write it down; it began now, or when `started` says. Raises LabError."""
        if self.mends:
            context.await_proof()
        return context.recorder.step(
            self.name, self.via, self.phase, self.why, lambda: self.act(context), started,
            prepares=self.prepares,
        )  # fmt: skip


def _detect(context: Context) -> str:
    plan, lost = context.takeover, context.takeover.old.region
    steering = context.lab.steerings[plan.witness]
    view = wait_until(
        f"{plan.witness.name}'s steering to see {lost.name} as {' or '.join(plan.symptoms)}",
        lambda: seen if (seen := steering.state().view[lost.name]).state in plan.symptoms else None,
        DETECT_SECONDS,
        _LOOK_EVERY_SECONDS,
        ignoring=(LabError,),
    )
    note = f"{plan.witness.name}'s steering sees {lost.name} as {view.state}: {view.error}"
    context.recorder.mark(MarkName.DETECTED, at=view.since, note=note)
    return note


def _confirm(context: Context) -> str:
    """Wait until no lost database runs: then no shop can acknowledge an order.

    An alarm from one side alone is no reason to promote. A machine that is losing power needs a
    moment until the engine has noted its end.
    """
    lost, engine = [p for p in context.takeover.lost if p in DATABASES], context.lab.engine
    named = ", ".join(map(str, lost))
    told = f"the engine to confirm that none of these runs: {named}"
    wait_until(told, lambda: not engine.alive(lost), CONFIRM_SECONDS, _LOOK_EVERY_SECONDS)
    return f"the engine confirms that none of these runs: {named}"


def _compare(context: Context) -> str:
    """Ask every survivor how far it received WAL.

    The node to be promoted is the one commits waited for, so all that was answered `ok` is on
    it. Another may be ahead, with orders that were never answered: it cannot follow as it is.
    """
    plan, databases = context.takeover, context.lab.databases
    ends = {
        place: (state.timeline, state.received)
        for place, node in databases.nodes.items()
        if place not in plan.lost
        for state in [node.state()]
    }
    own = ends[plan.new]
    listed = ", ".join(f"{place} {format_lsn(lsn)}" for place, (_, lsn) in ends.items())
    if max(ends.values()) == own:
        return f"received: {listed}; {plan.new} has everything that any survivor has"
    words = ", ".join(_ahead(each, own, end) for each, end in ends.items() if end > own)
    return f"received: {listed}; {words} of the fork and must be rewound"


def _ahead(place: Place, own: tuple[int, int], its: tuple[int, int]) -> str:
    by = f"{its[1] - own[1]} B" if its[0] == own[0] else f"on timeline {its[0]},"
    return f"{place} is {by} ahead"


def _decide(context: Context) -> str:
    context.recorder.mark(MarkName.DECIDED, note="automatic")
    return "automatic: two independent looks agree, no person was asked"


def _fence(context: Context) -> str:
    """Make sure that the old primary takes no more writes, by the strongest way that reaches it."""
    plan, lab = context.takeover, context.lab
    if not lab.engine.alive([plan.old]):
        return f"{plan.old} is proven dead, and its machine starts no database by itself"
    return f"{plan.old}: {fences.by_force(lab, plan.old)}"


def _synchronous(context: Context) -> str:
    plan = context.takeover
    upstream = None
    value = context.lab.databases[plan.new].set_synchronous(plan.after.synchronous, upstream)
    return f"{plan.new}: synchronous_standby_names = '{value}'"


def _promote(context: Context) -> str:
    node = context.lab.databases[context.takeover.new]
    before = node.state()
    node.promote()
    after = node.state()
    if after.in_recovery:
        raise LabError(f"{node} is still in recovery after its promotion", f"lab logs {node}")
    if not before.in_recovery:
        return f"{node} was primary already, timeline {after.timeline}"
    return f"{node}: timeline {before.timeline} → {after.timeline} at {format_lsn(before.received)}"


def _slots(context: Context) -> str:
    plan = context.takeover
    made = context.lab.databases[plan.new].ensure_slots(plan.after.standbys_of(plan.new))
    return f"made {', '.join(made)}" if made else "all slots it needs exist"


def _repoint(context: Context) -> str:
    plan = context.takeover
    heads = heads_after(plan.old.region, plan.after)
    delivery = context.lab.names.point_writer(plan.new, heads)
    if not delivery.took:
        raise LabError(f"no resolver took {WRITER_NAME}: {delivery}", "see: lab status")
    return f"{WRITER_NAME} → {plan.new}: {delivery}"


def _verify(context: Context) -> str:
    """Place a real order in the new primary's region and find it in its database.

    One key, tried again like any user's: right after a failover a shop refuses some, because all
    of them come at once.
    """
    plan, lab = context.takeover, context.lab
    guest, key = lab.guests[plan.new.region], f"{VERIFY_PREFIX}{uuid.uuid4().hex}"
    receipt = wait_until(
        f"{plan.new.region.name}'s shop to answer ok to a real order from {plan.new}",
        lambda: _order_from(guest, key, plan.new),
        VERIFY_SECONDS,
        every=0.1,
        ignoring=(LabError,),
    )
    rows = lab.databases[plan.new].query(
        "SELECT count(*) FROM orders WHERE key = %s", (key,), database="shop"
    )
    if rows != [(1,)]:
        raise LabError(f"the order that was answered ok is not on {plan.new}")
    context.recorder.mark(MarkName.RESTORED)
    return (
        f"order {key[:13]}… answered ok by {receipt.node}, timeline {receipt.timeline}, and found"
    )


def _order_from(guest: Guest, key: str, node: Place) -> Receipt:
    """The receipt of an order that was taken by that node. Raises LabError for any other answer."""
    ready, reason = guest.ready()
    if not ready:
        raise LabError(reason)
    receipt = guest.order(guest.token(), key)
    if receipt.outcome != "ok" or receipt.node != node.server_name:
        raise LabError(f"a real order was answered {receipt.outcome!r} by {receipt.node!r}")
    return receipt


def _refollow(context: Context) -> str:
    from lab.postgres.salvage import Keep

    plan, databases = context.takeover, context.lab.databases
    how = databases.follow_all(plan.refollow, plan.new, Keep(context.recorder.folder))
    databases.prove(plan.after)
    took = ", ".join(str(each.standby) for each in plan.after.follows)
    return f"{'; '.join(how)}; fresh WAL reaches {took}"


def _steered(context: Context) -> str:
    lab, plan = context.lab, context.takeover
    wanted = (lab.settings.addresses.internet(Place(plan.new.region.name, "gateway")),)
    wait_until(
        f"{plan.witness.name}'s resolver to answer {APP_NAME} with {wanted[0]}",
        lambda: lab.names.ask(plan.witness, APP_NAME) == wanted,
        timeout=15,
        ignoring=(LabError,),
    )
    return f"{APP_NAME} → {wanted[0]} on {plan.witness.name}'s resolver"


DETECT = Step(
    "detect", Via.IN_BAND, Phase.DETECT,
    "the other region's health checks must notice the loss, by the way that users take",
    _detect,
)  # fmt: skip
CONFIRM = Step(
    "confirm", Via.OUT_OF_BAND, Phase.DECIDE,
    "one alarm may be the alarm's own fault: a second, independent look comes before a promotion",
    _confirm,
)  # fmt: skip
COMPARE = Step(
    "compare received WAL", Via.OUT_OF_BAND, Phase.DECIDE,
    "the node that received most loses least, and one that is ahead of the fork cannot follow",
    _compare,
)  # fmt: skip
DECIDE = Step(
    "decide", Via.OUT_OF_BAND, Phase.DECIDE,
    "promotion cannot be taken back: the moment it is decided is written down",
    _decide,
)  # fmt: skip
FENCE = Step(
    "fence the old primary", Via.OUT_OF_BAND, Phase.FENCE,
    "two primaries that both take orders are worse than none",
    _fence,
)  # fmt: skip
SYNCHRONOUS = Step(
    "set synchronous names", Via.OUT_OF_BAND, Phase.PROMOTE,
    "a promoted node that waits for a standby which died hangs at its first commit",
    _synchronous,
    prepares=True,
)  # fmt: skip
PROMOTE = Step(
    "promote", Via.OUT_OF_BAND, Phase.PROMOTE,
    "pg_ctl promote: the standby leaves recovery and begins a new timeline",
    _promote,
)  # fmt: skip
SLOTS = Step(
    "ensure slots", Via.OUT_OF_BAND, Phase.PROMOTE,
    "slots do not come along in a promotion: without them no standby can follow",
    _slots,
    prepares=True,
)  # fmt: skip
REPOINT = Step(
    "re-point the writer", Via.OUT_OF_BAND, Phase.REPOINT,
    "the shops find the primary by a name, and the name must lead to the new one",
    _repoint,
)  # fmt: skip
VERIFY = Step(
    "verify by a real order", Via.IN_BAND, None,
    "a status word proves nothing: an order that is answered ok and found does",
    _verify,
)  # fmt: skip
REFOLLOW = Step(
    "re-follow", Via.OUT_OF_BAND, None,
    "the other region must follow the new primary, or the next fault loses everything since",
    _refollow,
)  # fmt: skip
STEERED = Step(
    "users are steered", Via.IN_BAND, None,
    "the survivor's resolver must answer with a region that takes orders",
    _steered,
)  # fmt: skip

STEPS = (
    DETECT, CONFIRM, COMPARE, DECIDE, FENCE, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT, VERIFY,
    REFOLLOW, STEERED,
)  # fmt: skip
REGION_RUNBOOK = (
    DETECT, CONFIRM, DECIDE, FENCE, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT, VERIFY, STEERED,
)  # fmt: skip
ZONE_RUNBOOK = (
    DETECT, CONFIRM, COMPARE, DECIDE, FENCE, SYNCHRONOUS, PROMOTE, SLOTS, REPOINT, VERIFY, REFOLLOW,
)  # fmt: skip
