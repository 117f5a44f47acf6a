"""The replication topology at one moment, as asked of the servers: pictures of before and after."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab.core.errors import LabError
from lab.core.topology import DATABASES, Place
from lab.records.resultrows import NodeView
from lab.testbed.nodelook import upstream_of

if TYPE_CHECKING:
    from lab.testbed.lab import Lab


def topology_now(lab: Lab) -> tuple[NodeView, ...]:
    """Every node: its role, whom it streams from, whether commits wait for it."""
    views = lab.engine.each(DATABASES, lambda place: _view(lab, place))
    waited_for = {name for view in views for name in _waited_for(lab, view)}
    return tuple(
        view.model_copy(update={"sync": view.node in waited_for})
        if view.role == "standby"
        else view
        for view in views
    )


def _view(lab: Lab, place: Place) -> NodeView:
    if lab.engine.state(place).stopped:
        return NodeView(node=str(place), role="dead")
    try:
        state = lab.databases[place].state()
    except LabError:
        return NodeView(node=str(place), role="no answer")
    upstream, _ = upstream_of(lab, state)
    return NodeView(
        node=str(place),
        role=state.role,
        follows=str(upstream) if upstream else None,
        timeline=state.timeline,
    )


def _waited_for(lab: Lab, view: NodeView) -> tuple[str, ...]:
    if view.role != "primary":
        return ()
    place = Place.parse(view.node)
    try:
        return tuple(map(str, lab.databases[place].state().waits_for))
    except LabError:
        return ()
