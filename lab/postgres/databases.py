"""The four databases as one replication topology: made, put back, resumed, re-pointed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, LiteralString

from lab.core.errors import LabError
from lab.core.lazylibraries import lazily
from lab.core.paths import PROJECT
from lab.core.topology import (
    DATABASES,
    DEFAULT_REPLICATION,
    REGIONS,
    SHOP_SESSIONS,
    Follows,
    Place,
    Region,
    Replication,
)
from lab.infra.machines import Engine
from lab.infra.settings import Settings
from lab.postgres.following import prove_following
from lab.postgres.node import Node, Upstream
from lab.postgres.salvage import FOLLOW, REBUILD, REWIND, Keep, Salvage

if TYPE_CHECKING:
    from psycopg import sql
else:
    sql = lazily("psycopg.sql")

DATABASE = "shop"
SCHEMA = PROJECT / "apps" / "shop" / "schema.sql"
_FOLLOW_SECONDS = 20.0
_READ_BY_REWIND: tuple[LiteralString, ...] = (
    "pg_catalog.pg_ls_dir(text, boolean, boolean)",
    "pg_catalog.pg_stat_file(text, boolean)",
    "pg_catalog.pg_read_binary_file(text)",
    "pg_catalog.pg_read_binary_file(text, bigint, bigint, boolean)",
)
"""What pg_rewind calls on its source: with these it needs no superuser."""


class Databases:
    """The lab's nodes, and what is done to all of them together."""

    def __init__(self, engine: Engine, settings: Settings) -> None:
        self._engine = engine
        self._settings = settings
        self.nodes: Mapping[Place, Node] = {
            place: Node(place, engine, settings) for place in DATABASES
        }
        self.salvage = Salvage(engine, self.nodes)

    def __getitem__(self, place: Place) -> Node:
        return self.nodes[place]

    def upstream(self, arrow: Follows) -> Upstream:
        """How a standby reaches the node it follows: directly, or by the other region's gateway."""
        addresses = self._settings.addresses
        here, there = arrow.standby.region, arrow.upstream.region
        if here is there:
            return Upstream(arrow.upstream, addresses.inside(arrow.upstream), 5432)
        return Upstream(arrow.upstream, addresses.gateway_as_seen_from(there, here), 5433)

    def heads(self, replication: Replication) -> dict[Region, Place]:
        """Each region's head node."""
        return {each: replication.head_of(each) for each in REGIONS}

    def heads_around(self, primary: Place) -> dict[Region, Place]:
        """Each region's head, when nothing is known but who is primary.

        It is the usual one if its disk is a standby's. One that was primary follows no node: then
        the name leads to the primary.
        """

        from lab.runbooks.scenarios import topology_with  # a fault loads no runbook

        usual = self.heads(topology_with(primary))
        return {
            of: node if node != primary and self._is_standby(node) else primary
            for of, node in usual.items()
        }

    def _is_standby(self, node: Place) -> bool:
        try:
            return self[node].is_standby_on_disk()
        except LabError:
            return False

    def primaries(self) -> tuple[Place, ...]:
        """Nodes that say they are primary, among those that answer."""
        answers = self._engine.each(DATABASES, lambda place: self[place].is_primary())
        return tuple(place for place, yes in zip(DATABASES, answers, strict=True) if yes)

    # ── from nothing ─────────────────────────────────────────────────────────────────────────

    def initialise(
        self,
        booted: Callable[[Place], object] = lambda _place: None,
        links_are_open: Callable[[], object] = lambda: None,
        beside: Callable[[], object] = lambda: None,
        replication: Replication = DEFAULT_REPLICATION,
    ) -> None:
        """Make all four nodes and keep a copy of each data directory for `reset`.

        `booted` is called before a machine is needed, `links_are_open` before the links between
        the regions are; both may wait. `beside` is called while only the primary has work to do.

        The copies of the standbys are base backups as they came; the primary's is made cold,
        afterwards, so that it holds all the WAL which those backups need. All three backups come
        from the primary, because a cascading one would have to wait for the node it copies.
        """
        primary, (arrows, waits) = self[replication.primary], self._roles(replication)
        with ThreadPoolExecutor(1) as pool:
            made = pool.submit(self._make_primary, primary, booted, replication)

            def copy(standby: Place) -> None:
                booted(standby)
                self[standby].write_identity(arrows[standby], None)
                made.result()
                links_are_open()
                self[standby].backup_from(self.upstream(Follows(standby, primary.place)), keep=True)

            self._engine.each([arrow.standby for arrow in replication.follows], copy)
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(beside)
            primary.write_identity(None, waits[primary.place])
            primary.save_golden()
            done.result()
        self.prove(replication)

    def _make_primary(
        self, primary: Node, booted: Callable[[Place], object], replication: Replication
    ) -> None:
        booted(primary.place)
        # No standby to wait for yet: with a synchronous name set, the first commit would hang.
        primary.write_identity(None, None)
        primary.initialise()
        self._create_contents(primary)
        primary.ensure_slots(replication.standbys_of(primary.place))

    def _create_contents(self, primary: Node) -> None:
        statements: tuple[sql.SQL | sql.Composed, ...] = (
            sql.SQL("CREATE ROLE replicator LOGIN REPLICATION PASSWORD {}").format(
                sql.Literal(self._settings.replication_password)
            ),
            sql.SQL("CREATE ROLE shop LOGIN CONNECTION LIMIT {} PASSWORD {}").format(
                sql.Literal(SHOP_SESSIONS), sql.Literal(self._settings.shop_password)
            ),
            sql.SQL("CREATE DATABASE shop OWNER shop"),
            *(
                sql.SQL(f"GRANT EXECUTE ON FUNCTION {each} TO replicator")
                for each in _READ_BY_REWIND
            ),
        )
        with primary.connect() as connection:
            # A statement that fails is logged with its text, and these hold passwords.
            connection.execute("SET log_min_error_statement = panic")
            for statement in statements:
                connection.execute(statement)
        with primary.connect(DATABASE) as connection:
            connection.execute(SCHEMA.read_text().encode())

    def _roles(
        self, replication: Replication
    ) -> tuple[Mapping[Place, Upstream], Mapping[Place, Place | None]]:
        """What each standby follows, and which standby the primary waits for."""
        arrows = {arrow.standby: self.upstream(arrow) for arrow in replication.follows}
        return arrows, {replication.primary: replication.synchronous}

    # ── back to the start ────────────────────────────────────────────────────────────────────

    def initialised(self, booted: Callable[[Place], object] = lambda _place: None) -> bool:
        """True when every node has a copy to be put back; `booted` as in `initialise`.

        The primary's copy is made last, so without it there is no need to ask the others.
        """

        def kept(place: Place) -> bool:
            booted(place)
            return self[place].has_golden()

        primary = DEFAULT_REPLICATION.primary
        return kept(primary) and all(
            self._engine.each([each for each in DATABASES if each != primary], kept)
        )

    def restore(
        self,
        replication: Replication = DEFAULT_REPLICATION,
        asked: Callable[[], str] | None = None,
    ) -> str:
        """Put the nodes of a topology back to what they were after `initialise`: an empty shop.

        First it waits for what becomes of people's orders, and returns it, empty if there are none:
        for `asked`, where a caller has begun to ask already (`Salvage.keep_people`).
        """
        kept = asked() if asked else self.salvage.keep_people(Keep())
        arrows, waits = self._roles(replication)
        self._engine.each(
            [replication.primary, *arrows],
            lambda place: self[place].restore_golden(arrows.get(place), waits.get(place)),
        )
        self.prove(replication)
        return kept

    # ── any topology ─────────────────────────────────────────────────────────────────────────

    def prove(self, replication: Replication) -> dict[Place, float]:
        """See to it that each standby's slot exists, and that fresh WAL reaches each standby."""
        sources = [place for place in DATABASES if replication.standbys_of(place)]
        self._engine.each(
            sources, lambda place: self[place].ensure_slots(replication.standbys_of(place))
        )
        standbys = [self[arrow.standby] for arrow in replication.follows]
        return prove_following(self[replication.primary], standbys, _FOLLOW_SECONDS)

    def follow(
        self,
        arrow: Follows,
        primary: Place,
        keep: Keep | None = None,
        timeout: float = 10.0,
        gentlest: str = FOLLOW,
    ) -> str:
        """Make a node follow another one, whatever it was before and whether it runs; says how.

        By the gentlest way that works, from `gentlest` on. It re-points first; a node that is ahead
        of the fork (it received what the promoted one did not) cannot follow: it is rewound, and if
        that fails, rebuilt. What it alone has is written down before, or nothing is done to it.
        """
        node, upstream = self[arrow.standby], self.upstream(arrow)
        kept = self.salvage.keep(arrow.standby, primary, keep or Keep())
        ways: Mapping[str, Callable[[], str | None]] = {
            FOLLOW: lambda: node.reload_upstream(upstream),
            REWIND: lambda: self._rewind(node, upstream),
            REBUILD: lambda: self._rebuild(node, upstream),
        }
        # Waiting for a gentler one would only run into the time-out.
        first = max(kept.way, gentlest, key=list(ways).index)
        able = list(ways.items())[list(ways).index(first) :]
        how = self._first_way(arrow, primary, timeout, able)
        return "; ".join(filter(None, [how, kept.worth_telling]))

    def follow_all(
        self, arrows: Iterable[Follows], primary: Place, keep: Keep, timeout: float = 10.0
    ) -> list[str]:
        """Make nodes follow, each after the one that it is to follow; what was done to each.

        Behind a node that was ahead of the fork there may be one that is so as well: it does not
        come along by itself.
        """
        return [
            f"{each.standby} now follows {each.upstream} ({how})"
            for each in arrows
            for how in [self.follow(each, primary, keep, timeout)]
        ]

    def _first_way(
        self,
        arrow: Follows,
        primary: Place,
        timeout: float,
        ways: Iterable[tuple[str, Callable[[], str | None]]],
    ) -> str:
        """Try ways until fresh WAL of the primary arrives; which one it was, and what failed.

        A way may turn out to be another one, and says so.
        """
        upstream, failures = self[arrow.upstream], list[str]()
        for how, act in ways:
            try:
                upstream.ensure_slots([arrow.standby])
                did = act() or how
                prove_following(self[primary], [self[arrow.standby]], timeout)
            except LabError as error:
                failures.append(f"not {how}: {_short(error)}")
            else:
                return "; ".join([did, *failures])
        raise LabError(
            f"{arrow.standby} cannot be made to follow {arrow.upstream}: {'; '.join(failures)}",
            f"look at: lab logs {arrow.standby}; see who follows whom: lab status",
        )

    @staticmethod
    def _rebuild(node: Node, upstream: Upstream) -> None:
        node.write_identity(upstream, None)
        node.backup_from(upstream)

    def _rewind(self, node: Node, upstream: Upstream) -> str:
        node.write_identity(upstream, None)
        return REWIND if node.rewind_to(upstream) else FOLLOW


def _short(error: LabError) -> str:
    # The reason stands at the end, after the command.
    return "…" + re.sub(r"\s+", " ", error.message)[-160:]
