"""Health checks decide again where users are sent."""

from __future__ import annotations

from contextlib import suppress

from lab.core.errors import LabError
from lab.core.topology import APP_NAME, REGIONS, Region
from lab.core.wait import wait_until
from lab.records.journalfile import MarkName, Phase, Via
from lab.runbooks.effects import ALL_USERS, send_home
from lab.runbooks.runbook import Repeats, Step
from lab.steps.context import Context
from lab.steps.shifting import answers_of
from lab.testbed.health import ready

_HOME_SECONDS = 30.0


def go_home(context: Context) -> str:
    """No steering is pinned any more, and each sends users to its own region if that serves.

    Where a steering does not answer, its resolver is updated directly: it would go on sending
    users to a region that is lost.
    """
    silent = {each: why for each in REGIONS if (why := _unpinned(context, each))}
    if len(silent) == len(REGIONS):
        raise LabError(f"no steering could be unpinned: {'; '.join(silent.values())}", "lab status")
    homes = [_home_of(context, each) for each in REGIONS if each not in silent]
    told = [
        _by_hand(context, each) or f"the update of {each.name}'s resolver is pending ({why})"
        for each, why in silent.items()
    ]
    return "; ".join(
        [f"steering is unpinned; {APP_NAME} resolves to {' and to '.join(homes)}", *told]
    )


def _unpinned(context: Context, region: Region) -> str:
    """Why a region's steering does not steer; empty if it does."""
    try:
        context.lab.steerings[region].unpin()
        return context.lab.out_of_touch(region)
    except LabError as error:
        return error.message


def _by_hand(context: Context, viewer: Region) -> str:
    """Update a resolver whose steering does not: to the own region if it serves, else across."""
    lab = context.lab
    able = [each for each in (viewer, viewer.other) if ready(lab, each)[0]]
    with suppress(LabError):
        if able:
            lab.names.publish(
                viewer, {APP_NAME: answers_of(context, viewer, able[0], ALL_USERS)[0]}
            )
            return f"{viewer.name}'s resolver was updated directly: {able[0].name}"
    return ""


def _home_of(context: Context, viewer: Region) -> str:
    """Where a region's steering sends users now: home if home takes orders, else across."""
    lab = context.lab
    own = viewer.name

    def settled() -> str:
        able, _ = ready(lab, viewer)
        to = viewer if able else viewer.other
        if lab.names.ask(viewer, APP_NAME) != answers_of(context, viewer, to, ALL_USERS):
            return ""
        why = "" if able else f" ({own} takes no orders)"
        return f"{to.name} for {own}'s users{why}"

    return wait_until(
        f"{viewer.name}'s resolver to answer {APP_NAME} with a region that takes orders",
        settled,
        _HOME_SECONDS,
        ignoring=(LabError,),
    )


def _steer(context: Context) -> str:
    """Let health checks send users, and wait until they are sent where orders are taken."""
    told = go_home(context)
    context.recorder.mark(MarkName.RESTORED, note="health checks decide again where users are sent")
    return told


STEPS: tuple[Step, ...] = (
    Step(
        name="send-home",
        title="unpin steering",
        changes="no resolver is pinned: each sends users to its own region if that serves",
        via=Via.IN_BAND,
        phase=Phase.CLIENTS,
        why="steering must move users by itself again",
        breaks="users stay where they were sent, also when that region fails",
        seconds=1.0,
        makes=send_home,
        act=go_home,
    ),
    Step(
        name="steer",
        title="let health checks send users",
        changes="no resolver is pinned; each answers with the users' own region, or with the other"
        " if that takes no orders",
        via=Via.IN_BAND,
        phase=Phase.CLIENTS,
        why="health checks know which region takes orders, so steering can move users; no data has"
        " to move",
        breaks="users stay in a region that takes no orders, or where a person once sent them",
        seconds=1.0,
        makes=send_home,
        repeats=Repeats.ALWAYS,
        act=_steer,
    ),
)
