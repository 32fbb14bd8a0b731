"""What an operator reads before the first drain: the servers and routers of a host or role, what may go wrong
with each, and what the policy will do. Changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.cloud import neutron, nova, risks
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.neutron import L3, Agent
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import ComputePolicy
from openstack_rollout.drains import agents
from openstack_rollout.errors import RolloutError


def report(model: Model, roles: Mapping[str, Sequence[str]], target: str) -> dict[str, Any]:
    """The risks of a node or a role.

    model (Model): what is declared. roles: role -> minion ids. target (str): a minion id or a role.
    Returns {"risks": target, "servers": [...], "routers": [...], "failures": {node: why it is left out}}.
    Raises RolloutError NO_NODES, API_UNREACHABLE.
    """
    nodes = roles.get(target) or [target]
    of_role = {role: [node for node in nodes if node in members] for role, members in roles.items()}
    if not any(of_role.values()):
        known = ", ".join(roles)
        raise RolloutError("NO_NODES", f"{target} is neither a node of the cloud nor a role ({known})")
    return {"risks": target, **of_nodes(model, of_role)}


def of_nodes(model: Model, roles: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The risks of nodes.

    model (Model): what is declared. roles: role -> minion ids. Returns what `report` does, without the key
    `risks`. Raises RolloutError API_UNREACHABLE.
    """
    cloud = Cloud(model.cloud)
    cloud.require_reachable()
    failures: dict[str, str] = {}
    servers: list[dict[str, Any]] = []
    for role, nodes in roles.items():
        if model.base(role) == "compute":
            servers += _servers(cloud, model.policies.of(role), nodes, failures)
    gateways = [node for role, nodes in roles.items() if model.base(role) == "gateway" for node in nodes]
    return {"servers": servers, "routers": _routers(cloud, dict.fromkeys(gateways)), "failures": failures}


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
        found += risks.report(risks.assess_host(cloud, host, policy), policy)
    return found


def _routers(cloud: Cloud, nodes: Iterable[str]) -> list[dict[str, Any]]:
    l3_agents = neutron.agents(cloud, L3)
    found = []
    for node in nodes:
        agent = neutron.agent_of(cloud, node, L3)
        if agent is not None:
            found += [
                {
                    "router": router.name,
                    "id": router.id,
                    "host": agent.host,
                    "ha": router.ha,
                    "will": _action(cloud, router, agent, l3_agents),
                }
                for router in neutron.routers_on(cloud, agent.id)
            ]
    return found


def _action(cloud: Cloud, router: neutron.Router, agent: Agent, l3_agents: Sequence[Agent]) -> str:
    """What a drain will do with a router, for people."""
    if not agent.admin_up:
        return "stays: an operator set the agent down"
    if router.ha:
        hosting = [one for one, _ in neutron.agents_hosting(cloud, router.id) if one.available]
        hosts = [one.host for one in hosting if one.host != agent.host]
        return f"fails over to {' or '.join(hosts)}" if hosts else "drain fails: no other agent hosts it"
    peers = agents.peers(agent, l3_agents)
    hosts = [one.host for one in peers if not router.zones or one.zone in router.zones]
    return f"moves to {' or '.join(hosts)}" if hosts else "drain fails: no other agent can host it"
