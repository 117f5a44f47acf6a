"""A link whose listener is closed."""

from lab.core.topology import link
from lab.faults.linked import closing, cured, pinged, refuses, usable
from lab.faults.row import Aim, Fault, Takes
from lab.faults.sight import Sight
from lab.records.journalfile import Via


def _present(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(links=(each,)) for each in sight.links if sight.closed(each))


FAULTS = (
    Fault(
        name="refused",
        why="the link is closed: connections end, new ones are refused",
        teaches="the easiest fault to detect: each client of the link gets an error at once",
        how="the gateway's listener is disabled; what it had buffered is lost",
        noticed="at once, or with the next packet: both ends are notified that the connection is"
        " closed",
        cuts=(Via.IN_BAND,),
        takes=Takes.LINKS,
        default=Aim(links=(link("west:east:replication"),)),
        arm=closing,
        seen=pinged(refuses),
        heal=cured,
        gone=usable,
        present=_present,
    ),
)
