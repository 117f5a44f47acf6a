"""Runbooks as files: what is read, and every mistake with its line and the nearest valid word."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.core.errors import BadRunbook, UsageError
from lab.core.topology import DATABASES, EAST_DB1, WEST_DB1
from lab.records.journalfile import Via
from lab.runbooks.lookeffects import noted
from lab.runbooks.option import Option, Texts, Value
from lab.runbooks.runbook import Call, Plan, Repeats, Runbook, Step
from lab.runbooks.runbookcalls import LIMIT_STEPS
from lab.runbooks.runbookfile import KEYS, parse, read, text_of
from lab.runbooks.scenarios import SCENARIOS
from lab.runbooks.yamlnode import LIMIT_BYTES
from lab.steps.catalogue import vocabulary

MADE_UP = Step(
    name="hold",
    title="wait",
    changes="nothing",
    via=Via.IN_BAND,
    phase=None,
    why="to try every kind of option",
    breaks="nothing",
    seconds=0.0,
    makes=noted("held"),
    act=lambda _: "",
    repeats=Repeats.ALWAYS,
    options=(
        Option("pause", float, 1.0, "how long to wait", unit="s"),
        Option("share", float, 0.5, "how much"),
        Option("stages", tuple, (10, 100), "parts of the users", unit="%"),
        Option("note", str, "", "seconds or anything else"),
        Option("wind", str, "north", "from where", ("north", "east", "south", "west")),
        Option("day", str, "friday", "when", ("friday", "monday", "sunday", "tuesday", "never")),
    ),
)
TOLD = replace(
    MADE_UP,
    name="do",
    options=(
        Option("words", Texts, Texts(), "what to do"),
        Option("days", Texts, Texts(), "when", ("monday", "friday"), barred=("sunday",),
               why_barred="it is a day of rest"),
    ),
    main="words",
)  # fmt: skip
SPECS = (*(each for each in vocabulary() if each.name != MADE_UP.name), MADE_UP, TOLD)

HEAD = """\
name: my-failover
title: East is lost
why: users must be able to order
pattern: hot-single-writer
from: east.db1
to: west.db1
scenarios: [region-dead, partition]
steps:
"""
STEPS = """\
  - detect
  - decide: {approval: human}
  - stop-writes:
      where: everywhere
  - fence:
  - check-lag: {rpo: 5m, accept_loss: true}
