"""Nodes that failed and are set aside, where the policy of their role says so: the run goes on without them.

They stay as they are, drained if they were. They are named in status and report, and tried again by the next
run; by the same one when somebody looked after a pause that a failure made.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from openstack_rollout.declared.policies import Policy
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, RunState
from openstack_rollout.rollout import judging
from openstack_rollout.rollout.adoption import node_of
from openstack_rollout.rollout.node_log import NodeLog
from openstack_rollout.rollout.window import InFlight


def set_aside(log: NodeLog, policies: Mapping[str, Policy], too_many: Collection[str]) -> list[str]:
    """Set the nodes aside that failed, as the policy of their role says; returns their ids.

    log: what the run did to its nodes. too_many: those of which more failed than may; they are not set aside.
    Raises RolloutError JOURNAL_FAILED.
    """
    found = []
    for name, record in log.records.items():
        policy = policies.get(record.role)
        if (
            policy is not None
            and policy.on_failure == "quarantine"
            and record.state is NodeState.FAILED
            and not record.quarantined
            and record.reason not in (*judging.EXCLUDED, *judging.OF_ALL)
            and name not in too_many
        ):
            node = node_of(name, record)
            log.note(node, quarantined=True)
            message = f"it is set aside, the run goes on without it: {record.message}"
            log.tell(node, record, record.step, "quarantined", record.reason, message, InFlight())
            found.append(name)
    return found


def of(records: Mapping[str, NodeRecord]) -> dict[str, NodeRecord]:
    """The nodes that are set aside. records: node id → what the run did to it."""
    return {node: one for node, one in records.items() if one.quarantined and one.state is NodeState.FAILED}


def retry(log: NodeLog, failed: Mapping[str, NodeRecord], paused_for: str) -> None:
    """Give the nodes that failed another chance in the run that goes on.

    failed: their records. paused_for (str): the reason, "" for a run that was interrupted. Those that are set
    aside have one only when it was a node's failure: somebody saw to it since. Raises RolloutError
    JOURNAL_FAILED.
    """
    looked_at = bool(paused_for) and any(one.reason == paused_for for one in failed.values())
    for name, record in failed.items():
        if looked_at or not record.quarantined:
            log.note(node_of(name, record), state=NodeState.WAITING, tries={}, quarantined=False)


def end(run: Run, nodes: Mapping[str, NodeRecord], drained: Collection[str]) -> None:
    """Note that a run is completed, and what it leaves open.

    nodes: those that are set aside. drained: the ids of drained nodes.
    """
    run.state, run.reason, run.message = RunState.COMPLETED, "", ""
    if nodes:
        run.state, run.message = RunState.OPEN_ENDS, f"without {', '.join(sorted(nodes))}: set aside"
    run.open_ends = {
        name: {
            **{"role": one.role, "stage": one.stage, "step": one.step},
            **{"reason": one.reason, "message": one.message, "drained": name in drained},
        }
        for name, one in sorted(nodes.items())
    }
