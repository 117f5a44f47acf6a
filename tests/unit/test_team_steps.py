"""Steps of the team's own in a runbook: a line that a person affirms, a script that is run."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from contexts import context

from lab.core.addresses import Addresses
from lab.core.errors import BadRunbook, LabError, Refused, UsageError
from lab.core.topology import EAST, EAST_DB1, MACHINES, REGIONS, WEST, WEST_DB1, machines_of
from lab.infra import managementnet, toolbox
from lab.infra.toolbox import Errand, Ran
from lab.runbooks import facts, runbookfile
from lab.runbooks.checkup import Checkup, Level, Word, check
from lab.runbooks.option import Texts
from lab.runbooks.runbook import Fact, Harm, Runbook
from lab.runbooks.scenarios import scenario
from lab.steps import runbooktext
from lab.steps.catalogue import step, vocabulary
from lab.steps.listing import as_json

ROWS = {each.name: each for each in vocabulary()}
HEAD = """\
name: ours
title: East is lost
why: users must be able to order
pattern: hot-single-writer
from: east.db1
to: west.db1
scenarios: [region-dead]
steps:
"""
FAILOVER = """\
  - detect
  - confirm
  - decide
  - check-lag
  - stop-writes
  - fence
  - promote
  - repoint
  - scale-up
  - warm-caches
  - shift-traffic
  - verify
  - resume-writes
