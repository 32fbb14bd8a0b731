"""Hold a plan against the event stream of the run that followed it: round by round, node by node."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

#: stage, round, role → [(node, the steps it went through)], in the order of their start
Course = dict[tuple[str, str, str], list[tuple[str, tuple[str, ...]]]]


def planned(plan: dict[str, Any]) -> Course:
    """What rollout.plan says, and in which order."""
    return {
        (stage["stage"], one["name"], role["role"]): [
            (node["id"], tuple(node["steps"])) for wave in role["waves"] for node in wave["nodes"]
        ]
        for stage in plan["stages"]
        for one in stage["rounds"]
        for role in one["roles"]
    }


def executed(events: Iterable[dict]) -> Course:
    """What the engine's events say, and in which order."""
    found: dict[tuple[str, str, str], dict[str, list[str]]] = {}
    for event in events:
        if event["node"] == "-" or event["status"] != "started" or event["stage"] == "prefetch":
            continue
        place = (event["stage"], event["round"], event["role"])
        found.setdefault(place, {}).setdefault(event["node"], []).append(event["step"])
    return {place: [(node, tuple(steps)) for node, steps in nodes.items()] for place, nodes in found.items()}


def assert_agreed(plan: dict[str, Any], events: Iterable[dict]) -> None:
    """Nothing but what was planned was done, all of it, and in its order.

    Nodes of a batch of several start as others end: of those the order is the cloud's own.
    """
    events = list(events)
    expected, found = planned(plan), executed(events)
    assert list(found) == list(expected)
    batches = {
        (stage["stage"], one["name"], role["role"]): role["batch"]
        for stage in plan["stages"]
        for one in stage["rounds"]
        for role in one["roles"]
    }
    for place, nodes in expected.items():
        same = found[place] if batches[place] == 1 else sorted(found[place])
        assert same == (nodes if batches[place] == 1 else sorted(nodes)), place
    prefetched = {event["node"] for event in events if event["step"] == "prefetch"}
    assert prefetched == set(plan["prefetch"])
    assert not [event for event in events if event["step"] == "plan"], "the plan changed on the way"
