"""The program `lab`: its commands in the order in which help shows them."""

from __future__ import annotations

from typing import Annotated

import typer

from lab import __version__
from lab.commands.dig import dig
from lab.commands.doctor import doctor
from lab.commands.down import down
from lab.commands.drill import drill
from lab.commands.fault.heal import heal
from lab.commands.fault.inject import inject
from lab.commands.fault.list import list_faults
from lab.commands.images.load import load
from lab.commands.images.save import save
from lab.commands.lint import lint
from lab.commands.load.mark import mark as load_mark
from lab.commands.load.start import start as load_start
from lab.commands.load.status import status as load_status
from lab.commands.load.stop import stop as load_stop
from lab.commands.logs import logs
from lab.commands.matrix import matrix
from lab.commands.parsing.parser import Commands
from lab.commands.psql import psql
from lab.commands.reconcile import reconcile
from lab.commands.report import report
from lab.commands.reset import reset
from lab.commands.route.check import check as check_route
from lab.commands.route.list import list_policies
from lab.commands.route.set import set_policy
from lab.commands.route.show import show as show_route
from lab.commands.runbook.check import check
from lab.commands.runbook.list import list_runbooks
from lab.commands.runbook.run import run
from lab.commands.runbook.show import show
from lab.commands.runbook.steps import steps
from lab.commands.shop.check import check as check_shop
from lab.commands.soak import soak
from lab.commands.status import status
from lab.commands.tune import tune
from lab.commands.up import up

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


