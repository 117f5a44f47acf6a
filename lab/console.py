"""What the terminal shows: progress, notes and errors on stderr, results on stdout."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Say:
    """Progress for people: a spinner on a terminal, one plain line per step elsewhere.

    Everything goes to stderr, so that stdout carries results alone.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.console = Console(
            stderr=True, highlight=False, emoji=False, quiet=quiet, soft_wrap=True
        )
        self._lock = threading.Lock()

    @property
    def interactive(self) -> bool:
        """True when a person sits at this terminal and can be asked."""
        return self.console.is_terminal and sys.stdin.isatty()

    def note(self, text: str) -> None:
        """One line of information."""
        with self._lock:
            self.console.print(f"  {text}", markup=False)

    def warn(self, text: str) -> None:
        """One line that deserves attention."""
        with self._lock:
            self.console.print(f"[yellow]![/yellow] {escape(text)}")

    def error(self, text: str) -> None:
        """The one message a failed command ends with."""
        with self._lock:
            self.console.print("[bold red]error:[/bold red] ", end="")
            self.console.print(text, markup=False)

    @contextmanager
    def step(self, what: str) -> Iterator[None]:
        """Show `what` while it runs, and how many seconds it took."""
        started = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"{what} …"):
                yield
        else:
            self.console.print(f"… {what}", markup=False)
            yield
        self.console.print(
            f"[green]✓[/green] {what} [dim]({time.monotonic() - started:.1f} s)[/dim]"
        )
