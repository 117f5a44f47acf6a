"""Settings of a command by words in its environment: known words, and no others."""

from __future__ import annotations

import pytest
from shop.admission import POLICIES

from lab.commands.doctor import doctor as command
from lab.core.console import Say
from lab.core.errors import UsageError
from lab.core.paths import PROJECT
from lab.core.switches import OVERLOAD, SWITCHES, Switch
from lab.host import composeplugin, engine


@pytest.fixture(autouse=True)
def engine_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in SWITCHES:
        monkeypatch.delenv(each.variable, raising=False)
    monkeypatch.setattr(engine, "find_host", lambda: engine.DEFAULT_HOST)
    monkeypatch.setattr(composeplugin, "ensure_compose", lambda say: None)


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda each: each.variable)
def test_a_word_that_a_variable_does_not_take_is_refused_before_anything_is_done(
    switch: Switch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "find_host", lambda: pytest.fail("looked for an engine"))
    monkeypatch.setenv(switch.variable, "foo")
    for act in (lambda: engine.ensure_engine(Say(quiet=True)), lambda: command(None)):
        with pytest.raises(UsageError, match=f"{switch.variable}='foo' is ") as caught:
            act()
        assert caught.value.exit_code == 2
        assert all(word in caught.value.message for word in switch.words)
        assert f"{switch.variable}={switch.word}" in caught.value.next_step


@pytest.mark.parametrize("switch", SWITCHES, ids=lambda each: each.variable)
def test_known_words_and_none_are_taken(switch: Switch, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not switch.is_on()
    for word in ("", *switch.words):
        monkeypatch.setenv(switch.variable, word)
        engine.ensure_engine(Say(quiet=True))
        assert switch.is_on() == (word == switch.word)


def test_shops_know_the_words_for_overload() -> None:
    assert set(OVERLOAD.words) == {each.name for each in POLICIES}


def test_every_variable_of_the_settings_that_takes_a_word_is_a_switch() -> None:
    told = (PROJECT / "README.md").read_text().split("## Settings")[1].split("\n## ")[0]
    named = {line.split("`")[1] for line in told.splitlines() if line.startswith("| `LAB_")}
    assert {f"{each.variable}={each.word}" for each in SWITCHES} == {
        each for each in named if "=" in each
    }
