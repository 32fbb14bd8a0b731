"""What the drains of computes share: closing a compute to the scheduler, and opening it again.

It is closed with a reason that names us, and opened again only if that reason still stands there.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from openstack_rollout.cloud import nova
from openstack_rollout.cloud.api import Cloud, match_host
from openstack_rollout.cloud.nova import Service
from openstack_rollout.cloud.placement import Landscape
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.policies import ComputePolicy
from openstack_rollout.drains import instance_ha
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError

MARK = "openstack-rollout"
REASON = f"{MARK}: drained for an update"
_LOOK = 1.0


class Compute:
    """What both kinds share: closing a compute and opening it again.

    model (Model): what is declared. role (str). ask: not needed, Nova knows.
    """

    def __init__(self, model: Model, role: str = "compute", ask: Ask | None = None):
        self.cloud = Cloud(model.cloud)
        self.policy: ComputePolicy = model.policies.of(role)
        self.stages = model.drained_before(role)

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError when the API is away, a node is no compute, or one has no healthy spare."""
        self.cloud.reach()
        services = nova.services(self.cloud)
        landscape = Landscape(services)
        for node in nodes:
            here = match_host(node, services)
            if here is None:
                text = f"{node}: cloud {self.cloud.name} has no nova-compute of that host name"
                raise RolloutError("DRAIN_FAILED", text, [node])
            if not landscape.spares([here.host]):
                text = f"no other compute than {node} is up and enabled, so nothing could take its servers"
                raise RolloutError("NO_SPARE", text, [node])

    def close(self, service: Service, record: Record) -> None:
        """Disable the compute service, unless an operator did, and have instance-HA leave the host alone."""
        if "service" not in record.data:
            ours = service.enabled or service.reason.startswith(MARK)
            record.data.update(
                host=service.host, service={"id": service.id, "ours": ours, "reason": service.reason}
            )
            record.data.setdefault("servers", {})
            record.save()
        if record.data["service"]["ours"] and service.enabled:
            nova.disable(self.cloud, service, REASON)
        instance_ha.stand_still(self.cloud, service.host, record)

    def open(self, node: str, record: Record) -> str:
        """Wait for nova-compute to be back, and enable it if we had disabled it; returns what was done."""
        if "service" not in record.data:
            return ""
        service = self._returned(node)
        if not record.data["service"]["ours"]:
            done = "stays disabled, as it was before"
        elif service.enabled or service.reason.startswith(MARK):
            if not service.enabled:
                nova.enable(self.cloud, service)
            self._wait_until_offered(node, service.host)
            done = "is enabled"
        else:
            done = f"stays disabled by another hand ({service.reason})"
        instance_ha.watch_again(self.cloud, record)
        return done

    def _wait_until_offered(self, node: str, host: str) -> None:
        """Until Placement offers a compute that was enabled, nothing can be placed there or come back."""
        until = time.monotonic() + self.policy.return_timeout
        facts = nova.hypervisors(self.cloud).get(host)
        while facts and nova.kept_off(self.cloud, str(facts["id"])):
            if time.monotonic() > until:
                late = f"Placement says COMPUTE_STATUS_DISABLED of it after {self.policy.return_timeout} s"
                raise RolloutError("RESTORE_FAILED", f"{node}: is enabled, but {late}", [node])
            time.sleep(_LOOK)

    def _returned(self, node: str) -> Service:
        """The service once it is up with a heartbeat that is newer than this call."""
        until = time.monotonic() + self.policy.return_timeout
        before = nova.service_of(self.cloud, node)
        while True:
            now = nova.service_of(self.cloud, node)
            if now.up and now.heartbeat != before.heartbeat:
                return now
            if time.monotonic() > until:
                text = f"{node}: nova-compute is not back after {self.policy.return_timeout} s"
                raise RolloutError(
                    "RESTORE_FAILED", f"{text} (its last heartbeat was at {now.heartbeat})", [node]
                )
            time.sleep(_LOOK)


def listed(lines: Sequence[str], most: int = 5) -> str:
    """The first lines as one, and how many more there are."""
    more = f" and {len(lines) - most} more" if lines[most:] else ""
    return "; ".join(lines[:most]) + more