app.command(epilog=_examples("lab doctor"))(doctor)
app.command(
    epilog=_examples("lab up", "lab up --images-only", "LAB_SUBNET=10.123 lab up --name second")
)(up)
app.command(epilog=_examples("lab down", "lab down --yes"))(down)
app.command(epilog=_examples("lab reset", "lab reset --yes"))(reset)
app.command(epilog=_examples("lab status", "lab status --json | jq .nodes"))(status)
app.command(epilog=_examples("lab logs east.db1", "lab logs -f users.west"))(logs)
app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog=_examples("lab psql east.db1", "lab psql west.db1 -c 'SELECT count(*) FROM orders'"),
)(psql)
app.command(epilog=_examples("lab dig app", "lab dig writer"))(dig)
app.command(
    epilog=_examples(
        "lab drill --list",
        "lab drill region-loss --rpo 5s --rto 30s",
        "lab drill zone-loss --loss 0 --objective 'rto_seconds.west<=1m30s'",
        "lab drill zone-loss --repeat 5 --junit drill.xml",
        "lab drill zone-loss --retry-unknown 2 --baseline 2026-01-01T10-00-00Z-zone-loss-x5",
    )
)(drill)
_fault = Commands(
    help="Break one thing, see the proof, heal it.",
    epilog=_examples(
        "lab fault list", "lab fault inject partition --for 30s", "lab fault heal --all"
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_fault.command("list", epilog=_examples("lab fault list", "lab fault list silent"))(list_faults)
_fault.command(
    epilog=_examples(
        "lab fault inject partition --for 30s",
        "lab fault inject silent --link west:east:replication",
        "lab fault inject delay --link west:east:sql --amount 250ms",
        "lab fault inject freeze --node east.db1",
    )
)(inject)
_fault.command(epilog=_examples("lab fault heal --all", "lab fault heal freeze"))(heal)
app.add_typer(_fault, name="fault")
_load = Commands(
    help="Users at work on the lab as it stands, recorded and measured.",
    epilog=_examples(
        "lab load start",
        "lab fault inject partition --for 43s",
        "lab report --live",
        "lab load stop --rto 30s",
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_load.command("start", epilog=_examples("lab load start", "lab load start --profile light"))(
    load_start
)
_load.command("stop", epilog=_examples("lab load stop", "lab load stop --loss 0 --rto 30s"))(
    load_stop
)
_load.command("mark", epilog=_examples("lab load mark 'docker kill of west.db1'"))(load_mark)
_load.command("status", epilog=_examples("lab load status"))(load_status)
app.add_typer(_load, name="load")
_runbook = Commands(
    help="Read runbooks, check them before anything is run, and run them.",
    epilog=_examples(
        "lab runbook list", "lab runbook show region-failover", "lab runbook check my-runbook.yaml"
    ),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_runbook.command("list", epilog=_examples("lab runbook list"))(list_runbooks)
_runbook.command(
    epilog=_examples(
        "lab runbook show region-failover",
        "lab runbook show my-runbook.yaml --scenario partition --svg graph.svg",
    )
)(show)
_runbook.command(epilog=_examples("lab runbook steps", "lab runbook steps promote"))(steps)
_runbook.command(
    epilog=_examples(
        "lab runbook check my-runbook.yaml",
        "lab runbook check region-failover --scenario partition",
        "lab runbook check 'runbooks/**/*.yaml' --junit runbooks.xml",
    )
)(check)
_runbook.command(
    epilog=_examples(
        "lab runbook run region-failover --scenario region-dead",
        "lab fault inject region-loss && lab runbook run region-failover --manual",
        "lab runbook run my-runbook.yaml --scenario partition --force",
    )
)(run)
app.add_typer(_runbook, name="runbook")
_route = Commands(
    help="Choose by which policy health checks send users.",
    epilog=_examples("lab route list", "lab route check", "lab route set failover primary=east"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_route.command("list", epilog=_examples("lab route list", "lab route list weighted"))(list_policies)
_route.command("show", epilog=_examples("lab route show"))(show_route)
_route.command(
    "set",
    epilog=_examples(
        "lab route set failover primary=east",
        "lab route set weighted east=80 west=20",
        "lab route set own-first path=/livez fall=5",
    ),
)(set_policy)
_route.command(
    "check",
    epilog=_examples("lab route check", "lab route check weighted east=80 west=20"),
)(check_route)
app.add_typer(_route, name="route")
_shop = Commands(
    help="Put a shop of your own in the place of the lab's.",
    epilog=_examples("lab shop check http://127.0.0.1:8080", "LAB_IMAGE_SHOP=my-shop lab up"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_shop.command(
    "check",
    epilog=_examples(
        "JWT_KEY=secret lab shop check http://127.0.0.1:8080",
        "LAB_IMAGE_SHOP=my-shop lab up; lab shop check",
        "lab shop check --region west --json | jq .conforms",
    ),
)(check_shop)
app.add_typer(_shop, name="shop")
app.command(
    epilog=_examples("lab lint app.env", "lab lint 'config/**/*.yaml' --moves 'writer.example.com'")
)(lint)
app.command(
    epilog=_examples(
        "lab matrix",
        "lab matrix --covering --labs 2",
        "lab matrix --scenario partition --order PSWTR",
    )
)(matrix)
app.command(epilog=_examples("lab soak --minutes 20 --seed 7", "lab soak --seed 7 --episode 3"))(
    soak
)
app.command(
    epilog=_examples(
        "lab tune --no-live",
        "lab tune --patience default --patience 'default fall=5 after=10s'",
        "lab tune --blip silent --length 2s --length 4s --out tuned",
    )
)(tune)
app.command(
    epilog=_examples(
        "lab report",
        "lab report 2026-01-01T10-00-00Z-zone-loss",
        "lab report --recompute 2026-01-01T10-00-00Z-zone-loss",
        "lab report --compare 2026-01-01T10-00-00Z-zone-loss 2026-01-02T10-00-00Z-zone-loss",
    )
)(report)
_images = Commands(
    help="Keep the lab's images as one file, for a CI cache.",
    epilog=_examples("lab images save images.tar", "lab images load images.tar || lab up"),
    no_args_is_help=True,
    rich_markup_mode=None,
)
_images.command(epilog=_examples("lab images save images.tar"))(save)
_images.command(epilog=_examples("lab images load images.tar"))(load)
app.add_typer(_images, name="images")
app.command(epilog=_examples("lab reconcile RUN", "lab reconcile RUN --apply"))(reconcile)
