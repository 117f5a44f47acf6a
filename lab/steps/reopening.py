"""What a runbook set and nothing ended is ended: customers may order, and steerings steer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.errors import LabError, Refused
from lab.core.topology import DATABASES, REGIONS, Place
from lab.core.wait import wait_until
from lab.core.words import listed
from lab.records.journalfile import Via
from lab.runbooks.effects import reopen
from lab.runbooks.runbook import Step
from lab.steps import gates, ttls
from lab.steps.context import Context
from lab.steps.fencing import tell_shops
from lab.steps.steering import go_home
from lab.testbed import inforce, tuning
from lab.testbed.health import server_is_stopped

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_ORDER_SECONDS = 15.0


def _reopen(context: Context) -> str:
    """With one primary, and no database that may be another one. Raises Refused."""
    lab = context.lab
    _refuse_without_one_primary(lab)
    told = tell_shops(context, REGIONS, read_only=False)
    again = [
        f"{each.name}'s steering has the default policy and thresholds"
        for each in tuning.restore(lab)
    ]
    home, ttl = go_home(context), ttls.restore(context)
    ordered = wait_until(
        "a customer's order to be taken",
        lambda: "; ".join(gates.tried(lab, each) for each in inforce.modes(lab)),
        _ORDER_SECONDS,
        ignoring=(LabError,),
    )
    return "; ".join([told, home, ttl, *again, ordered])


def _refuse_without_one_primary(lab: Lab) -> None:
    silent = [place for place in DATABASES if _may_be_primary(lab, place)]
    if silent:
        raise Refused(
            f"{listed(silent)} cannot be asked, and may take orders as a primary",
            "see why: lab status",
        )
    primaries = lab.databases.primaries()
    if len(primaries) != 1:
        both = f"{listed(primaries)} would both take orders"
        raise Refused(
            both if primaries else "no database is primary: customers' orders would fail",
            "choose which database becomes primary: lab status",
        )


def _may_be_primary(lab: Lab, place: Place) -> bool:
    """True for a server that runs, or may run, and does not say what it is."""
    if lab.databases[place].answers():
        return False
    try:
        if lab.engine.state(place).stopped:
            return False
        return not server_is_stopped(lab, place)
    except LabError:
        return True


STEPS: tuple[Step, ...] = (
    Step(
        name="reopen",
        title="remove settings of an earlier run",
        changes="each shop takes customers' orders again, no resolver is pinned, names have the"
        " default TTL, and steerings their default policy and thresholds",
        via=Via.IN_BAND,
        phase=None,
        why="a run that stopped half-way may leave shops that refuse customers and steering that"
        " is pinned",
        breaks="shops refuse customers that the system could serve",
        seconds=1.0,
        makes=reopen,
        act=_reopen,
    ),
)
