"""Times as people read them: how long something takes, and when it is expected to end."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any


def took(seconds: float) -> str:
    """A number of seconds in the units that fit it."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours:.0f} h {minutes:.0f} min"
    return f"{minutes:.0f} min {rest:.0f} s" if minutes else f"{rest:.1f} s"


def moment(at: float) -> str:
    """A time of day (seconds since the epoch)."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(at))


def second(at: float) -> str:
    """A time (seconds since the epoch) with its day and seconds."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(at))


def assumed(estimate: Mapping[str, Any]) -> str:
    """What to add to an estimate that is made without having measured everything."""
    return ", partly assumed: not all of it was measured yet" if estimate["assumed"] else ""


def ends(run: Mapping[str, Any]) -> str:
    """When a run is expected to end, as part of a sentence; "" where nobody knows.

    run: its record, with an estimate. Of one that is paused nobody knows when it goes on.
    """
    estimate = run.get("estimate")
    if not estimate:
        return ""
    until = f", until {moment(estimate['end'])}" if run["state"] == "running" else ""
    return f"about {took(estimate['seconds'])} left{until}{assumed(estimate)}"


def begins(estimate: Mapping[str, Any]) -> str:
    """When the first node may start, where that is not at once."""
    return f", not before {moment(estimate['begins'])}" if estimate.get("begins") else ""


def slow(node: Mapping[str, Any]) -> str:
    """What to say of a node whose step takes far longer than as a rule (its place in a status)."""
    return f"SLOW: {node['step']} takes far longer than {took(node['slow'])}, as it does as a rule"
