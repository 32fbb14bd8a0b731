"""DHCP networks of a gateway: a second agent serves a network before the first one leaves it."""

from __future__ import annotations

import time

from openstack_rollout.drain import Record
from openstack_rollout.errors import RolloutError
from openstack_rollout.workloads import neutron
from openstack_rollout.workloads.cloud import Cloud
from openstack_rollout.workloads.neutron import DHCP, Agent

_LOOK = 0.5


def leave(cloud: Cloud, agent: Agent, record: Record, timeout: float) -> str:
    """Have other agents serve what this one serves; returns one line.

    Raises RolloutError DRAIN_FAILED for a network that no other agent serves within timeout (seconds).
    """
    peers = [one for one in neutron.agents(cloud, DHCP) if one.able and one.id != agent.id]
    load = {one.id: len(neutron.networks_on(cloud, one.id)) for one in peers}
    moved = 0
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
        record.data["networks"][network] = {"name": name, "to": target.id, "host": target.host}
        record.save()
        neutron.serve_network(cloud, target.id, network)
        _wait(cloud, network, target.host, timeout, reason="DRAIN_FAILED", name=name)
        neutron.leave_network(cloud, agent.id, network)
        moved += 1
    return f"{moved} DHCP networks moved"


def bring_back(cloud: Cloud, agent: Agent, record: Record, timeout: float) -> str:
    """Have this agent serve again what it served, and the others leave what they were given for it.

    Raises RolloutError RESTORE_FAILED.
    """
    back = 0
    for network, entry in list(record.data["networks"].items()):
        serving = {one.id for one in _serving(cloud, network)}
        # Anything else is another hand's doing, or the network is gone.
        if entry["to"] in serving:
            neutron.serve_network(cloud, agent.id, network)
            _wait(cloud, network, agent.host, timeout, reason="RESTORE_FAILED", name=entry["name"])
            neutron.leave_network(cloud, entry["to"], network)
            back += 1
        del record.data["networks"][network]
        record.save()
    return f"{back} DHCP networks are back"


def _serving(cloud: Cloud, network: str) -> list[Agent]:
    try:
        return neutron.agents_serving(cloud, network)
    except Exception as error:
        if getattr(error, "status_code", 0) == 404:
            return []
        raise


def _wait(cloud: Cloud, network: str, host: str, timeout: float, *, reason: str, name: str) -> None:
    """Wait until a network's port on a host is ACTIVE; one without DHCP has no port to wait for."""
    until = time.monotonic() + timeout
    while True:
        ports = neutron.dhcp_ports(cloud, network)
        if any(port.binding_host_id == host and port.status == "ACTIVE" for port in ports) or (
            not ports and not neutron.has_dhcp(cloud, network)
        ):
            return
        if time.monotonic() > until:
            text = f"{host} does not serve DHCP for network {name} after {timeout:.0f} s"
            raise RolloutError(reason, text, [host])
        time.sleep(_LOOK)
