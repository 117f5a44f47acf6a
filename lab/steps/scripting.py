"""A step that runs a team's own script, in a machine that is there for it alone."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, DEFAULT_REPLICATION, MACHINES, REGIONS, Place, machines_of
from lab.core.words import listed, seconds
from lab.infra import managementnet
from lab.records.journalfile import Via
from lab.records.runfiles import script_output
from lab.runbooks import facts
from lab.runbooks.facts import needs
from lab.runbooks.model import world_of
from lab.runbooks.option import Option, Texts
from lab.runbooks.runbook import Fact, Harm, Need, Plan, Repeats, Step
from lab.runbooks.yamlnode import shortened

if TYPE_CHECKING:
    from pathlib import Path

    from lab.core.topology import Region
    from lab.infra.toolbox import Errand, Ran
    from lab.runbooks.model import World
    from lab.runbooks.option import Options
    from lab.steps.context import Context

_TOLD_LETTERS: Final = 60
_TOLD_LINES: Final = 8
_EVIDENCE_LINES: Final = 3
_NOT_FOUND, _NOT_EXECUTABLE = 127, 126

# ── what a check knows of it ─────────────────────────────────────────────────────────────────────

_FACTS: Final = {each.name: each for each in vars(facts).values() if isinstance(each, Fact)}


def _is_noted(fact: Fact) -> bool:
    """True for a fact that holds as soon as its word is noted, whatever machines do."""
    plan = Plan(*DATABASES[:2])
    without = replace(world_of(DEFAULT_REPLICATION), lacking=frozenset(DATABASES))
    return fact.holds(without.having(fact.name), plan) and not fact.holds(without, plan)


_NOTED: Final = tuple(name for name, fact in _FACTS.items() if _is_noted(fact))
_SEEN: Final = tuple(name for name in _FACTS if name not in _NOTED)


def _command(options: Options) -> tuple[str, ...]:
    return _texts(options["command"])


def _texts(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, tuple) else ()


def _ran(world: World, _plan: Plan, options: Options) -> tuple[World, ...]:
    """A check does not know what it does, and takes its word for what it makes true."""
    for word in (f"ran {shlex.join(_command(options))}", *_texts(options["makes"])):
        world = world.having(word)
    return (world,)


def _needed(options: Options) -> Iterator[Need]:
    for name in _texts(options["needs"]):
        yield needs(_FACTS[name], "it is unknown what the script does", Harm.END)


def _note(options: Options) -> str:
    made = _texts(options["makes"])
    word = f", and takes its word for: {listed(made)}" if made else ""
    told = shortened(shlex.join(_command(options)), _TOLD_LETTERS)
    return f"the check does not know what {told} does{word}"


# ── what it does ─────────────────────────────────────────────────────────────────────────────────


def _run(context: Context) -> str:
    command, within = _command(context.options), float(context.number("within"))
    file, reached = _file(context, command), _reached(context)
    box, old_first = context.lab.engine.toolbox(), (context.plan.new, *DATABASES)
    ran = box.run(
        _errand(context, command, reached),
        [context.lab.engine.container_name(each) for each in old_first],
        within,
        lambda output: file.write_text(output, encoding="utf-8"),
    )
    told = shlex.join(command)
    if ran.code != 0:
        raise LabError(_failed(told, ran), _next(ran, file))
    said = " | ".join(_last(ran, _EVIDENCE_LINES)) or "it printed nothing"
    apart = "".join(f"; not on {each.name}'s network: it is out of reach" for each in REGIONS
                    if each not in reached)  # fmt: skip
    return f"{told} ended with code 0 after {seconds(ran.seconds)}: {said} ({file.name}){apart}"


def _failed(told: str, ran: Ran) -> str:
    ended = "was killed" if ran.code is None else f"ended with code {ran.code}"
    lines = "".join(f"\n    {line}" for line in _last(ran, _TOLD_LINES))
    return f"{told} {ended} after {seconds(ran.seconds)}{lines}"


def _next(ran: Ran, file: Path) -> str:
    why = {
        None: "give it more time: within: 5m",
        _NOT_FOUND: "it is looked for in the runbook's folder (/runbook) and among the"
        " programs of the toolbox: sh, psql and Debian's usual ones",
        _NOT_EXECUTABLE: "let everyone read and execute it: chmod a+rx",
    }.get(ran.code, "mend what it says")
    return f"{why}; all that it printed: {file}"


def _last(ran: Ran, most: int) -> list[str]:
    lines = (re.sub(r"[^\x20-\x7e\xa0-\U0010ffff]", "", line).strip()
             for line in ran.output.splitlines())  # fmt: skip
    return [line for line in lines if line][-most:]


def _file(context: Context, command: tuple[str, ...]) -> Path:
    """A name of its own in the run's folder, also where a drill runs one twice."""
    folder, program = context.recorder.folder, command[0].rpartition("/")[2]
    taken = len([*folder.glob(script_output("*", "*"))])
    return folder / script_output(str(taken + 1), re.sub(r"[^\w.-]", "_", program)[:40])


