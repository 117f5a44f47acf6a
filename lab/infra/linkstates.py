"""What a gateway does to a link, and what it says of one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from lab.core.topology import ONE_WAY_DELAY_MS, Link


@dataclass(frozen=True, slots=True)
class Toxic:
    """Something that a gateway does to one direction of a link; `attributes` as Toxiproxy has them.

    The stream `upstream` is what the caller sends, `downstream` what comes back.
    """

    name: str
    kind: str
    stream: str
    attributes: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.name} {self.stream}"


@dataclass(frozen=True, slots=True)
class LinkState:
    """What a gateway says of a link. `delay_ms` is one way, `toxics` are all but that."""

    link: Link
    exists: bool
    open: bool
    delay_ms: int
    toxics: tuple[Toxic, ...]

    @property
    def usual(self) -> bool:
        """True for a link that is open, as long as it should be, and nothing else."""
        usual = ONE_WAY_DELAY_MS if self.link.is_long_distance else 0
        return self.exists and self.open and not self.toxics and self.delay_ms == usual

    def __str__(self) -> str:
        if not self.exists:
            return "not configured"
        words = ["open" if self.open else "CLOSED"]
        words += [f"{self.delay_ms} ms each way"] if self.delay_ms else []
        return ", ".join([*words, *map(str, self.toxics)])


@dataclass(frozen=True, slots=True)
class Lateness:
    """How late this machine's timers are, in whole milliseconds of a round trip: one each way.

    A kernel whose timers tick every 4 ms holds each byte longer than the gateway asked for. What
    is asked for is therefore that much less, and what a gateway says is read as that much more.
    """

    round_trip_ms: int = 0

    def of(self, stream: str) -> int:
        """The part of one direction; the way back gets the odd millisecond."""
        half = self.round_trip_ms // 2
        return half if stream == "upstream" else self.round_trip_ms - half

    def to_ask(self, wanted: int, stream: str) -> int:
        """The delay to ask of a gateway for one that is wanted."""
        return max(0, wanted - self.of(stream))

    def asked(self, toxic: Toxic) -> Toxic:
        """What a gateway is told, for something that is wanted."""
        if toxic.kind != "latency":
            return toxic
        latency = self.to_ask(toxic.attributes["latency"], toxic.stream)
        return replace(toxic, attributes={**toxic.attributes, "latency": latency})

    def meant(self, toxic: Toxic) -> Toxic:
        """What was wanted, for something that a gateway tells."""
        if toxic.kind != "latency":
            return toxic
        latency = toxic.attributes["latency"] + self.of(toxic.stream)
        return replace(toxic, attributes={**toxic.attributes, "latency": latency})
