"""Routers with HA on a gateway: they are not moved, but fail over to a standby on another agent.

One is active on exactly one agent: before, or the failover would be none; and after.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud
from openstack_rollout.cloud.neutron import Agent, Router
from openstack_rollout.errors import RolloutError

_POLL_INTERVAL = 0.5  # seconds

#: The agents that a router is scheduled to, and its state on each.
Hosting = list[tuple[Agent, str]]


def refuse_ha_without_standby(cloud: Cloud, agent: Agent) -> None:
    """Raise RolloutError DRAIN_FAILED when a router with HA has no other agent that is alive and up."""
    for router in _ha_routers(cloud, agent):
        others = [one for one, _ in neutron.agents_hosting(cloud, router.id) if one.id != agent.id]
        if not any(one.available for one in others):
            text = f"router {router.name} has HA, but no other agent that is alive hosts it"
            raise RolloutError("DRAIN_FAILED", f"{agent.host}: {text}", [agent.host])


def require_one_active(cloud: Cloud, agent: Agent, timeout: float) -> None:
    """Raise RolloutError DRAIN_FAILED when a router with HA is active on no agent, or on several.

    timeout (float): seconds that a failover which is under way may take.
    """
    _wait(cloud, agent, timeout, "DRAIN_FAILED", lambda hosting: len(_active(hosting)) == 1)


def wait_for_failover(cloud: Cloud, agent: Agent, timeout: float) -> int:
    """Wait until each router with HA of an agent is active on another one, and on no third; returns how many.

    timeout (float): seconds. Raises RolloutError DRAIN_FAILED.
    """

    def elsewhere(hosting: Hosting) -> bool:
        active = _active(hosting)
        return len(active) == 1 and active != [agent.host]

    return _wait(cloud, agent, timeout, "DRAIN_FAILED", elsewhere)


def wait_until_rejoined(cloud: Cloud, agent: Agent, timeout: float) -> None:
    """Wait until each router with HA of an agent is active or standby there, and active on one agent alone.

    timeout (float): seconds. Raises RolloutError RESTORE_FAILED.
    """

    def rejoined(hosting: Hosting) -> bool:
        state = next((state for one, state in hosting if one.id == agent.id), None)
        return state in (None, "active", "standby") and len(_active(hosting)) == 1

    _wait(cloud, agent, timeout, "RESTORE_FAILED", rejoined)


def _wait(cloud: Cloud, agent: Agent, timeout: float, reason: str, right: Callable[[Hosting], bool]) -> int:
    """Wait until each router with HA of an agent is hosted as it has to be; returns how many there are."""
    waiting = {router.id: router for router in _ha_routers(cloud, agent)}
    count, deadline = len(waiting), time.monotonic() + timeout
    while waiting:
        told = {router_id: neutron.agents_hosting(cloud, router_id) for router_id in waiting}
        waiting = {router_id: router for router_id, router in waiting.items() if not right(told[router_id])}
        if waiting and time.monotonic() > deadline:
            names = ", ".join(f"{router.name} ({_told(told[one])})" for one, router in waiting.items())
            text = f"routers with HA are not active on exactly one agent after {timeout} s: {names}"
            raise RolloutError(reason, f"{agent.host}: {text}", [agent.host])
        if waiting:
            time.sleep(_POLL_INTERVAL)
    return count


def _active(hosting: Hosting) -> list[str]:
    """The hosts on which a router is active; of an agent that is away Neutron tells what it said last."""
    return [one.host for one, state in hosting if one.available and state == "active"]


def _told(hosting: Hosting) -> str:
    return ", ".join(f"{one.host} {state if one.available else 'away'}" for one, state in hosting)


def _ha_routers(cloud: Cloud, agent: Agent) -> list[Router]:
    """Those with HA that are to be active at all; one that is switched off is active nowhere."""
    return [one for one in neutron.routers_on(cloud, agent.id) if one.ha and one.enabled]
