"""The command line: parses, calls, prints. Results go to stdout, everything else to stderr.

Exit codes: 0 pass, 1 the drill's verdict is fail, 2 wrong usage or input, 3 the lab or the machine
is broken, 4 the verdict is unknown, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel
from rich.console import Console

from lab import __version__, cluster, doctor, drill, evaluate, live, report, result, runs, show
from lab import settings as lab_settings
from lab import status as lab_status
from lab.cluster import Lab, exclusive
from lab.commands_reconcile import EPILOG as RECONCILE_EPILOG
from lab.commands_reconcile import reconcile_command
from lab.console import Say
from lab.errors import LabError, MachineError, UnknownName
from lab.names import full_name
from lab.paths import state_folder
from lab.topology import DATABASES, PLACES, REGIONS, Place

say = Say()
# A pipe has no width: the tables are made for people who then look at a file or a CI log.
out = Console(highlight=False, width=None if sys.stdout.isatty() else 120)

app = typer.Typer(
    name="lab",
    help="Lose a region on one machine, run the runbook, and measure what was really lost.",
    epilog="Start here: lab drill region-loss",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _complete(names: Callable[[], list[str]]) -> Callable[[str], list[str]]:
    return lambda incomplete: [name for name in names() if name.startswith(incomplete)]


Name = Annotated[
    str | None,
    typer.Option(
        "--name", "-n", help="Which lab, if there are several. [LAB_NAME]", show_default=False
    ),
]
AnyPlace = Annotated[
    str | None,
    typer.Argument(
        help="A machine such as east.db1 or users.west; all of them without.",
        autocompletion=_complete(lambda: [str(place) for place in PLACES]),
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, nothing else.")]


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(__version__)
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


@app.command("doctor", epilog="Example: lab doctor")
def _doctor(name: Name = None) -> None:
    """Look at this machine: engine, Compose, disk, memory, subnet, images."""
    chosen = lab_settings.chosen_name(name)
    known = lab_settings.load(chosen)
    subnet = known.subnet if known else os.environ.get("LAB_SUBNET", lab_settings.DEFAULT_SUBNET)
    found = doctor.examine(subnet, chosen)
    out.print(show.checks(found))
    if any(check.state == "broken" for check in found):
        raise typer.Exit(MachineError.exit_code)


@app.command("up", epilog="Examples: lab up · LAB_SUBNET=10.123 lab up --name second")
def _up(name: Name = None) -> None:
    """Bring the lab up, from whatever there is: nothing, leftovers, or a lab that runs."""
    chosen = lab_settings.chosen_name(name)
    with exclusive(chosen, "bring the lab up"):
        with _told_when_interrupted(chosen):
            lab = cluster.up(chosen, say)
        lab.engine.close()
    flag = _name_flag(chosen)
    say.note(f"lab {chosen!r} is up; next: lab status{flag}, lab drill region-loss{flag}")


@app.command("down", epilog="Example: lab down")
def _down(name: Name = None) -> None:
    """Remove every container, network and volume of the lab."""
    chosen = lab_settings.chosen_name(name)
    with exclusive(chosen, "take the lab down"), say.step(f"removing lab {chosen!r}"):
        removed = cluster.down(chosen)
    say.note(f"removed {len(removed)} things" if removed else "there was nothing to remove")


@app.command("reset", epilog="Example: lab reset")
def _reset(name: Name = None) -> None:
    """Put the default topology and an empty shop back, without rebuilding containers."""
    chosen = lab_settings.chosen_name(name)
    with (
        exclusive(chosen, "reset the lab"),
        _told_when_interrupted(chosen),
        Lab.attached(chosen) as lab,
        say.step("default topology, empty shop, all links open"),
    ):
        lab.reset()


@app.command("status", epilog="Examples: lab status · lab status --json | jq .nodes")
def _status(name: Name = None, as_json: Json = False) -> None:
    """Show roles, timelines, who follows whom (proven), links, names and traffic."""
    with Lab.attached(lab_settings.chosen_name(name)) as lab:
        found = lab_status.look(lab)
    if as_json:
        _print_json(asdict(found))
    else:
        out.print(show.status(found))


@app.command("logs", epilog="Examples: lab logs east.db1 · lab logs -f users.west")
def _logs(
    place: AnyPlace = None,
    name: Name = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on as it grows.")] = False,
    tail: Annotated[int, typer.Option(help="How many lines back.", min=0)] = 100,
) -> None:
    """Print the log of one machine, or the last lines of all."""
    chosen = [Place.parse(place)] if place else list(PLACES)
    if follow and not place:
        raise typer.BadParameter("name one machine to follow", param_hint="PLACE")
    with Lab.attached(lab_settings.chosen_name(name)) as lab:
        if follow:
            for line in lab.engine.follow_logs(chosen[0], tail):
                print(line, flush=True)  # noqa: T201 - the result of the command
            return
        for each in chosen:
            if not place:
                out.print(f"── {each}", style="bold")
            sys.stdout.write(lab.engine.logs(each, tail if place else min(tail, 5)))


@app.command(
    "psql",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    epilog="Examples: lab psql east.db1 · lab psql west.db1 -c 'SELECT count(*) FROM orders'",
)
def _psql(
    context: typer.Context,
    node: Annotated[
        str,
        typer.Argument(
            help="A database such as east.db1.",
            autocompletion=_complete(lambda: [str(place) for place in DATABASES]),
        ),
    ],
    name: Name = None,
) -> None:
    """Open psql on a node as superuser; what follows the node goes to psql."""
    place = Place.parse(node)
    if place not in DATABASES:
        raise UnknownName("database", node, (str(each) for each in DATABASES))
    with Lab.attached(lab_settings.chosen_name(name)) as lab:
        container = lab.engine.container_name(place)
        if not lab.engine.running(place):
            raise LabError(f"{place} does not run", "see: lab status; lab reset brings it back")
    terminal = ["-t"] if sys.stdin.isatty() and sys.stdout.isatty() else []
    command = ["docker", "exec", "-i", *terminal, container, "psql", "-X", "-U", "postgres", "shop"]
    try:
        os.execvp(command[0], [*command, *context.args])  # noqa: S606 - no shell is wanted
    except FileNotFoundError:
        raise MachineError("the docker command is missing", "see: lab doctor") from None


@app.command("dig", epilog="Examples: lab dig app · lab dig writer")
def _dig(
    dns_name: Annotated[
        str,
        typer.Argument(
            metavar="NAME",
            help="app, writer, head.east or head.west.",
            autocompletion=_complete(lambda: ["app", "writer", "head.east", "head.west"]),
        ),
    ],
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Ask both resolvers for a name of the lab."""
    whole = full_name(dns_name)
    answers: dict[str, list[str] | None] = {}
    with Lab.attached(lab_settings.chosen_name(name)) as lab:
        for region in REGIONS:
            try:
                answers[region.name] = list(lab.names.ask(region, whole))
            except LabError:
                answers[region.name] = None
    if as_json:
        _print_json({"name": whole, "answers": answers})
        return
    for viewer, found in answers.items():
        words = "no answer" if found is None else ", ".join(found) or "no such name"
        out.print(f"{viewer:5} {whole} → {words}")


