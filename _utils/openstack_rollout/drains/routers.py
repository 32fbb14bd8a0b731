"""Moving routers without HA from one L3 agent to others, and back.

A router is on exactly one agent, except between the two requests that move it. The record is written before
the first of them, so that an interrupted move can be completed. Its key in a record: `routers`, by router id:
`name`, `source` and `target` (agent ids), `state` (moving, moved or returning).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud, status_of
from openstack_rollout.cloud.neutron import L3, Agent, Router
from openstack_rollout.declared.policies import GatewayPolicy
from openstack_rollout.drains.agents import MARK, peers
from openstack_rollout.drains.contract import Record
from openstack_rollout.errors import RolloutError, one_line

_POLL_INTERVAL = 0.5  # seconds
_MOVING, _MOVED, _RETURNING = "moving", "moved", "returning"


class RouterMover:
    """Moves the routers of one gateway.

    cloud (Cloud), policy: how many routers are moved together, and how long they may take.
    """

    def __init__(self, cloud: Cloud, policy: GatewayPolicy):
        self._cloud = cloud
        self._at_once = policy.routers_at_once
        self._timeout = policy.router_timeout

    def move_away(self, source: Agent, record: Record) -> None:
        """Move every router without HA from an agent to its peers, and wait until each is active there.

        Raises RolloutError DRAIN_FAILED; a router that failed is back on source then.
        """
        routers = [one for one in neutron.routers_on(self._cloud, source.id) if not one.ha]
        if not routers:
            return
        agents = neutron.agents(self._cloud, L3)
        allowed = [one for one in peers(source, agents) if one.description != MARK]
        load = {one.id: len(neutron.routers_on(self._cloud, one.id)) for one in allowed}
        for first in range(0, len(routers), self._at_once):
            group = routers[first : first + self._at_once]
            self._move_group(group, source, record, lambda router: targets_for(router, source, allowed, load))

    def complete_interrupted(self, record: Record) -> None:
        """Find out where the routers are whose move was interrupted; a router on no agent is scheduled again.

        Raises RolloutError API_UNREACHABLE.
        """
        for router_id, entry in list(record.data["routers"].items()):
            if entry["state"] not in (_MOVING, _RETURNING):
                continue
            try:
                hosting = [agent.id for agent, _ in neutron.agents_hosting(self._cloud, router_id)]
                if not hosting:
                    neutron.schedule_router(self._cloud, entry["target"], router_id)
                    hosting = [entry["target"]]
            except Exception as error:
                if status_of(error) != 404:  # its owner has deleted it
                    raise
                hosting = []
            if entry["target"] in hosting:
                entry["state"] = _MOVED
            else:
                del record.data["routers"][router_id]
            record.save()

    def move_back(self, agent: Agent, record: Record) -> str:
        """Move back the routers that left an agent and are still where they were moved to; returns one line.

        Raises RolloutError RESTORE_FAILED.
        """
        routers = []
        for router_id, entry in list(record.data["routers"].items()):
            try:
                hosting = [one for one, _ in neutron.agents_hosting(self._cloud, router_id)]
            except Exception as error:
                if status_of(error) != 404:
                    raise
                hosting = []
            if [one.id for one in hosting] == [entry["target"]]:
                routers.append((router_id, entry, hosting[0]))
            else:
                del record.data["routers"][router_id]
        record.save()
        for first in range(0, len(routers), self._at_once):
            self._return_group(agent, routers[first : first + self._at_once], record)
        return f"{len(routers)} routers are back"

    def _move_group(
        self,
        routers: Sequence[Router],
        source: Agent,
        record: Record,
        targets_of: Callable[[Router], list[Agent]],
    ) -> None:
        """Move some routers and wait for all of them; one that fails goes back to its source."""
        active = self._active_ports(routers, source)
        moved: dict[str, Agent] = {}
        failed: dict[str, str] = {}
        for router in routers:
            try:
                moved[router.id] = self._move(router, source, targets_of(router), record)
            except RolloutError as error:
                failed[router.name] = error.message
                break
        late = self._wait_until_active({router_id: agent.host for router_id, agent in moved.items()}, active)
        for router in [one for one in routers if one.id in late]:
            target = moved[router.id]
            text = f"not active on {target.host} after {self._timeout} s, moved back to {source.host}"
            failed[router.name] = text
            neutron.move_router(self._cloud, target.id, source.id, router.id)
            del record.data["routers"][router.id]
            record.save()
        for router_id in moved:
            if router_id in record.data["routers"]:
                record.data["routers"][router_id]["state"] = _MOVED
        record.save()
        if failed:
            lines = "; ".join(f"router {name}: {why}" for name, why in failed.items())
            raise RolloutError("DRAIN_FAILED", f"{source.host}: {lines}", [source.host])

    def _move(self, router: Router, source: Agent, targets: Sequence[Agent], record: Record) -> Agent:
        """Move a router to the first target that takes it, or back to its source; returns the target."""
        why = "no other agent of its mode and zone is alive and up"
        for target in targets:
            entry = {"name": router.name, "source": source.id, "target": target.id, "state": _MOVING}
            record.data["routers"][router.id] = entry
            record.save()
            try:
                neutron.move_router(self._cloud, source.id, target.id, router.id)
                return target
            except Exception as error:
                if not status_of(error):
                    raise
                why = f"{target.host} refused it: {one_line(str(error))}"
                neutron.schedule_router(self._cloud, source.id, router.id)
                del record.data["routers"][router.id]
                record.save()
        raise RolloutError("DRAIN_FAILED", why)

    def _return_group(
        self, home: Agent, routers: Sequence[tuple[str, dict[str, str], Agent]], record: Record
    ) -> None:
        """Move some routers back and wait for all of them; one that fails goes where it came from.

        routers: (id, entry of the record, the agent that hosts it now).
        """
        ports = neutron.ports_of(self._cloud, [router_id for router_id, _, _ in routers])
        active = {port.id for some in ports.values() for port in some if port.status == "ACTIVE"}
        for router_id, entry, present in routers:
            entry["state"] = _RETURNING
            record.save()
            try:
                neutron.move_router(self._cloud, present.id, home.id, router_id)
            except Exception as error:
                if not status_of(error):
                    raise
                neutron.schedule_router(self._cloud, present.id, router_id)
                text = f"router {entry['name']} stays on {present.host}: {one_line(str(error))}"
                raise RolloutError("RESTORE_FAILED", f"{home.host}: {text}", [home.host]) from error
        late = self._wait_until_active({router_id: home.host for router_id, _, _ in routers}, active)
        for router_id, entry, present in routers:
            if router_id in late:
                neutron.move_router(self._cloud, home.id, present.id, router_id)
                entry["state"] = _MOVED
            else:
                del record.data["routers"][router_id]
        record.save()
        if late:
            names = ", ".join(entry["name"] for router_id, entry, _ in routers if router_id in late)
            text = f"routers not active there after {self._timeout} s, so not moved back: {names}"
            raise RolloutError("RESTORE_FAILED", f"{home.host}: {text}", [home.host])

    def _active_ports(self, routers: Iterable[Router], agent: Agent) -> set[str]:
        """The ids of ports that are ACTIVE on an agent: only these have to be ACTIVE after the move."""
        found = neutron.ports_of(self._cloud, [router.id for router in routers if router.enabled])
        return {
            port.id
            for ports in found.values()
            for port in ports
            if port.status == "ACTIVE" and port.binding_host_id == agent.host
        }

    def _wait_until_active(self, hosts: Mapping[str, str], active: set[str]) -> list[str]:
        """Wait until routers' ports are bound to their new host and ACTIVE; returns those that are late.

        hosts: router id -> new host. active: ids of the ports that were ACTIVE before.
        """
        deadline = time.monotonic() + self._timeout
        waiting = dict(hosts)
        while waiting:
            for router_id, ports in neutron.ports_of(self._cloud, waiting).items():
                wanted = [port for port in ports if port.id in active]
                if all(p.binding_host_id == waiting[router_id] and p.status == "ACTIVE" for p in wanted):
                    del waiting[router_id]
            if not waiting or time.monotonic() > deadline:
                break
            time.sleep(_POLL_INTERVAL)
        return list(waiting)


def targets_for(router: Router, source: Agent, agents: Iterable[Agent], load: dict[str, int]) -> list[Agent]:
    """The agents that may take a router, the best first: those in its source's zone, then the least loaded.

    agents: the peers of source; those outside the router's zones are left out. load: agent id -> number of
    routers; the first agent's is increased, as the router is expected to go there.
    """
    allowed = [one for one in agents if not router.zones or one.zone in router.zones]
    found = sorted(allowed, key=lambda one: (one.zone != source.zone, load[one.id], one.host))
    if found:
        load[found[0].id] += 1
    return found
