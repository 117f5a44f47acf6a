"""What faults of links have in common: how they strike, are seen and healed at a gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from lab.errors import LabError
from lab.faults.row import Aim, Strike
from lab.faults.sight import Sight
from lab.links import Toxic
from lab.probe import Pinged, ping
from lab.topology import Link, links

if TYPE_CHECKING:
    from lab.cluster import Lab

_PATIENCE_SECONDS = 3.0
Poison = Callable[[Aim], tuple[Toxic, ...]]
Judge = Callable[[Link, Pinged, Aim], bool]

WAN = tuple(each for each in links() if each.origin in ("east", "west"))
"""Every link from one region to the other, both ways."""


def closing(lab: Lab, aim: Aim) -> Strike:
    """Arm: close the listeners."""
    return lab.links.armed_to_close(aim.links)


def poisoning(poison: Poison) -> Callable[[Lab, Aim], Strike]:
    """Arm: something is done to what passes through."""
    return lambda lab, aim: lab.links.armed_to_poison(aim.links, poison(aim))


def cured(lab: Lab, aim: Aim) -> None:
    """Heal: the listeners as they are by default."""
    lab.links.heal(aim.links)


def pinged(
    judge: Judge, count: int = 1, patience: float = 1.0, *, closing: bool = False
) -> Callable[[Lab, Aim], str | None]:
    """Seen: a program that uses the link finds what the fault promises, on each of the links.

    With `closing` he asks the other side to close when it has answered.
    """

    def seen(lab: Lab, aim: Aim) -> str | None:
        answers = _answers(lab, aim, count, patience, closing)
        if not all(judge(link, answer, aim) for link, answer in answers.items()):
            return None
        return _told(answers)

    return seen


def usable(lab: Lab, aim: Aim) -> str | None:
    """Gone: each program that uses the links is answered again."""
    answers = _answers(lab, aim, 1, _PATIENCE_SECONDS)
    return None if any(answer.error for answer in answers.values()) else _told(answers)


def _answers(
    lab: Lab, aim: Aim, count: int, patience: float, closing: bool = False
) -> dict[Link, Pinged]:
    """Ask through all links at the same time."""
    asking = partial(ping, lab.engine, lab.settings, closing=closing)
    with ThreadPoolExecutor(len(aim.links)) as pool:
        asked = {link: pool.submit(asking, link, count, patience) for link in aim.links}
        return {link: answer.result() for link, answer in asked.items()}


def refuses(_link: Link, answer: Pinged, _aim: Aim) -> bool:
    """The connection is refused or reset."""
    return answer.error in ("refused", "reset")


def says_nothing(_link: Link, answer: Pinged, _aim: Aim) -> bool:
    """Nothing comes back, not even an error."""
    return answer.error == "silent"


def poisoned_with(
    name: str, attribute: str = "", factor: float = 1.0
) -> Callable[[Sight], tuple[Aim, ...]]:
    """Present: links whose gateway says so. `attribute` times `factor` is how strong it is."""

    def strength(toxic: Toxic) -> float | None:
        return toxic.attributes[attribute] * factor if attribute else None

    def present(sight: Sight) -> tuple[Aim, ...]:
        return tuple(
            Aim(links=(link,), amount=strength(found[0]))
            for link, state in sight.links.items()
            if (found := [toxic for toxic in state.toxics if toxic.name == name])
        )

    return present


def all_closed(wanted: Iterable[Link]) -> Callable[[Sight], tuple[Aim, ...]]:
    """Present: all of these are closed, which makes it this fault and not single ones."""
    chosen = tuple(wanted)

    def present(sight: Sight) -> tuple[Aim, ...]:
        return (Aim(links=chosen),) if all(map(sight.closed, chosen)) else ()

    return present


def reachable(lab: Lab, link: Link) -> bool:
    """True when a program that uses the link is answered."""
    try:
        return not ping(lab.engine, lab.settings, link).error
    except LabError:
        return False


def _told(found: Mapping[Link, Pinged]) -> str:
    """Links that say the same are named together."""
    if len(found) > 2 and len({answer.error for answer in found.values()}) == 1:
        first = next(iter(found.values()))
        return f"{len(found)} links: {first.error or 'answered'}"
    return "; ".join(f"{link.name}: {answer}" for link, answer in found.items())
