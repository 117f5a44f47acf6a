"""What faults of links have in common: how they strike, are seen and healed at a gateway."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import DATABASES, Link, Place, head_name, links
from lab.faults.row import Aim, Strike
from lab.faults.sight import Sight
from lab.infra.linkstates import Toxic
from lab.infra.probe import Pinged, ping, user_of
from lab.testbed.health import answers_itself

if TYPE_CHECKING:
    from lab.testbed.lab import Lab

_PATIENCE_SECONDS = 3.0
_NOT_ASKED: Final = Pinged(None, (), None, "no machine in that region can test the link")
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
    """Heal: the listeners as they are by default. A gateway that boots makes them so by itself."""
    lab.links.heal(each for each in aim.links if not lab.engine.state(each.gateway).stopped)


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


def restored(
    judge: Judge, count: int = 1, patience: float = _PATIENCE_SECONDS, *, closing: bool = False
) -> Callable[[Lab, Aim], str | None]:
    """Gone: a program that uses the link finds what it should, on each of the links.

    Where it finds nothing because what stands at an end of the link does not work, the gateway's
    own word counts: the link is as it is by default.
    """

    def gone(lab: Lab, aim: Aim) -> str | None:
        found = _answers(lab, aim, count, patience, closing)
        bad = [link for link, answer in found.items() if not judge(link, answer, aim)]
        reasons = [broken_end(lab, link) for link in bad]
        if not all(reasons) or not all(is_by_default(lab, link) for link in bad):
            return None
        good = {link: answer for link, answer in found.items() if link not in bad}
        told = [_told(good)] if good else []
        if bad:
            told.append(
                f"{_named(bad)} {'have' if len(bad) > 1 else 'has'} default settings"
                f" ({'; '.join(dict.fromkeys(reasons))})"
            )
        return "; ".join(told)

    return gone


def answered(_link: Link, answer: Pinged, _aim: Aim) -> bool:
    """An answer comes back."""
    return not answer.error


usable = restored(answered)
"""Gone: each program that uses the links is answered again."""


def is_by_default(lab: Lab, link: Link) -> bool:
    """True when the gateway says so, or does not run: it boots with nothing else."""
    if lab.engine.state(link.gateway).stopped:
        return True
    states = {each.link: each for each in lab.links.states(link.entered)}
    return states[link].open and not states[link].toxics


def broken_end(lab: Lab, link: Link) -> str:
    """What at an end of a link does not work, so that no answer can come; empty for nothing."""
    for place in (user_of(link), link.gateway):
        if not lab.engine.running(place):
            return f"{place} does not run"
    try:
        place = _behind(lab, link)
        if not lab.engine.running(place):
            return f"{place} does not run"
        well = answers_itself(lab, place)
    except LabError as error:
        return error.message.partition("\n")[0]
    return "" if well else f"{place} does not answer"


def _behind(lab: Lab, link: Link) -> Place:
    """The machine that a link leads to now. Raises LabError when its name leads nowhere."""
    if link.purpose.target != "head":
        return Place(link.entered.name, link.purpose.target)
    found = lab.names.ask(link.entered, head_name(link.entered))
    for place in DATABASES:
        if lab.settings.addresses.inside(place) in found:
            return place
    raise LabError(f"{head_name(link.entered)} leads to no database of {link.entered.name}")


def _answers(lab: Lab, aim: Aim, count: int, patience: float, closing: bool) -> dict[Link, Pinged]:
    """Ask through all links at the same time."""

    def asking(link: Link) -> Pinged:
        try:
            return ping(lab.engine, lab.settings, link, count, patience, closing=closing)
        except LabError:
            return _NOT_ASKED

    with ThreadPoolExecutor(len(aim.links)) as pool:
        return dict(zip(aim.links, pool.map(asking, aim.links), strict=True))


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


def _named(found: Sequence[Link]) -> str:
    return f"{len(found)} links" if len(found) > 2 else ", ".join(each.name for each in found)


_ALL: Final = {
    "": "answer",
    "refused": "refuse connections",
    "reset": "reset connections",
    "silent": "give no answer",
    "closed": "close connections",
    _NOT_ASKED.error: f"were not tried: {_NOT_ASKED.error}",
}
"""What several links do, by the error of a ping."""


def _told(found: Mapping[Link, Pinged]) -> str:
    """Links that say the same are named together."""
    if len(found) > 2 and len({answer.error for answer in found.values()}) == 1:
        first = next(iter(found.values()))
        return f"{len(found)} links {_ALL[first.error]}"
    return "; ".join(f"{link.name}: {answer}" for link, answer in found.items())
