"""A post-mortem says what was recorded, in words, and leaves the rest to people."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from corpus import packed
from kept_runs import RUN, SERIES, run, shelf
from made_up import complete, journal
from test_liverun import FIRST, SECOND, shelves

from lab.core.errors import UsageError
from lab.records import result as results
from lab.records.journalfile import Journal
from lab.records.liverun import LiveRun
from lab.records.result import Result
from lab.report import folders, postmortem, sentences

folder, live = shelf, shelves
Written = tuple[Result, str]
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
HEADINGS = [
    "Summary", "Time line", "Phases", "Lost orders", "Split brain", "Read, then gone",
    "Second opinions", "What we believed at the time", "Who decided what", "What went well",
    "Where we were lucky", "Actions",
]  # fmt: skip


def headings(text: str) -> list[str]:
    return re.findall(r"^## (.*)$", text, re.MULTILINE)


def section(text: str, heading: str) -> str:
    return text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]


def tables(text: str) -> list[list[str]]:
    """The lines of each table."""
    found = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    return [each.splitlines() for each in found]


def times(text: str) -> list[float]:
    cells = re.findall(r"^\| ([+−][\d.]+) s \|", section(text, "Time line"), re.MULTILINE)
    return [float(each.replace("−", "-")) for each in cells]


@pytest.fixture(scope="module", params=packed.names())
def written(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """A recorded run, and the text about it."""
    folder = tmp_path_factory.mktemp(request.param)
    found = packed.as_left(request.param, folder)
    return found, folders.post_mortem(folder, found)


def test_a_recorded_run_has_every_section_with_what_was_measured(written: Written) -> None:
    found, text = written
    assert headings(text) == HEADINGS
    for sentence in sentences.sentences(found):
        assert f"- {sentence}\n" in section(text, "Summary")
    for row in found.objectives:
        assert f"`{row.name}`" in section(text, "Summary")
    line = section(text, "Time line")
    for step in found.steps:
        assert f"| {step.name} |" in line
    assert re.search(r"fault proven \|  \|  \| \w.*\|", line), "with the evidence of the journal"
    for opinion in found.opinions:
        assert opinion.question in section(text, "Second opinions")
    assert section(text, "Split brain").strip() == sentences.split_brain(found)
    assert times(text) == sorted(times(text))


def test_every_row_of_every_table_has_as_many_cells_as_its_head(written: Written) -> None:
    for lines in tables(written[1]):
        cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(cells) == 1, lines[0]


@pytest.mark.parametrize("name", ["region-loss", "zone-loss"])
def test_a_result_without_its_journal_has_its_moments_alone(name: str) -> None:
    found = results.from_file(EXAMPLES / name / "result.json")
    text = postmortem.of_run(found, Journal(""), name)
    assert headings(text) == HEADINGS
    assert "| +0.00 s |  | FAULT |  |  |  |" in text


def many(some: int) -> Result:
    found = complete()
    rows = (found.lost_writes * some)[:some]
    return found.model_copy(update={"lost_writes": rows, "lost": some})


def test_of_many_lost_orders_the_first_are_listed_and_the_rest_is_counted() -> None:
    text = section(postmortem.of_run(many(4000), Journal(""), "r"), "Lost orders")
    [table] = tables(text)
    assert len(table) == postmortem.LISTED + 2
    assert "The first 20 of 4,000; result.json has all of them." in text


def test_a_run_that_lost_nothing_says_so() -> None:
    found = many(0).model_copy(update={"orphans_file": None, "seen_then_gone": ()})
    text = postmortem.of_run(found, journal(), "r")
    assert "No acknowledged write was lost" in section(text, "Lost orders")
    assert not tables(section(text, "Lost orders"))
    assert "No order that a user had read is gone." in section(text, "Read, then gone")


def test_orders_that_were_read_and_are_gone_are_listed() -> None:
    found = complete()
    text = section(postmortem.of_run(found, journal(), "r"), "Read, then gone")
    assert found.seen_then_gone
    assert all(row.key in text for row in found.seen_then_gone)


def test_what_a_run_says_cannot_become_markup() -> None:
    evil = "a | b <b> `c` [d](e) *f*\n# g"
    found = complete()
    step = found.steps[0].model_copy(update={"name": evil, "evidence": evil})
    changed = found.model_copy(update={"title": evil, "steps": (step,), "command": evil})
    text = postmortem.of_run(changed, Journal(""), "r|`")
    told = r"a \| b \<b> \`c\` \[d\](e) \*f\* # g"
    assert text.count(told) == 3
    assert r"`a \| b <b> 'c' [d](e) *f* # g`" in text
    assert len({line.count("|") - line.count(r"\|") for line in tables(text)[2]}) == 1


# --- A runbook on the lab as it stood ----------------------------------------------------------


def test_a_runbooks_run_that_measured_nothing_says_what_it_did(live: Path) -> None:
    folder, found = folders.load(SECOND)
    assert isinstance(found, LiveRun)
    text = folders.post_mortem(folder, found)
    assert headings(text) == HEADINGS
    assert "The runbook came to its end." in section(text, "Summary")
    assert f"It continued the run `{FIRST}`" in section(text, "Summary")
    line = section(text, "Time line")
    assert "| +0.00 s | 1.50 s | return | out-of-band | done | booted east.db1 (why) |" in line
    assert r"\[refused\] \<b>" in line
    assert "no part of the recovery | 2.50 s | return, rewind |" in section(text, "Phases")
    lost = section(text, "Lost orders")
    assert f"- `../{FIRST}/orphans-east_db1-timeline-1.csv`" in lost
    assert f"`lab reconcile {SECOND}`" in lost
    assert text.count("This run measured no users.") == 4


def test_a_run_that_was_cut_in_its_first_step_has_a_post_mortem(live: Path) -> None:
    (live / FIRST / "journal.json").unlink()
    text = folders.post_mortem(*folders.load(FIRST))
    assert "interrupted before it could record how it ended. 0 of its 3 steps" in text
    assert "No step was recorded." in section(text, "Phases")


def test_a_run_that_stopped_says_where_and_what_is_still_in_force(live: Path) -> None:
    _, found = folders.load(SECOND)
    assert isinstance(found, LiveRun)
    ends = {"stopped": "the runbook stopped at rewind", "in_force": ("both shops refuse",)}
    text = postmortem.of_runbook(found.model_copy(update=ends), Journal(""), (), "r")
    assert "stopped after 0 recorded steps of 3: the runbook stopped at rewind." in text
    assert "Still in force at the end: both shops refuse." in text


# --- lab report --post-mortem ------------------------------------------------------------------


def test_the_command_writes_it_into_the_runs_folder_and_never_over_what_people_wrote(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = folder / RUN / "post-mortem.md"
    for _ in range(2):
        assert run(monkeypatch, "report", RUN, "--post-mortem") == 0
        assert capsys.readouterr().out == f"{path}\n"
    path.write_text(path.read_text() + "we were lucky\n")
    assert run(monkeypatch, "report", RUN, "--post-mortem") == 2
    assert "people may have written in it" in capsys.readouterr().err
    assert path.read_text().endswith("we were lucky\n")
    other = folder / "other.md"
    assert run(monkeypatch, "report", RUN, "--post-mortem", "-o", str(other)) == 0
    assert headings(other.read_text()) == HEADINGS


def test_a_series_has_none(folder: Path) -> None:
    with pytest.raises(UsageError, match="is a series and no run"):
        folders.post_mortem(*folders.load(SERIES))
