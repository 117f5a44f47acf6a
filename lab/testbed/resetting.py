"""What a reset waits for: users at rest, shops and steerings as they are in a new lab."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Final

from lab.core.errors import LabError
from lab.core.topology import (
    APP_NAME,
    REGIONS,
    SHOP_CONNECTIONS,
    TTL_SECONDS,
    Region,
)
from lab.core.wait import wait_until
from lab.testbed import tuning

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab.infra.clients import Steering, Stopwatch, Users
    from lab.infra.shopclient import Guest
    from lab.testbed.lab import Lab

READY_SECONDS: Final = 20.0


def wait_ready(lab: Lab) -> None:
    """Wait until both regions can take an order, and both resolvers say so."""
    for each in REGIONS:
        wait_until(
            f"{each.name}'s shop to be able to take an order",
            partial(_is_ready, lab.guests[each]),
            READY_SECONDS,
            ignoring=(LabError,),
        )
    sent = set[Region]()
    for each in REGIONS:
        wait_until(
            f"{each.name}'s steering to answer with its own region",
            partial(leads_home, lab, each, sent),
            READY_SECONDS,
            ignoring=(LabError,),
        )


def leads_home(lab: Lab, region: Region, sent: set[Region]) -> bool:
    """True when a steering sends users to its own region; `sent` are those that are pinned.

    A steering waits until that region has been ready for 3 s, to spare its users another move.
    No user is at work in a reset. So the tool pins the steering home when it sees the region
    ready, and lets it decide again as soon as it answers so.
    """
    own = (lab.settings.addresses.entry(region),)
    steering = lab.steerings[region]
    found = steering.state()
    if region in sent:
        if found.answer == own:
            steering.unpin()
            sent.remove(region)
    elif found.pinned is not None:  # by an operator, who may have sent users elsewhere
        return bool(lab.names.ask(region, APP_NAME))
    elif found.answer == own:
        return lab.names.ask(region, APP_NAME) == own
    elif found.view[region.name].state == "ready":
        steering.pin(region, "a reset")
        sent.add(region)
    return False


def forget_orders(lab: Lab) -> None:
    """What shops and steerings were told is over: read-only mode, room, pins, TTLs, thresholds."""
    for each in REGIONS:
        wait_until(
            f"{each.name}'s shop to leave read-only mode",
            partial(done, partial(lab.guests[each].set_read_only, False)),
            READY_SECONDS,
            ignoring=(LabError,),
        )
        lab.guests[each].set_capacity(SHOP_CONNECTIONS)
        wait_until(
            f"{each.name}'s steering to steer",
            partial(done, partial(_steer, lab.steerings[each])),
            READY_SECONDS,
            ignoring=(LabError,),
        )


def _steer(steering: Steering) -> None:
    steering.unpin()
    if steering.state().ttl != TTL_SECONDS:
        steering.hold(TTL_SECONDS)
    tuning.to_default(steering)


def idle(users: Users) -> None:
    """Let users end what they do, and forget what they wrote down."""
    wait_until(
        f"{users.population}'s users to answer",
        lambda: users.clock() is not None,
        READY_SECONDS,
        ignoring=(LabError,),
    )
    users.stop()
    users.clear()


def idle_stopwatch(stopwatch: Stopwatch) -> None:
    """The same of the stopwatch."""
    wait_until(
        "the stopwatch to stop",
        lambda: done(stopwatch.stop),
        READY_SECONDS,
        ignoring=(LabError,),
    )
    stopwatch.clear()


def _is_ready(guest: Guest) -> bool:
    return guest.ready()[0]


def done(act: Callable[[], object]) -> bool:
    """For waits: do something that raises until it can be done."""
    act()
    return True
