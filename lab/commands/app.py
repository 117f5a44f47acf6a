"""The program `lab`: its commands in the order in which help shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from lab import __version__
from lab.commands import (
    drills,
    faults,
    look,
    matrices,
    reconciling,
    reports,
    runbooks,
    soaks,
    world,
)
from lab.commands.plain import Commands

app = Commands(
    name="lab",
    help="Lose a region on one machine, run the runbook, and measure what was really lost.",
    epilog="Start here: lab drill region-loss",
    no_args_is_help=True,
    # Boxes around help texts would cost half a second each time: rich draws them by way of a
    # Markdown parser and a syntax highlighter.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", is_eager=True, callback=_print_version
        ),
    ] = False,
) -> None:
    pass


def _examples(*commands: str) -> str:
    """The end of a command's help; the mark keeps its lines as they are."""
    return "\n".join(["\b", "Examples:", *(f"  {command}" for command in commands)])


app.command(epilog=_examples("lab doctor"))(world.doctor)
app.command(
    epilog=_examples("lab up", "lab up --images-only", "LAB_SUBNET=10.123 lab up --name second")
)(world.up)
app.command(epilog=_examples("lab down", "lab down --yes"))(world.down)
app.command(epilog=_examples("lab reset", "lab reset --yes"))(world.reset)
app.command(epilog=_examples("lab status", "lab status --json | jq .nodes"))(look.status)
app.command(epilog=_examples("lab logs east.db1", "lab logs -f users.west"))(look.logs)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=_examples("lab psql east.db1", "lab psql west.db1 -c 'SELECT count(*) FROM orders'"),
)(look.psql)
app.command(epilog=_examples("lab dig app", "lab dig writer"))(look.dig)
app.command(
    epilog=_examples(
        "lab drill --list",
        "lab drill region-loss --rpo 5s --rto 30s",
        "lab drill zone-loss --loss 0 --objective 'rto_seconds.west<=1m30s'",
        "lab drill zone-loss --repeat 5 --junit drill.xml",
    )
)(drills.drill)
_fault = Commands(
    help="Break one thing, see the proof, heal it.",
    epilog=_examples(
        "lab fault list", "lab fault inject partition --for 30s", "lab fault heal --all"
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_fault.command("list", epilog=_examples("lab fault list", "lab fault list silent"))(faults.listed)
_fault.command(
    epilog=_examples(
        "lab fault inject partition --for 30s",
        "lab fault inject silent --link west:east:replication",
        "lab fault inject delay --link west:east:sql --amount 250ms",
        "lab fault inject freeze --node east.db1",
    )
)(faults.inject)
_fault.command(epilog=_examples("lab fault heal --all", "lab fault heal freeze"))(faults.heal)
app.add_typer(_fault, name="fault")
_runbook = Commands(
    help="Read runbooks, check them before anything is run, and run them.",
    epilog=_examples(
        "lab runbook list", "lab runbook show region-failover", "lab runbook check my-runbook.yaml"
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_runbook.command("list", epilog=_examples("lab runbook list"))(runbooks.listed)
_runbook.command(
    epilog=_examples(
        "lab runbook show region-failover",
        "lab runbook show my-runbook.yaml --scenario partition --svg graph.svg",
    )
)(runbooks.show)
_runbook.command(epilog=_examples("lab runbook steps", "lab runbook steps promote"))(runbooks.steps)
_runbook.command(
    epilog=_examples(
        "lab runbook check my-runbook.yaml",
        "lab runbook check region-failover --scenario partition",
        "lab runbook check runbooks/*.yaml --junit runbooks.xml",
    )
)(runbooks.check)
_runbook.command(
    epilog=_examples(
        "lab runbook run region-failover --scenario region-dead",
        "lab fault inject region-loss && lab runbook run region-failover --manual",
        "lab runbook run my-runbook.yaml --scenario partition --force",
    )
)(runbooks.run)
app.add_typer(_runbook, name="runbook")
app.command(
    epilog=_examples(
        "lab matrix",
        "lab matrix --covering --labs 2",
        "lab matrix --scenario partition --order PSWTR",
    )
)(matrices.matrix)
app.command(epilog=_examples("lab soak --minutes 20 --seed 7", "lab soak --seed 7 --episode 3"))(
    soaks.soak
)
app.command(
    epilog=_examples(
        "lab report",
        "lab report 2026-01-01T10-00-00Z-zone-loss",
        "lab report --recompute 2026-01-01T10-00-00Z-zone-loss",
        "lab report --compare 2026-01-01T10-00-00Z-zone-loss 2026-01-02T10-00-00Z-zone-loss",
    )
)(reports.report)
app.command(epilog=_examples("lab reconcile RUN", "lab reconcile RUN --apply"))(
    reconciling.reconcile
)
