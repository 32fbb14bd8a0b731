"""Draining and restoring a node for an operator, outside of any run."""

from __future__ import annotations

from openstack_rollout.declared.policies import NO_DRAIN
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND
from openstack_rollout.rollout.drain_steps import Moves
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.ports import Parts


def drain(parts: Parts, node: str) -> str:
    """Drain a node by the policy of its role; returns one line.

    Raises RolloutError: RUN_IN_PROGRESS, NO_NODES for an unknown node, WRONG_ARGUMENT where the policy says
    `none`, or as the drain does.
    """
    parts.lock.acquire()
    try:
        model = parts.pillar()
        members = Membership.of(model, parts.fleet)
        if node not in members.ids:
            raise RolloutError("NO_NODES", f"{node} has no role in openstack:roles", [node])
        role = members.node(node).role
        drains = parts.drains(model)
        kind = drains.kind(role)
        if kind == NO_DRAIN:
            raise RolloutError(
                "WRONG_ARGUMENT", f"openstack:policies:{role}:drain: is none, so {node} cannot be drained"
            )
        chosen = drains.make(kind, role)
        chosen.refuse([node])
        others = [
            name for name in parts.journal.all_drained() if name != node and name in members.roles[role]
        ]
        if chosen.room([*others, node]) <= len(others):
            away = f" while {', '.join(others)} is drained" if others else ""
            raise RolloutError("NO_SPARE", f"there is no room to drain {node} now{away}", [node])
        place = {"node": node, "role": role, "kind": kind, "run": BY_HAND, "stage": ""}
        return Moves(parts.journal, drains, parts.clock).take_away(place)
    finally:
        parts.lock.release()


def restore(parts: Parts, node: str) -> str:
    """Restore a drained node, whoever drained it; returns one line.

    Raises RolloutError: RUN_IN_PROGRESS, WRONG_ARGUMENT for a node that is not drained, or as the drain does.
    """
    parts.lock.acquire()
    try:
        if parts.journal.drained(node) is None:
            known = ", ".join(sorted(parts.journal.all_drained())) or "none"
            raise RolloutError("WRONG_ARGUMENT", f"{node} is not drained; drained: {known}", [node])
        return Moves(parts.journal, parts.drains(parts.pillar()), parts.clock).bring_back(node)
    finally:
        parts.lock.release()