"""


def read(steps: str) -> Runbook:
    return runbookfile.parse(HEAD + steps, "ours.yaml", vocabulary())


def checked(steps: str) -> Checkup:
    return check(read(steps), vocabulary(), [scenario("region-dead")])


def refused(steps: str) -> BadRunbook:
    with pytest.raises(BadRunbook) as caught:
        read(steps)
    return caught.value


# ── a person ─────────────────────────────────────────────────────────────────────────────────


def affirming(name: str) -> tuple[Any, list[str]]:
    asked = list[str]()

    def ask(question: str) -> str:
        asked.append(question)
        return name

    return context(ask=ask, options={"text": "call the carrier"}), asked


def test_a_person_affirms_a_line_and_the_evidence_says_what_who_and_how_long() -> None:
    at_hand, asked = affirming("a person")
    said = step("manual").act(at_hand)
    assert asked == ["call the carrier. Is that done?"]
    assert said.startswith("affirmed by a person after ")
    assert said.endswith(" s: call the carrier")


def test_a_line_that_nobody_affirms_stops_the_runbook_and_is_done_again() -> None:
    at_hand, _ = affirming("")
    with pytest.raises(Refused, match="did not affirm: call the carrier") as caught:
        step("manual").act(at_hand)
    assert "run the same command again" in caught.value.next_step


def test_steps_that_ask_a_person_say_so_of_each_call() -> None:
    asking = {
        (each.name, *options.values())
        for each in vocabulary()
        for options in ({}, {"approval": "human"})
        if each.asks(each.chosen(options))
    }
    assert asking == {("manual",), ("manual", "human"), ("decide", "human")}


def test_each_line_is_done_and_no_line_stands_for_another() -> None:
    found = checked("  - manual: call the carrier\n  - manual: file the form\n")
    assert [each.word for each in found.checked[0].steps] == [Word.DONE, Word.DONE]
    assert "with the same options" in refused("  - manual: a\n  - manual: a\n").message


# ── what a check knows of a script ───────────────────────────────────────────────────────────


def test_a_check_says_of_each_script_that_it_does_not_know_what_it_does() -> None:
    found = checked(f"  - run: [./move.sh, a b]\n{FAILOVER}")
    assert found.level is Level.FINE
    [told] = runbooktext.noted(found, ROWS, "ours.yaml")
    assert told.plain == ("ours.yaml:9: note: the check does not know what ./move.sh 'a b' does")
    words = checked("  - run: {command: [./move.sh], makes: [scaled, verified]}\n")
    [(line, text)] = runbooktext.notes(words.runbook, ROWS)
    assert line == 9
    assert text.endswith(" does, and takes its word for: scaled and verified")


def test_what_a_script_makes_true_is_true_for_the_steps_after_it() -> None:
    without = FAILOVER.replace("  - scale-up\n", "")
    assert checked(without).level is Level.COSTLY
    own = "  - run: {command: [./scale.sh], makes: [scaled]}\n"
    assert checked(FAILOVER.replace("  - scale-up\n", own)).level is Level.FINE


def test_a_script_that_comes_before_what_it_needs_is_unsafe() -> None:
    own = "  - run: {command: [./move-vip.sh], needs: [fenced, promoted]}\n"
    early, late = checked(f"{own}{FAILOVER}"), checked(f"{FAILOVER}{own}")
    assert (early.level, late.level) == (Level.UNSAFE, Level.FINE)
    [wrong] = early.checked[0].prediction.violations
    assert wrong.sentence.startswith("run comes too early. It needs: west.db1 is primary.")
    assert (wrong.harm, wrong.line) == (Harm.END, 9)


def test_any_fact_may_be_needed_and_what_machines_show_cannot_be_made() -> None:
    row = step("run")
    need, make = row.option("needs"), row.option("makes")
    assert need
    assert make
    every = {each.name for each in vars(facts).values() if isinstance(each, Fact)}
    assert {*need.choices} == every == {*make.choices, *make.barred}
    assert {"detected", "scaled", "verified"} <= {*make.choices}
    assert {"fenced", "promoted", "allowed", "serves"} <= {*make.barred}
    error = refused("  - run: {command: [./a], makes: [scaled, fenced]}\n")
    assert error.message == (
        "ours.yaml:9: makes of run[2] cannot be 'fenced': the model sees on its machines whether"
        " that is so"
    )
    assert error.next_step.startswith("one of: detected, ")
    near = refused("  - run: {command: [./a], needs: [fence]}\n").next_step
    assert near.startswith("did you mean fenced")


def test_the_same_script_may_run_again_with_something_else() -> None:
    assert len(read("  - run: [./a, x]\n  - run: [./a, y]\n").steps) == 2
    assert "with the same options" in refused("  - run: [./a]\n  - run: [./a]\n").message


def test_a_row_in_json_says_which_option_a_value_alone_fills() -> None:
    assert as_json(step("run"))["main"] == "command"
    assert as_json(step("fence"))["main"] == ""
    kinds = {each["name"]: each["type"] for each in as_json(step("run"))["options"]}  # type: ignore[attr-defined]
    assert kinds == {"command": "list of texts", "within": "int", "needs": "list of texts",
                     "makes": "list of texts"}  # fmt: skip


# ── a script that runs ───────────────────────────────────────────────────────────────────────


class Box:
    """A toolbox in which a command ends as the test says."""

    def __init__(self, ran: Ran) -> None:
        self.ran, self.errands = ran, list[tuple[Errand, tuple[str, ...], float]]()

    def run(
        self, errand: Errand, images: Iterable[str], within: float, keep: Callable[[str], object]
    ) -> Ran:
        self.errands.append((errand, tuple(images), within))
        keep(self.ran.output)
        return self.ran


@pytest.fixture
def no_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(managementnet, "cut", lambda _name: frozenset())


def running(
    folder: Path, ran: Ran, *command: str, scripts: Path = Path("/ours")
) -> tuple[Any, Box]:
    box = Box(ran)
    trust = SimpleNamespace(authority=SimpleNamespace(certificate="a certificate"))
    lab = SimpleNamespace(
        name="made-up",
        engine=SimpleNamespace(toolbox=lambda: box, container_name=lambda p: f"made-up-{p}"),
        settings=SimpleNamespace(
            addresses=Addresses("10.91"), superuser_password="secret", trust=trust,
            cgroup_parent="",
        ),
    )  # fmt: skip
    options = step("run").chosen({"command": Texts(command)})
    recorder = SimpleNamespace(folder=folder)
    return context(lab, recorder=recorder, options=options, scripts=scripts), box


def test_a_script_runs_in_the_runbooks_folder_and_knows_where_everything_is(
    tmp_path: Path, no_cut: None
) -> None:
    at_hand, box = running(tmp_path, Ran(0, "one\ntwo\nthree\nfour\n", 1.25), "./move.sh", "a b")
    said = step("run").act(at_hand)
    assert said == (
        "./move.sh 'a b' ended with code 0 after 1.25 s: two | three | four (script-1-move.sh.txt)"
    )
    assert (tmp_path / "script-1-move.sh.txt").read_text() == "one\ntwo\nthree\nfour\n"
    [(errand, images, within)] = box.errands
    assert (errand.command, errand.folder, within) == (("./move.sh", "a b"), Path("/ours"), 60)
    assert errand.addresses == {"east": "10.91.1.200", "west": "10.91.2.200"}
    assert errand.resolvers == ("10.91.2.53", "10.91.1.53")
    assert images[0] == "made-up-west.db1"
    told = errand.environment
    assert (told["LAB_EAST_DB1"], told["LAB_WEST_APP"]) == ("10.91.1.11", "10.91.2.80")
    assert len([name for name in told if name.startswith(("LAB_EAST_", "LAB_WEST_"))]) == (
        len(MACHINES) * len(REGIONS)
    )
    assert [told[f"LAB_PLAN_{each}"] for each in ("OLD", "NEW", "LOST", "TARGET")] == [
        "east.db1", "west.db1", "east", "west",
    ]  # fmt: skip
    assert (told["PGUSER"], told["PGPASSWORD"]) == ("postgres", "secret")
    assert (told["PGSSLMODE"], told["PGSSLROOTCERT"]) == ("verify-full", toolbox.AUTHORITY)


def test_the_address_of_a_toolbox_is_no_machines() -> None:
    addresses = Addresses("10.91")
    for region in REGIONS:
        taken = {each for place in machines_of(region) for each in addresses.of(place).values()}
        assert addresses.toolbox(region) not in taken


@pytest.mark.parametrize(
    ("code", "said", "hint"),
    [
        (3, "./move.sh ended with code 3 after 0.20 s", "mend what it says"),
        (None, "./move.sh was killed after 0.20 s", "within: 5m"),
        (127, "ended with code 127", "it is looked for in the runbook's folder"),
        (126, "ended with code 126", "chmod a+rx"),
    ],
)
def test_a_script_that_fails_stops_the_runbook_with_its_last_lines(
    tmp_path: Path, no_cut: None, code: int | None, said: str, hint: str
) -> None:
    output = "".join(f"line {number}\n" for number in range(20))
    at_hand, _ = running(tmp_path, Ran(code, output, 0.2), "./move.sh")
    with pytest.raises(LabError) as caught:
        step("run").act(at_hand)
    error = caught.value
    assert (type(error), error.exit_code) == (LabError, 3)
    assert said in error.message
    assert error.message.endswith("line 18\n    line 19")
    assert "line 11\n" not in error.message
    assert hint in error.next_step
    assert error.next_step.endswith(str(tmp_path / "script-1-move.sh.txt"))


def test_each_script_of_a_run_has_an_output_of_its_own(tmp_path: Path, no_cut: None) -> None:
    for word in ("sh", "/usr/bin/sh", "a b"):
        at_hand, _ = running(tmp_path, Ran(0, word, 0.1), word)
        step("run").act(at_hand)
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == {
        "script-1-sh.txt": "sh", "script-2-sh.txt": "/usr/bin/sh", "script-3-a_b.txt": "a b",
    }  # fmt: skip


def test_a_script_is_on_no_network_that_the_management_network_does_not_reach(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(managementnet, "cut", lambda _name: frozenset(machines_of(EAST)))
    at_hand, box = running(tmp_path, Ran(0, "", 0.1), "./move.sh")
    said = step("run").act(at_hand)
    assert "it printed nothing" in said
    assert said.endswith("; not on east's network: it is out of reach")
    assert box.errands[0][0].addresses == {"west": Addresses("10.91").toolbox(WEST)}
    assert box.errands[0][0].resolvers == ("10.91.2.53",)


def test_what_cannot_be_printed_is_no_evidence(tmp_path: Path, no_cut: None) -> None:
    at_hand, _ = running(tmp_path, Ran(0, "\x1b[31mred\x07\r\n\n", 0.1), "./a")
    assert "s: [31mred (script-" in step("run").act(at_hand)


def test_a_folder_that_the_script_could_not_look_into_is_refused(tmp_path: Path) -> None:
    class Private:
        """A folder of root's."""

        @staticmethod
        def stat() -> Any:
            return SimpleNamespace(st_uid=0, st_mode=0o40700)

    with pytest.raises(UsageError, match="is root's alone") as caught:
        toolbox.refuse_unreadable(Private())  # type: ignore[arg-type]
    assert caught.value.next_step.startswith("let others read it: chmod -R go+rX ")
    with pytest.raises(UsageError, match="No such file"):
        toolbox.refuse_unreadable(tmp_path / "none")
    tmp_path.chmod(0o755)
    toolbox.refuse_unreadable(tmp_path)


def test_scripts_lie_beside_the_runbooks_file(tmp_path: Path) -> None:
    file = tmp_path / "ours.yaml"
    file.write_text(f"{HEAD}  - run: [./move.sh]\n")
    book = runbookfile.read(file, vocabulary())
    assert book.folder == tmp_path
    assert replace(book, source="elsewhere").folder == tmp_path
    assert read("  - run: [./move.sh]\n").folder == Path()
    assert book.plan.old == EAST_DB1
    assert book.plan.new == WEST_DB1
