"""PostgreSQL nodes and their verbs, in PostgreSQL's own words.

Commands (`pg_ctl`, `pg_rewind`) run inside the machine as user postgres; SQL is in
`lab.postgres.server`.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from lab.core.errors import CommandFailed, LabError
from lab.core.lsn import format_lsn, parse_lsn
from lab.core.topology import Place
from lab.core.wait import wait_until
from lab.infra import changetoken
from lab.infra.logins import REPLICATION_ROLE, host_based_access
from lab.postgres.processes import HOME, LOCKED, OLDEST, STRAY_ENDED, stopping
from lab.postgres.server import Server
from lab.postgres.succession import Disk

QUARANTINE = "quarantine"
FULL = "disk-full"
PLANTED = "planted.conf"
TORN = "torn"
"""Files beside the data directory. A fault leaves them: no byte more may be written; a setting. Or
a rewind that is not through: the data directory is no database."""

_FULL = f"{{ [ ! -e {HOME}/identity/{FULL} ] || ulimit -S -f 1; }}"
_BOOTED = "{ for _ in $(seq 500); do [ -e /dev/shm/booted ] && break; sleep 0.02; done; }"

_CONFIG = "-c config_file=/etc/lab/postgresql.conf"
_LOG = f"{HOME}/log/postgresql.log"
_START = f"{{ {_FULL} && pg_ctl start -w -t 60 -s -l {_LOG} -o '{_CONFIG}' 9>&-; }}"
EMPTY = "/usr/share/lab/cluster"
"""Where the image has a cluster as `initdb` made it: no password, and no login."""
_KEEP = "{ rm -rf golden golden.new && cp -a data golden.new && mv golden.new golden; }"
_LET_SUPERUSER_IN = (
    r"{ printf 'SET log_min_error_statement = panic;\n\\set new `cat identity/password`\n"
    r"ALTER ROLE postgres PASSWORD :\047new\047;\n' | psql -XqU postgres -v ON_ERROR_STOP=1; }"
)
_WHOLE = "that-is-all"
_ASK_SECONDS = 10.0
_PROMOTE_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Upstream:
    """Where a standby streams from, as it sees it: an address and a port."""

    node: Place
    host: str
    port: int


class Node(Server):
    """One database server and the machine under it."""

    def set_synchronous(self, standby: Place | None, upstream: Upstream | None = None) -> str:
        """Set what a commit waits for (None: no standby) and reload; the value now in force.

        Standbys inherit nothing here, because the setting lives outside the data directory, but a
        promoted node must still be given its own before it takes writes.
        """
        wanted = _synchronous_value(standby)
        with self.kept_open():
            self.reload_upstream(upstream, standby)
            wait_until(
                f"{self.place} to take synchronous_standby_names = {wanted!r}",
                lambda: self.synchronous_names() == wanted,
                timeout=5,
                every=0.01,
            )
        return wanted

    def write_identity(self, upstream: Upstream | None, synchronous: Place | None) -> None:
        """Write what this node is, next to its data directory."""
        own = self._settings.trust.servers[str(self.place)]
        self._engine.write_files(
            self.place,
            f"{HOME}/identity",
            {
                "node.conf": self._configuration(upstream, synchronous),
                "pg_hba.conf": host_based_access(self.place, self._settings.addresses),
                "authority.pem": self._settings.trust.authority.certificate,
                "server.pem": own.certificate,
                "server.key": own.key,
                "pgpass": f"*:*:*:{REPLICATION_ROLE}:{self._settings.replication_password}\n",
                "password": self._settings.superuser_password,
            },
        )

    def _configuration(self, upstream: Upstream | None, synchronous: Place | None) -> str:
        name = self.place.server_name
        lines = [
            "# What this node is. Outside the data directory: a copy must not inherit it.",
            f"cluster_name = '{name}'",
            f"primary_slot_name = '{name}'",
            f"synchronous_standby_names = '{_synchronous_value(synchronous)}'",
        ]
        if upstream is not None:
            lines.append(f"primary_conninfo = '{self._conninfo(upstream)}'")
        return "\n".join(lines) + "\n"

    def initialise(self) -> None:
        """Copy the image's empty cluster, start it, and give the superuser this lab's password.

        `initdb` ran when the image was made. What was in the data directory before is gone.
        """
        self.run_alone(
            f"rm -rf data golden && cp -a {EMPTY} data && {_START} && {_LET_SUPERUSER_IN}"
        )

    def backup_from(self, upstream: Upstream, *, keep: bool = False) -> None:
        """Become a copy of another node, by `pg_basebackup -R`. Old data is gone.

        The upstream must hold this node's slot already: it keeps the WAL between the end of the
        copy and the first streaming. With `keep`, `restore_golden` puts this copy back later.
        """
        self.run_alone(
            f"{stopping('immediate')} && rm -rf data identity/{TORN}"
            f" && pg_basebackup -D data -R -X stream -c fast"
            f" -d '{self._conninfo(upstream, 'backup')}'"
            " && : > data/postgresql.auto.conf" + (f" && {_KEEP}" if keep else "") + f" && {_START}"
        )

    def rewind_to(self, source: Upstream) -> bool:
        """Follow another node, by `pg_rewind`, and start; False if it had nothing to rewind."""
        said = self.run_alone(
            f"{stopping('fast')} && : > identity/{TORN}"
            f" && {rewinding(source)}"
            f" && : > data/postgresql.auto.conf && rm identity/{TORN} && {_START}"
        )
        return "no rewind required" not in said

    def end_of_shutdown(self) -> int:
        """Where the WAL of a server that was shut down in good order ends, in bytes.

        Raises LabError for any other: what it wrote after its last checkpoint is not told there.
        """
        state, end = self.asked(
            "LC_ALL=C pg_controldata data | sed -n"
            " 's/^Database cluster state: *//p;s/^Latest checkpoint location: *//p'"
        )
        if state != "shut down":
            raise LabError(f"{self.place} was not shut down in good order: it is {state!r}")
        return parse_lsn(end)

    def start(self) -> None:
        """Start the server if it does not run, and wait until it answers."""
        self.run_alone(f"{{ {LOCKED} || {{ {STRAY_ENDED} && {_START}; }}; }}")

    def start_patiently(self, timeout: float = 30.0) -> None:
        """Start a standby, whose machine may be starting it by itself in the same moment."""

        def started() -> bool:
            self.start()
            return self.answers()

        wait_until(f"{self.place} to start", started, timeout, ignoring=(LabError,))

    def stop(self, mode: str = "fast", within: int = 60, after: int = 60) -> None:
        """Stop the server if it runs (`smart`, `fast`, `immediate`), after what is done to it now.

        Raises CommandFailed if either takes more seconds: a silent handshake holds a server up.
        """
        self.run_alone(stopping(mode, within), after)

    def kill9(self) -> None:
        """Crash the server by SIGKILL to the postmaster, whose children end by themselves."""
        self.run_alone(
            f"{OLDEST} && kill -9 $oldest"
            f" && for _ in $(seq 250); do {OLDEST} || break; sleep 0.02; done"
        )

    def promote(self) -> None:
        """`pg_ctl promote`, until the server has left recovery; a primary stays what it is.

        `pg_ctl -w` looks ten times a second, and users wait for the answer: the server is asked.
        """
        with self.kept_open():
            try:
                self.run_alone("pg_ctl promote -W -s")
            except CommandFailed as error:
                if "not in standby mode" not in error.output:
                    raise
            wait_until(
                f"{self.place} to leave recovery",
                lambda: not self.state().in_recovery,
                _PROMOTE_SECONDS,
                every=0.01,
                ignoring=(LabError,),
            )

    def wait_for_catchup(self, lsn: int, timeout: float, timeline: int | None = None) -> None:
        """Wait until this standby has replayed `lsn`, on `timeline` if given. Raises WaitExpired.

        An LSN alone proves nothing of a node that may have gone its own way: what it wrote or
        received on another timeline can be longer.
        """
        wait_until(
            f"{self.place} to replay {format_lsn(lsn)}",
            lambda: self.state().has_replayed(lsn, timeline),
            timeout,
            ignoring=(LabError,),
        )

    def save_golden(self) -> None:
        """Keep a cold copy of the data directory for `restore_golden`, and start again."""
        self.run_alone(f"{stopping('fast')} && {_KEEP} && {_START}")

    def has_golden(self) -> bool:
        """True when there is something to put back."""
        return self._has("golden/PG_VERSION")

    def restore_golden(self, upstream: Upstream | None, synchronous: Place | None) -> None:
        """Put the kept data directory back and start. What was written since is gone.

        The node becomes a standby of `upstream`, or a primary that waits for `synchronous`.
        Only files that differ are copied: copying all is half of what a reset costs. A file that
        was written to has another time, to the nanosecond (rsync's default is whole seconds).
        """
        node = shlex.quote(self._configuration(upstream, synchronous))
        self.run_alone(
            f"{stopping('immediate')}"
            f" && cd identity && rm -rf ../autopsy {QUARANTINE} {FULL} {PLANTED} {TORN} && cd .."
            f" && printf %s {node} > identity/node.conf"
            f" && rsync -a --delete --modify-window=-1 golden/ data/ && {_START}"
        )

    def reload_upstream(self, upstream: Upstream | None, synchronous: Place | None = None) -> None:
        """Follow another node (or none) and wait for another one, without a restart."""
        self.write_identity(upstream, synchronous)
        self.reload()

    def disk(self) -> Disk:
        """What stands on its disk: of a promotion without a checkpoint, a history file."""
        said = self.asked(
            "if [ -e data/standby.signal ]; then echo standby; fi"
            f" && if [ -e identity/{TORN} ]; then echo torn; fi"
            " && { sed -n 's/^primary_conninfo = .host=\\([^ ]*\\).*/follows \\1/p'"
            " identity/node.conf || :; }"
            " && LC_ALL=C pg_controldata data"
            ' | sed -n "s/^Latest checkpoint\'s TimeLineID: */timeline /p"'
            " && ls data/pg_wal | sed -n 's/[.]history$//p'"
        )
        return Disk.said_by(said)

    def asked(self, script: str) -> list[str]:
        """Lines that a script says. On a busy machine an answer may come cut short: asked again."""

        def whole() -> list[str] | None:
            said = self._engine.run(
                self.place, ["sh", "-c", f"cd {HOME} && {{ {script}; }} && echo {_WHOLE}"]
            )
            *lines, last = [line.strip() for line in said.splitlines()] or [""]
            return lines if last == _WHOLE else None

        return wait_until(f"{self.place} to say what stands on its disk", whole, _ASK_SECONDS)

    def is_standby_on_disk(self) -> bool:
        """True when the data directory is that of a standby, whether the machine runs or not."""
        return self._has("data/standby.signal")

    def _has(self, path: str) -> bool:
        return self._engine.holds(self.place, f"{HOME}/{path}")

    def _conninfo(self, upstream: Upstream, suffix: str = "") -> str:
        # A base backup shows up as a `streaming` standby of its own: give it another name, so
        # that a synchronous name never matches it.
        application = self.place.server_name + (f"_{suffix}" if suffix else "")
        return f"{_safely(upstream)} user={REPLICATION_ROLE} application_name={application}"

    def run_alone(self, script: str, after: int = 60) -> str:
        """Run shell words beside the data directory, after what else is done there; the output."""
        guard = f"{_BOOTED} && {changetoken.alone(self._engine.lab_name, after)}"
        argv = ["sh", "-c", f"{guard} && cd {HOME} && {{ {script}\n}}"]
        return self._engine.run(self.place, argv, called=script)


def _safely(source: Upstream) -> str:
    """Conninfo of a connection that is encrypted, to a server that proves what it was asked for.

    Encrypted from the first byte: asking first would cost a round trip between the regions.
    """
    return (
        f"host={source.host} port={source.port} connect_timeout=5 sslmode=verify-full"
        f" sslrootcert={HOME}/identity/authority.pem sslnegotiation=direct"
    )


def rewinding(source: Upstream) -> str:
    """`pg_rewind` as it is typed on a node's machine."""
    server = f"--source-server='{_safely(source)} user={REPLICATION_ROLE} dbname=postgres'"
    return f"pg_rewind -D data -R --config-file=/etc/lab/postgresql.conf {server}"


def _synchronous_value(standby: Place | None) -> str:
    return f"ANY 1 ({standby.server_name})" if standby else ""
