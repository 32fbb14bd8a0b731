"""The drain of gateways with Neutron's agents: routers and DHCP networks move to agents of other gateways.

Afterwards the agents are set down, so that nothing new is scheduled to them and routers with HA fail over
while the node still runs. Its keys in a record: `agents`, `routers` and `networks`; see agents.py, routers.py
and dhcp.py.
"""

from __future__ import annotations

from collections.abc import Sequence

from openstack_rollout.cloud import neutron
from openstack_rollout.cloud.api import Cloud, match_host
from openstack_rollout.cloud.neutron import DHCP, L3, Agent
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import GatewayPolicy
from openstack_rollout.drains import agents, dhcp, ha_routers
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.drains.routers import RouterMover
from openstack_rollout.errors import RolloutError


class MoveRouters:
    """Moves what runs on a gateway's L3 and DHCP agents. Implements contract.Drain.

    model (Model): what is declared. role (str): the gateways'. ask: not used, Neutron is asked instead.
    """

    def __init__(self, model: Model, role: str = "gateway", ask: Ask | None = None):
        self.cloud = Cloud(model.cloud)
        self.policy: GatewayPolicy = model.policies.of(role)
        # With OpenContrail, gateways host no routers of Neutron's agents.
        self.stages = frozenset() if model.opencontrail else model.drained_before(role)
        self._routers = RouterMover(self.cloud, self.policy)

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError when a node has no agent (DRAIN_FAILED) or its agent has no peer (NO_SPARE).

        nodes: minion ids. Raises API_UNREACHABLE too.
        """
        self.cloud.require_reachable()
        for binary, found in self._agents().items():
            for node in nodes:
                agent = match_host(node, {one.host: one for one in found})
                if agent and agent.admin_up and not agents.peers(agent, found):
                    text = f"{node}: no other {binary} of its mode is alive and up to take over"
                    raise RolloutError("NO_SPARE", text, [node])
        known = {one.host: one for found in self._agents().values() for one in found}
        for node in nodes:
            if match_host(node, known) is None:
                text = f"{node}: cloud {self.cloud.name} has no L3 or DHCP agent of that host name"
                raise RolloutError("DRAIN_FAILED", text, [node])

    def capacity(self, nodes: Sequence[str]) -> int:
        """As many as leave each of their agents a peer that is alive and up."""
        by_binary = self._agents()
        for count in range(len(nodes), 0, -1):
            if all(agents.each_has_peer(nodes[:count], found) for found in by_binary.values()):
                return count
        return 0

    def drain(self, node: str, record: Record) -> str:
        """Move routers and networks away, then set the agents down. Raises RolloutError DRAIN_FAILED."""
        lines = []
        for key in ("agents", "routers", "networks"):
            record.data.setdefault(key, {})
        for binary in (L3, DHCP):
            agent = neutron.agent_of(self.cloud, node, binary)
            if agent is None:
                continue
            if not agents.reserve(self.cloud, agent, record):
                lines.append(f"{binary} left down, as it was before the drain")
                continue
            drain = self._drain_l3 if binary == L3 else self._drain_dhcp
            lines.append(drain(agent, record))
        return ", ".join(lines) or "no Neutron agent runs there"

    def restore(self, node: str, record: Record) -> str:
        """Set the agents up and bring back what left them. Raises RolloutError RESTORE_FAILED."""
        if not record.data.get("agents"):
            return "nothing to restore"
        lines = []
        for binary, entry in record.data["agents"].items():
            if not entry["set_down_by_us"]:
                continue
            agent = agents.wait_until_alive(self.cloud, node, binary, self.policy.return_timeout)
            agents.set_up(self.cloud, agent, entry)
            if binary == L3:
                self._routers.complete_interrupted(record)
                lines.append(self._routers.move_back(agent, record))
                ha_routers.wait_until_rejoined(self.cloud, agent, self.policy.router_timeout)
            else:
                lines.append(dhcp.move_back(self.cloud, agent, record, self.policy.router_timeout))
        return ", ".join(lines) or "left as it was before the drain"

    def _agents(self) -> dict[str, list[Agent]]:
        return {binary: neutron.agents(self.cloud, binary) for binary in (L3, DHCP)}

    def _drain_l3(self, agent: Agent, record: Record) -> str:
        self._routers.complete_interrupted(record)
        ha_routers.refuse_ha_without_standby(self.cloud, agent)
        if agent.available:
            ha_routers.require_one_active(self.cloud, agent, self.policy.router_timeout)
        self._routers.move_away(agent, record)
        agents.set_down(self.cloud, agent)
        self._routers.move_away(agent, record)  # those that were scheduled there in the meantime
        with_ha = ha_routers.wait_for_failover(self.cloud, agent, self.policy.router_timeout)
        failed_over = f", {with_ha} with HA failed over" if with_ha else ""
        return f"{len(record.data['routers'])} routers moved{failed_over}"

    def _drain_dhcp(self, agent: Agent, record: Record) -> str:
        line = dhcp.move_away(self.cloud, agent, record, self.policy.router_timeout)
        agents.set_down(self.cloud, agent)
        return line
