"""The lane of the runbook: steps as bars, moments as diamonds, the text beside them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from markupsafe import Markup

from lab.charts.axis import Axis, Block, Key
from lab.charts.svg import label, tag, width_of
from lab.core.words import moment, seconds
from lab.records.journalfile import Via
from lab.records.result import Result

ROW: Final = 18.0


@dataclass(frozen=True, slots=True)
class Event:
    """A step with its length, or a moment (`started` = `ended`) that is ruled through all lanes."""

    text: str
    started: float
    ended: float
    class_: str

    @property
    def is_moment(self) -> bool:
        """True for what has no length."""
        return self.class_.startswith("moment")


def events(result: Result, axis: Axis) -> tuple[Event, ...]:
    """Fault, steps and returns that fall into the time that is shown, by their beginning."""
    found = [
        Event(step.name, step.started, step.ended, f"step {step.path.value}")
        for step in result.steps
    ]
    if result.time_zero == "fault_started":
        found.append(Event("fault", 0.0, 0.0, "moment fault"))
    for name, back in result.rto_seconds.items():
        if name != "max" and back:
            found.append(Event(f"users {name} back", back, back, "moment back"))
    shown = [each for each in found if axis.x.low <= each.started <= axis.x.high]
    return tuple(sorted(shown, key=lambda event: (event.started, event.ended)))


def runbook(result: Result, axis: Axis) -> Block | None:
    """A row per event."""
    rows = events(result, axis)
    if not rows:
        return None
    shown = {event.class_ for event in rows}
    keys = tuple(key for path, key in _KEYS if f"step {path.value}" in shown)
    return Block(
        tag("g", *(_row(n, event, axis) for n, event in enumerate(rows))), ROW * len(rows) + 6, keys
    )


_KEYS: Final = (
    (Via.IN_BAND, Key("step in-band: through the gateways", "step-in-band")),
    (Via.OUT_OF_BAND, Key("step out-of-band: by a management network", "step-out-of-band")),
)


def rules(result: Result, axis: Axis, top: float, bottom: float) -> Markup:
    """Each moment as a line through all lanes."""
    return tag(
        "g",
        *(
            tag(
                "g",
                tag(
                    "line",
                    x1=axis.x(event.started),
                    x2=axis.x(event.started),
                    y1=top,
                    y2=bottom,
                    class_="rule",
                ),
                class_=event.class_,
            )
            for event in events(result, axis)
            if event.is_moment
        ),
    )


def outage(result: Result, axis: Axis, top: float, bottom: float) -> Markup:
    """The time in which the slowest users could not write."""
    back = result.rto_seconds.get("max")
    if result.time_zero != "fault_started" or back == 0:
        return Markup("")
    placed = axis.stretch(0.0, axis.x.high if back is None else back)
    if placed is None:
        return Markup("")
    size = {"width": placed[1], "height": bottom - top}
    return tag("rect", x=placed[0], y=top, class_="outage", **size)


def _row(row: int, event: Event, axis: Axis) -> Markup:
    middle = row * ROW + 11
    start, end = axis.x(event.started), min(axis.x(event.ended), axis.x.stop)
    if event.is_moment:
        mark = tag("path", d=f"M{start:.1f} {middle - 5:.1f}l5 5l-5 5l-5 -5z")
        took = moment(event.started) if event.started else ""
    else:
        size = max(end - start, 2.5)
        mark = tag("rect", x=start, y=middle - 5, width=size, height=10.0, rx=2)
        end = start + size
        took = seconds(event.ended - event.started)
    text = label_beside(start - 8, end + 8, middle + 4, (event.text, took), axis.width)
    return tag("g", mark, text, class_=event.class_)


def label_beside(
    left: float, right: float, y: float, words: tuple[str, str], width: float
) -> Markup:
    """Text to the right of a mark; without its figure if that is too long; else to the left."""
    for text in (" ".join(filter(None, words)), words[0]):
        if right + width_of(text) < width:
            return label(right, y, text, "halo")
    return label(left, y, " ".join(filter(None, words)), "halo", "end")
