"""WAL that a standby needs to catch up, or an old primary for its rewind, is removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from lab.core.errors import CommandFailed, LabError
from lab.core.topology import DATABASES, EAST_DB1, WEST_DB1, Follows, Place
from lab.core.wait import pause
from lab.faults.machines import node_of
from lab.faults.row import Aim, Fault, Strike, Takes
from lab.faults.sight import Sight
from lab.postgres import plights, succession
from lab.postgres.node import rewinding
from lab.postgres.processes import stopping
from lab.postgres.salvage import REBUILD, Keep
from lab.testbed.bringback import start_server
from lab.testbed.health import current_primary
from lab.testbed.resuming import KEEPING, keep_wal_again, rebuild_starved

if TYPE_CHECKING:
    from lab.core.topology import Replication
    from lab.postgres.succession import Succession
    from lab.testbed.lab import Lab

_ARRIVES_SECONDS: Final = 0.6
_ROUNDS: Final = 12
_ASK: Final = "psql -XAtqU postgres -v ON_ERROR_STOP=1 -c"
_SHORT: Final = dict(zip(KEEPING, ("0", "'8MB'"), strict=True))
_RELOAD: Final = f"{_ASK} 'SELECT pg_reload_conf()'"


def _each(change: str) -> str:
    """Shell words: change both settings (`{}` is a name, `{value}` a small one), and reload."""
    told = (change.format(name, value=value) for name, value in _SHORT.items())
    words = " && ".join(f'{_ASK} "ALTER SYSTEM {each}"' for each in told)
    return f"{{ {words} && {_RELOAD}; }} >/dev/null"


def _outrun(standby: Place) -> str:
    """Shell words: write WAL and give it up, until the standby's slot is lost.

    Before each checkpoint the other standbys get what they lack: theirs must not be lost too.
    """
    slots = "FROM pg_replication_slots WHERE slot_name"
    behind = "active AND pg_current_wal_lsn() - restart_lsn > 4194304"
    others = f"SELECT count(*) {slots} <> '{standby.server_name}' AND {behind}"
    lost = f"SELECT wal_status {slots} = '{standby.server_name}'"
    write = "SELECT pg_logical_emit_message(false, 'lab', repeat('x', 4000000)), pg_switch_wal()"
    return f"""{_each("SET {} = {value}")}
for _ in $(seq {_ROUNDS}); do
  {_ASK} "{write}" >/dev/null
  for _ in $(seq 50); do [ "$({_ASK} "{others}")" = 0 ] && break; sleep 0.1; done
  {_ASK} CHECKPOINT
  [ "$({_ASK} "{lost}")" = lost ] && break
done
{_each("RESET {}")}
[ "$({_ASK} "{lost}")" = lost ]"""


# ── a standby that is not waited for ─────────────────────────────────────────────────────────────


def _topology(lab: Lab) -> Replication:
    """Who follows whom. Raises LabError while it cannot be told who is primary."""
    found = succession.read(lab.engine, lab.databases)
    found.refuse_doubt()
    return found.topology(lab.settings.addresses)


def _leave_behind(lab: Lab, aim: Aim) -> Strike:
    place, primary = node_of(aim), current_primary(lab)
    if _topology(lab).upstream_of(place) != primary:
        raise LabError(
            f"{place} does not follow the primary ({primary})",
            f"point it at a standby that does: --node {_direct(lab, primary)}",
        )
    standby, source = lab.databases[place], lab.databases[primary]

    def strike() -> None:
        standby.stop("fast")
        try:
            source.run_alone(_outrun(place))
        finally:
            standby.start()

    return strike


def _direct(lab: Lab, primary: Place) -> str:
    return str(next(iter(lab.databases[primary].followers()), WEST_DB1))


def _gets_nothing(lab: Lab, aim: Aim) -> str | None:
    """The upstream has lost the slot or the file, and a fresh record does not arrive."""
    place = node_of(aim)
    if place not in _starved(lab):
        return None
    mark = lab.databases[current_primary(lab)].mark()
    pause(_ARRIVES_SECONDS)
    state = lab.databases[place].state()
    if state.received >= mark:
        return None
    upstream = _topology(lab).upstream_of(place)
    return (
        f"{upstream} no longer has the WAL that {place} needs next; {place} receives nothing, and"
        f" {mark - state.received} B are missing there"
    )


def _starved(lab: Lab) -> tuple[Place, ...]:
    return plights.starved(plights.read(lab.databases), lab.settings.addresses)


def _rebuild_standby(lab: Lab, aim: Aim) -> None:
    start_server(lab, node_of(aim))
    keep_wal_again(lab, current_primary(lab))
    rebuild_starved(lab, _topology(lab))


def _streams_again(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    node = lab.databases[place]
    if not node.answers():
        return None
    state = node.state()
    if not state.in_recovery:
        return f"{place} is primary: it needs no WAL of another node"
    if place in _starved(lab):
        return None
    return f"{place} finds the WAL that it needs"


def _present_starved(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(node=each) for each in sight.starved)


# ── a primary that can no longer be rewound ──────────────────────────────────────────────────────

_RECYCLE: Final = f"""{stopping("fast")}
for _ in 1 2 3 4; do echo "SELECT pg_logical_emit_message(false, 'lab', 'x');"
  echo 'SELECT pg_switch_wal();'; done > /tmp/recycle
