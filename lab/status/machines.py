"""Machines that are frozen or down, and servers that accept no session, or nearly none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from lab.core.topology import Place
from lab.core.words import count, listed
from lab.status.look import Status
from lab.status.row import Next, Situation, Told, Turn, back, brings_back, heal, healing, logs
from lab.testbed.nodelook import STOPPED

_FEW: Final = 0.1
"""The share of its connections that is so little that a server should not have less."""

_WHO: Final = "SELECT count(*), application_name FROM pg_stat_activity GROUP BY 2"


def _frozen(found: Status) -> Iterator[Told]:
    for each in found.machines:
        if each.frozen:
            yield (
                f"The machine of {each.place} is frozen: it answers nothing, and may resume at any"
                " moment, in its old role.",
                (healing(found),),
            )


def _down(found: Status) -> Iterator[Told]:
    down = [each.place for each in found.machines if each.stopped]
    for site in dict.fromkeys(place.site for place in down):
        gone = [place for place in down if place.site == site]
        there = [each.place for each in found.machines if each.place.site == site]
        yield _told(site, gone, there), (healing(found), *_returns(found, gone))


def _returns(found: Status, gone: list[Place]) -> tuple[Next, ...]:
    """The way back of a database that was primary, where another one was promoted since."""
    if not any(each.primary and each.timeline > 1 for each in found.nodes):
        return ()
    ways = (back(found, place, brings_back(place)) for place in gone)
    return tuple(dict.fromkeys(each for way in ways for each in way))


def _told(site: str, gone: list[Place], there: list[Place]) -> str:
    if len(gone) == len(there) > 1:
        return f"The region {site} is down: none of its {len(gone)} machines runs."
    return f"Down: {listed(gone)}."


def _server_down(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        if each.state is None and each.machine == "running" and each.place not in found.replaced:
            look = () if each.reason == STOPPED and found.faults else (logs(each.place),)
            yield f"{each.place} accepts no connections: {each.reason}.", (*heal(found), *look)


def _connections(found: Status) -> Iterator[Told]:
    for each in found.nodes:
        said = each.profile
        if said and said.room and said.connections_left <= said.room * _FEW:
            yield (
                f"{each.place} has {count(said.connections_left, 'connection')} left for shops, of"
                f" {said.room}. Shops still serve customers over their open connections, but cannot"
                f" open {'more than these' if said.connections_left else 'new ones'}.",
                (
                    Next(f'lab psql {each.place} -c "{_WHO}"', "shows who holds them", Turn.LOOK),
                    *heal(found),
                ),
            )


FROZEN = Situation("machine-frozen", _frozen)
DOWN = Situation("machine-down", _down)
SERVER_DOWN = Situation("server-down", _server_down)
CONNECTIONS = Situation("connections-spent", _connections)
