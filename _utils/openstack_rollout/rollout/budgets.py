"""How many nodes may fail before no other node starts: of a role as a whole, and of each of its groups.

What counts is what the run wrote of its nodes, whatever stage they failed at.
"""

from __future__ import annotations

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import NodeRecord, NodeState
from openstack_rollout.rollout import judging, quarantine
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.node_log import NodeLog


class Budgets:
    """The budgets of one run. members: its nodes, and their policies. log: what it did to them."""

    def __init__(self, members: Membership, log: NodeLog):
        self._members = members
        self._log = log

    def failures(self, role: str | None = None) -> dict[str, NodeRecord]:
        """The nodes (of a role) that failed in this run and were excluded since."""
        return {
            node: record
            for node, record in self._log.records.items()
            if record.state is NodeState.FAILED and role in (None, record.role)
        }

    def error(self, stage: str, role: str) -> RolloutError | None:
        """The reason to pause when more nodes of a role, or of one of its groups, failed than may."""
        counted = judging.counted(self.failures(role))
        over = next(self._members.exceeded(role, list(counted)), None)
        if over is None:
            return None
        failed = {node: counted[node] for node in over.nodes}
        last = max(failed, key=lambda node: failed[node].history[-1].finished)
        return judging.because(stage, failed, last, over.why)

    def after(self, stage: str, node: str, tolerated: int | None) -> RolloutError | None:
        """The reason to pause after a node failed at a stage.

        tolerated (int): how many of its role may fail at this moment; None: as many as its policy says.
        Raises RolloutError JOURNAL_FAILED.
        """
        record = self._log.records[node]
        if record.reason in judging.EXCLUDED:
            return None
        if record.reason in judging.OF_ALL:
            tolerated = -1
        if tolerated is None:
            self.set_aside()
            return self.error(stage, record.role)
        failed = judging.counted(self.failures(record.role))
        return judging.because(stage, failed, node) if len(failed) > tolerated else None

    def set_aside(self) -> list[str]:
        """Set the nodes aside that failed, as the policy of their role says; returns their ids."""
        roles = {record.role for record in self._log.records.values()} & self._members.policies.keys()
        failed = {role: list(judging.counted(self.failures(role))) for role in roles}
        over = [one for role in roles for one in self._members.exceeded(role, failed[role])]
        too_many = {node for one in over for node in one.nodes}
        return quarantine.set_aside(self._log, self._members.policies, too_many)

    def retry(self, paused_for: str) -> None:
        """Give the nodes that failed earlier in this run another chance.

        paused_for (str): as of quarantine.retry.
        """
        quarantine.retry(self._log, self.failures(), paused_for)
