"""What the terminal shows: progress, notes and errors on stderr, results on stdout."""

from __future__ import annotations

import shlex
import shutil
import sys
import termios
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path
from typing import Any

from rich.console import Console, ConsoleOptions, RenderableType
from rich.markup import escape
from rich.segment import Segment
from rich.text import Span, Text

from lab.core import words
from lab.core.words import visible


def called() -> str:
    """How a shell finds this program: as `lab`, or by the path by which it was started."""
    path, found = Path(sys.argv[0]), shutil.which("lab")
    if path.name != "lab" or (found and path.exists() and path.samefile(found)):
        return "lab"
    return shlex.quote(sys.argv[0])


def hanging(console: Console, lead: Text, text: str) -> Text:
    """A text behind its lead. On a terminal its further lines stand under the first one."""
    if not console.is_terminal:
        return Text.assemble(lead, text)
    lines = Text(text).wrap(console, max(1, console.width - lead.cell_len))
    for line in lines:
        line.rstrip()
    return Text.assemble(lead, Text("\n" + " " * lead.cell_len).join(lines))


class Terminal(Console):
    """A console that shows no text which could steer the terminal (`lab.core.words.visible`).

    It is written out before it is laid out, so that nothing is cut off.
    """

    def render_str(self, text: str, **settings: Any) -> Text:
        """As rich's, of which the parser of markup needs the text as it is."""
        return _visible(super().render_str(text, **settings))

    def render(
        self, renderable: RenderableType, options: ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        """As rich's; all that is shown comes through here, the texts inside of tables too."""
        shown = _visible(renderable) if isinstance(renderable, Text) else renderable
        return super().render(shown, options)


def _visible(text: Text) -> Text:
    """The same text and styles; most texts have nothing to write out, and are returned."""
    if visible(text.plain) == text.plain:
        return text
    places = [0, *accumulate(len(visible(letter)) for letter in text.plain)]
    found = text.blank_copy(visible(text.plain))
    found.spans = [
        Span(places[each.start], places[min(each.end, len(text))], each.style)
        for each in text.spans
    ]
    return found


class Say:
    """Progress for people: a spinner on a terminal, one plain line per step elsewhere.

    Everything goes to stderr, so that stdout carries results alone. The lab's own commands in a
    text are told as they are typed here; `flag` is how they name the lab that is meant.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.flag = ""
        self.console = Terminal(stderr=True, highlight=False, emoji=False, quiet=quiet)
        # A line of a log is one line. A terminal would break it inside a word.
        self.console.soft_wrap = not self.console.is_terminal
        self._lock = threading.Lock()

    @property
    def interactive(self) -> bool:
        """True when a person sits at this terminal and can be asked."""
        return self.console.is_terminal and sys.stdin.isatty()

    def asked(self, question: str) -> str:
        """The line that answers a question. What was typed before it was shown is thrown away.

        Raises KeyboardInterrupt for Ctrl-C, and for the end of the input.
        """
        if sys.stdin.isatty():
            termios.tcflush(sys.stdin, termios.TCIFLUSH)
        try:
            return self.console.input(question, markup=False)
        except (KeyboardInterrupt, EOFError) as left:
            self.console.print()  # what is said next begins a line
            raise KeyboardInterrupt from left

    def agrees(self, question: str) -> bool:
        """Whether a person says yes: only y and n are answers."""
        while (answer := self.asked(f"{question} [y/n] ").strip().lower()) not in ("y", "n"):
            self.note("answer y or n")
        return answer == "y"

    def typed(self, text: str) -> str:
        """A text with commands, as they are typed here for the lab that is meant."""
        return words.typed(text, called(), self.flag)

    def note(self, text: str) -> None:
        """One line of information."""
        with self._lock:
            self.console.print(hanging(self.console, Text("  "), self.typed(text)))

    def warn(self, text: str) -> None:
        """One line that deserves attention."""
        with self._lock:
            sign = Text.assemble(("!", "yellow"), " ")
            self.console.print(hanging(self.console, sign, self.typed(text)))

    def error(self, text: str) -> None:
        """The one message a failed command ends with."""
        with self._lock:
            self.console.print(Text.assemble(("error:", "bold red"), " ", self.typed(text)))

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show `what` while it runs, and how many seconds it took."""
        started = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"{escape(what)} …"):
                yield
        else:
            self.console.print(f"… {what}", markup=False)
            yield
        self.console.print(
            f"[green]✓[/green] {escape(what)} [dim]({time.monotonic() - started:.1f} s)[/dim]"
        )
