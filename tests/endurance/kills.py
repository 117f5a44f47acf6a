"""The command line, killed at any moment of inject, heal and drill."""

from __future__ import annotations

import random

from tool import NAME, after, cut, last_words, must, ran, tell

from lab.cluster import Lab
from lab.errors import LabError
from lab.faults import acting
from lab.faults.catalogue import faults

DRILLS = ("zone-loss", "region-loss", "split-brain-fenced", "gray-failure")
ALONE = ("region-loss", "blackout", "engine-restart")


def kills(times: int, seed: int = 1) -> bool:
    """Inject, heal and drills, killed at any moment: the next command puts all of it right."""
    chance, bad = random.Random(seed), 0  # noqa: S311 - no secret
    must("up")
    for number in range(1, times + 1):
        what = chance.choice([_inject, _inject, _heal, _drill])
        told, moment, recovery = what(chance)
        problem = _recovered(recovery)
        bad += bool(problem)
        tell(number=number, killed=told, after=round(moment, 2), problem=problem)
    tell(kills=times, seed=seed, not_recovered=bad)
    return not bad


def _inject(chance: random.Random) -> tuple[str, float, tuple[str, ...]]:
    row = chance.choice([each for each in faults() if each.name not in ALONE])
    moment = chance.uniform(0.3, 6.0)
    cut(after(moment), "fault", "inject", row.name, "--for", "2s")
    return f"fault inject {row.name} --for 2s", moment, ("fault", "heal", "--all")


def _heal(chance: random.Random) -> tuple[str, float, tuple[str, ...]]:
    row = chance.choice([each for each in faults() if each.name not in ALONE])
    ran("fault", "inject", row.name)
    moment = chance.uniform(0.3, 4.0)
    cut(after(moment), "fault", "heal", "--all")
    return f"fault heal --all ({row.name})", moment, ("fault", "heal", "--all")


def _drill(chance: random.Random) -> tuple[str, float, tuple[str, ...]]:
    name, moment = chance.choice(DRILLS), chance.uniform(0.3, 40.0)
    cut(after(moment), "drill", name)
    return f"drill {name}", moment, ("up",)


def _recovered(recovery: tuple[str, ...]) -> str:
    """What is wrong after the next command; empty if all is well. The lab is put right then."""
    done = ran(*recovery)
    problem = "" if not done.returncode else f"{' '.join(recovery)}: {last_words(done.stderr)}"
    problem = problem or _wrong()
    if problem:
        must("up")
        must("reset")
    return problem


def _wrong() -> str:
    try:
        with Lab.attached(NAME) as lab:
            left = acting.in_force(lab)
            busy = [each.population for each in lab.users.values() if each.stats().running]
    except LabError as error:
        return error.message.splitlines()[0]
    told = [f"in force: {each}" for each in left] + [f"{each}'s users at work" for each in busy]
    return "; ".join(told)
