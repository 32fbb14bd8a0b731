"""The conditions that OpenStack is asked about: its agents, what drains can spare, groups of servers."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from openstack_rollout.declared.policies import DISTURBING, NO_DRAIN
from openstack_rollout.drains.contract import KeepsApart
from openstack_rollout.errors import one_line, some
from openstack_rollout.records.planned import PlannedRole
from openstack_rollout.rollout import preconditions
from openstack_rollout.rollout.conditions import Seen
from openstack_rollout.rollout.questions import unhindered
from openstack_rollout.rollout.situation import Situation

HYPERVISOR = "nova-compute"
SYSTEM = "system"


def hypervisors(now: Situation) -> Iterator[Seen]:
    """Hypervisors that are down; a drain needs those that the run drains."""
    draining = {node for nodes in _to_drain(now).values() for node in nodes}
    for one in now.standing:
        if one.binary == HYPERVISOR and not one.up:
            needed = one.node in draining and one.node not in _begun_with(now)
            line = f"{one.node}: {HYPERVISOR} is down"
            yield Seen("refuse" if needed else "warn", line, (one.node,))


def agents(now: Situation) -> Iterator[Seen]:
    """Agents and services of nodes that do not tell of themselves."""
    for one in now.standing:
        if one.binary != HYPERVISOR and not one.up:
            yield Seen("warn", f"{one.node}: {one.binary} is down", (one.node,))


def switched_off(now: Situation) -> Iterator[Seen]:
    """What an operator has disabled in OpenStack; what a drain of ours disabled is none of it."""
    drained = now.ports.journal.all_drained()
    for one in now.standing:
        if not one.enabled and one.node not in drained:
            why = f" ({one_line(one.reason)})" if one.reason else ""
            yield Seen("warn", f"{one.node}: {one.binary} is disabled{why}", (one.node,))


def capacity(now: Situation) -> Iterator[Seen]:
    """What each drain of the plan can spare now, compared with the nodes that would go together."""
    for role, (stage, nodes) in _largest_waves(now).items():
        drain = now.drains.before(stage, role)
        spare = unhindered(partial(drain.capacity, nodes), now.halted) if drain else len(nodes)
        if spare <= 0:
            line = (
                f"{role}: no other node can take the workloads of {nodes[0]} now: the run waits, and pauses"
            )
            yield Seen("warn", line, (nodes[0],))
        elif spare < len(nodes):
            line = f"{role}: {spare} of {len(nodes)} nodes that would go together can be spared now"
            yield Seen("warn", line, tuple(nodes))


def server_groups(now: Situation) -> Iterator[Seen]:
    """Nodes with servers of one group that would go together. A drain that keeps them apart is not asked."""
    if not now.model.policies.speak_to_openstack and not now.model.verifies:
        return
    for stage in now.planned.stages:
        if stage.stage not in DISTURBING:
            continue
        for role in (role for one in stage.rounds for role in one.roles if not role.undisturbing):
            if now.members.base(role.role) == "compute" and not _keeps_apart(now, stage.stage, role.role):
                yield from _together(now, stage.stage, role)


def _together(now: Situation, stage: str, role: PlannedRole) -> Iterator[Seen]:
    waves = [[node.id for node in wave.nodes] for wave in role.waves if len(wave.nodes) > 1]
    if not waves:
        return
    some_nodes = [node for wave in waves for node in wave]
    groups = unhindered(partial(now.ports.server_groups, now.model, some_nodes), now.halted)
    stops = stage == SYSTEM and role.reboot != "never" and role.drain == NO_DRAIN
    for wave in waves:
        hosts: dict[str, list[str]] = {}
        for node in wave:
            for group in groups.get(node, ()):
                hosts.setdefault(group, []).append(node)
        for group, nodes in hosts.items():
            if nodes[1:]:
                line = f"{stage}: {some(nodes)} go together, and have servers of the group {group}"
                yield Seen("refuse" if stops else "warn", line)


def _largest_waves(now: Situation) -> dict[str, tuple[str, list[str]]]:
    """Role → the stage before which most of its nodes are drained together, and those nodes."""
    found: dict[str, tuple[str, list[str]]] = {}
    for stage in now.planned.stages:
        for role in (role for one in stage.rounds for role in one.roles):
            for wave in role.waves:
                nodes = [node.id for node in wave.nodes if "drain" in node.steps]
                if len(nodes) > len(found.get(role.role, ("", []))[1]):
                    found[role.role] = stage.stage, nodes
    return found


def _keeps_apart(now: Situation, stage: str, role: str) -> bool:
    return isinstance(now.drains.before(stage, role), KeepsApart)


def _to_drain(now: Situation) -> dict[str, list[str]]:
    return preconditions.to_drain(now.members, now.own.nodes, now.stages, now.drains)


def _begun_with(now: Situation) -> set[str]:
    """The nodes that the run which goes on had begun with: it is to bring them back."""
    if now.unfinished is None:
        return set()
    return {node for node, one in now.ports.journal.nodes(now.unfinished.id).items() if one.history}