"""
GOOD = HEAD + STEPS


def parsed(text: str) -> Runbook:
    return parse(text, "my.yaml", SPECS)


def refused(text: str) -> BadRunbook:
    with pytest.raises(BadRunbook) as caught:
        parsed(text)
    return caught.value


def step(text: str) -> str:
    """A runbook with one step, on line 9."""
    return f"{HEAD}  - {text}\n"


def options(text: str) -> Mapping[str, Value]:
    return parsed(step(text)).steps[0].options


# ── what is read ─────────────────────────────────────────────────────────────────────────────


def test_a_runbook_is_read_with_the_line_of_every_step() -> None:
    runbook = parsed(GOOD)
    assert runbook == Runbook(
        name="my-failover",
        title="East is lost",
        why="users must be able to order",
        plan=Plan(EAST_DB1, WEST_DB1),
        scenarios=("region-dead", "partition"),
        steps=(
            Call("detect", {}, 9),
            Call("decide", {"approval": "human"}, 10),
            Call("stop-writes", {"where": "everywhere"}, 11),
            Call("fence", {}, 13),
            Call("check-lag", {"rpo": 300, "accept_loss": True}, 14),
        ),
    )


def test_what_need_not_be_said_can_be() -> None:
    runbook = parsed(f"planned: true\npromotes: False\nflaw: true\nsource: a book\n{GOOD}")
    assert (runbook.planned, runbook.promotes, runbook.flaw) == (True, False, True)
    assert runbook.source == "a book"


def test_a_text_that_is_folded_over_lines_is_one_line() -> None:
    folded = GOOD.replace("why: users must", "why: >\n  users\n  must")
    assert parsed(folded).why == "users must be able to order"


def test_comments_windows_line_ends_and_a_byte_order_mark_are_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + f"# what happens\n{GOOD}".replace("\n", "\r\n").encode())
    assert read(file, SPECS).steps[0] == Call("detect", {}, 10)


@pytest.mark.parametrize(
    ("written", "given"),
    [
        ("check-lag: {rpo: 300}", {"rpo": 300}),
        ("check-lag: {rpo: 1m30s}", {"rpo": 90}),
        ("check-lag: {rpo: 0.5m}", {"rpo": 30}),
        ("check-lag: {rpo: 0}", {"rpo": 0}),
        ("check-lag: {rpo: 1000000000s}", {"rpo": 10**9}),
        ("scale-up: {connections: 1}", {"connections": 1}),
        ("scale-up: {connections: 64}", {"connections": 64}),
        ("hold: {pause: 500ms}", {"pause": 0.5}),
        ("hold: {pause: 2}", {"pause": 2.0}),
        ("hold: {share: 0.25}", {"share": 0.25}),
        ("hold: {stages: [10, 50, 100]}", {"stages": (10, 50, 100)}),
        ("hold: {note: '5'}", {"note": "5"}),
        ("do: [go, 'a  b']", {"words": ("go", "a  b")}),
        ("do: {words: [go], days: [friday]}", {"words": ("go",), "days": ("friday",)}),
        ("manual: call the carrier", {"text": "call the carrier"}),
        ("manual: {text: call the carrier}", {"text": "call the carrier"}),
    ],
)
def test_options_are_read_as_their_kind(written: str, given: dict[str, Value]) -> None:
    assert options(written) == given


def test_an_anchor_may_be_used_again() -> None:
    runbook = parsed(f"{HEAD}  - stop-writes: &who {{where: lost}}\n  - resume-writes: *who\n")
    assert [call.options for call in runbook.steps] == [{"where": "lost"}, {"where": "lost"}]


@pytest.mark.parametrize("name", ["shift-traffic", "stop-writes", "resume-writes", "repoint"])
def test_some_steps_may_be_done_again_with_other_options(name: str) -> None:
    row = next(each for each in SPECS if each.name == name)
    option, *_ = row.options
    again = parsed(f"{HEAD}  - {name}\n  - {name}: {{{option.name}: {option.choices[-1]}}}\n")
    assert [call.step for call in again.steps] == [name, name]
    assert row.repeats is Repeats.OTHERWISE


def test_steps_that_change_nothing_may_be_done_as_often_as_one_likes() -> None:
    always = {each.name for each in vocabulary() if each.repeats is Repeats.ALWAYS or each.look}
    assert always >= {
        "announce", "catch-up", "check-lag", "confirm", "detect", "gate", "hold", "verify", "wait",
    }  # fmt: skip
    for name in always:
        assert len(parsed(f"{HEAD}  - {name}\n  - {name}\n").steps) == 2


# ── files that cannot be read ────────────────────────────────────────────────────────────────


def unread(path: Path) -> BadRunbook:
    with pytest.raises(BadRunbook) as caught:
        read(path, SPECS)
    assert caught.value.exit_code == 2
    return caught.value


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "my.yaml"
    assert unread(missing).message == f"{missing}: cannot be read: No such file or directory"


def test_a_folder_is_no_runbook(tmp_path: Path) -> None:
    assert unread(tmp_path).message == f"{tmp_path}: is a folder, not a file"


def test_a_file_that_cannot_be_read_has_a_next_step(tmp_path: Path) -> None:
    for path in (tmp_path / "my.yaml", tmp_path, Path("my\0.yaml"), Path("/dev/zero")):
        assert unread(path).next_step.endswith("lab runbook list")


def test_a_mistake_without_a_hint_of_its_own_leads_to_how_a_runbook_is_written() -> None:
    assert refused(GOOD.replace("East is lost", '""')).next_step == (
        "how a runbook is written: docs/runbooks.md"
    )


@pytest.mark.parametrize("name", ["my\0.yaml", "x" * 5000, "\ud800.yaml"])
def test_a_name_that_no_file_can_have_is_an_error_like_any_other(name: str) -> None:
    assert unread(Path(name)).line == 0


def test_what_is_not_utf8_is_refused_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(GOOD.encode().replace(b"East is lost", "Köln".encode("latin-1")))
    assert unread(file).message == f"{file}:2: is not UTF-8"
    file.write_bytes(b"\n" + file.read_bytes())
    assert unread(file).line == 3


def test_a_file_that_a_program_wrote_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(b"\xff" * 10_000_000)
    assert unread(file).message == f"{file}: more than 256 KiB: that is no runbook"
    assert "256 KiB" in refused("#" * (LIMIT_BYTES + 1)).message
    longest = f"{GOOD}{'#' * (LIMIT_BYTES - len(GOOD))}"
    file.write_text(longest)
    assert read(file, SPECS) == parsed(longest)


def test_a_file_without_an_end_is_refused_too() -> None:
    assert "256 KiB" in unread(Path("/dev/zero")).message


# ── texts that are no YAML, or none that is sane ─────────────────────────────────────────────


@pytest.mark.parametrize("text", ["", "\n\n", "# only\n# comments\n", "---\n", "null\n", "~"])
def test_an_empty_file_is_said_to_be_empty(text: str) -> None:
    error = refused(text)
    assert error.message == "my.yaml:1: there is nothing in it"
    assert "chaos/runbooks" in error.next_step


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        (GOOD.replace("title: East", "title: East: "), 2, "mapping values are not allowed here"),
        (GOOD.replace("[region-dead, partition]", "[region-dead"), 8, "expected ',' or ']'"),
        (GOOD.replace("title: East", "title: 'East"), 2, "unexpected end of stream"),
        (GOOD.replace("  - fence", " - fence"), 13, "(while parsing a block mapping)"),
        (GOOD.replace("- detect", "- *them"), 9, "undefined alias 'them'"),
        ("%YAML " + "9" * 5000 + ".1\n---\n", 1, "no such character or version"),
        ('name: "\\UFFFFFFFF"\n', 1, "no such character or version"),
        ('name: "\\U00110000"\n', 1, "no such character or version"),
        ("%YAML 3.0\n---\na: b\n", 1, "incompatible YAML document"),
    ],
)
def test_a_mistake_in_the_yaml_has_its_line(text: str, line: int, said: str) -> None:
    error = refused(text)
    assert error.line == line
    assert error.message.startswith(f"my.yaml:{line}: not YAML: ")
    assert said in error.message


@pytest.mark.parametrize(
    "text",
    [GOOD.replace("  - fence", "\t- fence"), GOOD.replace("- fence:", "- fence:\tnull")],
)
def test_tabs_are_called_tabs(text: str) -> None:
    error = refused(text)
    assert error.message == "my.yaml:13: not YAML: a tab"
    assert error.next_step == "use spaces"


@pytest.mark.parametrize(
    ("odd", "code"), [("\0", "0000"), ("\x1b", "001B"), ("\x7f", "007F"), ("\ud800", "D800")]
)
def test_control_characters_are_refused(odd: str, code: str) -> None:
    error = refused(GOOD.replace("East", f"E{odd}st"))
    assert error.message == f"my.yaml:2: U+{code} is a character that YAML does not know"


@pytest.mark.parametrize(
    ("odd", "code"), [(r"\e", "001B"), (r"\0", "0000"), (r"\ud800", "D800"), (r"\u202e", "202E")]
)
def test_neither_do_they_come_in_as_escapes(odd: str, code: str) -> None:
    error = refused(GOOD.replace("title: East is lost", f'title: "E{odd}st"'))
    assert error.message == f"my.yaml:2: title holds U+{code}, which cannot be printed"


def test_a_file_holds_one_runbook() -> None:
    error = refused(f"{GOOD}---\n{GOOD}")
    assert error.message == "my.yaml:15: a second document begins here"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"{HEAD}  - &again\n    - *again\n", 10),
        (f"{HEAD}  - decide: &again\n      approval: *again\n", 10),
        ("&all [*all]", 1),
        ("&all {*all : 1}", 1),
    ],
)
def test_what_contains_itself_is_refused(text: str, line: int) -> None:
    error = refused(text)
    assert error.line == line
    assert "stands inside of what it stands for" in error.message


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? ", "- ? "])
def test_deep_nesting_is_refused_and_not_followed(opening: str) -> None:
    assert "more than 12 levels deep" in refused(opening * 50_000).message


def test_aliases_that_multiply_are_not_followed_either() -> None:
    lines = ["a: &a [x, x]", *(f"{n}: &{n} [*{p}, *{p}]" for p, n in zip("abcdefg", "bcdefgh"))]  # noqa: B905
    assert "there is no key called 'a'" in refused("\n".join(lines)).message


# ── what a file says of its runbook ──────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "found"),
    [("- detect\n", "a list"), ("hello\n", "the text 'hello'"), ("42", "the number '42'")],
)
def test_what_is_no_mapping_is_no_runbook(text: str, found: str) -> None:
    said = f"my.yaml:1: a runbook must be a mapping of keys to values, not {found}"
    assert refused(text).message == said


def test_an_unknown_key_names_the_nearest() -> None:
    error = refused(GOOD.replace("scenarios:", "scenario:"))
    assert error.message == "my.yaml:7: there is no key called 'scenario'"
    assert error.next_step == "did you mean scenarios?"


@pytest.mark.parametrize("key", ["[a]", "{a: b}", "on", "1", "<<", "~"])
def test_a_key_is_a_word(key: str) -> None:
    assert "a key must be a text" in refused(f"? {key}\n: x\n{GOOD}").message


@pytest.mark.parametrize("key", [line.partition(":")[0] for line in HEAD.splitlines()[:7]])
def test_a_missing_key_says_what_it_is_for(key: str) -> None:
    lines = [line for line in GOOD.splitlines() if not line.startswith(f"{key}:")]
    error = refused("# a comment\n" + "\n".join(lines))
    assert error.message.startswith(f"my.yaml:2: {key} is missing: ")
    [example] = [each.example for each in KEYS if each.name == key]
    assert error.next_step == f"add a line: {key}: {example}"


def test_a_runbook_without_steps_is_refused() -> None:
    assert "steps is missing" in refused(HEAD.replace("steps:\n", "")).message
    assert refused(HEAD).message == "my.yaml:8: steps must be a list, not nothing"
    assert "must be a list, not the text 'fence'" in refused(f"{HEAD}  fence\n").message
    assert "must be a list, not a mapping" in refused(f"{HEAD}  fence:\n").message
    assert refused(HEAD[:-1] + " []").message == "my.yaml:8: steps is an empty list"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{GOOD}name: again\n", "my.yaml:15: key 'name' is on line 1 already"),
        (step("check-lag: {rpo: 1, rpo: 2}"), "my.yaml:9: key 'rpo' is on line 9 already"),
        (step("fence:\n    fence:"), "my.yaml:10: key 'fence' is on line 9 already"),
    ],
)
def test_a_key_stands_once(text: str, said: str) -> None:
    assert refused(text).message == said


@pytest.mark.parametrize(
    "name", ["My-Failover", "my failover", "../x", "-x", "x-", "1st", "x" * 61, "a--b"]
)
def test_a_runbook_has_a_name_that_a_folder_can_have(name: str) -> None:
    error = refused(GOOD.replace("my-failover", name))
    assert error.message.startswith("my.yaml:1: name cannot be ")
    assert parsed(GOOD.replace("my-failover", "x" * 60)).name == "x" * 60


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("title: 5", "title must be a text, not the number '5'"),
        ("title: yes", "title must be a text, not the flag 'yes'"),
        ("title: 2026-01-01", "title must be a text, not '2026-01-01'"),
        ("title:", "title must be a text, not nothing"),
        ("title: ''", "title is empty"),
        ("title: [a]", "title must be a text, not a list"),
        ("title: !mine x", "title must be a text, not 'x' tagged !mine"),
        ("title: a\nplanned: 1", "planned must be true or false, not the number '1'"),
        ("title: a\nflaw: yes", "flaw must be true or false, not the flag 'yes'"),
        ("title: a\nplanned: 'true'", "planned must be true or false, not the text 'true'"),
        ("title: a\npromotes:", "promotes must be true or false, not nothing"),
        ("title: a\npromotes: !!bool maybe", "must be true or false, not the flag 'maybe'"),
    ],
)
def test_a_value_of_another_kind_is_refused(line: str, said: str) -> None:
    assert said in refused(GOOD.replace("title: East is lost", line)).message


# ── nodes, scenarios, patterns ───────────────────────────────────────────────────────────────


def test_a_node_that_does_not_exist_names_the_nearest() -> None:
    error = refused(GOOD.replace("west.db1", "wst.db1"))
    assert error.message == "my.yaml:6: there is no node called 'wst.db1'"
    assert "west.db1" in error.next_step


def test_a_node_is_written_in_one_way() -> None:
    assert (
        "there is no node called 'east-db1'"
        in refused(GOOD.replace("east.db1", "east-db1")).message
    )


@pytest.mark.parametrize("node", ["west.app", "west.cache", "users.east"])
def test_a_node_that_is_no_database_cannot_take_over(node: str) -> None:
    error = refused(GOOD.replace("west.db1", node))
    assert error.message == f"my.yaml:6: {node} is no database"
    assert error.next_step == "one of: east.db1, east.db2, west.db1, west.db2"


def test_a_node_does_not_take_over_from_itself() -> None:
    error = refused(GOOD.replace("west.db1", "east.db1"))
    assert error.message == "my.yaml:6: from and to are both east.db1: no node would take over"
    assert error.next_step == "one of: east.db2, west.db1, west.db2"


def test_an_unknown_scenario_names_the_nearest() -> None:
    error = refused(GOOD.replace("partition]", "partitoin]"))
    assert error.message == "my.yaml:7: there is no scenario called 'partitoin'"
    assert error.next_step == "did you mean partition?"


def test_a_runbook_is_written_for_some_scenario_and_for_each_once() -> None:
    head, tail = GOOD.split("[region-dead, partition]")
    assert "an empty list" in refused(f"{head}[]{tail}").message
    assert "named twice" in refused(f"{head}[partition, partition]{tail}").message
    assert "must be a list" in refused(f"{head}partition{tail}").message
    assert "scenarios[2] must be a text" in refused(f"{head}[partition, 5]{tail}").message


def test_a_pattern_that_the_lab_does_not_have_is_named_with_those_that_it_has() -> None:
    error = refused(GOOD.replace("hot-single-writer", "active-active"))
    said = "my.yaml:4: it is for the pattern 'active-active', which the lab does not have"
    assert error.message == said
    assert error.next_step == "it has: hot-single-writer"


# ── steps and options ────────────────────────────────────────────────────────────────────────


def test_an_unknown_step_names_the_nearest() -> None:
    error = refused(step("promot"))
    assert error.message == "my.yaml:9: there is no step called 'promot'"
    assert "promote" in error.next_step
    assert "promote" in refused(step("promot: {force: true}")).next_step


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("", "a step must be a text, not nothing"),
        ("5", "a step must be a text, not the number '5'"),
        ("[fence]", "a step must be a text, not a list"),
        ("{}", "a step has one name, and here are 0: none"),
        ("{fence: , verify: }", "a step has one name, and here are 2: fence, verify"),
        ("{a: , b: , c: , d: }", "a step has one name, and here are 4: a, b, c"),
        ("decide:\n    approval: human", "a step has one name, and here are 2: decide, approval"),
        ("decide: human", "what decide is told must be a mapping of keys to values, not the text"),
        ("decide: [approval]", "what decide is told must be a mapping of keys to values"),
    ],
)
def test_a_step_is_a_name_or_a_name_with_options(written: str, said: str) -> None:
    assert said in refused(step(written)).message


def test_of_many_names_of_one_step_the_first_three_are_told() -> None:
    assert refused(step("{a: , b: , c: , d: }")).message.endswith("here are 4: a, b, c")


@pytest.mark.parametrize("again", ["promote", "promote: {force: true}"])
def test_a_step_that_is_done_once_is_not_done_twice(again: str) -> None:
    error = refused(f"{HEAD}  - detect\n  - promote\n  - fence\n  - {again}\n")
    assert error.message == "my.yaml:12: promote is on line 10 already: it is done once"


@pytest.mark.parametrize("again", ["stop-writes", "stop-writes: {where: everywhere}"])
def test_a_step_is_not_done_again_with_the_same_options(again: str) -> None:
    error = refused(f"{HEAD}  - stop-writes\n  - {again}\n")
    assert error.message == "my.yaml:10: stop-writes is on line 9 already, with the same options"


def test_an_unknown_option_names_the_nearest() -> None:
    error = refused(step("check-lag: {rop: 5m}"))
    assert error.message == "my.yaml:9: there is no option of check-lag called 'rop'"
    assert error.next_step == "did you mean rpo?"
    error = refused(step("fence: {optinal: true}"))
    assert error.message == "my.yaml:9: there is no option of fence called 'optinal'"
    assert error.next_step == "did you mean optional?"


def test_of_any_step_a_file_may_say_what_happens_when_it_fails() -> None:
    text = (
        f"{HEAD}  - catch-up: {{optional: true}}\n"
        "  - fence: {retry: 3, on-failure: go-to  hold}\n"
        "  - check-lag: {rpo: 5m, on-failure: continue}\n"
        "  - promote: {on-failure: stop}\n"
        "  - hold\n"
    )
    steps = parsed(text).steps
    assert [(each.retry, each.on_failure) for each in steps] == [
        (0, "continue"), (3, "go-to hold"), (0, "continue"), (0, "stop"), (0, "stop"),
    ]  # fmt: skip
    assert steps[2].options == {"rpo": 300}
    again = parsed(text_of(parsed(text))).steps
    assert [(each.step, each.retry, each.on_failure) for each in again] == [
        (each.step, each.retry, each.on_failure) for each in steps
    ]


def test_steps_on_one_line_come_one_after_the_other() -> None:
    head = HEAD.replace("steps:\n", "")
    found = parsed(f"{head}steps: [fence: {{on-failure: go-to promote}}, promote]\n").steps
    assert [each.step for each in found] == ["fence", "promote"]


@pytest.mark.parametrize(
    ("said", "message", "hint"),
    [
        ("{on-failure: go-to hold}", "no step 'hold' comes after fence", "this is the last step"),
        ("{on-failure: continue, optional: true}", "fence has both optional and", "means on-"),
        ("{on-failure: give-up}", "on-failure of fence cannot be 'give-up'", "go-to and the name"),
        ("{retry: 21}", "retry of fence must be 0 to 20, not 21", ""),
        ("{optional: maybe}", "optional of fence", ""),
    ],
)
def test_what_is_said_of_a_failure_must_make_sense(said: str, message: str, hint: str) -> None:
    error = refused(step(f"fence: {said}"))
    assert error.message.startswith(f"my.yaml:9: {message}")
    assert hint in error.next_step


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("check-lag: {accept_loss: 1}", "must be true or false, not the number '1'"),
        ("check-lag: {accept_loss: yes}", "must be true or false, not the flag 'yes'"),
        ("check-lag: {rpo: true}", "rpo of check-lag must be a whole number, not the flag 'true'"),
        ("check-lag: {rpo: 1.0}", "must be a whole number, not the number '1.0'"),
        ("check-lag: {rpo: -1}", "must be a whole number, not the number '-1'"),
        ("check-lag: {rpo: 5:00}", "must be a whole number, not the number '5:00'"),
        ("check-lag: {rpo: 0x10}", "must be a whole number, not the number '0x10'"),
        ("check-lag: {rpo: !!int five}", "must be a whole number, not the number 'five'"),
        ("check-lag: {rpo: }", "must be a whole number, not nothing"),
        ("check-lag: {rpo: [5]}", "must be a whole number, not a list"),
        ("check-lag: {rpo: 5 m}", "'5 m' is no duration"),
        ("check-lag: {rpo: '5'}", "a duration needs a unit"),
        ("check-lag: {rpo: 1500ms}", "must be whole seconds, not 1.5 s"),
        ("gate: {errors: 1s}", "errors of gate must be a whole number, not the text '1s'"),
        ("check-lag: {rpo: 999999999h}", "is more than 1000000000 s"),
        (f"check-lag: {{rpo: {'9' * 5000}}}", "is more than 1000000000"),
        ("scale-up: {connections: 5m}", "must be a whole number, not the text '5m'"),
        ("scale-up: {connections: 1_000}", "must be a whole number, not the number '1_000'"),
        ("decide: {approval: true}", "approval of decide must be a text, not the flag 'true'"),
        ("hold: {share: 1000000000.5}", "share of hold is more than 1000000000"),
        ("hold: {share: .inf}", "must be a number, not the number '.inf'"),
        ("hold: {share: 0.5s}", "must be a number, not the text '0.5s'"),
        ("do: go", "words of do must be a list, not the text 'go'"),
        ("do: []", "words of do is an empty list"),
        ("do: [go, 5]", "words of do[2] must be a text, not the number '5'"),
        ('do: [go, "a\\nb"]', "words of do[2] holds U+000A, which cannot be printed"),
        ("manual: 5", "text of manual must be a text, not the number '5'"),
        ("manual: [a]", "text of manual must be a text, not a list"),
        ("hold: {stages: 10}", "stages of hold must be a list"),
        ("hold: {stages: [10, x]}", "stages of hold[2] must be a whole number"),
    ],
)
def test_an_option_of_another_kind_is_refused(written: str, said: str) -> None:
    error = refused(step(written))
    assert error.line == 9
    assert said in error.message


def test_minutes_are_read_as_a_duration_too() -> None:
    minutes = Option("minutes", int, 1, "how long", most=90, unit="min")
    rows = (replace(MADE_UP, options=(minutes,)),)

    def read_as(text: str) -> Value:
        return (
            parse(step(f"hold: {{minutes: {text}}}"), "my.yaml", rows).steps[0].options["minutes"]
        )

    assert [read_as(each) for each in ("5", "5m", "1h30m", "120s")] == [5, 5, 90, 2]
    for text, said in (
        ("90s", "must be whole minutes, not 1.5 min"), ("2h", "must be 0 to 90, not 120"),
        ("'5'", "write 5m (or 5h, 5s)"), ("9999999999h", "is more than 1000000000 min"),
    ):  # fmt: skip
        with pytest.raises(BadRunbook) as caught:
            read_as(text)
        assert said in str(caught.value)


def test_an_option_is_one_of_its_choices() -> None:
    error = refused(step("repoint: {where: everywere}"))
    assert error.message == "my.yaml:9: where of repoint cannot be 'everywere'"
    assert error.next_step == "one of: everywhere, near"
    assert refused(step("hold: {wind: nor}")).next_step == "one of: north, east, south, west"
    assert refused(step("hold: {day: mondy}")).next_step == "did you mean monday or sunday?"


@pytest.mark.parametrize("written", ["do", "do:", "do: {}", "do: {days: [friday]}"])
def test_what_a_step_must_be_told_is_said(written: str) -> None:
    error = refused(step(written))
    assert error.message == "my.yaml:9: do does not say its words"
    assert error.next_step == "write it as in - do: […, …]; it is what to do"
    assert refused(step("manual")).next_step.startswith('write it as in - manual: "…"; ')


def test_each_of_a_list_is_one_of_its_choices_or_told_why_it_is_not() -> None:
    error = refused(step("do:\n      words: [go]\n      days:\n        - friday\n        - mondy"))
    assert error.message == "my.yaml:13: days of do[2] cannot be 'mondy'"
    assert error.next_step == "one of: monday, friday"
    barred = refused(step("do: {words: [go], days: [sunday]}"))
    assert barred.message == "my.yaml:9: days of do[1] cannot be 'sunday': it is a day of rest"


def test_too_many_steps_are_no_runbook() -> None:
    many = [f"  - hold: {{pause: {n}}}\n" for n in range(LIMIT_STEPS + 1)]
    assert "101 steps: more than 100 are" in refused("".join([HEAD, *many])).message
    assert len(parsed("".join([HEAD, *many[1:]])).steps) == 100


def test_a_long_text_is_short_in_a_message() -> None:
    for text in (
        step("x" * 9999),
        GOOD.replace("title", "x" * 9999),
        step(f"check-lag: {'x' * 999}"),
    ):
        assert len(refused(text).message) < 150


# ── any text ─────────────────────────────────────────────────────────────────────────────────

TOKENS = "name steps from to fence check-lag rpo 5m true ~ 5 east.db1 << \\x \\u [ ] { } ' \""
WORDS = st.sampled_from(
    [
        *TOKENS.split(),
        *(": ", "- ", ", ", "&a ", "*a", "? ", "! ", "!!int ", "# ", "  ", "\t", "\r", "\n"),
        *("|\n", ">-\n", "---\n", "...\n", "%YAML 1.1\n"),
    ]
)


def judged(text: str) -> None:
    try:
        parsed(text)
    except UsageError as error:
        assert str(error).startswith("my.yaml:")


@given(st.text())
def test_any_text_is_a_runbook_or_a_mistake(text: str) -> None:
    judged(text)


@given(st.lists(WORDS, max_size=40).map("".join))
def test_any_yaml_is_a_runbook_or_a_mistake(text: str) -> None:
    judged(text)


@given(st.data(), st.one_of(WORDS, st.text(max_size=3)))
def test_a_runbook_with_something_else_in_it_is_a_runbook_or_a_mistake(
    data: st.DataObject, piece: str
) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 12)))
    judged(GOOD[:start] + piece + GOOD[end:])


@given(st.binary(max_size=60), st.integers(0, len(GOOD)))
def test_any_bytes_are_a_runbook_or_a_mistake(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, at: int
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.yaml"
    file.write_bytes(GOOD[:at].encode() + data + GOOD[at:].encode())
    try:
        read(file, SPECS)
    except UsageError as error:
        assert str(error).startswith(str(file))


# ── and back ─────────────────────────────────────────────────────────────────────────────────

LETTERS = st.characters(exclude_categories=("C", "Z")) | st.sampled_from(" :#'\"-[]{}&*!|>%@`,?")
TEXTS = st.text(LETTERS).map(lambda text: " ".join(["it", *text.split()]))
ANY_TEXTS = st.sampled_from(["yes", "5", "~", "- a", "a: b", "#", "'", "2026-01-01"]) | TEXTS
NUMBERS = st.integers(0, 10**9)
VALUES = {
    str: ANY_TEXTS,
    bool: st.booleans(),
    int: NUMBERS,
    float: st.integers(0, 10**6).map(lambda n: n / 8),
    tuple: st.lists(NUMBERS, min_size=1, max_size=4).map(tuple),
    Texts: st.lists(ANY_TEXTS, min_size=1, max_size=4).map(Texts),
}


def value(option: Option) -> st.SearchStrategy[Value]:
    if option.most is not None:
        return st.integers(option.least, option.most)
    if option.choices and option.kind is Texts:
        return st.lists(st.sampled_from(option.choices), min_size=1).map(Texts)
    return st.sampled_from(option.choices) if option.choices else VALUES[option.kind]


def call(spec: Step) -> st.SearchStrategy[Call]:
    values = {each.name: value(each) for each in spec.options}
    must = {name: each for name, each in values.items() if name == spec.main}
    given = st.fixed_dictionaries(must, optional={n: v for n, v in values.items() if n not in must})
    return given.map(lambda options: Call(spec.name, options))


@st.composite
def runbooks(draw: st.DrawFn) -> Runbook:
    rows = draw(st.lists(st.sampled_from(SPECS), min_size=1, unique=True))
    old, new, *_ = draw(st.permutations(DATABASES))
    names = [each.name for each in SCENARIOS]
    return Runbook(
        name=draw(st.from_regex(r"[a-z]{1,9}(-[a-z0-9]{1,9}){0,3}", fullmatch=True)),
        title=draw(ANY_TEXTS),
        why=draw(ANY_TEXTS),
        plan=Plan(old, new),
        steps=tuple(draw(call(row)) for row in rows),
        scenarios=tuple(draw(st.lists(st.sampled_from(names), min_size=1, unique=True))),
        planned=draw(st.booleans()),
        promotes=draw(st.booleans()),
        flaw=draw(st.booleans()),
        source=draw(st.one_of(st.just(""), ANY_TEXTS)),
    )


def test_looks_may_be_repeated_and_changes_only_when_they_differ_from_the_last() -> None:
    stage = "  - shift-traffic: {share: 10}\n  - gate\n"
    again = "  - shift-traffic: {share: 50}\n  - gate\n"
    names = [each.step for each in parsed(HEAD + stage + again + stage).steps]
    assert names == ["shift-traffic", "gate"] * 3
    error = refused(HEAD + "  - gate\n" + "  - shift-traffic: {share: 10}\n" * 2)
    assert error.message == "my.yaml:11: shift-traffic is on line 10 already, with the same options"
    assert error.next_step


@pytest.mark.parametrize("seconds", ["2h", "0s", "3601", "0"])
def test_a_duration_has_the_same_limits_as_a_number(seconds: str) -> None:
    assert "must be 1 to 3600" in refused(step(f"gate: {{seconds: {seconds}}}")).message


@pytest.mark.parametrize("text", [
    "scale-up: {connections: 0}", "scale-up: {connections: 65}",
])  # fmt: skip
def test_what_the_shop_would_refuse_is_refused_before(text: str) -> None:
    assert "must be 1 to 64" in refused(step(text)).message


@pytest.mark.parametrize("share", [0, 101, 4711])
def test_a_number_beyond_its_limits_is_refused_with_both(share: int) -> None:
    error = refused(step(f"shift-traffic: {{share: {share}}}"))
    assert str(error).startswith("my.yaml:9: ")
    assert f"share of shift-traffic must be 1 to 100, not {share}" in str(error)


@given(runbooks())
def test_a_runbook_that_is_written_reads_as_the_same_one(runbook: Runbook) -> None:
    again = parsed(text_of(runbook))
    assert replace(again, steps=tuple(replace(each, line=0) for each in again.steps)) == runbook


def test_a_runbook_is_written_as_people_write_theirs() -> None:
    steps = (
        Call("detect"), Call("check-lag", {"rpo": 300, "accept_loss": True}),
        Call("hold", {"stages": (10, 50), "note": "später"}),
    )  # fmt: skip
    book = replace(parsed(GOOD), title="Östlich", why="x" * 300, steps=steps, flaw=True)
    assert text_of(book) == (
        "name: my-failover\n"
        "title: Östlich\n"
        f"why: {'x' * 300}\n"
        "pattern: hot-single-writer\n"
        "from: east.db1\n"
        "to: west.db1\n"
        "scenarios: [region-dead, partition]\n"
        "flaw: true\n"
        "steps:\n"
        "  - detect\n"
        "  - check-lag: {rpo: 300, accept_loss: true}\n"
        "  - hold: {stages: [10, 50], note: später}\n"
    )


def test_a_runbook_is_written_with_all_that_is_unusual_and_without_what_is_not() -> None:
    usual = parsed(GOOD)
    book = replace(usual, planned=True, promotes=False, flaw=True, source="a book")
    more = "planned: true\npromotes: false\nflaw: true\nsource: a book\n"
    assert text_of(book) == text_of(usual).replace("steps:\n", f"{more}steps:\n")
    assert text_of(usual).startswith(HEAD)


def test_what_a_row_of_a_step_or_an_option_does_not_say_is_as_usual() -> None:
    option = Option("pause", int, 1, "how long", most=9)
    assert [option.holds(each) for each in (-1, 0, 9, 10)] == [False, True, True, False]
    row = Step("wait", "", "", Via.IN_BAND, None, "", "", 0.0, noted("waited"), str)
    assert (row.needs, row.options, row.command, row.prepares) == ((), (), "", False)
