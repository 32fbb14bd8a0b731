"""Which nodes belong to the cloud, under which role's policy each goes, and what each of them is.

The nodes are those the pillar's targets match among the accepted keys, dead ones included: who does not
answer is a failure, never absent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

from openstack_rollout.declared import facts, targets
from openstack_rollout.declared.comparison import Compared, Comparison
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import Policy
from openstack_rollout.errors import RolloutError, one_line, some
from openstack_rollout.rollout import procedure
from openstack_rollout.rollout.fleet import Halted, Measurable, never
from openstack_rollout.rollout.window import Node
from openstack_rollout.vocabulary import ROLES, in_order


@dataclass(frozen=True)
class Measured:
    """Nodes that were asked together: what each is, compared with what is declared, and the failures
    {node id: (reason, message)} of the rest.
    """

    nodes: Mapping[str, Compared]
    failures: Mapping[str, tuple[str, str]]


@dataclass(frozen=True)
class Exceeded:
    """More nodes failed than may: the ids of those that did, in their order, and what does not allow so many
    ("" for the role as a whole).
    """

    nodes: tuple[str, ...]
    why: str = ""


@dataclass
class Membership:
    """roles: role -> node ids in their order. policies: role -> Policy. zones: node id -> zone. comparison:
    what nodes are compared by. base: the known role as which a role goes. accepted: all accepted minions.
    groups: role → name → the nodes of a group, in their order.
    """

    roles: Mapping[str, Sequence[str]]
    policies: Mapping[str, Policy]
    comparison: Comparison
    zones: dict[str, str | None] = field(default_factory=dict)
    base: Callable[[str], str] = str
    accepted: Collection[str] = ()
    groups: Mapping[str, Mapping[str, Collection[str]]] = field(default_factory=dict)
    _orders: dict[str, list[str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, model: Model, fleet: Measurable) -> Membership:
        """The nodes of a cloud.

        Raises RolloutError NO_NODES for a role, zone or group that matches none, and for one that names a
        minion which is not there: it would be left out without a word.
        """
        of_roles = model.targets
        roles = {role: in_order(fleet.members(target)) for role, target in of_roles.items()}
        accepted = set(fleet.members("*"))
        # An empty zone is a mistyped target, and would switch per_zone off without a word.
        zones = {name: fleet.members(target) for name, target in model.zones.items()}
        for key, found, meant in (("roles", roles, of_roles), ("zones", zones, model.zones)):
            for name, nodes in found.items():
                if not nodes:
                    raise RolloutError(
                        "NO_NODES", f"openstack:{key}:{name}: {meant[name]!r} matches no accepted minion"
                    )
                if gone := [one for one in targets.named(meant[name]) if one not in accepted]:
                    raise RolloutError(
                        "NO_NODES",
                        f"openstack:{key}:{name}: {some(gone)} is named there, and is no accepted minion",
                    )
        # The first zone by name counts, as in a node's share.
        of_node: dict[str, str | None] = {
            node: zone for zone in sorted(zones, reverse=True) for node in zones[zone]
        }
        groups = {
            role: _groups(role, model.policies.of(role), nodes, zones, accepted, fleet)
            for role, nodes in roles.items()
        }
        policies = {
            role: model.policies.of(role).for_nodes(len(nodes), _sizes(groups[role]))
            for role, nodes in roles.items()
        }
        return cls(roles, policies, Comparison.of(model), of_node, model.base, accepted, groups)

    @property
    def ids(self) -> list[str]:
        """Every node once, in the order of the roles."""
        return list(dict.fromkeys(node for nodes in self.roles.values() for node in nodes))

    @cached_property
    def _roles_of(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for role, nodes in self.roles.items():
            for node in nodes:
                found.setdefault(node, []).append(role)
        return found

    @cached_property
    def _group_of(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = {}
        for role, groups in self.groups.items():
            found[role] = {node: name for name in reversed([*groups]) for node in groups[name]}
        return found

    def roles_of(self, node_id: str, stage: str | None = None) -> list[str]:
        """The roles of a node in their order, of those that go through a stage."""
        roles = self._roles_of.get(node_id, [])
        if stage is None:
            return roles
        if stage not in self._orders:  # worked out once: it is asked for every node
            self._orders[stage] = self.order(stage)
        return [role for role in self._orders[stage] if role in roles]

    def silences(self, nodes: Iterable[str]) -> dict[str, float]:
        """Seconds that each of these nodes may give no sign of life: the longest of its roles' policies."""
        return {node: max(self.policies[role].silence for role in self.roles_of(node)) for node in nodes}

    def node(self, node_id: str) -> Node:
        """A node under the first of its roles."""
        return Node(node_id, self._roles_of[node_id][0], self.zones.get(node_id))

    def group_of(self, role: str, node_id: str) -> str:
        """The first group of a role that a node is in, "" where it is in none."""
        return self._group_of.get(role, {}).get(node_id, "")

    def by_group(self, role: str, nodes: Sequence[Node]) -> dict[str, list[Node]]:
        """Nodes of a role by their groups, in the order of these; those of none come last."""
        found: dict[str, list[Node]] = {name: [] for name in (*self.groups.get(role, {}), "")}
        for node in nodes:
            found[self.group_of(role, node.id)].append(node)
        return {name: some for name, some in found.items() if some}

    def order(self, stage: str) -> list[str]:
        """The roles that go through a stage, in their order."""
        return procedure.role_order(stage, self.roles, self.base)

    def of_stage(self, stage: str, role: str, taking_part: Collection[str]) -> list[Node]:
        """The nodes that a role takes through a stage: a node of two roles goes with the first that the stage
        has.
        """
        order = self.order(stage)
        earlier = order[: order.index(role)]
        taken = {node for other in earlier for node in self.roles.get(other, ())}
        return [
            Node(node, role, self.zones.get(node))
            for node in self.roles.get(role, ())
            if node in taking_part and node not in taken
        ]

    def measure(
        self,
        fleet: Measurable,
        nodes: Iterable[str],
        refresh: bool = False,
        silence: float | None = None,
        *,
        halted: Halted = never,
    ) -> Measured:
        """Ask nodes for their facts, and compare them with what is declared.

        refresh: have them ask their package repositories first. silence (seconds): how long a node may give
        no sign of life; as its policy says by default. A node whose facts are none, or whose share
        is another than the master means for it, is a failure: it would be brought to that. halted: asked
        meanwhile; what it returns is raised.
        """
        silences = self.silences(nodes)
        asked = dict.fromkeys(silences, silence) if silence is not None else silences
        answers = fleet.facts(asked, refresh, halted)
        found, failures = {}, dict(answers.failures)
        for node, answer in answers.facts.items():
            try:
                found[node] = self.compare(node, answer)
            except RolloutError as error:
                failures[node] = (error.reason, error.message)
        return Measured(found, failures)

    def compare(self, node: str, answer: Any) -> Compared:
        """What a node is, by what it answered.

        Raises RolloutError FACTS_INVALID, TARGET_CHANGED or NODE_ERROR.
        """
        roles, zone = self.roles_of(node), self.zones.get(node)
        judge = partial(self._judge, node, answer, roles, zone)
        return self.comparison.judged(answer, node, roles, zone, judge)

    def _judge(self, node: str, answer: Any, roles: list[str], zone: str | None) -> Compared:
        answered = facts.read(node, answer, {*ROLES, *self.roles})
        wanted = self.comparison.target
        if answered.target != wanted:
            raise RolloutError(
                "TARGET_CHANGED",
                f"{node}: its share wants {answered.target!r}, the master {wanted!r}",
                [node],
            )
        if answered.roles != roles:
            has, means = ", ".join(answered.roles) or "no role", ", ".join(roles)
            line = (
                f"{node}: its share has {has}, the master means {means}: salt '{node}' test.ping, run again"
            )
            raise RolloutError("NODE_ERROR", line, [node])
        return self.comparison.compare(answered, roles, zone)

    def refuse_over_budget(self, failures: Mapping[str, tuple[str, str]]) -> None:
        """Raise the first failure's reason when a role, or a group of it, has more of them than may."""
        if over := next(self._exceeded(failures), None):
            failed = over.nodes
            reason, message = failures[failed[0]]
            also = f" (and {', '.join(failed[1:])})" if failed[1:] else ""
            why = over.why and f"; {over.why}"
            raise RolloutError(reason, f"{failed[0]}{also}: {one_line(message, reason)}{why}", failed)

    def over_budget(self, failures: Collection[str]) -> list[str]:
        """The failed nodes of the first role, or group, that has more of them than its policy allows."""
        over = next(self._exceeded(failures), None)
        return list(over.nodes) if over else []

    def all_over_budget(self, failures: Collection[str]) -> set[str]:
        """As over_budget, of every role and group."""
        return {node for one in self._exceeded(failures) for node in one.nodes}

    def exceeded(self, role: str, failed: Sequence[str]) -> Iterator[Exceeded]:
        """Where more nodes failed than may: of a role as a whole, then of its groups.

        failed: the ids of the nodes of that role that failed.
        """
        policy = self.policies[role]
        if len(failed) > policy.tolerated:
            yield Exceeded(tuple(failed))
        for group, tolerated in policy.tolerated_of_groups.items():
            here = [node for node in failed if self.group_of(role, node) == group]
            if len(here) > tolerated:
                key = f"openstack:policies:{role}:group_max_failures:{group}"
                yield Exceeded(tuple(here), f"of group {group} no more than {tolerated} may ({key})")

    def _exceeded(self, failures: Collection[str]) -> Iterator[Exceeded]:
        for role, nodes in self.roles.items():
            yield from self.exceeded(role, [node for node in nodes if node in failures])


def _groups(  # noqa: PLR0917
    role: str,
    policy: Policy,
    nodes: Collection[str],
    zones: Mapping[str, Collection[str]],
    accepted: Collection[str],
    fleet: Measurable,
) -> dict[str, frozenset[str]]:
    """The groups of a role: name → those of its nodes that are in it. Raises RolloutError NO_NODES."""
    found = {}
    for name, target in policy.groups.items():
        here = f"openstack:policies:{role}:groups:{name}"
        found[name] = frozenset(fleet.members(target) if target else zones[name]).intersection(nodes)
        if target and not found[name]:
            raise RolloutError("NO_NODES", f"{here}: {target!r} matches no {role}")
        if target and (gone := [one for one in targets.named(target) if one not in accepted]):
            raise RolloutError("NO_NODES", f"{here}: {some(gone)} is named there, and is no accepted minion")
    return found


def _sizes(groups: Mapping[str, Collection[str]]) -> dict[str, int]:
    """How many nodes each group has; a node of several is one of the first."""
    counted: set[str] = set()
    found = {}
    for name, nodes in groups.items():
        found[name] = len(set(nodes) - counted)
        counted.update(nodes)
    return found
