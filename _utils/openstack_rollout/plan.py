"""What an update would do, found by asking: every node state applied with test=True, and the order of the
nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from openstack_rollout import checks, release
from openstack_rollout.drain import NONE, Drains
from openstack_rollout.errors import RolloutError
from openstack_rollout.fleet import Answers
from openstack_rollout.membership import Membership
from openstack_rollout.parts import Parts
from openstack_rollout.policy import batch_size
from openstack_rollout.procedure import ROLE_ORDER, STAGES
from openstack_rollout.window import Window
from openstack_rollout.workloads import risk_report, settings

# Node ids, stage -> {node id: what would change there}.
DryRun = Callable[[Iterable[str], str], Mapping[str, list[dict[str, Any]]]]


def plan(openstack: dict[str, Any], parts: Parts, dry_run: DryRun) -> dict[str, Any]:
    """The whole plan as data.

    dry_run: applies a stage's node state with test=True. Returns {"target", "refused", "waves", "workloads",
    "nodes", "failures"}: refused is the line under which the update would not begin, or None; workloads what
    workload.risks says of the nodes that will be drained, or None. Raises RolloutError NO_NODES.
    """
    target = release.target(openstack)
    drains = parts.drains(openstack)
    members = Membership.of(openstack, parts.fleet)
    answers = members.measure(parts.fleet, target, members.ids)
    facts = answers.facts
    nodes: dict[str, dict[str, list[dict[str, Any]]]] = {name: {} for name in members.ids if name in facts}
    waves = []
    for stage in STAGES:
        needing = [name for name in members.ids if name in facts and facts[name]["stages"].get(stage)]
        waves += _waves(stage, members, facts, needing, drains)
        taking_part = [name for name in members.ids if name in facts and stage in facts[name]["stages"]]
        if stage == "system":
            reboots = parts.reboots(openstack).wanted
            waves = [wave | {"reboot": reboots} if wave["stage"] == stage else wave for wave in waves]
        if taking_part:
            for name, changes in dry_run(taking_part, stage).items():
                if changes:
                    nodes[name][stage] = changes
    return {
        "target": target,
        "refused": _refusal(openstack, members, answers, parts, drains),
        "waves": waves,
        "workloads": _workloads(openstack, waves),
        "nodes": nodes,
        "failures": {name: f"{reason}: {message}" for name, (reason, message) in answers.failures.items()},
    }


def _waves(
    stage: str, members: Membership, facts: Mapping[str, Any], needing: Iterable[str], drains: Drains
) -> list[dict[str, Any]]:
    """Which nodes go together, role by role, if all take equally long; canaries go alone."""
    found = []
    wanted = set(needing)
    taking_part = [name for name in facts if stage in facts[name]["stages"]]
    for role in ROLE_ORDER[stage]:
        nodes = members.of_stage(stage, role, taking_part)
        going = [node for node in nodes if node.id in wanted]
        if not going:
            continue
        policy = members.policies[role]
        window = Window(batch_size(policy.batch, len(nodes)), policy.per_zone)
        canaries = [[node.id] for node in going[: policy.canary]]
        waves = canaries + window.waves(going[policy.canary :])
        drain = drains.kind(role) if drains.before(stage, role) else NONE
        found.append({"stage": stage, "role": role, "batch": window.size, "drain": drain, "waves": waves})
    return found


def _workloads(openstack: dict[str, Any], waves: Iterable[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What OpenStack's API says of the servers and routers that will have to leave their nodes."""
    leaving: dict[str, list[str]] = {}
    for one in waves:
        if one["drain"] in settings.DRAINS:
            nodes = leaving.setdefault(one["role"], [])
            nodes += [node for wave in one["waves"] for node in wave if node not in nodes]
    try:
        return risk_report.of_nodes(openstack, leaving) if leaving else None
    except RolloutError:
        return None  # an API that is away is what the refusal names


def _refusal(
    openstack: dict[str, Any], members: Membership, answers: Answers, parts: Parts, drains: Drains
) -> str | None:
    try:
        parts.lock.refuse_others()
        checks.target_changed(parts.journal.unfinished(), release.target(openstack))
        members.within_budget(answers.failures)
        checks.before_a_run(openstack, answers.facts, STAGES, parts)
        checks.undrainable(members, answers.facts, STAGES, drains)
    except RolloutError as error:
        return str(error)
    return None
