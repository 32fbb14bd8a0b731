"""What an update would do, found by asking: every node state applied with test=True, and the order of the
nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openstack_rollout.declared import releases
from openstack_rollout.declared.differences import Compared
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import CLOUD_DRAINS, NO_DRAIN, batch_size
from openstack_rollout.drains.kinds import Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.rollout import preconditions
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.ports import Parts
from openstack_rollout.rollout.procedure import ROLE_ORDER
from openstack_rollout.rollout.window import Window
from openstack_rollout.vocabulary import STAGES

# Node ids, stage -> {node id: what would change there}.
DryRun = Callable[[Iterable[str], str], Mapping[str, list[dict[str, Any]]]]


def plan(model: Model, parts: Parts, dry_run: DryRun) -> dict[str, Any]:
    """The whole plan as data.

    dry_run: applies a stage's node state with test=True. Returns {"target", "refused", "waves", "workloads",
    "nodes", "failures"}: refused is the line under which the update would not begin, or None; workloads what
    workload.risks says of the nodes that will be drained, or None. Raises RolloutError NO_NODES.
    """
    target = releases.target(model)
    drains = parts.drains(model)
    members = Membership.of(model, parts.fleet)
    measured = members.measure(parts.fleet, members.ids)
    found = measured.nodes
    nodes: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in members.ids if name in found}
    waves = []
    for stage in STAGES:
        needing = [name for name in members.ids if name in found and found[name].stages.get(stage)]
        waves += _waves(stage, members, found, needing, drains)
        taking_part = [name for name in members.ids if name in found and stage in found[name].stages]
        if stage == "system":
            reboots = model.system.reboot
            waves = [wave | {"reboot": reboots} if wave["stage"] == stage else wave for wave in waves]
        if taking_part:
            for name, changes in dry_run(taking_part, stage).items():
                if changes:
                    nodes[name][stage] = changes
    return {
        "target": target,
        "refused": _refusal(model, members, measured, parts, drains),
        "waves": waves,
        "workloads": _workloads(model, parts, waves),
        "nodes": nodes,
        "failures": {name: f"{reason}: {message}" for name, (reason, message) in measured.failures.items()},
    }


def _waves(
    stage: str, members: Membership, found: Mapping[str, Compared], needing: Iterable[str], drains: Drains
) -> list[dict[str, Any]]:
    """Which nodes go together, role by role, if all take equally long; canaries go alone."""
    planned = []
    wanted = set(needing)
    taking_part = [name for name in found if stage in found[name].stages]
    for role in ROLE_ORDER[stage]:
        nodes = members.of_stage(stage, role, taking_part)
        going = [node for node in nodes if node.id in wanted]
        if not going:
            continue
        policy = members.policies[role]
        window = Window(batch_size(policy.batch, len(nodes)), policy.per_zone)
        canaries = [[node.id] for node in going[: policy.canary]]
        waves = canaries + window.waves(going[policy.canary :])
        drain = drains.kind(role) if drains.before(stage, role) else NO_DRAIN
        planned.append({"stage": stage, "role": role, "batch": window.size, "drain": drain, "waves": waves})
    return planned


def _workloads(model: Model, parts: Parts, waves: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What OpenStack's API says of the servers and routers that will have to leave their nodes."""
    leaving: dict[str, list[str]] = {}
    for one in waves:
        if one["drain"] in CLOUD_DRAINS:
            nodes = leaving.setdefault(one["role"], [])
            nodes += [node for wave in one["waves"] for node in wave if node not in nodes]
    try:
        return parts.risks(model, leaving) if leaving else None
    except RolloutError:
        return None  # an API that is away is what the refusal names


def _refusal(
    model: Model, members: Membership, measured: Measured, parts: Parts, drains: Drains
) -> str | None:
    try:
        parts.lock.refuse_others()
        preconditions.target_changed(parts.journal.unfinished(), releases.target(model))
        measured = preconditions.before_a_run(model, members, measured, STAGES, parts)
        preconditions.undrainable(members, measured.nodes, STAGES, drains)
    except RolloutError as error:
        return str(error)
    return None
