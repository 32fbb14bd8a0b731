"""Where the cloud stands: measured facts beside the journal, as data that prints as a table or as JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from openstack_rollout.declared import releases, words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference
from openstack_rollout.declared.model import Model
from openstack_rollout.declared.next_boot import Doubt
from openstack_rollout.errors import REASONS
from openstack_rollout.records.drain_record import DrainRecord
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, RunState, StageState
from openstack_rollout.records.stored import plain
from openstack_rollout.records.way_back import InForce
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.rollout.tags import Tag, told
from openstack_rollout.vocabulary import STAGES, in_order

# States of a run whose nodes' fates still matter.
_OF_INTEREST = (RunState.RUNNING, RunState.PAUSED, RunState.INTERRUPTED, RunState.INCOMPLETE,
                RunState.OPEN_ENDS)  # fmt: skip
_OVER = (RunState.COMPLETED, RunState.OPEN_ENDS)


def status(
    model: Model,
    members: Membership,
    measured: Measured,
    run: Run | None,
    records: Mapping[str, NodeRecord],
    *,
    drained: Mapping[str, DrainRecord],
    gone: Mapping[str, Mapping[str, str]],
    asked: str = "",
    tags: Sequence[Tag] = (),
    estimate: Mapping[str, Any] | None = None,
    rollback: InForce | None = None,
    holder: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything that rollout.status tells.

    measured: of Membership.measure. run, records: of the journal, None and {} before the
    first. drained: the records of drained nodes. gone: nodes of the last run that are no minions any more.
    asked: what an operator asked of the run (pause, abort) that has not taken effect yet. tags: those of
    custom images. estimate: how long the rest of the run takes, as of Estimate.of_run; None where nobody
    works on one. rollback: the one that overrides the target, None without one. holder: who has the lock, as
    of Lock.holder.
    """
    target = releases.wanted(model)
    nodes = {}
    for name in members.ids:
        record = records.get(name) if run and run.state in _OF_INTEREST else None
        nodes[name] = _node(members.node(name).role, name, measured, record or NodeRecord())
        if model.backs is not None and nodes[name]["state"] == "pending" and name in measured.nodes:
            nodes[name]["state"] = _held(measured.nodes[name], name in model.backs)
    versions = {node["deployed"] for node in nodes.values()}
    return {
        "name": model.name,
        "target": target,
        "available": releases.available(model),
        "deployed": versions.pop() if len(versions) == 1 else None,
        "run": _run(run, asked, estimate, holder),
        "rollback": plain(rollback) if rollback else None,
        "roles": {
            role: {
                "at_target": sum(target in ("", nodes[name]["deployed"]) for name in names),
                "total": len(names),
            }
            for role, names in members.roles.items()
        },
        "nodes": nodes,
        "gone": dict(gone),
        "tags": told(tags),
        "drained": {
            node: {key: value for key, value in plain(drained[node]).items() if key != "data"}
            for node in in_order(drained)
        },
    }


def _held(node: Compared, goes_back: bool) -> str:
    """What a node is whose target is overridden: still to go back, there, or held as it is."""
    if not goes_back:
        return "held"
    return "pending" if any(node.stages.values()) else "rolled_back"


def _node(role: str, name: str, measured: Measured, record: NodeRecord) -> dict[str, Any]:
    node, failure = measured.nodes.get(name), measured.failures.get(name)
    at_target = node is not None and node.target in ("", node.deployed)
    if at_target and node and not node.health and record.state is NodeState.FAILED:
        record = NodeRecord()  # mended since; what is measured counts
    reason, message = failure or (record.reason, record.message)
    if failure:
        state = "silent" if reason == "NODE_SILENT" else "error"
    elif record.state in (NodeState.IN_FLIGHT, NodeState.FAILED):
        state = "quarantined" if record.quarantined else record.state.value
    else:
        state = "at_target" if at_target else "pending"
    here = state in ("in_flight", "failed", "quarantined")
    return {
        "role": role,
        "zone": node.zone if node else record.zone,
        "state": state,
        "stage": record.stage if here else "",
        "round": record.round if here else "",
        "step": record.step if here else "",
        "slow": record.slow if here else 0.0,
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
        "stays": node.stays if node else {},
        "configuration": node.configuration if node else [],
        "reboot": node.reboot if node else [],
        "reboot_without_effect": node.reboot_without_effect if node else [],
        "next_boot": [doubt(one) for one in node.next_boot] if node else [],
        "differences": {
            stage: [_difference(one, node) for one in found] for stage, found in stages.items() if found
        },
        "notes": [words.note(one) for one in node.notes] if node else [],
    }


def _difference(one: Difference, node: Compared | None) -> dict[str, Any]:
    """A difference for programs, and its sentence for people."""
    record = {"kind": one.kind.value, "subject": one.subject, "have": one.have, "want": one.want}
    return {**record, "text": words.difference(one, node)}


def doubt(one: Doubt) -> dict[str, str]:
    """A doubt about the next boot for programs, and its sentence for people."""
    return {"cause": one.cause.value, "have": one.have, "want": one.want, "text": words.doubt(one)}


def _run(
    run: Run | None, asked: str, estimate: Mapping[str, Any] | None, holder: Mapping[str, Any] | None
) -> dict[str, Any] | None:
    if run is None:
        return None
    driver = holder if holder and holder["run"] == run.id else None
    here = (StageState.RUNNING.value, run.state.value)
    current = [stage for stage, record in run.stage.items() if record.state.value in here]
    closed = run.closed if run.reason == "WINDOW_CLOSED" else None
    return {
        "id": run.id,
        "orchestration": run.orchestration,
        "target": run.target,
        "rollback": run.rollback,
        "state": run.state.value,
        "driver": {name: driver[name] for name in ("pid", "host", "since")} if driver else None,
        "asked": asked,
        "limit": run.asked.limit,
        "until": run.asked.until,
        "questions": [asdict(one) for one in run.questions.values()],
        "estimate": estimate,
        "opens": closed.opens if closed else None,
        "closed": asdict(closed) if closed else None,
        "stage": current[-1] if current and run.state not in _OVER else "",
        "reason": run.reason,
        "message": run.message,
        "remedy": REASONS.get(run.reason, ""),
    }
