"""The Neutron agents of gateways: which may take over from which, and setting them down and up again.

An agent that a drain sets down gets a description that names this product, and is set up again only if that
description is still there. Its key in a record: `agents`, by binary: `id`, `set_down_by_us`, and
`description` as it was before.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud, match_host
from openstack_rollout.cloud.neutron import L3, Agent
from openstack_rollout.drains.contract import Record
from openstack_rollout.errors import RolloutError

MARK = "openstack-rollout: drained for an update"
_POLL_INTERVAL = 0.5  # seconds


def peers(agent: Agent, agents: Iterable[Agent], excluded: Sequence[str] = ()) -> list[Agent]:
    """Those of some agents that could take over from an agent. excluded: host names that are left out."""
    return [one for one in agents if _is_peer(agent, one) and one.host not in excluded]


def each_has_peer(nodes: Sequence[str], agents: Sequence[Agent]) -> bool:
    """Whether the agent of each node (minion id) has a peer on none of these nodes. agents: of one binary."""
    by_host = {one.host: one for one in agents}
    drained = [agent for node in nodes if (agent := match_host(node, by_host)) is not None]
    hosts = [agent.host for agent in drained]
    return all(peers(agent, agents, hosts) for agent in drained)


def reserve(cloud: Cloud, agent: Agent, record: Record) -> bool:
    """Mark an agent as drained by us, so that no other drain moves anything to it.

    Returns False, and marks nothing, when an operator has set it down. Raises RolloutError API_UNREACHABLE.
    """
    entry = record.data["agents"].get(agent.binary)
    if entry is None:
        by_us = agent.admin_up or agent.description == MARK
        description = "" if agent.description == MARK else agent.description
        entry = {"id": agent.id, "set_down_by_us": by_us, "description": description}
        record.data["agents"][agent.binary] = entry
        record.save()
    if entry["set_down_by_us"] and agent.description != MARK:
        neutron.set_agent(cloud, agent, agent.admin_up, MARK)
    return bool(entry["set_down_by_us"])


def set_down(cloud: Cloud, agent: Agent) -> None:
    """Set an agent down: nothing new is scheduled to it, and its routers with HA fail over."""
    neutron.set_agent(cloud, agent, False, MARK)


def set_up(cloud: Cloud, agent: Agent, entry: Mapping[str, Any]) -> None:
    """Set an agent up that is still marked. entry: of the record, with the description to put back."""
    if agent.description == MARK:
        neutron.set_agent(cloud, agent, True, entry["description"])


def wait_until_alive(cloud: Cloud, node: str, binary: str, timeout: float) -> Agent:
    """The agent of a node once it is alive, with a heartbeat that is newer than this call.

    node (str): minion id. binary (str): L3 or DHCP. timeout (float): seconds. Raises RolloutError
    RESTORE_FAILED.
    """
    deadline = time.monotonic() + timeout
    before: str | None = None
    while True:
        now = neutron.agent_of(cloud, node, binary)
        if now is not None:
            before = before or now.heartbeat
            if now.alive and now.heartbeat != before:
                return now
        if time.monotonic() > deadline:
            raise RolloutError("RESTORE_FAILED", f"{node}: {binary} is not alive after {timeout} s", [node])
        time.sleep(_POLL_INTERVAL)


def _is_peer(agent: Agent, other: Agent) -> bool:
    return (
        other.id != agent.id
        and other.available
        and other.mode == agent.mode
        and (other.binary != L3 or other.hosts_routers)
    )
