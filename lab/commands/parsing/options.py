"""Options and arguments that several commands take, and how the shell completes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

DRILLS = "lab.drills"
"""The entry points that drills are found by. Their names are the drills' names."""


def completing(names: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    """A completion of words that are looked up when they are needed."""
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


def places() -> list[str]:
    """Every machine, as it is named on the command line."""
    from lab.core.topology import PLACES

    return [str(place) for place in PLACES]


def databases() -> list[str]:
    """Every database, as it is named on the command line."""
    from lab.core.topology import DATABASES

    return [str(place) for place in DATABASES]


def drills() -> list[str]:
    """Every drill's name, without loading any of them."""
    from importlib.metadata import entry_points

    return sorted(each.name for each in entry_points(group=DRILLS))


def links() -> list[str]:
    """Every link, as it is named on the command line."""
    from lab.core.topology import links

    return [each.name for each in links()]


def regions() -> list[str]:
    """Both regions."""
    return ["east", "west"]


def fault_names() -> list[str]:
    """Every fault's name."""
    from lab.faults.catalogue import faults

    return [row.name for row in faults()]


def step_names() -> list[str]:
    """Every step's name."""
    from lab.steps.catalogue import vocabulary

    return [row.name for row in vocabulary()]


def scenarios() -> list[str]:
    """Every situation that a runbook may be written for."""
    from lab.runbooks.scenarios import SCENARIOS

    return [each.name for each in SCENARIOS]


def runbooks(incomplete: str) -> list[str]:
    """Shipped runbooks by name, and files that look like one."""
    from lab.runbooks.shipped import shipped

    known = [path.stem for path in shipped() if path.stem.startswith(incomplete)]
    folder, _, begun = incomplete.rpartition("/")
    near = Path(folder or (incomplete and "/" if incomplete.startswith("/") else "."))
    files = sorted(each.name for each in near.glob("*.y*ml") if each.name.startswith(begun))
    return [*known, *(f"{incomplete.removesuffix(begun)}{name}" for name in files)]


def _figures() -> list[str]:
    from lab.records.metricrows import METRICS

    return [f"{row.name}<=" for row in METRICS]


def _added_faults(begun: str) -> list[str]:
    from lab.commands.parsing.faultwords import completed

    return completed(begun)


def runs() -> list[str]:
    """Folders of runs and series, the newest first."""
    from lab.records.runfolders import names

    return names()[::-1]


Name = Annotated[
    str | None,
    typer.Option(
        "--name", "-n", help="Which lab, if there are several. [LAB_NAME]", show_default=False
    ),
]
AnyPlace = Annotated[
    str | None,
    typer.Argument(
        help="A machine such as east.db1 or users.west; if left out, all machines.",
        autocompletion=completing(places),
        show_default=False,
    ),
]
ImagesOnly = Annotated[
    bool, typer.Option("--images-only", help="Start the engine and make the images; start no lab.")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


def any_seed(text: str) -> typer.models.OptionInfo:
    """The option of a seed: a number that a result can keep."""
    found: typer.models.OptionInfo = typer.Option(help=text, metavar="N", min=0, max=2**53 - 1)
    return found


def _limit(text: str, example: str) -> typer.models.OptionInfo:
    found: typer.models.OptionInfo = typer.Option(help=text, metavar=example, show_default=False)
    return found


Rpo = Annotated[str | None, _limit("The longest data-loss window: 500ms, 10s, 5m.", "DURATION")]
Rto = Annotated[str | None, _limit("The longest outage of ordering: 30s, 1m30s.", "DURATION")]
Loss = Annotated[str | None, _limit("The most orders that may be lost: 0.", "COUNT")]
SplitBrain = Annotated[
    str | None, _limit("The most orders that may go to two primaries at once: 0.", "COUNT")
]
Targets = Annotated[
    str | None,
    typer.Option(
        "--targets",
        help="A YAML file with sets of objectives, and which of them, if it has several.",
        metavar="FILE[:NAME]",
        show_default=False,
    ),
]
Baseline = Annotated[
    str | None,
    typer.Option(
        "--baseline",
        help="A run or series, or its result.json or spread.json. The verdict is fail if a figure"
        " is worse than there by more than its tolerance (docs/figures.md).",
        metavar="RUN",
        autocompletion=completing(runs),
        show_default=False,
    ),
]
RetryUnknown = Annotated[
    int,
    typer.Option(
        "--retry-unknown",
        help="Run it again at most N times while the verdict is unknown, or the machine is too"
        " busy. A pass or a fail is never run again. Each attempt is kept.",
        metavar="N",
        min=0,
        max=10,
        show_default=False,
    ),
]
Junit = Annotated[
    Path | None,
    typer.Option(
        "--junit",
        help="Write the objectives as JUnit XML, for CI.",
        metavar="FILE",
        show_default=False,
    ),
]
Objectives = Annotated[
    list[str] | None,
    typer.Option(
        "--objective",
        help="Any figure against a limit: 'rto_seconds.east<=10s', 'acknowledged>=1000'."
        " May be repeated.",
        metavar="'FIGURE<=VALUE'",
        autocompletion=completing(_figures),
        show_default=False,
    ),
]
With = Annotated[
    list[str] | None,
    typer.Option(
        "--with",
        help="Add a fault: 'partition at=3s for=20s', 'freeze node=west.db2 at=promote',"
        " 'lag-hold amount=15s' (without at: before the other faults). May be repeated.",
        metavar="'FAULT …'",
        autocompletion=_added_faults,
        show_default=False,
    ),
]