@app.command("drill", epilog="Examples: lab drill --list · lab drill region-loss --seed 7")
def _drill(
    drill_name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="Which drill.",
            autocompletion=_complete(lambda: [each.name for each in drill.drills()]),
            show_default=False,
        ),
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="List the drills there are.")] = False,
    seed: Annotated[int, typer.Option(help="Seed of the users' choices.")] = 1,
    name: Name = None,
    as_json: Json = False,
) -> None:
    """Run a drill: break it, run the runbook, measure. Brings the lab up if it is not."""
    if listed:
        _list_drills(as_json)
        return
    if drill_name is None:
        raise typer.BadParameter("say which drill; see: lab drill --list", param_hint="NAME")
    chosen = drill.drill(drill_name)
    lab_name = lab_settings.chosen_name(name)
    folder = runs.new_run(chosen.name)
    with (
        runs.dropped_if_empty(folder),
        exclusive(lab_name, f"run {chosen.name}"),
        _told_when_interrupted(lab_name),
    ):
        lab = cluster.up(lab_name, say)
        _introduce(chosen)
        with live.watching(say, chosen.title, lab.users) as observers:
            recorded = drill.run(chosen, lab, folder, seed, observers)
        with say.step("classifying every operation, measuring, writing the report"):
            command = ["lab", "drill", chosen.name, "--seed", str(seed)]
            found = evaluate.evaluate(chosen, recorded, lab, folder, seed, command)
        lab.engine.close()
    if as_json:
        sys.stdout.write(result.to_json(found))
    else:
        out.print(show.summary(found, str(folder)))
    if recorded.unhealed:
        raise LabError(f"the lab could not be healed: {recorded.unhealed}", "run: lab up")
    raise typer.Exit(found.verdict.exit_code)


def _list_drills(as_json: bool) -> None:
    if as_json:
        _print_json([{"name": each.name, "title": each.title} for each in drill.drills()])
        return
    for each in drill.drills():
        out.print(f"[bold]{each.name:14}[/bold] {each.title}. {each.situation}")


def _introduce(chosen: drill.Drill) -> None:
    say.console.print(f"\n[bold]{chosen.title}[/bold]\n  {chosen.situation}\n  What to expect:")
    for number, text in enumerate(chosen.expectations, 1):
        say.console.print(f"   {number}. {text}")
    say.console.print()


@app.command(
    "report", epilog="Examples: lab report · lab report runs/2026-01-01T10-00-00Z-zone-loss"
)
def _report(
    run: Annotated[
        str | None, typer.Argument(help="A run's folder; the newest without.", show_default=False)
    ] = None,
) -> None:
    """Write a run's report.html anew from its figures, and say where it is."""
    folder = runs.find_run(run)
    report.write(result.from_file(folder / "result.json"), folder / "report.html")
    sys.stdout.write(f"{folder / 'report.html'}\n")


app.command("reconcile", epilog=RECONCILE_EPILOG)(reconcile_command)


def _print_json(document: object) -> None:
    def plain(value: Any) -> Any:
        return value.model_dump() if isinstance(value, BaseModel) else str(value)

    sys.stdout.write(json.dumps(document, default=plain, indent=2) + "\n")


def _name_flag(name: str) -> str:
    return "" if name == lab_settings.DEFAULT_NAME else f" --name {name}"


@contextmanager
def _told_when_interrupted(name: str) -> Iterator[None]:
    """Say what is left running when somebody presses Ctrl-C."""
    try:
        yield
    except KeyboardInterrupt:
        flag = _name_flag(name)
        say.warn(
            f"interrupted; the lab's containers are still there: `lab up{flag}` repairs them,"
            f" `lab down{flag}` removes them"
        )
        raise


def _crash_file(error: BaseException) -> Path:
    path = state_folder("logs") / f"crash-{os.getpid()}.log"
    with suppress(OSError):
        path.write_text("".join(traceback.format_exception(error)))
    return path


def _on_signal(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run the command line; no traceback reaches the user."""
    signal.signal(signal.SIGTERM, _on_signal)
    try:
        app()
    except LabError as error:
        say.error(str(error))
        sys.exit(error.exit_code)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except Exception as error:
        say.error(f"unexpected: {type(error).__name__}: {error}\n  → details: {_crash_file(error)}")
        sys.exit(LabError.exit_code)
