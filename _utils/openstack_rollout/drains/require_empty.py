"""The drain of computes that are updated only when no server runs on them: an operator moves the servers."""

from __future__ import annotations

from collections.abc import Sequence

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import match_host
from openstack_rollout.cloud.nova import Service
from openstack_rollout.cloud.placement import Placement
from openstack_rollout.drains.computes import ComputeDrain, some_of
from openstack_rollout.drains.contract import Record
from openstack_rollout.errors import RolloutError


class RequireEmpty(ComputeDrain):
    """Leaves a compute out as long as a server runs on it. Implements contract.Drain."""

    def capacity(self, nodes: Sequence[str]) -> int:
        """As many as leave one compute that is up and enabled."""
        services = nova.services(self.cloud)
        for count in range(len(nodes), 0, -1):
            drained = [found.host for node in nodes[:count] if (found := match_host(node, services))]
            if Placement(services).spare_hosts(drained):
                return count
        return 0

    def drain(self, node: str, record: Record) -> str:
        """Disable the compute if no server runs on it. Raises RolloutError SERVERS_UNMOVABLE."""
        service = nova.service_of(self.cloud, node)
        self._refuse_servers(node, service)
        self.disable(service, record)
        self._refuse_servers(node, service)  # one may have been placed in between
        return "no server runs on it"

    def restore(self, node: str, record: Record) -> str:
        """Enable it again."""
        return self.enable(node, record) or "nothing to restore"

    def _refuse_servers(self, node: str, service: Service) -> None:
        on_host = nova.servers_on(self.cloud, service.host)
        running = [server.name_and_id for server in on_host if not server.at_rest]
        if running:
            text = f"{node}: servers still run on it: {some_of(running)}"
            raise RolloutError("SERVERS_UNMOVABLE", text, [node])
