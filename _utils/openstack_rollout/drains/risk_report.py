"""What an operator reads before the first drain: every server and router of a host or role, what may go
wrong with it, and what the policy will do. Nothing is touched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.cloud import neutron, nova, risks
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.neutron import L3, Agent
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import ComputePolicy
from openstack_rollout.drains import move_routers
from openstack_rollout.errors import RolloutError


def report(model: Model, roles: Mapping[str, Sequence[str]], target: str) -> dict[str, Any]:
    """The risks of a host or a role.

    model (Model): what is declared. roles: role -> node ids. target (str): a node id or a role.
    Returns {"risks": target, "servers": [...], "routers": [...], "failures": {node: text}}. Raises
    RolloutError NO_NODES, API_UNREACHABLE.
    """
    nodes = roles.get(target) or [target]
    of_role = {role: [node for node in nodes if node in members] for role, members in roles.items()}
    if not any(of_role.values()):
        named = ", ".join(roles)
        raise RolloutError("NO_NODES", f"{target} is neither a node of the cloud nor a role ({named})")
    return {"risks": target, **of_nodes(model, of_role)}


def of_nodes(model: Model, roles: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The risks of nodes, by role: as report, but for `risks`. Raises RolloutError API_UNREACHABLE."""
    cloud = Cloud(model.cloud)
    cloud.reach()
    failures: dict[str, str] = {}
    return {
        "servers": _servers(cloud, model.policies.compute, roles.get("compute") or [], failures),
        "routers": _routers(cloud, roles.get("gateway") or []),
        "failures": failures,
    }


def _servers(
    cloud: Cloud, policy: ComputePolicy, nodes: Iterable[str], failures: dict[str, str]
) -> list[dict[str, Any]]:
    found = []
    for node in nodes:
        try:
            host = nova.service_of(cloud, node).host
        except RolloutError as error:
            failures[node] = str(error)
            continue
        found += risks.report(risks.servers_at_risk(cloud, host, policy), policy)
    return found


def _routers(cloud: Cloud, nodes: Iterable[str]) -> list[dict[str, Any]]:
    agents = neutron.agents(cloud, L3)
    found = []
    for node in nodes:
        agent = neutron.agent_of(cloud, node, L3)
        if agent is not None:
            found += [
                {"router": one.name, "id": one.id, "host": agent.host, "ha": one.ha, "will": will}
                for one in neutron.routers_on(cloud, agent.id)
                for will in [_will(cloud, one, agent, agents)]
            ]
    return found


def _will(cloud: Cloud, router: neutron.Router, agent: Agent, agents: Sequence[Agent]) -> str:
    """What a drain will do with a router."""
    if not agent.admin_up:
        return "stays: the agent is down by its operator"
    if router.ha:
        others = [one.host for one, _ in neutron.agents_hosting(cloud, router.id) if one.able]
        others = [host for host in others if host != agent.host]
        return f"fails over to {' or '.join(others)}" if others else "drain fails: no other agent has it"
    peers = move_routers.peers(agent, agents)
    able = [one.host for one in peers if not router.zones or one.zone in router.zones]
    return f"moves to {' or '.join(able)}" if able else "drain fails: no other agent can take it"
