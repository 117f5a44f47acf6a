"""The command line, killed at any moment of inject, heal and drill."""

from __future__ import annotations

import random
from dataclasses import dataclass

from tool import NAME, after, cut, last_words, must, ran, tell

from lab.core.errors import LabError
from lab.core.topology import DEFAULT_REPLICATION
from lab.faults import acting
from lab.faults.catalogue import faults
from lab.testbed.lab import Lab

DRILLS = ("zone-loss", "region-loss", "split-brain-fenced", "gray-failure")
ALONE = ("region-loss", "blackout", "engine-restart")


def kills(times: int, seed: int = 1) -> bool:
    """Inject, heal and drills, killed at any moment: the next command puts all of it right.

    What had ended by itself before it could be killed is told, and does not count.
    """
    chance, bad = random.Random(seed), 0  # noqa: S311 - no secret
    must("up")
    number = ended = 0
    while number < times:
        what = chance.choice([_inject, _inject, _heal, _drill])
        tried = what(chance)
        problem = _recovered(tried.recovery)
        number += tried.code is None
        ended += tried.code is not None
        bad += bool(problem)
        tell(number=number, killed=tried.told, after=round(tried.moment, 2),
             ended_before=tried.code, problem=problem)  # fmt: skip
    tell(kills=number, ended_before=ended, seed=seed, not_recovered=bad)
    return not bad


@dataclass(frozen=True)
class Tried:
    """What was killed, after how many seconds, what recovers from it; its code if it had ended."""

    told: str
    moment: float
    recovery: tuple[str, ...]
    code: int | None


def _inject(chance: random.Random) -> Tried:
    row = chance.choice([each for each in faults() if each.name not in ALONE])
    moment = chance.uniform(0.3, 6.0)
    code = cut(after(moment), "fault", "inject", row.name, "--for", "2s")
    return Tried(f"fault inject {row.name} --for 2s", moment, ("fault", "heal", "--all"), code)


def _heal(chance: random.Random) -> Tried:
    row = chance.choice([each for each in faults() if each.name not in ALONE])
    ran("fault", "inject", row.name)
    moment = chance.uniform(0.3, 4.0)
    code = cut(after(moment), "fault", "heal", "--all")
    return Tried(f"fault heal --all ({row.name})", moment, ("fault", "heal", "--all"), code)


def _drill(chance: random.Random) -> Tried:
    name, moment = chance.choice(DRILLS), chance.uniform(0.3, 40.0)
    return Tried(f"drill {name}", moment, ("reset", "--yes"), cut(after(moment), "drill", name))


def _recovered(recovery: tuple[str, ...]) -> str:
    """What is wrong after the next command; empty if all is well. The lab is put right then."""
    done = ran(*recovery)
    problem = "" if not done.returncode else f"{' '.join(recovery)}: {last_words(done.stderr)}"
    problem = problem or _wrong()
    if problem:
        ran("up")  # it says so where a person must decide; a reset decides
        must("reset", "--yes")
    return problem


def _wrong() -> str:
    try:
        with Lab.attached(NAME) as lab:
            left = acting.in_force(lab)
            busy = [each.population for each in lab.users.values() if each.stats().running]
            lab.wait_ready()  # both shops can take an order, both resolvers say so
            lab.databases.prove(DEFAULT_REPLICATION)
    except LabError as error:
        return error.message.splitlines()[0]
    told = [f"in force: {each}" for each in left] + [f"{each}'s users at work" for each in busy]
    return "; ".join(told)
