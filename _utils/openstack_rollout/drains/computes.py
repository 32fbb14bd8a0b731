"""What the drains of computes have in common: disabling a compute service, and enabling it again.

It is disabled with a reason that names this product, and enabled again only if that reason is still there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud, match_host
from openstack_rollout.cloud.nova import Service
from openstack_rollout.cloud.placement import Placement
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import ComputePolicy
from openstack_rollout.drains import instance_ha
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError

MARK = "openstack-rollout"
REASON = f"{MARK}: drained for an update"
_POLL_INTERVAL = 1.0  # seconds


class ComputeDrain:
    """The base class of the drains of computes.

    model (Model): what is declared. role (str): the computes'. ask: not used, Nova is asked instead.

    Its keys in a record: `host` (OpenStack's name of the node), `service` (`id`, `disabled_by_us`, and
    `reason` as it was before), `servers` (for subclasses).
    """

    def __init__(self, model: Model, role: str = "compute", ask: Ask | None = None):
        self.cloud = Cloud(model.cloud)
        self.policy: ComputePolicy = model.policies.of(role)
        self.stages = model.drained_before(role)

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError when a node is not a compute (DRAIN_FAILED) or no other is up (NO_SPARE).

        nodes: minion ids. Raises API_UNREACHABLE too.
        """
        self.cloud.require_reachable()
        services = nova.services(self.cloud)
        placement = Placement(services)
        for node in nodes:
            service = match_host(node, services)
            if service is None:
                text = f"{node}: cloud {self.cloud.name} has no nova-compute of that host name"
                raise RolloutError("DRAIN_FAILED", text, [node])
            if not placement.spare_hosts([service.host]):
                text = f"{node}: no other compute is up and enabled to take its servers"
                raise RolloutError("NO_SPARE", text, [node])

    def disable(self, service: Service, record: Record) -> None:
        """Disable a compute service unless an operator did, and begin its maintenance in instance-HA.

        service: as it is now. record: remembers whether it was disabled before. Raises RolloutError
        API_UNREACHABLE.
        """
        if "service" not in record.data:
            by_us = service.enabled or service.reason.startswith(MARK)
            record.data.update(
                host=service.host,
                service={"id": service.id, "disabled_by_us": by_us, "reason": service.reason},
            )
            record.data.setdefault("servers", {})
            record.save()
        if record.data["service"]["disabled_by_us"] and service.enabled:
            nova.disable(self.cloud, service, REASON)
        instance_ha.begin_maintenance(self.cloud, service.host, record)

    def enable(self, node: str, record: Record) -> str:
        """Wait until nova-compute is up, and enable it if `disable` had disabled it.

        node: minion id. Returns a line for people, to be read after the node's name; "" when the record says
        that nothing was disabled. Raises RolloutError RESTORE_FAILED when it is not up in time.
        """
        if "service" not in record.data:
            return ""
        service = self._wait_until_up(node)
        if not record.data["service"]["disabled_by_us"]:
            line = "left disabled, as it was before the drain"
        elif service.enabled or service.reason.startswith(MARK):
            if not service.enabled:
                nova.enable(self.cloud, service)
            self._wait_for_placement(node, service.host)
            line = "is enabled"
        else:
            line = f"left disabled: an operator disabled it ({service.reason})"
        instance_ha.end_maintenance(self.cloud, record)
        return line

    def _wait_for_placement(self, node: str, host: str) -> None:
        """Wait until Placement offers an enabled compute again: before, no server can be placed there."""
        deadline = time.monotonic() + self.policy.return_timeout
        hypervisor = nova.hypervisors(self.cloud).get(host)
        while hypervisor and nova.disabled_in_placement(self.cloud, str(hypervisor["id"])):
            if time.monotonic() > deadline:
                text = (
                    f"Placement still has COMPUTE_STATUS_DISABLED for it after {self.policy.return_timeout} s"
                )
                raise RolloutError("RESTORE_FAILED", f"{node}: is enabled, but {text}", [node])
            time.sleep(_POLL_INTERVAL)

    def _wait_until_up(self, node: str) -> Service:
        """The service once it is up, with a heartbeat that is newer than this call."""
        deadline = time.monotonic() + self.policy.return_timeout
        before = nova.service_of(self.cloud, node)
        while True:
            now = nova.service_of(self.cloud, node)
            if now.up and now.heartbeat != before.heartbeat:
                return now
            if time.monotonic() > deadline:
                text = f"{node}: nova-compute is not up after {self.policy.return_timeout} s"
                raise RolloutError(
                    "RESTORE_FAILED", f"{text} (its last heartbeat was at {now.heartbeat})", [node]
                )
            time.sleep(_POLL_INTERVAL)


def some_of(lines: Sequence[str], limit: int = 5) -> str:
    """The first lines (str), joined, and how many more there are. limit (int): how many to show."""
    more = f" and {len(lines) - limit} more" if lines[limit:] else ""
    return "; ".join(lines[:limit]) + more
