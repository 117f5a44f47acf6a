"""The replication topology at one moment, as asked of the servers: pictures of before and after."""

from __future__ import annotations

from lab.cluster import Lab
from lab.errors import LabError
from lab.result import NodeView
from lab.status import upstream_of
from lab.topology import DATABASES, Place


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
    if not lab.engine.running(place):
        return NodeView(node=str(place), role="dead")
    try:
        state = lab.databases[place].state()
    except LabError:
        return NodeView(node=str(place), role="no answer")
    upstream = upstream_of(lab, state)
    # A gateway stands for the head node behind it; only the lab's own topology knows which.
    if upstream is not None and upstream.service == "gateway":
        upstream = _head_behind(lab, upstream)
    return NodeView(
        node=str(place),
        role=state.role,
        follows=str(upstream) if upstream else None,
        timeline=state.timeline,
    )


def _head_behind(lab: Lab, gateway: Place) -> Place | None:
    """The node that a gateway leads to now, by its own region's resolver."""
    region = gateway.region
    try:
        answers = lab.names.ask(region, f"head.{region.name}.lab.test")
    except LabError:
        return None
    addresses = lab.settings.addresses
    return next(
        (p for p in DATABASES if p.region is region and addresses.inside(p) in answers), None
    )


def _waited_for(lab: Lab, view: NodeView) -> tuple[str, ...]:
    if view.role != "primary":
        return ()
    place = Place.parse(view.node)
    try:
        names = lab.databases[place].state().synchronous_names
    except LabError:
        return ()
    return tuple(str(each) for each in DATABASES if each.server_name in names)
