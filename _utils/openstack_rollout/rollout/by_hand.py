"""Draining and restoring a node for an operator, outside of any run."""

from __future__ import annotations

from openstack_rollout.declared.policies import NO_DRAIN
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.drain_record import BY_HAND, DrainRecord
from openstack_rollout.rollout.drain_steps import DrainSteps
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.ports import Ports


def drain(ports: Ports, node: str) -> str:
    """Drain a node by the policies of its roles; returns one line.

    Raises RolloutError: RUN_IN_PROGRESS, NO_NODES for an unknown node, WRONG_ARGUMENT where the policy says
    `none`, or as the drain does.
    """
    ports.lock.acquire()
    try:
        model = ports.pillar()
        members = Membership.of(model, ports.fleet)
        if node not in members.ids:
            raise RolloutError("NO_NODES", f"{node} has no role in openstack:roles", [node])
        roles = members.roles_of(node)
        drains = ports.drains(model)
        kind, role = drains.of_node(roles)
        if kind == NO_DRAIN:
            raise RolloutError(
                "INVALID_PILLAR", f"openstack:policies:{roles[0]}:drain: is none, so {node} cannot be drained"
            )
        chosen = drains.make(kind, role)
        chosen.refuse([node])
        others = [
            name
            for name in ports.journal.all_drained()
            if name != node and not set(roles).isdisjoint(members.roles_of(name))
        ]
        if chosen.capacity([*others, node]) <= len(others):
            away = f" while {', '.join(others)} is drained" if others else ""
            why = f"no other node can take the workloads of {node} now{away}"
            raise RolloutError("NO_SPARE", why, [node])
        place = DrainRecord(node, role, kind, BY_HAND, stage="")
        return DrainSteps(ports.journal, drains, ports.clock).drain(place)
    finally:
        ports.lock.release()


def restore(ports: Ports, node: str) -> str:
    """Restore a drained node, whoever drained it; returns one line.

    Raises RolloutError: RUN_IN_PROGRESS, WRONG_ARGUMENT for a node that is not drained, or as the drain does.
    """
    ports.lock.acquire()
    try:
        if ports.journal.drained(node) is None:
            known = ", ".join(sorted(ports.journal.all_drained())) or "none"
            raise RolloutError("WRONG_ARGUMENT", f"{node} is not drained; drained: {known}", [node])
        return DrainSteps(ports.journal, ports.drains(ports.pillar()), ports.clock).restore(node)
    finally:
        ports.lock.release()
