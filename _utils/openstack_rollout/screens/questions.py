"""The text of what a run asks before it goes on: what comes, and what that costs users."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from openstack_rollout.errors import some

#: What a drain costs those who use what it moves.
COSTS = {
    "live_migrate": "its servers move while they run: each stands still for 1 to 2 s, and its clock may jump",
    "require_empty": "nothing: it goes only when it is empty",
    "move_routers": "routers without HA move: their networks lose packets for some seconds",
    "ovn_failover": "its ports go to another chassis: some packets are lost",
    "standby": "its services and addresses go to another controller: connections to them end",
    "ceph": "its daemons stop: data is served by the others, with one copy less",
}
_REBOOTS = {"when_required": "rebooted where required", "always": "rebooted"}
_DIFFERENCES = 5  # lines of a node


def text(question: Mapping[str, Any]) -> str:
    """A question (its record as plain data), in lines."""
    return "\n".join(_lines(question))


def _lines(question: Mapping[str, Any]) -> Iterator[str]:
    place = ", ".join(filter(None, (question["stage"], question["round"], question["role"])))
    rests = question["before"].startswith(("before_", "after_"))  # at a moment of hooks
    if rests:
        yield f"{some(question['nodes'])} rests at {question['before']} of {place}"
    else:
        yield f"before {place} ({question['before']}): {some(question['nodes'])}"
    for one in question["comes"]:
        expected = f", about {one['seconds']:.0f} s" if one["seconds"] is not None else ""
        steps = " > ".join(one["steps"]) or "nothing more there"
        yield f"  {one['node']}: {'then ' if rests else ''}{steps}{expected}"
        changes = one["differences"]
        yield from (f"    {line}" for line in changes[:_DIFFERENCES])
        if len(changes) > _DIFFERENCES:
            yield f"    and {len(changes) - _DIFFERENCES} more"
        for kind in one["drain"].split(", "):
            if kind != "none":
                yield f"    drained by {kind}: {COSTS.get(kind, 'what it carries moves')}"
        if one["reboot"] in _REBOOTS:
            yield f"    {_REBOOTS[one['reboot']]}"
    if len(question["nodes"]) > len(question["comes"]):
        yield f"  and {len(question['nodes']) - len(question['comes'])} more nodes"
