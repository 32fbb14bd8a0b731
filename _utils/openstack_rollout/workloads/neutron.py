"""Neutron as drains see it: agents, what they host, and whether it works there; openstacksdk in our words.

What an agent hosts is changed by requests of our own: openstacksdk's calls for that do not tell a refusal
from a success.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from openstack_rollout.workloads.cloud import Cloud, match_host

L3, DHCP = "neutron-l3-agent", "neutron-dhcp-agent"
_CENTRAL = ("legacy", "dvr_snat")  # modes of L3 agents that host whole routers


@dataclass(frozen=True)
class Agent:
    """An agent: id, host, binary, zone, mode (of an L3 agent), admin_up, alive, note (its description),
    heartbeat (as Neutron has it).
    """

    id: str
    host: str
    binary: str
    zone: str
    mode: str
    admin_up: bool
    alive: bool
    note: str
    heartbeat: str

    @property
    def hosts_routers(self) -> bool:
        """Whether whole routers run there (a compute's dvr agent has only parts of them)."""
        return self.binary == L3 and self.mode in _CENTRAL

    @property
    def able(self) -> bool:
        """Whether it can be given something."""
        return self.alive and self.admin_up


@dataclass(frozen=True)
class Router:
    """A router: id, name, ha, distributed, enabled, zones (that it must stay in; none: anywhere)."""

    id: str
    name: str
    ha: bool
    distributed: bool
    enabled: bool
    zones: tuple[str, ...] = ()


def agents(cloud: Cloud, binary: str) -> list[Agent]:
    """Every agent of a binary (L3 or DHCP)."""
    found = cloud.patiently("network agents", lambda: list(cloud.api.network.agents(binary=binary)))
    return [_agent(one) for one in found]


def agent_of(cloud: Cloud, node: str, binary: str) -> Agent | None:
    """The agent of a node, None when it has none."""
    return match_host(node, {one.host: one for one in agents(cloud, binary)})


def set_agent(cloud: Cloud, agent: Agent, admin_up: bool, note: str) -> None:
    """Set an agent's admin state, and what its description says about it."""
    cloud.patiently(
        f"agent on {agent.host}",
        lambda: cloud.api.network.update_agent(agent.id, is_admin_state_up=admin_up, description=note),
    )


def routers_on(cloud: Cloud, agent_id: str) -> list[Router]:
    """The routers that are scheduled to an L3 agent."""
    found = cloud.patiently(
        "routers of an agent", lambda: list(cloud.api.network.agent_hosted_routers(agent_id))
    )
    return [_router(one) for one in found]


def agents_hosting(cloud: Cloud, router_id: str) -> list[tuple[Agent, str]]:
    """The L3 agents that a router is scheduled to, each with its HA state there ("" without HA)."""
    found = cloud.patiently(
        "agents of a router", lambda: list(cloud.api.network.routers_hosting_l3_agents(router_id))
    )
    return [(_agent(one), one.ha_state or "") for one in found]


def unschedule_router(cloud: Cloud, agent_id: str, router_id: str) -> None:
    """Take a router from an agent; nothing when it is not there."""
    _change(cloud, "delete", f"/agents/{agent_id}/l3-routers/{router_id}", None, (404, 409))


def schedule_router(cloud: Cloud, agent_id: str, router_id: str) -> None:
    """Give a router to an agent; nothing when it is there already. Raises what the API refuses."""
    _change(cloud, "post", f"/agents/{agent_id}/l3-routers", {"router_id": router_id}, ())


def networks_on(cloud: Cloud, agent_id: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The networks that a DHCP agent serves: id -> (name, the zones that they must stay in)."""
    found = cloud.patiently(
        "networks of an agent", lambda: list(cloud.api.network.dhcp_agent_hosting_networks(agent_id))
    )
    return {one.id: (one.name, tuple(one.availability_zone_hints or ())) for one in found}


def agents_serving(cloud: Cloud, network_id: str) -> list[Agent]:
    """The DHCP agents of a network."""
    found = cloud.patiently(
        "agents of a network", lambda: list(cloud.api.network.network_hosting_dhcp_agents(network_id))
    )
    return [_agent(one) for one in found]


def serve_network(cloud: Cloud, agent_id: str, network_id: str) -> None:
    """Have a DHCP agent serve a network, beside those that do; nothing when it does already."""
    _change(cloud, "post", f"/agents/{agent_id}/dhcp-networks", {"network_id": network_id}, (409,))


def leave_network(cloud: Cloud, agent_id: str, network_id: str) -> None:
    """Have a DHCP agent no longer serve a network; nothing when it does not."""
    _change(cloud, "delete", f"/agents/{agent_id}/dhcp-networks/{network_id}", None, (404, 409))


def ports_of(cloud: Cloud, devices: Iterable[str]) -> dict[str, list[Any]]:
    """The ports of routers, by router."""
    found: dict[str, list[Any]] = {device: [] for device in devices}
    if found:
        ask = {"device_id": list(found)}
        for port in cloud.patiently("ports", lambda: list(cloud.api.network.ports(**ask))):
            found[port.device_id].append(port)
    return found


def dhcp_ports(cloud: Cloud, network_id: str) -> list[Any]:
    """The ports through which a network's DHCP agents serve it."""
    return list(
        cloud.patiently(
            "ports",
            lambda: list(cloud.api.network.ports(network_id=network_id, device_owner="network:dhcp")),
        )
    )


def has_dhcp(cloud: Cloud, network_id: str) -> bool:
    """Whether a network has a subnet with DHCP."""
    found = cloud.patiently("subnets", lambda: list(cloud.api.network.subnets(network_id=network_id)))
    return any(subnet.is_dhcp_enabled for subnet in found)


def _change(cloud: Cloud, method: str, url: str, body: dict[str, str] | None, fine: Sequence[int]) -> None:
    """One request; fine: statuses that mean it was so already."""
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    def ask() -> None:
        answer = getattr(cloud.api.network, method)(url, **({"json": body} if body else {}))
        if answer.status_code not in fine:
            openstack.exceptions.raise_from_response(answer)

    cloud.patiently(f"{method} {url}", ask)


def _agent(one: Any) -> Agent:
    return Agent(
        id=one.id,
        host=one.host,
        binary=one.binary,
        zone=one.availability_zone or "",
        mode=(one.configuration or {}).get("agent_mode", ""),
        admin_up=bool(one.is_admin_state_up),
        alive=bool(one.is_alive),
        note=one.description or "",
        heartbeat=str(one.last_heartbeat_at),
    )


def _router(one: Any) -> Router:
    return Router(
        id=one.id,
        name=one.name,
        ha=bool(one.is_ha),
        distributed=bool(one.is_distributed),
        enabled=bool(one.is_admin_state_up),
        zones=tuple(one.availability_zone_hints or ()),
    )
