"""What of a run's events somebody is told who does not watch: pauses, failures, questions, its end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from openstack_rollout.declared.notifications import Happening
from openstack_rollout.errors import REASONS
from openstack_rollout.records.run_record import RunState
from openstack_rollout.vocabulary import PREFETCH

_ENDS = (RunState.INCOMPLETE.value, RunState.ABORTED.value)


class Told(NamedTuple):
    """What is told: its kind, the key by which it is told once, a title, and lines."""

    kind: Happening
    key: str
    title: str
    lines: tuple[str, ...]


def of(event: Mapping[str, Any], cloud: str, link: str | None = None) -> Told | None:
    """What is told of an event, None for nothing.

    event: its data. cloud (str): what it is called. link: an address in which {run} is the run's id.
    """
    kind = _kind(event)
    if kind is None:
        return None
    run, node, reason, message = (str(event[key]) for key in ("run", "node", "reason", "message"))
    called = f"rollback {run} of run {event['rollback']}" if event["rollback"] else f"run {run}"
    what = {
        "pause": f"{called} pauses",
        "failure": f"{node} failed in {called} ({event['stage']}, {event['step']})",
        "confirmation": f"{called} waits for a yes",
        "end": f"{called} ended: {event.get('state', '')}",
    }[kind]
    lines = (
        f"{reason}: {message}" if reason else message,
        REASONS.get(reason, ""),
        link.replace("{run}", run) if link else "",
    )
    # A question is another one where it is about others; a failure's message may count seconds.
    about = message if kind == "confirmation" else reason
    key = "/".join((kind, str(event["stage"]), node, str(event["status"]), about))
    return Told(kind, key, f"{cloud}: {what}", tuple(filter(None, lines)))


def gets_on(event: Mapping[str, Any]) -> bool:
    """Whether an event is that a run gets on: what happens afterwards happens anew."""
    return event["node"] != "-" and event["status"] == "succeeded" and event["stage"] != PREFETCH


def _kind(event: Mapping[str, Any]) -> Happening | None:
    node, step, status = event["node"], event["step"], event["status"]
    if node != "-":
        return "failure" if status == "failed" else None
    if step == "gate":
        return "confirmation" if event["reason"] == "CONFIRMATION" else None
    if step == "run" and status == RunState.PAUSED.value:
        return "pause"
    return "end" if step == "run" and status in (*_ENDS, "succeeded") else None
