"""A standby that receives everything and replays nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, WEST_DB1
from lab.core.wait import pause
from lab.faults.machines import node_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.testbed.health import current_primary

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_PROMPT_SECONDS: Final = 0.6


def _pause(lab: Lab, aim: Aim) -> Strike:
    node = lab.databases[node_of(aim)]
    if not node.state().in_recovery:
        raise LabError(
            f"{node} is primary: it replays nothing that could be paused",
            "point it at a standby: lab fault inject replay-paused --node west.db1",
        )

    def strike() -> None:
        node.query("SELECT pg_wal_replay_pause()")

    return strike


def _is_paused(lab: Lab, aim: Aim) -> str | None:
    """A fresh record has arrived, and is not replayed."""
    node = lab.databases[node_of(aim)]
    if node.query("SELECT pg_get_wal_replay_pause_state()")[0][0] != "paused":
        return None
    mark = lab.databases[current_primary(lab)].mark()
    pause(_PROMPT_SECONDS)
    state = node.state()
    if state.received < mark or state.replayed >= mark:
        return None
    return (
        f"{node} has received what the primary wrote {_PROMPT_SECONDS:g} s ago, and has not"
        f" replayed it: {state.received - state.replayed} B wait"
    )


def _resume(lab: Lab, aim: Aim) -> None:
    node = lab.databases[node_of(aim)]
    if node.answers():  # one that does not run begins without a pause
        node.resume_replay()


def _goes_on(lab: Lab, aim: Aim) -> str | None:
    node = lab.databases[node_of(aim)]
    if not node.answers():
        frozen = lab.engine.state(node.place).frozen
        return None if frozen else f"{node} does not run: it will start without a pause"
    before = node.state()
    if before.in_recovery and node.query("SELECT pg_is_wal_replay_paused()")[0][0]:
        return None
    if node.state().replayed < before.received:
        return None
    return f"{node} has replayed all that it had received"


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(node=place) for place, said in sight.plights.items() if said.paused)


FAULTS = (
    Fault(
        name="replay-paused",
        why="a standby receives WAL and does not replay it",
        teaches="received is safe, replayed is readable: lag has two numbers, and a promotion must"
        " replay what waits before anybody can order",
        how="pg_wal_replay_pause(), as a person does it before a risky change, and forgets",
        noticed="by monitoring of the replayed position; the stream itself looks healthy",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=WEST_DB1),
        arm=_pause,
        seen=_is_paused,
        heal=_resume,
        gone=_goes_on,
        present=_present,
        nodes=DATABASES,
    ),
)
