"""The kind of drain for gateways with Neutron's agents: routers and DHCP networks move to other agents.

A router is on exactly one agent but for the moment between two requests, which the record spans: nobody ever
has to guess where it belongs. Agents are then set down, so that nothing new is scheduled to them and routers
with HA fail over while the node still runs; their description says that it was us.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud, match_host, status_of
from openstack_rollout.cloud.neutron import DHCP, L3, Agent, Router
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import GatewayPolicy
from openstack_rollout.drains import dhcp
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError, one_line

MARK = "openstack-rollout: drained for an update"
_LOOK = 0.5


class MoveRouters:
    """Moves what runs on a gateway's L3 and DHCP agents.

    model (Model): what is declared. role (str). ask: not needed, Neutron knows.
    """

    def __init__(self, model: Model, role: str = "gateway", ask: Ask | None = None):
        self.cloud = Cloud(model.cloud)
        self.policy: GatewayPolicy = model.policies.of(role)
        # With OpenContrail no router runs on a gateway of ours.
        self.stages = frozenset() if model.opencontrail else model.drained_before(role)

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError when the API is away, a node has no agent, or one has no healthy spare."""
        self.cloud.reach()
        for binary, agents in self._agents().items():
            for node in nodes:
                here = match_host(node, {one.host: one for one in agents})
                if here and here.admin_up and not peers(here, agents):
                    text = (
                        f"no other {binary} like that of {node} is alive and up, nothing could take its load"
                    )
                    raise RolloutError("NO_SPARE", text, [node])
        known = {one.host: one for agents in self._agents().values() for one in agents}
        for node in nodes:
            if match_host(node, known) is None:
                text = f"{node}: cloud {self.cloud.name} has no L3 or DHCP agent of that host name"
                raise RolloutError("DRAIN_FAILED", text, [node])

    def room(self, nodes: Sequence[str]) -> int:
        """As many as leave each of their agents a peer that is alive and up."""
        found = self._agents()
        for count in range(len(nodes), 0, -1):
            if all(_spared(nodes[:count], agents) for agents in found.values()):
                return count
        return 0

    def drain(self, node: str, record: Record) -> str:
        """Move routers and networks away, then set the agents down. Raises RolloutError DRAIN_FAILED."""
        told = []
        for key in ("agents", "routers", "networks"):
            record.data.setdefault(key, {})
        for binary in (L3, DHCP):
            agent = neutron.agent_of(self.cloud, node, binary)
            if agent is None:
                continue
            if not self._reserve(agent, record):
                told.append(f"{binary} stays down, as it was before")
                continue
            told.append(self._leave_l3(agent, record) if binary == L3 else self._leave_dhcp(agent, record))
        return ", ".join(told) or "no agent of Neutron runs there"

    def restore(self, node: str, record: Record) -> str:
        """Set the agents up again and bring back what left them. Raises RolloutError RESTORE_FAILED."""
        if not record.data.get("agents"):
            return "nothing had been done"
        told = []
        for binary, entry in record.data["agents"].items():
            if not entry["ours"]:
                continue
            agent = self._returned(node, binary)
            self._set_up(agent, entry)
            if binary == L3:
                self._settle(record)
                told.append(self._bring_back(agent, record))
                self._ha_back(agent)
            else:
                told.append(dhcp.bring_back(self.cloud, agent, record, self.policy.router_timeout))
        return ", ".join(told) or "stays as it was before"

    def _agents(self) -> dict[str, list[Agent]]:
        return {binary: neutron.agents(self.cloud, binary) for binary in (L3, DHCP)}

    def _reserve(self, agent: Agent, record: Record) -> bool:
        """Mark an agent as ours, so that no other drain moves anything there; False when an operator had it
        down.
        """
        entry = record.data["agents"].get(agent.binary)
        if entry is None:
            ours = agent.admin_up or agent.note == MARK
            note = "" if agent.note == MARK else agent.note
            entry = record.data["agents"][agent.binary] = {"id": agent.id, "ours": ours, "note": note}
            record.save()
        if entry["ours"] and agent.note != MARK:
            neutron.set_agent(self.cloud, agent, agent.admin_up, MARK)
        return bool(entry["ours"])

    def _leave_l3(self, agent: Agent, record: Record) -> str:
        self._settle(record)
        self._refuse_lonely_ha(agent)
        self._move_all(agent, record)
        neutron.set_agent(self.cloud, agent, False, MARK)
        self._move_all(agent, record)  # what was scheduled there meanwhile
        standing = self._wait_for_standby(agent)
        count = len(record.data["routers"])
        also = f", {standing} with HA failed over" if standing else ""
        return f"{count} routers moved{also}"

    def _leave_dhcp(self, agent: Agent, record: Record) -> str:
        line = dhcp.leave(self.cloud, agent, record, self.policy.router_timeout)
        neutron.set_agent(self.cloud, agent, False, MARK)
        return line

    def _move_all(self, source: Agent, record: Record) -> None:
        routers = [one for one in neutron.routers_on(self.cloud, source.id) if not one.ha]
        if not routers:
            return
        able = [one for one in peers(source, neutron.agents(self.cloud, L3)) if one.note != MARK]
        load = {one.id: len(neutron.routers_on(self.cloud, one.id)) for one in able}
        at_once = self.policy.routers_at_once
        for first in range(0, len(routers), at_once):
            group = routers[first : first + at_once]
            self._move_group(group, source, record, lambda router: _choices(router, source, able, load))

    def _move_group(
        self,
        routers: Sequence[Router],
        source: Agent,
        record: Record,
        choices: Callable[[Router], list[Agent]],
    ) -> None:
        """Move some routers and wait for all of them; one that fails goes back to its source."""
        active = self._active_ports(routers, source)
        gone: dict[str, Agent] = {}
        failed: dict[str, str] = {}
        for router in routers:
            try:
                gone[router.id] = self._move(router, source, choices(router), record)
            except RolloutError as error:
                failed[router.name] = error.message
                break
        late = self._wait_active({moved: agent.host for moved, agent in gone.items()}, active)
        for router in [one for one in routers if one.id in late]:
            text = f"not active on {gone[router.id].host} after {self.policy.router_timeout} s"
            failed[router.name] = f"{text}, back on {source.host}"
            neutron.move_router(self.cloud, gone[router.id].id, source.id, router.id)
            del record.data["routers"][router.id]
            record.save()
        for moved in gone:
            if moved in record.data["routers"]:
                record.data["routers"][moved]["state"] = "moved"
        record.save()
        if failed:
            lines = "; ".join(f"router {name}: {why}" for name, why in failed.items())
            raise RolloutError("DRAIN_FAILED", f"{source.host}: {lines}", [source.host])

    def _move(self, router: Router, source: Agent, choices: Sequence[Agent], record: Record) -> Agent:
        """Give a router to the first agent that takes it; back to the source when none does."""
        why = "no other agent of its mode and zone is alive and up"
        for target in choices:
            entry = {"name": router.name, "from": source.id, "to": target.id, "state": "moving"}
            record.data["routers"][router.id] = entry
            record.save()
            try:
                neutron.move_router(self.cloud, source.id, target.id, router.id)
                return target
            except Exception as error:
                if not status_of(error):
                    raise
                why = f"{target.host} did not take it: {one_line(str(error))}"
                neutron.schedule_router(self.cloud, source.id, router.id)
                del record.data["routers"][router.id]
                record.save()
        raise RolloutError("DRAIN_FAILED", why)

    def _active_ports(self, routers: Iterable[Router], agent: Agent) -> set[str]:
        """The ports that worked before: what did not is not asked for afterwards."""
        found = neutron.ports_of(self.cloud, [router.id for router in routers if router.enabled])
        return {
            port.id
            for ports in found.values()
            for port in ports
            if port.status == "ACTIVE" and port.binding_host_id == agent.host
        }

    def _wait_active(self, hosts: Mapping[str, str], active: set[str]) -> list[str]:
        """Wait until each router's ports are bound to its new host and ACTIVE; returns those that are not."""
        until = time.monotonic() + self.policy.router_timeout
        waiting = dict(hosts)
        while waiting:
            for router, ports in neutron.ports_of(self.cloud, waiting).items():
                wanted = [port for port in ports if port.id in active]
                if all(p.binding_host_id == waiting[router] and p.status == "ACTIVE" for p in wanted):
                    del waiting[router]
            if not waiting or time.monotonic() > until:
                break
            time.sleep(_LOOK)
        return list(waiting)

    def _settle(self, record: Record) -> None:
        """Find out where the routers are whose move a killed process had begun; none stays unscheduled."""
        for router, entry in list(record.data["routers"].items()):
            if entry["state"] not in ("moving", "returning"):
                continue
            try:
                hosting = [agent.id for agent, _ in neutron.agents_hosting(self.cloud, router)]
                if not hosting:
                    neutron.schedule_router(self.cloud, entry["to"], router)
                    hosting = [entry["to"]]
            except Exception as error:
                if status_of(error) != 404:  # its owner has deleted it
                    raise
                hosting = []
            if entry["to"] in hosting:
                entry["state"] = "moved"
            else:
                del record.data["routers"][router]
            record.save()

    def _bring_back(self, agent: Agent, record: Record) -> str:
        """Move back what left this agent and is still where it went to."""
        routers = []
        for router, entry in list(record.data["routers"].items()):
            try:
                hosting = [one for one, _ in neutron.agents_hosting(self.cloud, router)]
            except Exception as error:
                if status_of(error) != 404:
                    raise
                hosting = []
            if [one.id for one in hosting] == [entry["to"]]:
                routers.append((router, entry, hosting[0]))
            else:
                del record.data["routers"][router]
        record.save()
        for first in range(0, len(routers), self.policy.routers_at_once):
            self._return_group(agent, routers[first : first + self.policy.routers_at_once], record)
        return f"{len(routers)} routers are back"

    def _return_group(
        self, home: Agent, routers: Sequence[tuple[str, dict[str, str], Agent]], record: Record
    ) -> None:
        ports = neutron.ports_of(self.cloud, [router for router, _, _ in routers])
        active = {port.id for some in ports.values() for port in some if port.status == "ACTIVE"}
        for router, entry, away in routers:
            entry["state"] = "returning"
            record.save()
            try:
                neutron.move_router(self.cloud, away.id, home.id, router)
            except Exception as error:
                if not status_of(error):
                    raise
                neutron.schedule_router(self.cloud, away.id, router)
                text = f"router {entry['name']} stays on {away.host}: {one_line(str(error))}"
                raise RolloutError("RESTORE_FAILED", f"{home.host}: {text}", [home.host]) from error
        late = self._wait_active({router: home.host for router, _, _ in routers}, active)
        for router, entry, away in routers:
            if router in late:
                neutron.move_router(self.cloud, home.id, away.id, router)
                entry["state"] = "moved"
            else:
                del record.data["routers"][router]
        record.save()
        if late:
            names = ", ".join(entry["name"] for router, entry, _ in routers if router in late)
            text = f"routers not active there after {self.policy.router_timeout} s, so not back: {names}"
            raise RolloutError("RESTORE_FAILED", f"{home.host}: {text}", [home.host])

    def _refuse_lonely_ha(self, agent: Agent) -> None:
        for router in neutron.routers_on(self.cloud, agent.id):
            if router.ha:
                others = [
                    one for one, _ in neutron.agents_hosting(self.cloud, router.id) if one.id != agent.id
                ]
                if not any(one.able for one in others):
                    text = f"router {router.name} has HA, but no other agent that is alive has it too"
                    raise RolloutError("DRAIN_FAILED", f"{agent.host}: {text}", [agent.host])

    def _wait_for_standby(self, agent: Agent) -> int:
        """Wait until each router with HA is active elsewhere; returns how many there are."""
        waiting = {router.id: router for router in neutron.routers_on(self.cloud, agent.id) if router.ha}
        count, until = len(waiting), time.monotonic() + self.policy.router_timeout
        while waiting:
            for router in list(waiting):
                hosting = neutron.agents_hosting(self.cloud, router)
                if any(one.id != agent.id and one.able and state == "active" for one, state in hosting):
                    del waiting[router]
            if waiting and time.monotonic() > until:
                names = ", ".join(router.name for router in waiting.values())
                text = f"no standby took over {names} within {self.policy.router_timeout} s"
                raise RolloutError("DRAIN_FAILED", f"{agent.host}: {text}", [agent.host])
            if waiting:
                time.sleep(_LOOK)
        return count

    def _ha_back(self, agent: Agent) -> None:
        """Wait until the agent has its routers with HA again, as active or standby."""
        until = time.monotonic() + self.policy.router_timeout
        for router in [one for one in neutron.routers_on(self.cloud, agent.id) if one.ha]:
            while True:
                hosting = neutron.agents_hosting(self.cloud, router.id)
                state = next((state for one, state in hosting if one.id == agent.id), None)
                if state in (None, "active", "standby"):
                    break
                if time.monotonic() > until:
                    text = f"router {router.name} with HA is {state} after {self.policy.router_timeout} s"
                    raise RolloutError("RESTORE_FAILED", f"{agent.host}: {text}", [agent.host])
                time.sleep(_LOOK)

    def _returned(self, node: str, binary: str) -> Agent:
        """The agent once it is alive with a heartbeat that is newer than this call."""
        until = time.monotonic() + self.policy.return_timeout
        before: str | None = None
        while True:
            now = neutron.agent_of(self.cloud, node, binary)
            if now is not None:
                before = before or now.heartbeat
                if now.alive and now.heartbeat != before:
                    return now
            if time.monotonic() > until:
                text = f"{node}: {binary} is not back after {self.policy.return_timeout} s"
                raise RolloutError("RESTORE_FAILED", text, [node])
            time.sleep(_LOOK)

    def _set_up(self, agent: Agent, entry: Mapping[str, Any]) -> None:
        if agent.note == MARK:
            neutron.set_agent(self.cloud, agent, True, entry["note"])


