"""The command `lab fault heal`: put right what faults have broken, and see it work."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from lab.commands.fault.effects import tell
from lab.commands.fault.target import Links, Node, Region, aimed
from lab.commands.parsing.options import Json, Name, completing, fault_names
from lab.commands.terminal import chosen_name, say, told_when_interrupted
from lab.core.errors import LabNotUp, UsageError

if TYPE_CHECKING:
    from lab.faults.row import Aimed


def heal(
    fault: Annotated[
        str | None,
        typer.Argument(
            metavar="FAULT", help="Which fault.", show_default=False,
            autocompletion=completing(fault_names),
        ),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that are in force.")] = False,
    link: Links = None,
    node: Node = None,
    region: Region = None,
    name: Name = None,
    as_json: Json = False,
) -> None:  # fmt: skip
    """Heal faults, and wait until a probe has seen them healed."""
    if (fault is None) != everything:
        given = "a fault and --all are both given" if everything else "no fault is named"
        raise UsageError(given, "give one of them: lab fault heal FAULT, or lab fault heal --all")
    if everything and (link or node or region):
        raise UsageError(
            "--all heals every fault, wherever it is", "leave --link, --node and --region out"
        )
    chosen = None if fault is None else aimed(fault, link or [], node, region, None)
    _heal(chosen, name, as_json)


def _heal(chosen: Aimed | None, name: str | None, as_json: bool) -> None:
    """Heal one fault, or all that are in force."""
    from lab.faults import acting, aftercare
    from lab.host import engine
    from lab.infra import settings
    from lab.testbed import turns, underway
    from lab.testbed.lab import Lab

    lab_name = chosen_name(name)
    if not settings.settings_file(lab_name).exists():
        raise LabNotUp(lab_name)
    engine.ensure_host(say())  # a fault may have ended it
    with (
        turns.amid(lab_name, "heal faults"),
        told_when_interrupted(),
        Lab.attached(lab_name, dark=True) as lab,
    ):
        with say().step("healing; waits until a probe confirms it"):
            effects = underway.healed(
                underway.recorder(lab),
                lambda: (acting.heal(lab, chosen),) if chosen else acting.heal_all(lab),
            )
        rest = aftercare.rest(lab, [each.aimed for each in effects], acting.in_force(lab))
    tell(effects, as_json)
    for line in rest:
        say().warn(line)
