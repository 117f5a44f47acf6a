"""Links that swallow bytes: both ways, or only one."""

from collections.abc import Callable

from lab.core.topology import link
from lab.core.words import listed
from lab.faults.linked import cured, pinged, poisoned_with, poisoning, says_nothing, usable
from lab.faults.row import Aim, Fault, Takes
from lab.infra.linkstates import Toxic
from lab.records.journalfile import Via

_NEVER = {"timeout": 0}
_NOTICED = (
    "late: a standby after wal_receiver_timeout (60 s), a primary after"
    " wal_sender_timeout (60 s), the shop after its own statement limit (1 s)"
)


def _swallowing(name: str, *streams: str) -> Callable[[Aim], tuple[Toxic, ...]]:
    toxics = tuple(Toxic(name, "timeout", stream, _NEVER) for stream in streams)
    return lambda _aim: toxics


def _row(name: str, why: str, teaches: str, *streams: str) -> Fault:
    return Fault(
        name=name,
        why=why,
        teaches=teaches,
        how=f"the gateway still accepts and keeps connections, and drops all bytes"
        f" {listed(streams)}",
        noticed=_NOTICED,
        cuts=(Via.IN_BAND,),
        takes=Takes.LINKS,
        default=Aim(links=(link("west:east:replication"),)),
        arm=poisoning(_swallowing(name, *streams)),
        seen=pinged(says_nothing),
        heal=cured,
        gone=usable,
        present=poisoned_with(name),
    )


FAULTS = (
    _row(
        "silent",
        "bytes are dropped, connections stay open",
        "what a lost route or a firewall does: no error, only silence, and default time-outs that"
        " are far too long",
        "upstream",
        "downstream",
    ),
    _row(
        "one-way-out",
        "bytes that are sent into the link are dropped; the opposite direction works",
        "to the side that still receives bytes, the connection looks healthy",
        "upstream",
    ),
    _row(
        "one-way-back",
        "requests arrive, responses are dropped",
        "the request was executed, but the response was lost: after a time-out the result is"
        " unknown, not a failure",
        "downstream",
    ),
)