def _peer(agent: Agent, other: Agent) -> bool:
    return (
        other.id != agent.id
        and other.able
        and other.mode == agent.mode
        and (other.binary != L3 or other.hosts_routers)
    )


def peers(agent: Agent, agents: Iterable[Agent], away: Sequence[str] = ()) -> list[Agent]:
    """The agents that could take over from one, but for those of hosts that are away."""
    return [one for one in agents if _peer(agent, one) and one.host not in away]


def _spared(nodes: Sequence[str], agents: Sequence[Agent]) -> bool:
    """Whether each of these nodes' agents has a peer outside of them."""
    by_host = {one.host: one for one in agents}
    here = [agent for node in nodes if (agent := match_host(node, by_host)) is not None]
    away = [agent.host for agent in here]
    return all(peers(agent, agents, away) for agent in here)


def _choices(router: Router, source: Agent, peers: Iterable[Agent], load: dict[str, int]) -> list[Agent]:
    """The agents that may take a router: its own zones only, those of its source's zone first, then the least
    loaded; the first is counted as having it.
    """
    allowed = [one for one in peers if not router.zones or one.zone in router.zones]
    found = sorted(allowed, key=lambda one: (one.zone != source.zone, load[one.id], one.host))
    if found:
        load[found[0].id] += 1
    return found
