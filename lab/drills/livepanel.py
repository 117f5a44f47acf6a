"""What a drill shows while it runs: steps and traffic on a terminal, plain lines elsewhere."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.live import Live
from rich.measure import Measurement
from rich.panel import Panel
from rich.segment import Segment, Segments
from rich.table import Table
from rich.text import Text

from lab.core.console import Say, hanging
from lab.core.errors import LabError
from lab.infra.clients import Users, UsersStats
from lab.records.journalfile import ACTS, MARK_WORDS, Mark, MarkName, StepRecord
from lab.testbed.journalwriter import Observer

_SPARKS = " ▁▂▃▄▅▆▇█"
_SAMPLES, _FEWEST_SAMPLES = 48, 8
_LONGEST_NAME = 26
_EVERY_SECONDS = 0.5
_SHOWN = (MarkName.STEADY, *ACTS, MarkName.FAULT_PROVEN, MarkName.RESTORED)


class PlainLines:
    """One line per event, for logs and pipes."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._zero: float | None = None

    def marked(self, mark: Mark) -> None:
        """Show the moments that matter."""
        if mark.name in ACTS:
            self._zero = mark.at
        if mark.name in _SHOWN:
            self._line(
                mark.at,
                f"{MARK_WORDS[mark.name]}: {mark.note}" if mark.note else MARK_WORDS[mark.name],
            )

    def began(self, step: str, why: str) -> None:
        """Lines are printed when a step ends."""

    def ended(self, record: StepRecord) -> None:
        """Show a step with its evidence."""
        took = record.ended - record.started
        how = f"step took {took:.2f} s, {record.path}"
        self._line(record.ended, f"{record.name} ({how}) {record.evidence}")

    def said(self, text: str) -> None:
        """Show a note."""
        self._console.print(hanging(self._console, Text(" " * 11), text))

    def _line(self, at: float, text: str) -> None:
        when = "" if self._zero is None else f"{at - self._zero:+.2f} s"
        self._console.print(hanging(self._console, Text(f"{when:>10} "), text))


@dataclass(slots=True)
class _Meter:
    """Rates of one population from counters that grow."""

    population: str
    last: tuple[float, dict[str, int]] | None = None
    rates: dict[str, float] = field(default_factory=dict)
    history: deque[float] = field(default_factory=lambda: deque(maxlen=_SAMPLES))
    regions: str = ""

    def take(self, stats: UsersStats) -> None:
        """Account for a new reading."""
        writes = stats.totals.get("write")
        counts = writes.model_dump() if writes else {}
        if self.last is not None and stats.monotonic > self.last[0]:
            span = stats.monotonic - self.last[0]
            rates = {k: (v - self.last[1].get(k, 0)) / span for k, v in counts.items()}
            if min(rates.values(), default=0.0) >= 0:  # else a reset let them count anew
                self.rates = rates
                self.history.append(rates.get("ok", 0.0))
        self.last = (stats.monotonic, counts)
        total = sum(stats.answers.values()) or 1
        self.regions = ", ".join(f"{a} {n / total:.0%}" for a, n in sorted(stats.answers.items()))

    def spark(self) -> str:
        """The acknowledged rate of the last half minute as a line of blocks."""
        top = max([*self.history, 1.0])
        return "".join(_SPARKS[round(value / top * (len(_SPARKS) - 1))] for value in self.history)


@dataclass(frozen=True, slots=True)
class _Latest:
    """The end of a line of blocks: as much of it as there is room for."""

    line: str

    def __rich_console__(self, _console: Console, options: ConsoleOptions) -> RenderResult:
        yield Text(self.line[-options.max_width :], style="green")

    def __rich_measure__(self, _console: Console, _options: ConsoleOptions) -> Measurement:
        return Measurement(_FEWEST_SAMPLES, _SAMPLES)


