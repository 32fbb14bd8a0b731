"""Neutron's agents, and the routers and networks that they host, as drains need them, through openstacksdk.

What an agent hosts is changed by requests made here directly, because openstacksdk's calls for that do not
distinguish a refusal from a success.

Functions raise RolloutError API_UNREACHABLE after the cloud's retry_timeout, and the SDK's exception when the
API refuses (4xx).
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

from openstack_rollout.cloud.api import Cloud, is_unreachable, match_host, status_of

L3, DHCP = "neutron-l3-agent", "neutron-dhcp-agent"
_NO_SUCH_API = 404
_STILL_HOSTED = 409  # the answer to adding a router that another agent still hosts
_ATTEMPTS_DURING_REMOVAL = 5
_DEVICES_A_REQUEST = 50  # their ids are in the URL, whose length is limited
_CENTRALIZED = ("legacy", "dvr_snat")  # modes of L3 agents that host whole routers


@dataclass(frozen=True)
class Agent:
    """An agent.

    binary: L3 or DHCP. zone: its availability zone. mode: of an L3 agent, e.g. `legacy`. admin_up: its admin
    state. description: free text, which administrators may set. heartbeat: time of the last one, as Neutron
    writes it.
    """

    id: str
    host: str
    binary: str
    zone: str
    mode: str
    admin_up: bool
    alive: bool
    description: str
    heartbeat: str

    @property
    def hosts_routers(self) -> bool:
        """Whether it hosts whole routers (a compute's dvr agent has only parts of them)."""
        return self.binary == L3 and self.mode in _CENTRALIZED

    @property
    def available(self) -> bool:
        """Whether routers or networks can be scheduled to it."""
        return self.alive and self.admin_up


@dataclass(frozen=True)
class Router:
    """A router.

    ha: whether it has standby instances on other agents. enabled: its admin state. zones: the availability
    zones that it must stay in, empty for any.
    """

    id: str
    name: str
    ha: bool
    distributed: bool
    enabled: bool
    zones: tuple[str, ...] = ()


def agents(cloud: Cloud, binary: str) -> list[Agent]:
    """Every agent of a kind. binary: L3 or DHCP."""
    found = cloud.retry("network agents", lambda: agents_called(cloud.api, binary))
    return [_agent(one) for one in found]


def agents_called(api: Any, binary: str) -> list[Any]:
    """The agents of a name, as openstacksdk has them. api: of a Cloud. binary (str): e.g. neutron-dhcp-agent.

    Networks that are not of Neutron's own agents (OpenContrail's) may come with an API that knows none, or
    that tells of others' whatever it is asked for.
    """
    try:
        return [one for one in api.network.agents(binary=binary) if one.binary == binary]
    except Exception as error:
        if status_of(error) != _NO_SUCH_API:
            raise
        return []


def agent_of(cloud: Cloud, node: str, binary: str) -> Agent | None:
    """The agent of a node, None when it has none. node: minion id. binary: L3 or DHCP."""
    return match_host(node, {one.host: one for one in agents(cloud, binary)})


def set_agent(cloud: Cloud, agent: Agent, admin_up: bool, description: str) -> None:
    """Set an agent's admin state and its description."""
    cloud.retry(
        f"agent on {agent.host}",
        lambda: cloud.api.network.update_agent(agent.id, is_admin_state_up=admin_up, description=description),
    )


def routers_on(cloud: Cloud, agent_id: str) -> list[Router]:
    """The routers that are scheduled to an L3 agent."""
    found = cloud.retry("routers of an agent", lambda: list(cloud.api.network.agent_hosted_routers(agent_id)))
    return [_router(one) for one in found]


def agents_hosting(cloud: Cloud, router_id: str) -> list[tuple[Agent, str]]:
    """The L3 agents that a router is scheduled to, each with the router's HA state there ("" without HA)."""
    found = cloud.retry(
        "agents of a router", lambda: list(cloud.api.network.routers_hosting_l3_agents(router_id))
    )
    return [(_agent(one), one.ha_state or "") for one in found]


def schedule_router(cloud: Cloud, agent_id: str, router_id: str) -> None:
    """Schedule a router to an L3 agent; does nothing when it is there already."""
    cloud.retry(f"router for agent {agent_id}", lambda: _schedule(cloud.api, agent_id, router_id))


def move_router(cloud: Cloud, source_id: str, target_id: str, router_id: str) -> None:
    """Move a router from one L3 agent to another, with the shortest interruption that Neutron allows.

    source_id, target_id (str): ids of agents. Raises what the API refuses of the addition: then the router is
    on no agent.

    Neutron's API has a removal and an addition, and refuses the addition while an agent hosts the router. (It
    moves a router in one step, `reschedule_router`, only by itself, from an agent that died.) So both
    requests are made at the same time, on connections that are open already. While the router is removed,
    Neutron has checked the addition's token and policy. An addition that came too early is sent again at
    once.
    """
    for api in (cloud.api, cloud.second_api):
        cloud.retry("network agent", partial(api.network.get, f"/agents/{target_id}"))
    removal = _in_thread(partial(_unschedule, cloud, cloud.second_api, source_id, router_id))
    for _ in range(_ATTEMPTS_DURING_REMOVAL):
        if removal.done():
            break
        try:
            _schedule(cloud.api, target_id, router_id)
        except Exception as error:
            if status_of(error) == _STILL_HOSTED:
                continue
            if not status_of(error) and not is_unreachable(error):
                raise
            break
        removal.result()
        return
    removal.result()
    schedule_router(cloud, target_id, router_id)


def networks_on(cloud: Cloud, agent_id: str) -> dict[str, tuple[str, tuple[str, ...]]]:
    """The networks that a DHCP agent serves: id -> (name, availability zones that it must stay in)."""
    found = cloud.retry(
        "networks of an agent", lambda: list(cloud.api.network.dhcp_agent_hosting_networks(agent_id))
    )
    return {one.id: (one.name, tuple(one.availability_zone_hints or ())) for one in found}


def agents_serving(cloud: Cloud, network_id: str) -> list[Agent]:
    """The DHCP agents that serve a network."""
    found = cloud.retry(
        "agents of a network", lambda: list(cloud.api.network.network_hosting_dhcp_agents(network_id))
    )
    return [_agent(one) for one in found]


def add_network(cloud: Cloud, agent_id: str, network_id: str) -> None:
    """Schedule a network to a DHCP agent, beside its present ones; does nothing when it is there already."""
    url, body = f"/agents/{agent_id}/dhcp-networks", {"network_id": network_id}
    cloud.retry(url, lambda: _request(cloud.api, "post", url, body, (409,)))


def remove_network(cloud: Cloud, agent_id: str, network_id: str) -> None:
    """Take a network from a DHCP agent; does nothing when it is not there."""
    url = f"/agents/{agent_id}/dhcp-networks/{network_id}"
    cloud.retry(url, lambda: _request(cloud.api, "delete", url, None, (404, 409)))


def ports_of(cloud: Cloud, devices: Iterable[str]) -> dict[str, list[Any]]:
    """The ports (the SDK's) of routers or servers, by their id. devices: ids of routers or servers."""
    found: dict[str, list[Any]] = {device: [] for device in devices}
    ids = list(found)
    for first in range(0, len(ids), _DEVICES_A_REQUEST):
        query = {"device_id": ids[first : first + _DEVICES_A_REQUEST]}
        for port in cloud.retry("ports", partial(_list_ports, cloud, query)):
            found[port.device_id].append(port)
    return found


def dhcp_ports(cloud: Cloud, network_id: str) -> list[Any]:
    """The ports (the SDK's) through which DHCP agents serve a network."""
    return list(
        cloud.retry(
            "ports",
            lambda: list(cloud.api.network.ports(network_id=network_id, device_owner="network:dhcp")),
        )
    )


def has_dhcp(cloud: Cloud, network_id: str) -> bool:
    """Whether a network has a subnet with DHCP."""
    found = cloud.retry("subnets", lambda: list(cloud.api.network.subnets(network_id=network_id)))
    return any(subnet.is_dhcp_enabled for subnet in found)


def _list_ports(cloud: Cloud, query: Mapping[str, Any]) -> list[Any]:
    return list(cloud.api.network.ports(**query))


def _schedule(api: Any, agent_id: str, router_id: str) -> None:
    _request(api, "post", f"/agents/{agent_id}/l3-routers", {"router_id": router_id})


def _unschedule(cloud: Cloud, api: Any, agent_id: str, router_id: str) -> None:
    """Take a router from an agent; does nothing when it is not there."""
    url = f"/agents/{agent_id}/l3-routers/{router_id}"
    cloud.retry(url, lambda: _request(api, "delete", url, None, (404, 409)))


def _in_thread(call: Callable[[], None]) -> Future[None]:
    """Make a call in a daemon thread, which does not keep the process alive."""
    ended: Future[None] = Future()

    def work() -> None:
        try:
            call()
            ended.set_result(None)
        except BaseException as error:
            ended.set_exception(error)

    threading.Thread(target=work, daemon=True).start()
    return ended


def _request(
    api: Any, method: str, url: str, body: dict[str, str] | None = None, accepted: Sequence[int] = ()
) -> None:
    """Make a request. accepted: HTTP statuses which mean that nothing was left to do."""
    import openstack.exceptions  # noqa: PLC0415 - nodes do not have the SDK

    answer = getattr(api.network, method)(url, **({"json": body} if body else {}))
    if answer.status_code not in accepted:
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
        description=one.description or "",
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
