"""Where the cloud stands: measured facts beside the journal, as data that prints as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout.declared import releases, words
from openstack_rollout.declared.differences import Compared, Difference
from openstack_rollout.declared.model import Model
from openstack_rollout.errors import REASONS
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.vocabulary import STAGES, in_order

# States of a run whose nodes' fates still matter; `interrupted` is one that runs in no process any more.
_TOLD = ("running", "paused", "interrupted", "incomplete")


def status(
    model: Model,
    members: Membership,
    measured: Measured,
    run: Mapping[str, Any] | None,
    records: Mapping[str, dict[str, Any]],
    *,
    drained: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """Everything that rollout.status tells.

    measured: of Membership.measure. run, records: of the journal, None and {} before the
    first. drained: the records of drained nodes (drain.NodeRecord).
    """
    target = releases.wanted(model)
    nodes = {}
    for name in members.ids:
        record = records.get(name, {}) if run and run["state"] in _TOLD else {}
        nodes[name] = _node(members.node(name).role, name, measured, record)
    versions = {node["deployed"] for node in nodes.values()}
    return {
        "name": model.name,
        "target": target,
        "available": releases.available(model),
        "deployed": versions.pop() if len(versions) == 1 else None,
        "run": _run(run),
        "roles": {
            role: {
                "at_target": sum(target in ("", nodes[name]["deployed"]) for name in names),
                "total": len(names),
            }
            for role, names in members.roles.items()
        },
        "nodes": nodes,
        "drained": {
            node: {key: value for key, value in drained[node].items() if key != "data"}
            for node in in_order(drained)
        },
    }


def _node(role: str, name: str, measured: Measured, record: Mapping[str, Any]) -> dict[str, Any]:
    node, failure = measured.nodes.get(name), measured.failures.get(name)
    at_target = node is not None and node.target in ("", node.deployed)
    if at_target and node and not node.health and record.get("state") == "failed":
        record = {}  # mended since; what is measured counts
    reason, message = failure or (record.get("reason", ""), record.get("message", ""))
    if failure:
        state = "silent" if reason == "NODE_SILENT" else "error"
    elif record.get("state") in ("in_flight", "failed"):
        state = record["state"]
    else:
        state = "at_target" if at_target else "pending"
    here = state in ("in_flight", "failed")
    return {
        "role": role,
        "zone": node.zone if node else record.get("zone"),
        "state": state,
        "stage": record.get("stage", "") if here else "",
        "step": record.get("step", "") if here else "",
        "reason": reason,
        "message": message,
        **_measured(node),
    }


def _measured(node: Compared | None) -> dict[str, Any]:
    """What was measured of a node, nothing where it was not."""
    stages = node.stages if node else {}
    return {
        "deployed": node.deployed if node else None,
        "stages": {stage: "pending" if stages[stage] else "done" for stage in STAGES if stage in stages},
        "health": words.differences(node.health) if node else [],
        "switch": node.switch if node else None,
        "held": node.held if node else {},
        "configuration": node.configuration if node else [],
        "reboot": node.reboot if node else [],
        "differences": {
            stage: [_difference(one, node) for one in found] for stage, found in stages.items() if found
        },
        "notes": [words.note(one) for one in node.notes] if node else [],
    }


def _difference(one: Difference, node: Compared | None) -> dict[str, Any]:
    """A difference for programs, and its sentence for people."""
    record = {"kind": one.kind.value, "subject": one.subject, "have": one.have, "want": one.want}
    return {**record, "text": words.difference(one, node)}


def _run(run: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if run is None:
        return None
    current = [
        stage for stage, record in run["stage"].items() if record.get("state") in ("running", run["state"])
    ]
    return {
        "id": run["id"],
        "orchestration": run["orchestration"],
        "target": run["target"],
        "state": run["state"],
        "stage": current[-1] if current and run["state"] != "completed" else "",
        "reason": run["reason"],
        "message": run["message"],
        "remedy": REASONS.get(run["reason"], ""),
    }