def _reached(context: Context) -> tuple[Region, ...]:
    """Regions that a bastion is on: not those that the management network does not reach."""
    cut = managementnet.cut(context.lab.name)
    return tuple(each for each in REGIONS if not cut.issuperset(machines_of(each)))


def _errand(context: Context, command: tuple[str, ...], reached: tuple[Region, ...]) -> Errand:
    from lab.infra.settings import one_line
    from lab.infra.toolbox import Errand

    settings, plan = context.lab.settings, context.plan
    addresses = settings.addresses
    resolvers = (Place(each.name, "dns") for each in (plan.target, plan.target.other))
    return Errand(
        command=command,
        folder=context.scripts,
        environment=_environment(context),
        addresses={each.name: addresses.toolbox(each) for each in reached},
        resolvers=tuple(addresses.inside(each) for each in resolvers if each.region in reached),
        authority=one_line(settings.trust.authority.certificate),
        cgroup_parent=settings.cgroup_parent,
    )


def _environment(context: Context) -> dict[str, str]:
    """Where everything is, and how psql logs in: an address is told as `psql -h` takes it."""
    from lab.infra.toolbox import AUTHORITY

    settings, plan = context.lab.settings, context.plan
    places = [Place(each.name, machine.service) for each in REGIONS for machine in MACHINES]
    return {
        **{f"LAB_{p.server_name.upper()}": settings.addresses.inside(p) for p in places},
        "LAB_PLAN_OLD": str(plan.old),
        "LAB_PLAN_NEW": str(plan.new),
        "LAB_PLAN_LOST": plan.lost.name,
        "LAB_PLAN_TARGET": plan.target.name,
        "LAB_PLAN_OLD_HOST": settings.addresses.inside(plan.old),
        "LAB_PLAN_NEW_HOST": settings.addresses.inside(plan.new),
        "PGUSER": "postgres",
        "PGPASSWORD": settings.superuser_password,
        "PGDATABASE": "postgres",
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": AUTHORITY,
        "PGCONNECT_TIMEOUT": "5",
        "HOME": "/tmp",  # noqa: S108 - its own memory
    }


STEPS: tuple[Step, ...] = (
    Step(
        name="run",
        title="run a script of the team's own",
        changes="what the script changes; it runs in a machine of its own, on the networks of both"
        " regions, which is removed when it ends",
        via=Via.OUT_OF_BAND,
        phase=None,
        why="a step that the lab does not have: what the team does about its own systems",
        breaks="what the script is for is not done",
        seconds=1.0,
        makes=_ran,
        repeats=Repeats.OTHERWISE,
        options=(
            Option("command", Texts, Texts(), "the program and its arguments"),
            Option("within", int, 60, "for how long it may run; then it is killed",
                   least=1, most=3600, unit="s"),
            Option("needs", Texts, Texts(), "what must be true before, for the check",
                   tuple(_FACTS)),
            Option("makes", Texts, Texts(), "what it makes true, for the check", _NOTED,
                   barred=_SEEN, why_barred="the model sees on its machines whether that is so"),
        ),
        main="command",
        also=_needed,
        note=_note,
        act=_run,
    ),
)  # fmt: skip
