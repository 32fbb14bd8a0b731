"""Neutron as drains see it: agents, what they host, and whether it works there; openstacksdk in our words.

What an agent hosts is changed by requests of our own: openstacksdk's calls for that do not tell a refusal
from a success.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from openstack_rollout.cloud.api import Cloud, away, match_host, status_of

L3, DHCP = "neutron-l3-agent", "neutron-dhcp-agent"
_TOO_EARLY = 409  # the answer to who adds a router that an agent still has
_TRIES_BESIDE = 5
_ASKED_AT_ONCE = 50  # devices whose ports are asked for: their ids stand in a URL
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


def schedule_router(cloud: Cloud, agent_id: str, router_id: str) -> None:
    """Give a router to an agent; nothing when it is there already. Raises what the API refuses."""
    cloud.patiently(f"router for agent {agent_id}", lambda: _schedule(cloud.api, agent_id, router_id))


def move_router(cloud: Cloud, source_id: str, target_id: str, router_id: str) -> None:
    """Take a router from one agent and give it to another, with as little in between as Neutron allows.

    Neutron moves a router in one step (`reschedule_router`) only by itself, from an agent that died. Its API
    has a removal and an addition, and refuses the addition as long as an agent has the router. So the two
    are under way together, on connections that are open: while the router is taken away, the addition has
    its token and its policy checked already, and one that came too early is sent again at once.

    Raises what the API refuses of the addition: then the router is on no agent.
    """
    for api in (cloud.api, cloud.second):
        cloud.patiently("network agent", partial(api.network.get, f"/agents/{target_id}"))
    removal = _beside(partial(_unschedule, cloud, cloud.second, source_id, router_id))
    for _ in range(_TRIES_BESIDE):
        if removal.done():
            break
        try:
            _schedule(cloud.api, target_id, router_id)
        except Exception as error:
            if status_of(error) == _TOO_EARLY:
                continue
            if not status_of(error) and not away(error):
                raise
            break
        removal.result()
        return
    removal.result()
    schedule_router(cloud, target_id, router_id)


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
    url, body = f"/agents/{agent_id}/dhcp-networks", {"network_id": network_id}
    cloud.patiently(url, lambda: _change(cloud.api, "post", url, body, (409,)))


def leave_network(cloud: Cloud, agent_id: str, network_id: str) -> None:
    """Have a DHCP agent no longer serve a network; nothing when it does not."""
    url = f"/agents/{agent_id}/dhcp-networks/{network_id}"
    cloud.patiently(url, lambda: _change(cloud.api, "delete", url, None, (404, 409)))


def ports_of(cloud: Cloud, devices: Iterable[str]) -> dict[str, list[Any]]:
    """The ports of routers or servers, by router or server."""
    found: dict[str, list[Any]] = {device: [] for device in devices}
    asked = list(found)
    for first in range(0, len(asked), _ASKED_AT_ONCE):
        some = {"device_id": asked[first : first + _ASKED_AT_ONCE]}
        for port in cloud.patiently("ports", partial(_listed_ports, cloud, some)):
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


def _listed_ports(cloud: Cloud, asked: Mapping[str, Any]) -> list[Any]:
    return list(cloud.api.network.ports(**asked))


def _schedule(api: Any, agent_id: str, router_id: str) -> None:
    _change(api, "post", f"/agents/{agent_id}/l3-routers", {"router_id": router_id})


def _unschedule(cloud: Cloud, api: Any, agent_id: str, router_id: str) -> None:
    """Take a router from an agent; nothing when it is not there."""
    url = f"/agents/{agent_id}/l3-routers/{router_id}"
    cloud.patiently(url, lambda: _change(api, "delete", url, None, (404, 409)))


def _beside(call: Callable[[], None]) -> Future[None]:
    """Make a call in a thread of its own."""
    ended: Future[None] = Future()

    def work() -> None:
        try:
            call()
            ended.set_result(None)
        except BaseException as error:
            ended.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return ended


def _change(
    api: Any, method: str, url: str, body: dict[str, str] | None = None, fine: Sequence[int] = ()
) -> None:
    """One request; fine: statuses that mean it was so already."""
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    answer = getattr(api.network, method)(url, **({"json": body} if body else {}))
    if answer.status_code not in fine:
        openstack.exceptions.raise_from_response(answer)


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
