"""The command line without a lab: quick where nothing is done, clear where something is wrong."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import entry_points, packages_distributions
from pathlib import Path

import pytest

from lab import cli
from lab.commands import terminal
from lab.commands.parsing import options
from lab.core.errors import LIBRARIES
from lab.drills.finding import ENTRY_POINTS, drill
from lab.host import composeplugin, engine, images
from lab.infra import settings
from lab.testbed import lifecycle

ROOT = Path(__file__).parent.parent.parent
HEAVY = {
    "docker", "psycopg", "requests", "urllib3", "dns", "toxiproxy", "jinja2", "jwt", "rich",
    "lab.drills.drill", "lab.testbed.lab",
}  # fmt: skip
ACTING = {
    "docker", "psycopg", "requests", "urllib3", "dns", "toxiproxy", "jinja2", "jwt", "cryptography",
    "trustme", "numpy", "duckdb", "pydantic", "lab.testbed.lab", "lab.infra.machines",
    "lab.infra.settings", "lab.records.resultrows", "lab.infra.programhttp", "lab.metrics.classify",
}  # fmt: skip
"""What is only needed where something is done to a lab or measured."""
RUNS_NOTHING = (
    ("drill", "--list"),
    ("drill", "--list", "--json"),
    ("fault", "list"),
    ("fault", "list", "silent", "--json"),
    ("fault", "inject", "--help"),
    ("runbook", "list"),
    ("runbook", "show", "region-failover"),
    ("runbook", "steps"),
    ("runbook", "steps", "promote", "--json"),
    ("runbook", "check", "region-failover"),
    ("matrix", "--help"),
    ("report", "--help"),
    ("reconcile", "--help"),
    ("soak", "--help"),
    ("tune", "--help"),
    ("status", "--help"),
    ("doctor", "--help"),
)
BELOW = {
    "fault": {"list", "inject", "heal"},
    "images": {"save", "load"},
    "runbook": {"list", "show", "steps", "check", "run"},
}
Ran = subprocess.CompletedProcess[str]


def lab(*arguments: str, **variables: str) -> Ran:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=ROOT,
        env={**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock", **variables},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def inside(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """The same in this process, which has loaded everything already; its exit code."""
    monkeypatch.setattr(sys, "argv", ["lab", *arguments])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    terminal.say.cache_clear()
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def loaded(*arguments: str, **variables: str) -> set[str]:
    """Names of all modules that a command has imported when it ends."""
    program = "import atexit, sys; atexit.register(lambda: print('\\n#', *sys.modules)); "
    program += f"sys.argv = ['lab', *{list(arguments)!r}]; from lab.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return set(ran.stdout.rpartition("\n#")[2].split())


def under(group: str) -> list[str]:
    """The commands of a group, as its help lists them."""
    return re.findall(r"^  (\w+)  ", lab(group, "--help").stdout, re.MULTILINE)


LISTS = [("fault", "list"), ("drill", "--list"), ("runbook", "list"), ("runbook", "steps")]


@pytest.mark.parametrize("arguments", LISTS, ids=" ".join)
def test_no_line_of_a_table_in_a_pipe_ends_in_spaces(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    terminal.out.cache_clear()
    assert inside(monkeypatch, *arguments) == 0
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) > 5
    assert [each for each in lines if each != each.rstrip()] == []


@pytest.mark.parametrize(
    ("columns", "width"),
    [("90", 90), ("160", 160), (None, 120), ("", 120), ("0", 120), ("x", 120), ("9" * 9, 120)],
)
def test_a_pipe_is_as_wide_as_columns_says(
    columns: str | None, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    if columns is not None:
        monkeypatch.setenv("COLUMNS", columns)
    terminal.out.cache_clear()
    assert terminal.out().width == width
    terminal.out.cache_clear()


@pytest.mark.parametrize(
    "arguments",
    [
        ("drill", "--help"),
        ("runbook", "run", "--help"),
        ("matrix", "--help"),
        ("soak", "--help"),
        ("tune", "--help"),
    ],
    ids=" ".join,
)
def test_help_says_which_commands_bring_a_lab_up(
    arguments: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert inside(monkeypatch, *arguments) == 0
    told = " ".join(re.sub("[│|]", " ", capfd.readouterr().out).split()).lower()
    assert re.search(r"brings (the lab|its labs) up if (it is|they are) not", told)


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("drill", "--help"), ("runbook", "--help"),
     ("runbook", "check", "--help")],
)  # fmt: skip
def test_help_loads_no_driver_no_template_engine_and_no_drill(arguments: tuple[str, ...]) -> None:
    assert loaded(*arguments).isdisjoint(HEAVY)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [(("drill", "region-loss", "--seed", "x"), "--seed"),
     (("drill", "region-loss", "--repeat", "0"), "--repeat"),
     (("logs", "--tail", "-3"), "--tail")],
)  # fmt: skip
def test_an_option_that_is_no_text_is_still_checked(arguments: tuple[str, ...], told: str) -> None:
    ran = lab(*arguments)
    assert ran.returncode == 2
    assert told in ran.stderr


@pytest.mark.parametrize("arguments", RUNS_NOTHING, ids=" ".join)
def test_a_command_that_runs_nothing_loads_nothing_to_act_with(arguments: tuple[str, ...]) -> None:
    assert not loaded(*arguments) & ACTING


def test_a_runbook_on_the_lab_as_it_stands_loads_nothing_that_evaluates_a_drill() -> None:
    program = "import sys, lab.commands.runbook.liverun; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert {"numpy", "duckdb", "jinja2", "lab.drills.evaluate"}.isdisjoint(ran.stdout.split())
    assert "lab.drills.runner" in ran.stdout.split()


def test_a_fault_loads_no_runbook_no_table_and_nothing_that_makes_images() -> None:
    program = (
        "import sys, lab.commands.fault.inject, lab.testbed.lifecycle, lab.testbed.lab;"
        "import lab.faults.acting, lab.faults.catalogue, lab.core.interrupts;"
        "lab.faults.catalogue.faults(); print(*sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    unneeded = {
        "lab.host.images",
        "lab.host.imagebuild",
        "lab.runbooks.runbook",
        "rich.table",
        "psycopg",
        "dns",
    }
    assert unneeded.isdisjoint(ran.stdout.split())
    assert "lab.testbed.lab" in ran.stdout.split()


LIGHT = """\
import sys
class Light:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {lacking!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Light())
sys.argv = {argv!r}
"""
"""The program where libraries of the extra `lab` are not installed. Typer may install pydantic."""
LACKING = {*LIBRARIES} - {"pydantic"}


def light(program: str, *argv: str) -> Ran:
    head = LIGHT.format(lacking=LACKING, argv=["lab", *argv])
    environ = {**os.environ, "DOCKER_HOST": "unix:///nowhere/docker.sock"}
    return subprocess.run(
        [sys.executable, "-c", head + program],
        cwd=ROOT,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("words", [("doctor",), ("drill", "zone-loss")], ids=" ".join)
def test_a_command_that_lacks_a_library_says_how_to_install_it(words: tuple[str, ...]) -> None:
    ran = light("from lab.cli import main; main()", *words)
    assert ran.returncode == 3
    said = r"error: this needs the library \w+, which is not installed\n  → (.*)\n"
    found = re.search(said, ran.stderr)
    assert found, ran.stderr
    assert found[1] == "in a checkout of the lab: pip install --editable '.[lab]'"
    assert "Traceback" not in ran.stderr
    assert "details:" not in ran.stderr


def test_a_script_that_lacks_a_library_says_so_with_its_line(tmp_path: Path) -> None:
    script = tmp_path / "mine.py"
    script.write_text("from lab.api import up\nwith up() as lab:\n    pass\n")
    run = f"sys.argv = [{str(script)!r}]; import runpy; runpy.run_path(sys.argv[0])"
    ran = light(run)
    assert ran.returncode == 2, ran.stderr
    assert re.search(r"mine\.py:2: this needs the library \w+", ran.stderr)


def test_the_extra_installs_what_commands_may_lack() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {re.split(r"[^\w-]", each)[0] for each in project["optional-dependencies"]["lab"]}
    by_import = packages_distributions()
    assert {name.lower() for each in LIBRARIES for name in by_import[each]} == asked


@pytest.mark.parametrize(
    "words",
    ["lab drill zo", "lab runbook show zo", "lab runbook check zone-failover --scenario zo"],
)
def test_completing_a_name_loads_no_drill(words: str) -> None:
    last = str(len(words.split()) - 1)
    arguments = {"_LAB_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": last}
    assert loaded(**arguments).isdisjoint(HEAVY)


def test_drills_are_completed_from_the_entry_points_that_they_are_found_by() -> None:
    assert options.DRILLS == ENTRY_POINTS
    assert options.drills() == sorted(each.name for each in entry_points(group=ENTRY_POINTS))
    assert options.completing(options.drills)("zo") == ["zone-loss", "zone-loss-async"]


def foreign(folder: Path, monkeypatch: pytest.MonkeyPatch, *entries: str) -> None:
    """Install a package that offers these drills."""
    about = folder / "strange_drills-1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: strange-drills\nVersion: 1\n")
    (about / "entry_points.txt").write_text("\n".join((f"[{ENTRY_POINTS}]", *entries, "")))
    (folder / "strange_drills.py").write_text("import nothing_of_that_name\n")
    (folder / "hasty_drills.py").write_text("import sys; sys.exit(7)\n")
    monkeypatch.syspath_prepend(str(folder))


BROKEN = {
    "strange": "strange_drills:DRILL",  # needs what is not installed
    "hasty": "hasty_drills:DRILL",
    "absent": "chaos.zone_loss:NOTHING",
    "other": "chaos.zone_loss:DRILL",  # is called zone-loss
    "number": "sys:maxsize",
}


def test_drills_that_cannot_be_loaded_are_named_with_their_package_beside_all_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign(tmp_path, monkeypatch, *(f"{name} = {value}" for name, value in BROKEN.items()))
    assert inside(monkeypatch, "drill", "--list") == 0
    told = capsys.readouterr()
    assert all(name in told.out for name in ("zone-loss", "region-loss", "dns-outage"))
    warnings = " ".join(told.err.split())
    for name in BROKEN:
        assert f"drill '{name}' of the package strange-drills cannot be used" in warnings
    assert "pip uninstall strange-drills" in warnings
    assert drill("zone-loss").name == "zone-loss"


@pytest.mark.parametrize(
    ("name", "reason"),
    [("strange", "No module named 'nothing_of_that_name'"), ("hasty", "SystemExit: 7"),
     ("absent", "has no attribute 'NOTHING'"), ("other", "it is called 'zone-loss'"),
     ("number", "sys:maxsize is of type int")],
)  # fmt: skip
def test_a_drill_that_cannot_be_loaded_ends_with_3_and_its_reason_when_it_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    name: str, reason: str,
) -> None:  # fmt: skip
    foreign(tmp_path, monkeypatch, f"{name} = {BROKEN[name]}")
    assert inside(monkeypatch, "drill", name) == 3
    told = " ".join(capsys.readouterr().err.split())
    assert reason in told
    assert "pip uninstall strange-drills" in told
    assert "Traceback" not in told


def test_every_help_text_names_an_example(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = re.findall(r"^  (\w+)  ", lab("--help").stdout, re.MULTILINE)
    assert {"doctor", "up", "down", "reset", "status", "logs", "psql", "dig"} < set(listed)
    below = [[group, each] for group in BELOW for each in under(group)]
    for command in (*([each] for each in listed), *below):
        assert inside(monkeypatch, *command, "--help") == 0
        assert "Examples:" in capsys.readouterr().out, command


@pytest.mark.parametrize(("group", "commands"), BELOW.items())
def test_a_group_lists_its_commands(group: str, commands: set[str]) -> None:
    assert set(under(group)) == commands


@pytest.mark.parametrize("group", [(), ("runbook",)])
def test_no_line_of_a_list_of_commands_is_cut_off(group: tuple[str, ...]) -> None:
    assert "..." not in lab(*group, "--help").stdout.replace("[ARGS]...", "")


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("region-loss", "--rpo", "5"), "write 5s"),
        (("region-loss", "--rto", "-5s"), "no duration"),
        (("region-loss", "--rto", "nan"), "no duration"),
        (("region-loss", "--rpo", ""), "no duration"),
        (("region-loss", "--loss", "3s"), "no count"),
        (("region-loss", "--split-brain", "-1"), "no count"),
        (("region-loss", "--objective", "rpo_secs<=5s"), "rpo_seconds"),
        (("region-loss", "--objective", "rto_seconds<5s"), "FIGURE<=VALUE"),
        (("region-loss", "--repeat", "0"), "--repeat"),
        (("region-loss", "--repeat", "-2"), "--repeat"),
        (("region-loss", "--repeat", "2", "--junit", "/proc/nowhere/x.xml"), "--junit"),
        (("region-loss", "--junit", "/proc/nowhere/x.xml"), "--junit"),
        (("region-los",), "region-loss"),
        ((), "error: no drill is named\n  → name one; see: lab drill --list\n"),
    ],
)
def test_a_wrong_drill_command_is_refused_before_anything_is_touched(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    hint: str,
) -> None:
    monkeypatch.setenv("LAB_RUNS", str(tmp_path / "runs"))
    monkeypatch.setattr(lifecycle, "up", None)  # a command that comes that far fails
    assert inside(monkeypatch, "drill", *arguments) == 2
    told = capfd.readouterr()
    assert hint in told.err
    assert "unexpected" not in told.err
    assert told.out == ""
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("fault", "heal"), "no fault is named"),
        (("fault", "heal", "freeze", "--all"), "a fault and --all are both given"),
        (("fault", "heal", "--all", "--node", "east.db1"), "--all heals every fault"),
        (("logs", "-f"), "--follow needs a machine"),
        (("runbook", "check", "drain", "failback", "--svg", "x.svg"), "--svg shows one runbook"),
        (("runbook", "run", "drain", "--pause", "2s"), "--pause is for a rehearsal"),
        (("runbook", "run", "drain", "--scenario", "healthy", "--manual"), "leave --manual out"),
        (("runbook", "run", "drain", "--manual", "--yes"), "--manual and --yes are both given"),
        (("runbook", "run", "drain", "--manual"), "--manual needs a terminal"),
        (("report", "one", "--compare", "two", "three"), "one is a third"),
        (("report", "--out", "x.html"), "--out is for --compare and"),
        (("matrix", "--order", "SPWTR", "--covering"), "--order and --covering are both given"),
        (("soak", "--episode", "3", "--minutes", "2"), "--episode plays one episode"),
        (("runbook", "run", "drain", "--seed", "2"), "--seed is for a rehearsal"),
        (("drill", "region-loss", "--list"), "NAME needs a drill to run, and --list runs none"),
        (("drill", "--list", "--rto", "5s"), "--rto needs a drill to run, and --list runs none"),
        (
            ("drill", "--list", "--junit", "x.xml"),
            "--junit needs a drill to run, and --list runs none",
        ),
        (
            ("drill", "--list", "--repeat", "2"),
            "--repeat needs a drill to run, and --list runs none",
        ),
    ],
)
def test_words_that_do_not_go_together_are_refused_in_one_sentence_with_a_next_step(
    arguments: tuple[str, ...],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert inside(monkeypatch, *arguments) == 2
    said = capsys.readouterr()
    sentence, step = said.err.splitlines()
    assert sentence.startswith("error: ")
    assert step.startswith("  → ")
    assert told in said.err
    assert said.out == ""


@pytest.mark.parametrize("arguments", [("--all",), ("partition",)])
def test_healing_without_a_lab_looks_for_no_engine(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    monkeypatch.setattr(engine, "find_host", lambda: pytest.fail("looked for an engine"))
    monkeypatch.setattr(composeplugin, "ensure_compose", lambda say: pytest.fail("Compose"))
    assert inside(monkeypatch, "fault", "heal", *arguments) == 3
    assert "lab 'lab' is not up" in capsys.readouterr().err


def test_healing_needs_no_compose(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LAB_STATE", str(tmp_path))
    settings.create("lab", "10.91")
    monkeypatch.setattr(engine, "find_host", lambda: engine.DEFAULT_HOST)
    monkeypatch.setattr(composeplugin, "ensure_compose", lambda say: pytest.fail("Compose"))
    assert inside(monkeypatch, "fault", "heal", "--all") == 3


def test_images_alone_are_made_without_a_lab(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(engine, "ensure_engine", lambda say: done.append("engine"))
    monkeypatch.setattr(images, "ensure_images", lambda say: done.append("images"))
    monkeypatch.setattr(lifecycle, "up", None)  # a call of it fails
    assert inside(monkeypatch, "up", "--images-only") == 0
    assert done == ["engine", "images"]


@pytest.mark.parametrize(
    "moment",
    ["lab.cli", "traceback", "lab.core.interrupts", "lab.core.errors", "lab.core.paths", "typer",
     "lab.commands.app", "lab.drills.finding", "the end"],
)  # fmt: skip
def test_ctrl_c_before_a_command_does_anything_and_after_it_shows_no_traceback(moment: str) -> None:
    """Sent when a module is imported (the lab's first is `lab.cli`), or when Python ends."""
    program = f"""
import atexit, os, runpy, signal, sys
class Pressing:
    def find_spec(name, path, target=None):
        if name == {moment!r}:
            os.kill(os.getpid(), signal.SIGINT)
for name in ("traceback", "typer"):
    sys.modules.pop(name, None)
sys.argv = ["lab", "drill", "--list"]
sys.meta_path.insert(0, Pressing)
if {moment!r} == "the end":
    atexit.register(os.kill, os.getpid(), signal.SIGINT)
runpy.run_module("lab", run_name="__main__")
"""
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 130, ran.stderr
    assert ran.stderr in ("", "Aborted.\n")
    assert ("zone-loss" in ran.stdout) == (moment == "the end")


def test_an_interrupt_that_python_wraps_while_it_makes_a_class_is_one() -> None:
    program = """
import sys
class Named:
    def __set_name__(self, owner, name):
        raise KeyboardInterrupt
class Finder:
    def find_spec(name, path, target=None):
        if name == "typer":
            type("Made", (), {"named": Named()})
sys.meta_path.insert(0, Finder)
sys.argv = ["lab", "drill", "--list"]
from lab.cli import main
main()
"""
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (130, "Aborted.\n")


def test_the_program_and_the_module_begin_with_the_same_code() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["scripts"] == {"lab": "lab.__main__:main"}


def test_an_unexpected_error_is_one_line_and_a_file_with_the_details(tmp_path: Path) -> None:
    program = (
        "import sys; sys.argv = ['lab', 'report']; import lab.records.runfolders;"
        "lab.records.runfolders.runs_dir = lambda: 1 / 0; from lab.cli import main; main()"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, "LAB_STATE": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert ran.returncode == 3
    assert "unexpected: ZeroDivisionError" in ran.stderr
    [crash] = (tmp_path / "logs").glob("crash-*.log")
    assert "Traceback" in crash.read_text()
    assert "Traceback" not in ran.stderr


def shell(line: str) -> Ran:
    """A line of shell in which $lab is the command line."""
    return subprocess.run(
        ["sh", "-c", line],
        cwd=ROOT,
        env={
            **os.environ,
            "lab": f"{sys.executable} -m lab",
            "DOCKER_HOST": "unix:///nowhere.sock",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        ("$lab runbook list >&-", 2, "error: standard output is closed"),
        ("$lab runbook list > /dev/full", 3, "error: No space left on device: the results"),
    ],
)
def test_results_that_go_nowhere_are_one_clear_error(line: str, code: int, said: str) -> None:
    ran = shell(line)
    assert ran.returncode == code
    assert ran.stderr.startswith(said)
    assert len(ran.stderr.strip().splitlines()) == 2


def test_a_line_number_is_no_picture(tmp_path: Path) -> None:
    book = (ROOT / "chaos/runbooks/drain.yaml").read_text()
    (tmp_path / "l.yaml").write_text("#\n" * (100 - book.count("\n") - 1) + book + "  - gaet\n")
    assert f"{tmp_path}/l.yaml:100: " in lab("runbook", "check", f"{tmp_path}/l.yaml").stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("check", "{}/b.yaml", "--svg", "{}/b.yaml"),
        ("check", "{}/b.yaml", "--junit", "{}/../" + "{}/b.yaml"),
        ("show", "{}/b.yaml", "--svg", "{}/./b.yaml"),
        ("check", "{}/b.yaml", "--junit", "{}/one", "--svg", "{}/one"),
        ("check", "{}/b.yaml", "--junit", "{}/" + "a" * 300),
    ],
)
def test_no_result_takes_the_place_of_what_is_read_or_of_another(
    arguments: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    book = (ROOT / "chaos/runbooks/drain.yaml").read_text()
    (tmp_path / "b.yaml").write_text(book)
    monkeypatch.chdir(tmp_path)
    given = (each.replace("{}/../{}", "./.").replace("{}", ".") for each in arguments)
    assert inside(monkeypatch, "runbook", *given) == 2
    assert capsys.readouterr().err.startswith("error: ")
    assert (tmp_path / "b.yaml").read_text() == book
    assert [each.name for each in tmp_path.iterdir()] == ["b.yaml"]


@pytest.mark.parametrize(
    "arguments",
    [("fault", "inject", "zone-loss", "--node", ""), ("runbook", "steps", ""),
     ("fault", "list", ""), ("runbook", "show", "drain", "--scenario", "")],
)  # fmt: skip
def test_an_empty_word_is_no_word_left_out(
    arguments: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert inside(monkeypatch, *arguments) == 2
