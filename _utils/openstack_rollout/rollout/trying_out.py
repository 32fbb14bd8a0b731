"""What a run changed, and the cloud tried on it at the end."""

from __future__ import annotations

from collections.abc import Mapping

from openstack_rollout.declared.model import Model
from openstack_rollout.records.run_record import NodeRecord, Run
from openstack_rollout.rollout.fleet import Halted
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.questions import unhindered


def try_out(run: Run, model: Model, records: Mapping[str, NodeRecord], halted: Halted, ports: Ports) -> None:
    """Have the cloud do something real on what this run updated.

    records: what it did to its nodes. halted: as of `unhindered`. Raises RolloutError.
    """
    updated = {
        role: [
            node for node, record in records.items() if model.base(record.role) == role and is_updated(record)
        ]
        for role in ("compute", "gateway")
    }
    if any(updated.values()):
        # What one that is left alone creates, the next one deletes.
        run.verified = unhindered(
            lambda: ports.verification(model, updated["compute"], updated["gateway"]), halted
        )


def is_updated(record: NodeRecord) -> bool:
    """Whether a run applied something to a node, by its record."""
    return any(step.step == "apply" and step.outcome == "done" for step in record.history)
