"""Where the cloud stands: measured facts beside the journal, as data that prints as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from openstack_rollout import release
from openstack_rollout.errors import REASONS
from openstack_rollout.fleet import Answers
from openstack_rollout.membership import Membership
from openstack_rollout.procedure import STAGES
from openstack_rollout.window import in_order

# States of a run whose nodes' fates still matter; `interrupted` is one that runs in no process any more.
_TOLD = ("running", "paused", "interrupted", "incomplete")


def status(
    openstack: Mapping[str, Any],
    members: Membership,
    answers: Answers,
    run: Mapping[str, Any] | None,
    records: Mapping[str, dict[str, Any]],
    *,
    drained: Mapping[str, dict[str, Any]],
) -> dict[str, Any]:
    """Everything that rollout.status tells.

    facts, failures: as Membership.measure gives them. run, records: of the journal, None and {} before the
    first. drained: the records of drained nodes (drain.NodeRecord).
    """
    target = release.wanted(openstack)
    nodes = {}
    for name in members.ids:
        record = records.get(name, {}) if run and run["state"] in _TOLD else {}
        nodes[name] = _node(members.node(name).role, name, answers, record)
    versions = {node["deployed"] for node in nodes.values()}
    return {
        "name": openstack.get("name") or "openstack",
        "target": target,
        "available": release.available(openstack),
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


def _node(role: str, name: str, answers: Answers, record: Mapping[str, Any]) -> dict[str, Any]:
    facts, failure = answers.facts.get(name), answers.failures.get(name)
    stages = facts["stages"] if facts else {}
    at_target = facts is not None and facts["target"] in ("", facts["deployed"])
    if at_target and facts and not facts["health"] and record.get("state") == "failed":
        record = {}  # mended since; what is measured counts
    reason, message = failure or (record.get("reason", ""), record.get("message", ""))
    if failure:
        state = "silent" if reason == "NODE_SILENT" else "error"
    elif record.get("state") in ("in_flight", "failed"):
        state = record["state"]
    else:
        state = "at_target" if at_target else "pending"
    return {
        "role": role,
        "zone": facts.get("zone") if facts else record.get("zone"),
        "deployed": facts["deployed"] if facts else None,
        "stages": {stage: "pending" if stages[stage] else "done" for stage in STAGES if stage in stages},
        "state": state,
        "stage": record.get("stage", "") if state in ("in_flight", "failed") else "",
        "step": record.get("step", "") if state in ("in_flight", "failed") else "",
        "reason": reason,
        "message": message,
        "health": list(facts["health"]) if facts else [],
        "switch": facts.get("switch") if facts else None,
        "held": dict(facts.get("held", {})) if facts else {},
        "configuration": list(facts.get("configuration", ())) if facts else [],
        "reboot": list(facts.get("reboot", ())) if facts else [],
        "differences": {stage: list(lines) for stage, lines in stages.items() if lines},
        "notes": list(facts["notes"]) if facts else [],
    }


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
