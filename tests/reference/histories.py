"""Random runs: several populations, retries, ties at borders, what is missing, cut or late."""

from __future__ import annotations

import random
from dataclasses import replace

from lab.records.history import Kind, Operation, Outcome
from reference.case import Case, Step

FAULT = 1000.0
DEAD, ALIVE = "10.91.0.11", ("10.91.0.12", "10.91.0.13")
PHASES = ("detect", "decide", "fence", "promote", "re-point", "clients follow")
SERVERS = (["a"], ["b"], ["c"], ["a", "b"], ["b", "c"], ["a", None])
Told = tuple[Outcome, float]


class Maker:
    """One random run. Moments lie on a grid, so that many of them fall on borders."""

    def __init__(self, seed: int) -> None:
        self.chance = chance = random.Random(seed)  # noqa: S311 - made-up traffic
        self.grid = chance.choice([10**6, 100, 64, 8, 4, 2])
        self.fault = FAULT + chance.choice([0.0, 0.0, 0.0, 0.037])
        self.before = chance.choice([0.0, 0.5, 3.0, 8.0])
        self.after = chance.choice([0.0, 0.25, 4.0, 5.0, 8.0, 13.0, 16.5])
        self.down = chance.choice([0.0, 0.25, 1.0, 3.0, 3.0, 6.0, 40.0])
        self.relapse = chance.choice([0.0, 0.0, 0.02, 0.2])
        self.phases = chance.sample(PHASES, chance.choice([1, 2, 3, 6]))
        self.plain = chance.random() < 0.2  # servers that name no timeline, LSN or address
        # Mostly one server begins a timeline; sometimes two were promoted each by itself.
        self.servers = {n: chance.choice(SERVERS) for n in (1, 2, 3)}

    def moment(self, low: float, high: float) -> float:
        return round((low + self.chance.random() * (high - low)) * self.grid) / self.grid

    def case(self) -> Case:
        chance = self.chance
        names = ("east", "north", "west")[: chance.choice([1, 2, 2, 3])]
        operations = [item for name in names for item in self.population(name)]
        operations += self.reads(operations)
        chance.shuffle(operations)
        if chance.random() < 0.2:  # some of the record is missing
            operations = operations[: int(len(operations) * chance.random())]
        return Case(
            names=names,
            operations=operations,
            dead=frozenset(chance.choice([(DEAD,), (DEAD,), (DEAD, ALIVE[0]), ()])),
            fork=chance.choice([None, (1, 300), (1, 500), (2, 300)]),
            marks=self.marks(),
            steps=[self.step() for _ in range(chance.randrange(8))],
            **self.databases(operations),  # type: ignore[arg-type]
        )

    def marks(self) -> dict[str, float]:
        marks = {
            "load_started": self.moment(FAULT - self.before - 2, FAULT - self.before),
            "steady": self.fault - self.before,
            "fault_started": self.fault,
            "runbook_started": self.fault + self.chance.choice([0.0, 0.5]),
            "detected": self.moment(FAULT, FAULT + 2),
            "decided": self.moment(FAULT + 2, FAULT + 3),
            "load_stopped": FAULT + self.after,
        }
        seldom = {"steady": 0.1, "load_started": 0.2, "fault_started": 0.2, "load_stopped": 0.1}
        return {
            name: at for name, at in marks.items() if self.chance.random() >= seldom.get(name, 0.3)
        }

    def step(self) -> Step:
        start = self.moment(FAULT - 0.5, FAULT + self.after)
        end = self.moment(start, start + 3)
        return Step(self.chance.choice(self.phases), (start, end), self.chance.random() < 0.2)

    def population(self, name: str) -> list[Operation]:
        rate, users = self.chance.choice([0, 1, 3, 8]), self.chance.choice([1, 2, 5])
        length = self.before + 2 + self.after
        return [self.write(f"{name}-{n}", name, users) for n in range(int(rate * length))]

    def write(self, key: str, name: str, users: int) -> Operation:
        chance = self.chance
        user = chance.randrange(users)
        start = self.moment(FAULT - self.before - 2, FAULT + self.after + 0.5)
        outcome, took = self.told(start)
        end = start + took
        attempts = chance.choice([1, 1, 1, 2, 3])
        base = Operation(
            key=key, kind=Kind.WRITE, start=start, end=end, population=name, user=user,
            honours_ttl=user != 1, outcome=outcome, attempts=attempts,
            tried=None if attempts == 1 else start + took * chance.choice([0.0, 0.5, 1.0]),
            address=chance.choice([DEAD, DEAD, *ALIVE, None]),
        )  # fmt: skip
        if outcome in (Outcome.OK, Outcome.LOCAL) and not self.plain:
            return self.answered(base)
        return base

    def told(self, start: float) -> Told:
        """What a user is told who begins then, and how long that takes."""
        chance = self.chance
        quick = self.moment(0, chance.choice([0.1, 1, 1, 3]))
        if FAULT <= start < FAULT + self.down:
            bad = [Outcome.FAIL, Outcome.UNKNOWN, Outcome.FAIL, Outcome.LOCAL]
            rare = chance.random() < 0.03
            return (Outcome.OK if rare else chance.choice(bad)), self.moment(0, 4.5)
        if start >= FAULT and chance.random() < self.relapse:
            return Outcome.FAIL, quick
        return Outcome.OK, chance.choice([quick, quick, quick, 1.5, 1.5 + 1 / 1024])

    def answered(self, base: Operation) -> Operation:
        chance = self.chance
        late = base.end >= FAULT + self.down
        timeline = chance.choice([1, 2, 2, 3] if late else [1, 1, 1, 1, 2])
        return replace(
            base,
            timeline=timeline if chance.random() < 0.995 else None,
            node=chance.choice(self.servers[timeline]),
            xid=str(chance.randrange(700, 900)),
            lsn=f"0/{chance.randrange(200, 700):X}" if chance.random() < 0.9 else None,
        )

    def reads(self, writes: list[Operation]) -> list[Operation]:
        """Reads of orders, by the own user or by another one, and log-ins."""
        picked = self.chance.sample(writes, len(writes) // 4)
        return [self.read(f"{number}", item) for number, item in enumerate(picked)]

    def read(self, number: str, order: Operation) -> Operation:
        chance = self.chance
        kind = chance.choice([Kind.READ, Kind.READ, Kind.READ, Kind.LOGIN])
        user = chance.choice([order.user, order.user, order.user + 2])
        start = chance.choice([order.start, order.end, self.moment(order.end, order.end + 2)])
        outcome = chance.choice([Outcome.OK, Outcome.OK, Outcome.FAIL])
        own = kind is Kind.READ
        told = chance.choice([True, False]) if own and outcome is Outcome.OK else None
        return Operation(
            key=order.key if own else f"{order.key}.{number}", kind=kind, start=start,
            end=start + self.moment(0, 1), population=order.population, user=user,
            honours_ttl=user != 1, outcome=outcome, attempts=1, found=told,
            address=chance.choice([DEAD, *ALIVE, None]), request_id=f"r{number}.1",
        )  # fmt: skip

    def databases(self, operations: list[Operation]) -> dict[str, object]:
        """Final reads: most of what was acknowledged is on the winner; a loser may be unread."""
        chance = self.chance
        writes = [item for item in operations if item.kind is Kind.WRITE]
        winner: dict[str, int] = {}
        for item in writes:
            if chance.random() < (0.95 if item.outcome is Outcome.OK else 0.2):
                winner[item.key] = 1 if chance.random() < 0.99 else 2
        for key in chance.sample(["watch-1", "verify-1", "stranger", "stranger-2"], 2):
            winner[key] = chance.choice([0, 1, 2])
        losers = {
            node: {item.key for item in writes if chance.random() < 0.5}
            for node in ("east_db1", "east_db2")
            if chance.random() < 0.9
        }
        return {"winner": winner, "losers": losers}


def made(seed: int) -> Case:
    """The run of a seed."""
    return Maker(seed).case()
