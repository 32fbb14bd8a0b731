"""Moving the networks of a DHCP agent to others, and back.

A second agent serves a network before it is taken from the first.

Its key in a record: `networks`, by network id: `name`, `agent` and `host` (of the agent it was given to).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud, status_of
from openstack_rollout.cloud.neutron import DHCP, Agent
from openstack_rollout.drains.contract import Record
from openstack_rollout.errors import RolloutError

_POLL_INTERVAL = 0.5  # seconds
_NETWORKS_AT_ONCE = 8


@dataclass(frozen=True)
class _Move:
    """A network (id, name) that goes from one agent (id) to another (id, host)."""

    network: str
    name: str
    source: str
    target: str
    target_host: str


def move_away(cloud: Cloud, agent: Agent, record: Record, timeout: float) -> str:
    """Have other agents serve the networks that an agent serves; returns one line.

    timeout (float): seconds for each group of networks. Raises RolloutError DRAIN_FAILED for a network that
    no other agent can serve, or does not serve in time.
    """
    peers = [one for one in neutron.agents(cloud, DHCP) if one.available and one.id != agent.id]
    load = {one.id: len(neutron.networks_on(cloud, one.id)) for one in peers}
    moves: list[_Move] = []
    for network_id, (name, zones) in neutron.networks_on(cloud, agent.id).items():
        serving = {one.id for one in neutron.agents_serving(cloud, network_id) if one.available}
        free = [one for one in peers if one.id not in serving and (not zones or one.zone in zones)]
        if not free and not serving - {agent.id}:
            text = f"{agent.host}: no other agent can serve DHCP for network {name}"
            raise RolloutError("DRAIN_FAILED", text, [agent.host])
        if not free:
            continue  # all others serve it already
        target = min(free, key=lambda one: (one.zone != agent.zone, load[one.id], one.host))
        load[target.id] += 1
        moves.append(_Move(network_id, name, agent.id, target.id, target.host))
    for first in range(0, len(moves), _NETWORKS_AT_ONCE):
        group = moves[first : first + _NETWORKS_AT_ONCE]
        for one in group:
            entry = {"name": one.name, "agent": one.target, "host": one.target_host}
            record.data["networks"][one.network] = entry
        record.save()
        _move(cloud, group, timeout, "DRAIN_FAILED")
    return f"{len(moves)} DHCP networks moved"


def move_back(cloud: Cloud, agent: Agent, record: Record, timeout: float) -> str:
    """Have an agent serve again the networks that were moved away from it; returns one line.

    timeout (float): seconds for each group of networks. Raises RolloutError RESTORE_FAILED.
    """
    entries = list(record.data["networks"].items())
    count = 0
    for first in range(0, len(entries), _NETWORKS_AT_ONCE):
        group = entries[first : first + _NETWORKS_AT_ONCE]
        # A network that is no longer where it was moved to was moved by somebody else, or deleted.
        moves = [
            _Move(network_id, entry["name"], entry["agent"], agent.id, agent.host)
            for network_id, entry in group
            if entry["agent"] in {one.id for one in _serving(cloud, network_id)}
        ]
        _move(cloud, moves, timeout, "RESTORE_FAILED")
        for network_id, _ in group:
            del record.data["networks"][network_id]
        record.save()
        count += len(moves)
    return f"{count} DHCP networks are back"


def _move(cloud: Cloud, moves: Sequence[_Move], timeout: float, reason: str) -> None:
    """Move some networks: both agents serve one until the new one is ready. Raises RolloutError(reason)."""
    for one in moves:
        neutron.add_network(cloud, one.target, one.network)
    deadline = time.monotonic() + timeout
    for one in moves:
        _wait_until_served(cloud, one, deadline, reason)
        neutron.remove_network(cloud, one.source, one.network)


def _serving(cloud: Cloud, network_id: str) -> list[Agent]:
    """The agents that serve a network; none when it is deleted."""
    try:
        return neutron.agents_serving(cloud, network_id)
    except Exception as error:
        if status_of(error) == 404:
            return []
        raise


def _wait_until_served(cloud: Cloud, move: _Move, deadline: float, reason: str) -> None:
    """Wait until a network's port on its new host is ACTIVE; a network without DHCP has no such port."""
    while True:
        ports = neutron.dhcp_ports(cloud, move.network)
        if any(port.binding_host_id == move.target_host and port.status == "ACTIVE" for port in ports) or (
            not ports and not neutron.has_dhcp(cloud, move.network)
        ):
            return
        if time.monotonic() > deadline:
            text = f"{move.target_host} does not serve DHCP for network {move.name} in time"
            raise RolloutError(reason, text, [move.target_host])
        time.sleep(_POLL_INTERVAL)