echo CHECKPOINT >> /tmp/recycle
postgres --single -D data -c config_file=/etc/lab/postgresql.conf -c wal_keep_size=0 \
  -c max_slot_wal_keep_size=0 -c max_wal_size=8MB -c min_wal_size=8MB postgres \
  < /tmp/recycle >/dev/null
rm -f /tmp/recycle"""


def replaced_by(lab: Lab, place: Place) -> Place:
    """The node promoted in a database's place. Raises LabError if there is none, or if it runs."""
    found = succession.read(lab.engine, lab.databases)
    if place not in found.replaced:
        raise LabError(
            f"{place} is no primary that was replaced and does not run",
            "fail over first: lab fault inject region-loss; lab runbook run region-failover",
        )
    return found.replaced[place]


def _recycle(lab: Lab, aim: Aim) -> Strike:
    place = node_of(aim)
    lab.engine.start([place])
    replaced_by(lab, place)
    node = lab.databases[place]

    def strike() -> None:
        node.run_alone(_RECYCLE)

    return strike


def _cannot_rewind(lab: Lab, aim: Aim) -> str | None:
    """pg_rewind itself says so, in a trial that changes nothing."""
    place = node_of(aim)
    heir = replaced_by(lab, place)
    source = lab.databases.upstream(Follows(place, heir))
    try:
        lab.databases[place].run_alone(f"{rewinding(source)} --dry-run")
    except CommandFailed as error:
        if "could not find previous WAL record" not in error.output:
            raise
        return f"pg_rewind says of {place}: {error.output.strip().splitlines()[-1]}"
    return None


def _rebuild_primary(lab: Lab, aim: Aim) -> None:
    place = node_of(aim)
    lab.engine.start([place])
    found = succession.read(lab.engine, lab.databases)
    if place in found.replaced and _is_beyond(lab, place, found):
        arrow = Follows(place, found.replaced[place])
        lab.databases.follow(arrow, arrow.upstream, Keep(), gentlest=REBUILD)


def _is_beyond(lab: Lab, place: Place, found: Succession) -> bool:
    nodes = lab.databases
    return plights.rewind_is_gone(
        nodes[place], nodes[found.replaced[place]], found.disks[place].timeline
    )


def _needs_no_rewind(lab: Lab, aim: Aim) -> str | None:
    place = node_of(aim)
    if not lab.engine.running(place):
        return None
    found = succession.read(lab.engine, lab.databases)
    if place not in found.replaced:
        return f"{place} needs no rewind: it {_does(lab, place)}"
    return None if _is_beyond(lab, place, found) else f"{place} can be rewound"


def _does(lab: Lab, place: Place) -> str:
    return "is primary" if lab.databases[place].is_primary() else "is a standby"


def _present_beyond(sight: Sight) -> tuple[Aim, ...]:
    return tuple(Aim(node=each) for each in sight.beyond_rewind)


FAULTS = (
    Fault(
        name="wal-gone",
        why="the primary no longer has the WAL that a standby needs next",
        teaches="a slot keeps WAL for a standby that is away, and not for ever: beyond"
        " max_slot_wal_keep_size it is lost, and the standby must be rebuilt",
        how="the standby is stopped; the primary keeps little WAL for a moment, writes more than"
        " that and makes a checkpoint; then the standby is started and is turned away",
        noticed="by monitoring of slots (wal_status = lost); the standby tries again for ever",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=WEST_DB1),
        arm=_leave_behind,
        seen=_gets_nothing,
        heal=_rebuild_standby,
        gone=_streams_again,
        present=_present_starved,
        nodes=DATABASES,
    ),
    Fault(
        name="wal-recycled",
        why="the old primary no longer has its WAL of before the failover: it cannot be rewound",
        teaches="pg_rewind reads the old primary's own WAL back to the fork; who waits too long, or"
        " lets it run on, must copy the whole database",
        how="the old primary recovers by itself, on no network, and its checkpoint removes WAL from"
        " before the fork; what it alone has stays in its tables",
        noticed="not before the way back: pg_rewind could not find previous WAL record",
        cuts=(),
        takes=Takes.NODE,
        default=Aim(node=EAST_DB1),
        arm=_recycle,
        seen=_cannot_rewind,
        heal=_rebuild_primary,
        gone=_needs_no_rewind,
        present=_present_beyond,
        nodes=DATABASES,
        after_failover=True,
        heal_seconds=60,
    ),
)
