"""DHCP networks of a gateway: a second agent serves a network before the first one leaves it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.neutron import DHCP, Agent
from openstack_rollout.drains.contract import Record
from openstack_rollout.errors import RolloutError

_LOOK = 0.5
_TOGETHER = 8  # networks that are moved at a time


@dataclass(frozen=True)
class _Move:
    """A network (id, name) that goes from an agent (id: source) to another (id: to, on a host)."""

    network: str
    name: str
    source: str
    to: str
    host: str


def leave(cloud: Cloud, agent: Agent, record: Record, timeout: float) -> str:
    """Have other agents serve what this one serves; returns one line.

    Raises RolloutError DRAIN_FAILED for a network that no other agent serves within timeout (seconds).
    """
    peers = [one for one in neutron.agents(cloud, DHCP) if one.able and one.id != agent.id]
    load = {one.id: len(neutron.networks_on(cloud, one.id)) for one in peers}
    moving: list[_Move] = []
    for network, (name, zones) in neutron.networks_on(cloud, agent.id).items():
        serving = {one.id for one in neutron.agents_serving(cloud, network) if one.able}
        free = [one for one in peers if one.id not in serving and (not zones or one.zone in zones)]
        if not free and not serving - {agent.id}:
            text = f"{agent.host}: no other agent can serve DHCP for network {name}"
            raise RolloutError("DRAIN_FAILED", text, [agent.host])
        if not free:
            continue  # all the others serve it already
        target = min(free, key=lambda one: (one.zone != agent.zone, load[one.id], one.host))
        load[target.id] += 1
        moving.append(_Move(network, name, agent.id, target.id, target.host))
    for first in range(0, len(moving), _TOGETHER):
        group = moving[first : first + _TOGETHER]
        for one in group:
            record.data["networks"][one.network] = {"name": one.name, "to": one.to, "host": one.host}
        record.save()
        _move(cloud, group, timeout, "DRAIN_FAILED")
    return f"{len(moving)} DHCP networks moved"


def bring_back(cloud: Cloud, agent: Agent, record: Record, timeout: float) -> str:
    """Have this agent serve again what it served, and the others leave what they were given for it.

    Raises RolloutError RESTORE_FAILED.
    """
    left = list(record.data["networks"].items())
    back = 0
    for first in range(0, len(left), _TOGETHER):
        group = left[first : first + _TOGETHER]
        # Anything else is another hand's doing, or the network is gone.
        moving = [
            _Move(network, entry["name"], entry["to"], agent.id, agent.host)
            for network, entry in group
            if entry["to"] in {one.id for one in _serving(cloud, network)}
        ]
        _move(cloud, moving, timeout, "RESTORE_FAILED")
        for network, _ in group:
            del record.data["networks"][network]
        record.save()
        back += len(moving)
    return f"{back} DHCP networks are back"


def _move(cloud: Cloud, moving: Sequence[_Move], timeout: float, reason: str) -> None:
    """Some networks: served by both agents until the new one does, and then by that one alone."""
    for one in moving:
        neutron.serve_network(cloud, one.to, one.network)
    until = time.monotonic() + timeout
    for one in moving:
        _wait(cloud, one, until, reason)
        neutron.leave_network(cloud, one.source, one.network)


def _serving(cloud: Cloud, network: str) -> list[Agent]:
    try:
        return neutron.agents_serving(cloud, network)
    except Exception as error:
        if getattr(error, "status_code", 0) == 404:
            return []
        raise


def _wait(cloud: Cloud, one: _Move, until: float, reason: str) -> None:
    """Wait until a network's port on its new host is ACTIVE; one without DHCP has no port to wait for."""
    while True:
        ports = neutron.dhcp_ports(cloud, one.network)
        if any(port.binding_host_id == one.host and port.status == "ACTIVE" for port in ports) or (
            not ports and not neutron.has_dhcp(cloud, one.network)
        ):
            return
        if time.monotonic() > until:
            text = f"{one.host} does not serve DHCP for network {one.name} in time"
            raise RolloutError(reason, text, [one.host])
        time.sleep(_LOOK)
