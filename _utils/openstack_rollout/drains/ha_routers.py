"""Routers with HA on a gateway: they are not moved, but fail over to a standby on another agent."""

from __future__ import annotations

import time

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.neutron import Agent, Router
from openstack_rollout.errors import RolloutError

_POLL_INTERVAL = 0.5  # seconds


def refuse_ha_without_standby(cloud: Cloud, agent: Agent) -> None:
    """Raise RolloutError DRAIN_FAILED when a router with HA has no other agent that is alive and up."""
    for router in _ha_routers(cloud, agent):
        others = [one for one, _ in neutron.agents_hosting(cloud, router.id) if one.id != agent.id]
        if not any(one.available for one in others):
            text = f"router {router.name} has HA, but no other agent that is alive hosts it"
            raise RolloutError("DRAIN_FAILED", f"{agent.host}: {text}", [agent.host])


def wait_for_failover(cloud: Cloud, agent: Agent, timeout: float) -> int:
    """Wait until each router with HA of an agent is active on another one; returns how many there are.

    timeout (float): seconds. Raises RolloutError DRAIN_FAILED.
    """
    waiting = {router.id: router for router in _ha_routers(cloud, agent)}
    count, deadline = len(waiting), time.monotonic() + timeout
    while waiting:
        for router_id in list(waiting):
            hosting = neutron.agents_hosting(cloud, router_id)
            if any(one.id != agent.id and one.available and state == "active" for one, state in hosting):
                del waiting[router_id]
        if waiting and time.monotonic() > deadline:
            names = ", ".join(router.name for router in waiting.values())
            text = f"no standby took over {names} within {timeout} s"
            raise RolloutError("DRAIN_FAILED", f"{agent.host}: {text}", [agent.host])
        if waiting:
            time.sleep(_POLL_INTERVAL)
    return count


def wait_until_rejoined(cloud: Cloud, agent: Agent, timeout: float) -> None:
    """Wait until each router with HA of an agent is active or standby there.

    timeout (float): seconds. Raises RolloutError RESTORE_FAILED.
    """
    deadline = time.monotonic() + timeout
    for router in _ha_routers(cloud, agent):
        while True:
            hosting = neutron.agents_hosting(cloud, router.id)
            state = next((state for one, state in hosting if one.id == agent.id), None)
            if state in (None, "active", "standby"):
                break
            if time.monotonic() > deadline:
                text = f"router {router.name} with HA is {state} after {timeout} s"
                raise RolloutError("RESTORE_FAILED", f"{agent.host}: {text}", [agent.host])
            time.sleep(_POLL_INTERVAL)


def _ha_routers(cloud: Cloud, agent: Agent) -> list[Router]:
    return [router for router in neutron.routers_on(cloud, agent.id) if router.ha]
