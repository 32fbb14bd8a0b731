"""Which nodes belong to the cloud, under which role's policy each goes, and measuring all of them.

The nodes are those the pillar's targets match among the accepted keys, dead ones included: who does not
answer is a failure, never absent.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from openstack_rollout import policy
from openstack_rollout.catalog import ROLES
from openstack_rollout.engine import one_line
from openstack_rollout.errors import RolloutError
from openstack_rollout.fleet import Answers, Fleet
from openstack_rollout.policy import Policy
from openstack_rollout.procedure import ROLE_ORDER
from openstack_rollout.window import Node, in_order


@dataclass
class Membership:
    """roles: role -> node ids in their order. policies: role -> Policy. zones: node id -> zone, once
    measured.
    """

    roles: Mapping[str, Sequence[str]]
    policies: Mapping[str, Policy]
    zones: dict[str, str | None] = field(default_factory=dict)

    @classmethod
    def of(cls, openstack: Mapping[str, Any], fleet: Fleet) -> Membership:
        """The nodes of a cloud. Raises RolloutError NO_NODES for a role or zone that matches none."""
        targets = openstack["roles"]
        roles = {role: in_order(fleet.members(targets[role])) for role in ROLES if role in targets}
        # An empty zone is a mistyped target, and would switch per_zone off without a word.
        zones = {name: fleet.members(target) for name, target in (openstack.get("zones") or {}).items()}
        for key, found in (("roles", roles), ("zones", zones)):
            for name, nodes in found.items():
                if not nodes:
                    target = openstack[key][name]
                    raise RolloutError(
                        "NO_NODES", f"openstack:{key}:{name}: {target} matches no accepted minion"
                    )
        return cls(roles, {role: policy.of_role(openstack, role) for role in roles})

    @property
    def ids(self) -> list[str]:
        """Every node once, in the order of the roles."""
        return list(dict.fromkeys(node for nodes in self.roles.values() for node in nodes))

    def node(self, node_id: str) -> Node:
        """A node under the first of its roles."""
        role = next(role for role, nodes in self.roles.items() if node_id in nodes)
        return Node(node_id, role, self.zones.get(node_id))

    def of_stage(self, stage: str, role: str, taking_part: Collection[str]) -> list[Node]:
        """The nodes that a role takes through a stage: a node of two roles goes with the first that the stage
        has.
        """
        earlier = ROLE_ORDER[stage][: ROLE_ORDER[stage].index(role)]
        taken = {node for other in earlier for node in self.roles.get(other, ())}
        return [
            Node(node, role, self.zones.get(node))
            for node in self.roles.get(role, ())
            if node in taking_part and node not in taken
        ]

    def measure(self, fleet: Fleet, target: str, nodes: Iterable[str], refresh: bool = False) -> Answers:
        """Ask nodes for their facts. refresh: have them ask their package repositories first.

        A node whose own pillar has another target is a failure: it would be brought to that.
        """
        silence = max(settings.silence for settings in self.policies.values())
        answers = fleet.facts(nodes, silence, refresh)
        facts, failures = {}, dict(answers.failures)
        for node, answer in answers.facts.items():
            self.zones[node] = answer.get("zone")
            if answer["target"] == target:
                facts[node] = answer
            else:
                failures[node] = (
                    "NODE_ERROR",
                    f"its pillar has target {answer['target']}, the master's {target}",
                )
        return Answers(facts, failures)

    def within_budget(self, failures: Mapping[str, tuple[str, str]]) -> None:
        """Raise the first failure's reason when a role has more of them than its policy allows."""
        for role, nodes in self.roles.items():
            failed = [node for node in nodes if node in failures]
            if len(failed) > self.policies[role].max_failures:
                reason, message = failures[failed[0]]
                also = f" (and {', '.join(failed[1:])})" if failed[1:] else ""
                raise RolloutError(reason, f"{failed[0]}{also}: {one_line(message, reason)}", failed)
