"""The command `lab load stop`: the users end, and what they recorded is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final

import typer

from lab.commands.parsing.options import (
    Json,
    Loss,
    Name,
    Objectives,
    Rpo,
    Rto,
    SplitBrain,
    Targets,
)
from lab.commands.terminal import chosen_name, say, told_when_interrupted
from lab.core.errors import LabError, UsageError

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_KEPT: Final = "the record is kept: `lab load stop` measures it, also if users have stopped"


def stop(
    discard: Annotated[
        bool, typer.Option("--discard", help="Measure nothing, and give the record up.")
    ] = False,
    rpo: Rpo = None,
    rto: Rto = None,
    loss: Loss = None,
    split_brain: SplitBrain = None,
    objective: Objectives = None,
    targets: Targets = None,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Stop the users, read every database, measure, and write the report. Heals nothing.

    The exit code is 1 if an objective given here is missed, and 4 if the record has gaps.
    """
    from lab.commands.onerun import tell
    from lab.drills import livepanel, loadrun
    from lab.drills import targets as sets
    from lab.metrics import customobjectives
    from lab.testbed import turns, underway
    from lab.testbed.lab import Lab

    limits = {"rpo": rpo, "rto": rto, "loss": loss, "split-brain": split_brain}
    wanted = customobjectives.read(limits, objective or (), ()).before(sets.read(targets, ()))
    lab_name = chosen_name(name)
    with (
        turns.exclusive(lab_name, "end the users' work"),
        told_when_interrupted(_KEPT),
        Lab.attached(lab_name, dark=True) as lab,
    ):
        if discard:
            _discard(lab)
            return
        found = underway.need(lab_name)
        with say().step("users stop; every database is read, everything is measured"):
            observers = (livepanel.PlainLines(say().console),)
            result = loadrun.finish(lab, found, wanted.objectives, observers)
    raise typer.Exit(tell(result, found.folder, as_json=as_json))


def _discard(lab: Lab) -> None:
    from lab.testbed import underway

    try:
        told = f"the journal remains in {underway.need(lab.name).folder}"
    except UsageError:
        raise
    except LabError:
        told = "its journal remains among the runs"
    lab.stop_load()
    underway.forget(lab.name)
    say().note(f"nothing was measured; {told}")
