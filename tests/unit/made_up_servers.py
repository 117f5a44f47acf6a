"""Database servers that answer as they are told to be, for tests of steps without a lab."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from types import SimpleNamespace
from typing import Any

from contexts import context

from lab.core.errors import LabError
from lab.core.lineage import Position
from lab.core.topology import DATABASES, EAST_DB1, WEST_DB1, Follows, Place
from lab.postgres.processes import STATUS
from lab.postgres.salvage import FOLLOW
from lab.postgres.server import NodeState
from lab.postgres.succession import Disk
from lab.runbooks.runbook import Plan
from lab.steps.catalogue import step
from lab.steps.context import Context


class Server:
    """One database. `did` is what was done to it, in order; `shut_down` is how its server ended."""

    def __init__(self, place: Place, *, primary: bool, position: Position) -> None:
        self.place, self.primary, self.here = place, primary, position
        self.runs, self.whole, self.shut_down = True, True, "in production"
        self.receiver = "" if primary else "10.91.1.11:5432 streaming"
        self.waits, self.streaming = "", list[Place]()
        self.late, self.stuck = False, False  # fresh WAL does not reach it; it follows nobody
        self.did = list[str]()

    def __str__(self) -> str:
        return str(self.place)

    def answers(self) -> bool:
        return self.runs

    def is_primary(self) -> bool:
        return self.runs and self.primary

    def query(self, sql: str) -> None:
        self.did.append(sql.lower())

    def state(self) -> NodeState:
        if not self.runs:
            raise LabError(f"{self.place}: no connection to PostgreSQL")
        return NodeState(
            self.place, self.place.server_name, not self.primary, self.here.timeline,
            self.here.end, self.here.end, None, self.receiver, self.waits, (),
        )  # fmt: skip

    def stand(self) -> tuple[NodeState, Position]:
        return self.state(), self.here

    def position(self) -> Position:
        return self.stand()[1]

    def followers(self) -> tuple[Place, ...]:
        return tuple(self.streaming)

    def disk(self) -> Disk:
        return Disk(not self.primary, self.here.timeline, whole=self.whole)

    def end_of_shutdown(self) -> int:
        if self.shut_down != "shut down":
            raise LabError(f"{self} was not shut down in good order: it is {self.shut_down!r}")
        return self.here.end

    def stop(self, mode: str) -> None:
        self.did.append(f"stop {mode}")
        self.runs, self.shut_down = False, "shut down" if mode == "fast" else "in production"

    def start(self) -> None:
        self.did.append("start")
        self.runs = True

    def start_patiently(self) -> None:
        self.start()

    def set_synchronous(self, standby: Place | None) -> str:
        self.waits = f"ANY 1 ({standby.server_name})" if standby else ""
        self.did.append(f"waits for {standby}")
        return self.waits

    def drop_unused_slot(self, standby: Place) -> None:
        self.did.append(f"no slot for {standby}")


class Servers(dict[Place, Server]):
    """The four databases: east.db1 is primary, the others have all that it has."""

    def __init__(self, primary: Place = EAST_DB1) -> None:
        super().__init__(
            (each, Server(each, primary=each == primary, position=Position(1, 0x5000)))
            for each in DATABASES
        )

    def primaries(self) -> tuple[Place, ...]:
        return tuple(place for place, server in self.items() if server.is_primary())

    def follow(
        self, arrow: Follows, _primary: Place, keep: Any, _timeout: float, gentlest: str = FOLLOW
    ) -> str:
        standby = self[arrow.standby]
        if standby.stuck:
            raise LabError(f"{standby} cannot be made to follow")
        standby.did.append(f"{gentlest} behind {arrow.upstream}, kept in {keep.folder}")
        standby.runs, standby.late, standby.receiver = True, False, "somewhere streaming"
        return gentlest

    def follow_all(self, arrows: Any, primary: Place, keep: Any, timeout: float) -> list[str]:
        return [
            f"{each.standby} now follows {each.upstream} ({how})"
            for each in arrows
            for how in [self.follow(each, primary, keep, timeout)]
        ]


class Engine:
    """Machines that run, but for those that are dead."""

    lab_name = "lab"

    def __init__(self, servers: Servers) -> None:
        self.servers, self.dead = servers, set[Place]()

    def alive(self, places: Iterable[Place]) -> tuple[Place, ...]:
        return tuple(each for each in places if each not in self.dead)

    def running(self, place: Place) -> bool:
        return place not in self.dead

    def state(self, place: Place) -> Any:
        return SimpleNamespace(stopped=place in self.dead, frozen=False)

    def each(self, places: Iterable[Place], act: Any) -> list[Any]:
        return [act(each) for each in places]

    def run_code(self, place: Place, argv: Sequence[str]) -> tuple[int, str]:
        assert argv == STATUS
        return (0 if self.servers[place].runs else 3), ""


class MadeUp:
    """A lab of such servers, and the steps that are done to it."""

    def __init__(self, primary: Place = EAST_DB1) -> None:
        self.servers = Servers(primary)
        self.engine = Engine(self.servers)
        self.marks = list[tuple[str, str]]()
        self.lab = SimpleNamespace(engine=self.engine, databases=self.servers, name="lab")

    def __getitem__(self, place: Place) -> Server:
        return self.servers[place]

    def kill(self, place: Place) -> None:
        self[place].runs = False
        self.engine.dead.add(place)

    def do(self, name: str, plan: Plan | None = None, **options: Any) -> str:
        """What the step says. Raises what it raises."""
        row = step(name)
        return row.act(self.context(plan, **row.chosen(options)))

    def context(self, plan: Plan | None = None, **options: Any) -> Context:
        recorder = SimpleNamespace(
            folder="runs/1", mark=lambda name, note="": self.marks.append((name, note))
        )
        chosen = plan or Plan(EAST_DB1, WEST_DB1)
        return context(self.lab, chosen, recorder=recorder, options=options)
