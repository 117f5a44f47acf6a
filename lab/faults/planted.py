"""A setting that does no harm until the day of the failover."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.topology import DATABASES, WEST_DB1
from lab.faults.machines import node_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.postgres.node import PLANTED
from lab.postgres.processes import HOME

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_FILE = f"identity/{PLANTED}"
_SETTING = "default_transaction_read_only = on"


def _plant(lab: Lab, aim: Aim) -> Strike:
    node = lab.databases[node_of(aim)]

    def strike() -> None:
        node.run_alone(f"echo '{_SETTING}' > {_FILE}")
        node.reload()

    return strike


def _weed(lab: Lab, aim: Aim) -> None:
    node = lab.databases[node_of(aim)]
    # The file goes last: who is killed before leaves something that is seen to be there.
    node.run_alone(f": > {_FILE}")
    if node.answers():  # one that does not run reads it at its start
        node.reload()
    node.run_alone(f"rm -f {_FILE}")


def _setting(lab: Lab, aim: Aim) -> str:
    return str(lab.databases[node_of(aim)].query("SHOW default_transaction_read_only")[0][0])


def _is_there(lab: Lab, aim: Aim) -> str | None:
    if _setting(lab, aim) != "on":
        return None
    return (
        f"{node_of(aim)} will take no writes once it is primary; nothing shows this setting before"
        " that"
    )


def _is_gone(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if lab.engine.run_code(place, ["test", "-e", f"{HOME}/{_FILE}"])[0] == 0:
        return None
    if lab.databases[place].answers() and _setting(lab, aim) == "on":
        return None
    return f"{place} may take writes when promoted"


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(
        Aim(node=place) for place, server in sight.servers.items() if "planted" in server.words
    )


FAULTS = (
    Fault(
        name="planted-setting",
        why="the standby has a setting that has an effect only after its promotion",
        teaches="a region without traffic is not tested: drill it",
        how="default_transaction_read_only = on, in the configuration of a standby",
        noticed="only after a failover: then every order fails with SQLSTATE 25006",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=WEST_DB1),
        arm=_plant,
        seen=_is_there,
        heal=_weed,
        gone=_is_gone,
        present=_present,
        nodes=DATABASES,
    ),
)
