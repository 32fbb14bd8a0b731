"""The drain of computes that are updated only when no server runs on them: an operator moves them away."""

from __future__ import annotations

from collections.abc import Sequence

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import match_host
from openstack_rollout.cloud.nova import Service
from openstack_rollout.cloud.placement import Landscape
from openstack_rollout.drains.computes import Compute, listed
from openstack_rollout.drains.contract import Record
from openstack_rollout.errors import RolloutError


class RequireEmpty(Compute):
    """A compute is updated only when an operator has moved its servers away."""

    def room(self, nodes: Sequence[str]) -> int:
        """As many as leave one compute that is up and enabled."""
        services = nova.services(self.cloud)
        for count in range(len(nodes), 0, -1):
            away = [found.host for node in nodes[:count] if (found := match_host(node, services))]
            if Landscape(services).spares(away):
                return count
        return 0

    def drain(self, node: str, record: Record) -> str:
        """Close the compute if nothing runs on it. Raises RolloutError SERVERS_UNMOVABLE."""
        service = nova.service_of(self.cloud, node)
        self._refuse_guests(node, service)
        self.close(service, record)
        self._refuse_guests(node, service)  # one may have been placed in between
        return "no server runs on it"

    def restore(self, node: str, record: Record) -> str:
        """Open it again."""
        return self.open(node, record) or "nothing had been done"

    def _refuse_guests(self, node: str, service: Service) -> None:
        running = [guest.called for guest in nova.servers_on(self.cloud, service.host) if not guest.at_rest]
        if running:
            raise RolloutError("SERVERS_UNMOVABLE", f"{node}: {listed(running)} still on it", [node])