class LiveView:
    """Steps above, traffic below, redrawn in place.

    Of the steps the latest, as many as the terminal has lines for; all of them once it is over.
    """

    def __init__(self, title: str, users: Mapping[str, Users]) -> None:
        self._title = title
        self._users = users
        self._lock = threading.Lock()
        self._rows: list[tuple[str, str, str]] = []
        self._now = ""
        self._zero: float | None = None
        self._meters = [_Meter(name) for name in users]
        self._stop = threading.Event()
        self._whole = False

    def marked(self, mark: Mark) -> None:
        """Add the moments that matter as rows."""
        if mark.name in ACTS:
            self._zero = mark.at
        if mark.name in _SHOWN:
            self._add(mark.at, f"[bold]{MARK_WORDS[mark.name]}[/bold]", mark.note)

    def began(self, step: str, why: str) -> None:
        """Show what is going on and why."""
        with self._lock:
            self._now = f"{step}: {why}"

    def ended(self, record: StepRecord) -> None:
        """Turn the step into a row."""
        sign = "[green]✓[/green]" if record.outcome != "failed" else "[red]✗[/red]"
        took = record.ended - record.started
        self._add(record.ended, f"{sign} {record.name}", f"took {took:.2f} s: {record.evidence}")

    def said(self, text: str) -> None:
        """Show a note in the line of what is going on."""
        with self._lock:
            self._now = text

    def _add(self, at: float, what: str, evidence: str) -> None:
        when = "" if self._zero is None else f"{at - self._zero:+.2f} s"
        with self._lock:
            self._rows.append((when, what, evidence))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        with self._lock:
            steps, traffic = self._steps(), self._traffic()
        inside = options.update(width=options.max_width - 4, height=None)
        lines = console.render_lines(steps, inside)
        room = console.height - len(self._meters) - 5  # four borders, and the cursor's line
        if not self._whole:
            lines = lines[-max(1, room) :]
        shown = Segments([each for line in lines for each in (*line, Segment.line())])
        yield Panel(shown, title=self._title, title_align="left", border_style="dim")
        yield Panel(traffic, title="users", title_align="left", border_style="dim")

    def _steps(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        table.add_column(justify="right", style="cyan", no_wrap=True)
        table.add_column(max_width=_LONGEST_NAME)
        table.add_column(style="dim", overflow="fold")
        for when, what, evidence in self._rows:
            table.add_row(when, what, Text(evidence))
        if not self._whole:
            table.add_row("", "[yellow]…[/yellow]", Text(self._now))
        return table

    def _traffic(self) -> RenderableType:
        table = Table.grid(padding=(0, 2))
        for justify in ("left", "right", "right"):
            table.add_column(justify=justify, no_wrap=True)
        table.add_column()
        table.add_column(no_wrap=True)
        for meter in self._meters:
            bad = meter.rates.get("fail", 0) + meter.rates.get("unknown", 0)
            table.add_row(
                meter.population,
                f"[green]{meter.rates.get('ok', 0):.0f} ok/s[/green]",
                f"[red]{bad:.0f} failed/s[/red]" if bad >= 1 else "[dim]0 failed/s[/dim]",
                _Latest(meter.spark()),
                f"[dim]{meter.regions}[/dim]",
            )
        return table

    @contextmanager
    def shown(self, console: Console) -> Iterator[None]:
        """Draw until the block ends."""
        watch = threading.Thread(target=self._watch, daemon=True)
        watch.start()
        try:
            with Live(self, console=console, refresh_per_second=4, transient=False):
                try:
                    yield
                finally:
                    self._whole = True
        finally:
            self._stop.set()
            watch.join(timeout=5)

    def _watch(self) -> None:
        while not self._stop.wait(_EVERY_SECONDS):
            for meter in self._meters:
                try:
                    stats = self._users[meter.population].stats()
                except LabError:
                    continue
                with self._lock:
                    meter.take(stats)


@contextmanager
def watching(say: Say, title: str, users: Mapping[str, Users]) -> Iterator[tuple[Observer, ...]]:
    """Observers for a drill, fit for what stderr is."""
    if not say.console.is_terminal:
        yield (PlainLines(say.console),)
        return
    view = LiveView(title, users)
    with view.shown(say.console):
        yield (view,)
