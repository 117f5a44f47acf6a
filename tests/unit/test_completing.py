"""Bash takes a word with colons apart, and is answered with what stands behind the last one."""

from __future__ import annotations

import sys

import pytest

from lab import cli


@pytest.mark.parametrize(
    ("parts", "answers"),
    [
        ("--link eas", "east:west:sql east:west:replication east:west:app east:west:cache"),
        ("--link east :", "west:sql west:replication west:app west:cache"),
        ("--link east : we", "west:sql west:replication west:app west:cache"),
        ("--link east : west :", "sql replication app cache"),
        ("--link east : west : re", "replication"),
        ("--link = east : west : re", "replication"),
        ("--link east : west : sql --link west : east : re", "replication"),
        ("--link east : west : sql --amou", "--amount"),
        ("--link east:west:re", "east:west:replication"),  # COMP_WORDBREAKS has no colon
    ],
)
def test_a_link_is_completed_behind_each_colon(
    parts: str,
    answers: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = f"lab fault inject slow {parts}".split()
    monkeypatch.setenv("_LAB_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    monkeypatch.setattr(sys, "argv", ["lab"])
    monkeypatch.setattr("signal.signal", lambda *_: None)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert not ended.value.code
    assert capsys.readouterr().out.split() == answers.split()
