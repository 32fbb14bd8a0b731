"""What a rollback would do, found by asking: its plan, what refuses it, what would change on each node."""

from __future__ import annotations

from typing import Any

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference
from openstack_rollout.rollout import dry_run, plan, preconditions
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.rollback import EVERYTHING, Asked, Rollback


def planned(ports: Ports, asked: Asked = EVERYTHING) -> dict[str, Any]:
    """The plan of a rollback that would begin now, as data. Touches nothing, and writes nothing.

    Returns the keys of dry_run.dry_run, and "rollback": {"of": the run that would be undone, "release": that
    at which its nodes were, "" where they were not at one, "others": as of WayBack, "pulls": {node: {service:
    image that it had, and that is not there any more}}}. Node states cannot be asked, as long as the rollback
    is not in force: `nodes` are the differences. Raises RolloutError NO_RUN, NO_NODES, STAGE_OUT_OF_ORDER.
    """
    found, refusal = Rollback(ports).look(asked)
    drains = ports.drains(found.model)
    nodes = found.measured.nodes
    tree = plan.of_run(found.model, found.members, nodes, drains, found.stages, found.limit)
    pulls = {node: dict(preconditions.images_to_pull(nodes[node], found.stages)) for node in tree.prefetch}
    undone = {"of": found.of.id, "release": found.release, "others": found.others}
    return {
        **tree.plain(),
        "target": found.release,
        "rollback": {**undone, "pulls": {node: some for node, some in pulls.items() if some}},
        "gone": found.gone,
        "limit": found.limit.target,
        "refused": str(refusal) if refusal else None,
        "remedy": refusal.remedy if refusal else "",
        "workloads": dry_run.workloads(found.model, ports, tree, found.members, drains),
        "nodes": {node: _changes(nodes[node]) for node in tree.prefetch},
        "boots": dry_run.boots(tree, nodes),
        "failures": {
            node: f"{reason}: {message}"
            for node, (reason, message) in found.limit.inside(found.measured).failures.items()
        },
    }


def _changes(one: Compared) -> dict[str, list[dict[str, Any]]]:
    return {
        stage: [_change(difference, one) for difference in found]
        for stage, found in one.stages.items()
        if found
    }


def _change(one: Difference, node: Compared) -> dict[str, Any]:
    changes = {one.subject: {"old": one.have, "new": one.want}}
    return {"state": one.subject, "comment": words.difference(one, node), "changes": changes, "fails": False}
