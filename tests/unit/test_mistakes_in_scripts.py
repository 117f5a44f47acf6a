"""A mistake in a drill's script is one error with its file, its line and the next step."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lab.core.errors import BadDrill, BadFile
from lab.drills.script import load

INF, NAN = 'float("inf")', 'float("nan")'

DRILL = """\
from lab.api import Drill, Load, Steering, at_least, at_most, based_on, fault, later, step, up

DRILL = Drill(
    name="mine",
    title="Mine",
    situation="Something happens.",
    expectations=("It is noticed.",),
    faults=(fault("region-loss"),),
    runbook="region-failover",
    objectives=(at_most("lost", 0, "why"),),
    meanwhile=(),
    arrange=(),
    load=Load(),
    steering=Steering(),
    window=5,
    bound=300,
    pattern="hot-single-writer",
)
"""


def script(folder: Path, text: str, name: str = "x.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def told(path: Path) -> BadFile:
    """The one error, which is short and has one line besides the next step."""
    with pytest.raises(BadFile) as caught:
        load(path)
    error = caught.value
    assert "\n" not in error.message
    assert "\n" not in error.next_step
    assert len(str(error)) < 600
    return error


FIELDS = [
    ("title", "5", "title cannot be 5", "a text in quotes"),
    ("title", '""', "title cannot be empty", "a text in quotes"),
    ("situation", "None", "situation cannot be None", "a text in quotes"),
    ("expectations", '"It is noticed."', "expectations cannot be 'It is", '=("a sentence",)'),
    ("expectations", "(5,)", "expectations cannot hold 5", 'write expectations=("a sentence",)'),
    ("faults", '("region-loss",)', "cannot hold 'region-loss'", '=(fault("region-loss"),)'),
    ("faults", '(fault("partition"), fault("partition"))', "hold partition more than", "leave one"),
    ("runbook", "None", "runbook cannot be None", "write the name of a runbook, or of its file"),
    ("window", '"5s"', "window cannot be '5s'", "a number of seconds, such as 5"),
    ("window", '"1m"', "window cannot be '1m'", "a number of seconds, such as 60"),
    ("window", '"long"', "window cannot be 'long'", "a number of seconds, such as 5"),
    ("window", "True", "window cannot be True", "a number of seconds, such as 5"),
    ("window", "-1", "window cannot be -1", "a number of seconds above 0, at most 3600"),
    ("window", NAN, "window cannot be nan", "a number of seconds above 0, at most 3600"),
    ("bound", '"x"', "bound cannot be 'x'", "a number of seconds, such as 300"),
    ("bound", "0", "bound cannot be 0", "a number of seconds above 0, at most 604800"),
    ("pattern", '"foo"', "pattern cannot be 'foo'", "one of: hot-single-writer"),
    ("load", "{}", "load cannot be {}", "write Load(writes_per_second=50)"),
    ("load", 'Load(writes_per_second="fast")', "writes_per_second cannot be 'fast'", "such as 50"),
    ("load", "Load(-3)", "writes_per_second cannot be -3", "from 0 to 5000"),
    ("load", "Load(1e9)", "writes_per_second cannot be 1000000000.0", "from 0 to 5000"),
    ("load", "Load(0, 0)", "is 0, and so are the reads", "let users do"),
    ("load", "Load(resolvers=7)", "resolvers cannot be 7", "a whole number of resolvers from 1 to"),
    ("load", "Load(users=1.5)", "users cannot be 1.5", "a whole number of users"),
    ("load", "Load(writes=3)", "there is no field of Load called 'writes'", "writes_per_second"),
    ("steering", "{}", "steering cannot be {}", "write Steering(interval=1, alone=5)"),
    ("steering", "Steering(interval=0)", "interval cannot be 0", "seconds from 0.05 to 60"),
    ("steering", "Steering(urgent=0.001)", "urgent cannot be 0.001", "seconds from 0.05 to 60"),
    ("steering", "Steering(interval=900)", "interval cannot be 900", "seconds from 0.05 to 60"),
    ("steering", 'Steering(interval="1s")', "interval cannot be '1s'", "seconds, such as 1"),
    ("steering", "Steering(fall=0)", "fall cannot be 0", "whole number of checks from 1 to 100"),
    ("steering", "Steering(fall=2.5)", "fall cannot be 2.5", "whole number of checks, such as 3"),
    ("steering", "Steering(rise=101)", "rise cannot be 101", "from 1 to 100"),
    ("steering", "Steering(alone=-1)", "alone cannot be -1", "seconds from 0 to 60"),
    ("steering", f"Steering(home={NAN})", "home cannot be nan", "seconds from 0 to 60"),
    ("steering", "Steering(falls=3)", "field of Steering called 'falls'", "did you mean fall"),
    ("arrange", '(step("verify", retry="x"),)', "retry cannot be 'x'", "whole number of times"),
    ("arrange", '(step("verify", retry=-1),)', "retry cannot be -1", "from 0 to 20"),
    ("arrange", '(step("verify", retry=10**9),)', "retry cannot be 1000000000", "from 0 to 20"),
    ("arrange", '(step("verify", retry=True),)', "retry cannot be True", "whole number"),
    ("arrange", '(step("manual", text=""),)', "manual does not say its text", "text=…"),
    ("objectives", '(at_most("rto_seconds", "10s", "w"),)', "limit cannot be '10s'", "such as 10"),
    ("objectives", '(at_most(5, 1, "w"),)', "name cannot be 5", "a text in quotes"),
    ("objectives", '(at_most("lost", None, "w"),)', "limit cannot be None", "a number of writes"),
    ("objectives", f'(at_most("lost", {NAN}, "w"),)', "limit cannot be nan", "from 0 on"),
    ("objectives", '(at_most("lost", True, "w"),)', "limit cannot be True", "a number of writes"),
    ("objectives", '(at_most("lost", -1, "w"),)', "limit cannot be -1", "from 0 on"),
    ("objectives", '(at_most("lost", 0, 5),)', "why cannot be 5", "a text in quotes"),
    ("objectives", '(at_most("lost", 0),)', "at_most() does not say its 'why'", "at_most(name, "),
    ("objectives", '(at_most("lost", 0, "a"), at_most("lost", 1, "b"))', "lost ≤ more", "leave"),
    ("objectives", '(at_most("rto_seconds.north", 1, "w"),)', "population called 'north'", "east"),
    ("objectives", "()", "objectives: is empty", "docs/drills.md"),
    ("meanwhile", f'later(fault("delay"), at={NAN})', "at cannot be nan", "seconds from 0 to 3600"),
    ("meanwhile", 'later(fault("delay"), at=1e9)', "at cannot be 1000000000.0", "to 3600"),
    ("meanwhile", 'later(fault("delay"), at="3s")', "at cannot be '3s'", "seconds, such as 3"),
    ("meanwhile", 'later(fault("delay"), at=-1)', "at cannot be -1", "from 0 to 3600"),
    ("meanwhile", f'later(fault("delay"), 1, {INF})', "lasting cannot be inf", "above 0"),
    ("meanwhile", 'later(fault("delay"), 1, 300)', "has a step at 301 s", "bound: 300 s"),
    ("meanwhile", 'later(fault("delay"), at="promot")', "no step called 'promot'", "promote"),
    ("meanwhile", 'later(fault("delay"), at="")', "at cannot be ''", "seconds, such as 3"),
    ("meanwhile", 'later(fault("delay"), at="rewind")', "no step in region-failover called 'rew",
     "repoint"),
    ("meanwhile", 'later("delay", at=3)', "fault cannot be 'delay'", 'write fault("delay")'),
    ("meanwhile", '(later(fault("delay"), 3),)', "type tuple", "write meanwhile=(*later("),
    ("faults", '(fault("delay", lasting=5),)', "option of fault called 'lasting'", "later() has"),
    ("faults", '(fault("delay", "x"),)', "the values of fault() do not fit", "fault(name, link=…"),
    ("faults", '(fault("delay", amount="250ms"),)', "amount cannot be '250ms'", "such as 250"),
    ("faults", '(fault("delay", amount="2s"),)', "amount cannot be '2s'", "such as 2000"),
    ("faults", '(fault("delay", amount=99999),)', "delay: 99999 ms is out of range", "ms"),
    ("faults", '(fault("partition", amount=3),)', "partition takes no amount", "lab fault list"),
    ("faults", '(fault("partition", node="east.db1"),)', "partition takes no node", "leave that"),
    ("faults", '(fault("freeze", link="west:east:sql"),)', "freeze takes no link", "it takes node"),
    ("faults", "(fault(5),)", "fault cannot be 5", "a text in quotes"),
    ("faults", '(fault(""),)', "no fault is named", "lab fault list"),
    ("faults", '(fault("region-loss", region=5),)', "region cannot be 5", "a text in quotes"),
    ("faults", '(fault("refused", link=["a"]),)', "link cannot be ['a']", "a text in quotes"),
    ("faults", '(fault("freeze", node="east.db7"),)', "no node called 'east.db7'", "east.db"),
    ("arrange", '(step("inject", fault="lag-hld"),)', "no fault called 'lag-hld'", "lag-hold"),
    ("arrange", '(step("inject"),)', "no fault is named", "lab fault list"),
    ("arrange", '(step("inject", fault="delay", amount=-5),)', "amount cannot be -5", "from 0 on"),
    ("arrange", '(step("inject", fault="freeze", node="east.db7"),)', "'east.db7'", "east.db"),
    ("arrange", '(step("heal", link="west:east:sql"),)', "names link and no fault", "leave link"),
    ("arrange", '(step("configure", node="east.db1"),)', "setting cannot be empty", "a text in"),
    ("arrange", '(step("configure", node="east.db1", setting="nosuch", value="1"),)',
     "there is no setting of PostgreSQL called 'nosuch'", "SHOW ALL"),
    ("arrange", '(step("configure", node="east.db1", setting="wal_reciever_timeout", value="1"),)',
     "setting of PostgreSQL called 'wal_reciever_timeout'", "did you mean wal_receiver_timeout"),
    ("arrange", '(step("configure", node="east.db1", setting="wal_level", value="logical"),)',
     "a reload does not change wal_level", "needs no restart"),
    ("arrange", '(step("configure", node="east.app", setting="work_mem", value="1"),)',
     "there is no database called 'east.app'", "east.db1"),
    ("arrange", '(step("configure", node="east.db7", setting="work_mem", value="1"),)',
     "there is no database called 'east.db7'", "east.db"),
    ("arrange", '(step("wait", seconds="6s"),)', "seconds cannot be '6s'", "seconds, such as 6"),
    ("arrange", '(step("wait", seconds=-3),)', "seconds cannot be -3", "from 0 to 3600"),
    ("arrange", '(step("wait", secnds=3),)', "no option of wait called 'secnds'", "seconds"),
    ("arrange", '(step("thaw", node=3),)', "no option of thaw called 'node'", "known: none"),
    ("arrange", '(step("promote", force="yes"),)', "force cannot be 'yes'", "True or False"),
    ("arrange", '(step("repoint", where="here"),)', "where cannot be 'here'", "one of: everywhere"),
    ("arrange", '(step("run"),)', "run does not say its command", "step('run', command=…)"),
    ("arrange", '(step("run", command="a.sh"),)', "command cannot be 'a.sh'", '=("a text",)'),
    ("arrange", '(step("run", command=("a.sh", 5)),)', "command cannot hold 5", '=("a text",)'),
    ("arrange", '(step("run", command=("a.sh",), makes=("x",)),)', "makes cannot be 'x'", ""),
    ("arrange", '(step(5),)', "step cannot be 5", "a text in quotes"),
    ("name", f'"{"n" * 61}"', "is no name", "60 at most"),
    ("name", "5", "name cannot be 5", "a text in quotes"),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value", "message", "hint"), FIELDS)
def test_a_value_that_does_not_fit_is_told_with_its_line_and_what_fits(
    tmp_path: Path, field: str, value: str, message: str, hint: str
) -> None:
    lines = [
        f"    {field}={value}," if line.startswith(f"    {field}=") else line
        for line in DRILL.splitlines()
    ]
    path = script(tmp_path, "\n".join(lines))
    error = told(path)
    assert message in error.message
    assert hint in error.next_step
    at = next(number for number, line in enumerate(lines, 1) if line.startswith(f"    {field}="))
    assert (error.source, error.line) == (str(path), at)


def test_a_drill_that_is_right_is_loaded_also_with_the_mark_of_windows(tmp_path: Path) -> None:
    path = script(tmp_path, f"\ufeff{DRILL}")
    assert load(path).name == "mine"
    assert load(script(tmp_path, DRILL.replace("bound=300", f"bound={INF}"))).bound > 300


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        ("based_on(5)", "drill cannot be 5", "a text in quotes"),
        ("based_on('region-los')", "there is no drill called 'region-los'", "region-loss"),
        ("based_on('region-loss', window='5s')", "window cannot be '5s'", "such as 5"),
        ("based_on('region-loss', titel='x')", "field of Drill called 'titel'", "title"),
        ("based_on('gone.py')", "gone.py: cannot be read", "docs/drills.md"),
        ("fault.region", "AttributeError: 'function' object", "docs/drills.md"),
        ("fault('delay').amont", "no field of Aimed called 'amont'", "did you mean"),
        ("up('east.db1', 'east.db1')", "east.db1 cannot take over from itself", "up(old="),
        ("up('east.app')", "there is no database called 'east.app'", "east.db"),
        ("up(seed='x')", "seed cannot be 'x'", "a whole number, such as 1"),
        ("up(name=5)", "name cannot be 5", "a text in quotes"),
        ("up().load()", "load() needs a lab that is up", "write: with up() as lab:"),
        ("up().lod()", "no field of Coming", "known: "),
        ("stp('wait')", "there is no name called 'stp'", "step"),
        ("int('a\\nb')", r"ValueError: invalid literal", "docs/drills.md"),
        ("exec('raise ValueError(\"a\\\\nb\")')", "ValueError: a b", "docs/drills.md"),
    ],
)
def test_a_wrong_call_is_told_by_its_line(
    tmp_path: Path, line: str, message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = script(tmp_path, f"from lab.api import based_on, fault, step, up\n\nX = {line}\n")
    error = told(path)
    assert message in error.message
    assert hint in error.next_step
    assert (error.source, error.line) == (str(path), 3)


def test_a_circle_of_drills_is_told_where_it_closes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, "from lab.api import based_on\nDRILL = based_on('y.py')\n", "x.py")
    script(tmp_path, "from lab.api import based_on\n\nDRILL = based_on('x.py')\n", "y.py")
    assert told(Path("x.py")).message == "y.py:3: based_on leads back to x.py"
    script(tmp_path, "from lab.api import based_on\nDRILL = based_on('x.py')\n", "x.py")
    assert told(Path("x.py")).message == "x.py:2: based_on leads back to x.py"


def test_a_mistake_in_the_drill_below_names_that_file_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    script(tmp_path, "from lab.api import based_on\nDRILL = based_on('y.py')\n", "x.py")
    script(tmp_path, "from lab.api import fault\nX = fault('delai')\n", "y.py")
    assert told(Path("x.py")).message == "y.py:2: there is no fault called 'delai'"


@pytest.mark.parametrize(
    ("helper", "said"),
    [
        ("\n\nX = (\n", r"helper.py:3: this is no Python: '(' was never closed"),
        ("\nX = 1 / 0\n", "helper.py:2: ZeroDivisionError: division by zero"),
    ],
)
def test_a_mistake_in_an_imported_file_names_that_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, helper: str, said: str
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "helper", raising=False)
    script(tmp_path, helper, "helper.py")
    path = script(tmp_path, "import helper\n")
    assert told(path).message == f"{tmp_path}/{said}"


def test_bytes_that_are_no_text_are_told(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_bytes(b"X = '\xff'\n")
    assert "this is no Python" in told(path).message


@pytest.mark.parametrize(
    "text",
    [
        DRILL.replace('"Mine"', "5") + "\n",
        "from lab.api import up\n\n\nlab = up()\nlab.load()\n",
        "from lab.api import fault\n\n\n\nprint(fault('delai'))\n",
    ],
)
def test_a_script_that_is_run_by_a_relative_path_tells_its_line(tmp_path: Path, text: str) -> None:
    script(tmp_path, text)
    done = subprocess.run(
        [sys.executable, "x.py"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.startswith("error: x.py:5: "), done.stderr
    assert "  → " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_mistake_is_an_error_of_the_drill(tmp_path: Path) -> None:
    with pytest.raises(BadDrill) as caught:
        load(script(tmp_path, DRILL.replace("window=5", "window=0")))
    assert caught.value.exit_code == 2
