"""Settings by a word in the environment: which word switches what, and which others are known."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final

from lab.core.errors import UsageError, quoted


@dataclass(frozen=True, slots=True)
class Switch:
    """A variable that one word switches on; `usual` is the word for what holds without it."""

    variable: str
    word: str
    usual: str = ""

    @property
    def words(self) -> tuple[str, ...]:
        """All that may stand in it."""
        return (self.usual, self.word) if self.usual else (self.word,)

    def is_on(self) -> bool:
        """True when the variable holds the word. Raises UsageError for an unknown one."""
        found = os.environ.get(self.variable)
        if found and found not in self.words:
            known = f"neither {self.usual} nor {self.word}" if self.usual else f"not {self.word}"
            raise UsageError(
                f"{self.variable}={quoted(found)} is {known}",
                f"write {self.variable}={self.word}, or leave {self.variable} out",
            )
        return found == self.word


ENGINE: Final = Switch("LAB_ENGINE", "manual")
PULL: Final = Switch("LAB_PULL", "never")
TLS: Final = Switch("LAB_TLS", "all", usual="databases")
OVERLOAD: Final = Switch("LAB_OVERLOAD", "naive", usual="protected")
"""The shop reads it: `compose/region.yaml` hands it on."""

SWITCHES: Final = (ENGINE, PULL, TLS, OVERLOAD)


def refuse_unknown_words() -> None:
    """Raise UsageError for the first variable with a word that it does not take."""
    for each in SWITCHES:
        each.is_on()
