"""What the tool saw of databases and resolvers while a drill ran, moment by moment."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lab.records.journalfile import LONGEST_UPTIME
from lab.records.resultrows import Count, Model, Moment, Number

Uptime = Annotated[float, Field(ge=0, le=LONGEST_UPTIME)]
"""Seconds since the engine's kernel booted."""


class NodeSample(Model):
    """One database at one moment; `lag_bytes` behind the primary's WAL, `lag_seconds` old."""

    node: str
    role: str
    timeline: Count | None = None
    lag_bytes: Count | None = None
    lag_seconds: Number | None = None


class Sampled(Model):
    """What the tool saw at one moment (the engine's clock) while the drill ran.

    `answers` holds what each region's resolver says of the users' name; null: no answer.
    """

    at: Uptime
    nodes: tuple[NodeSample, ...]
    answers: dict[str, tuple[str, ...] | None]


class Sample(Sampled):
    """The same on the time axis of the result."""

    at: Moment
