"""The drain of controllers: their clusters are whole, then Pacemaker moves its resources away by a standby.

The restore ends the standby and waits until the node is back in its clusters. A standby that an operator had
set is left. Its key in a record: `standby`, True once the standby was asked for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError, one_line

RESOURCES_TIMEOUT = 300  # seconds for resources to leave, and to come back
CLUSTERS_TIMEOUT = 900  # seconds for a node's clusters to be whole again
_SILENCE_TIMEOUT = 15  # seconds after which a node that shows no sign of a call counts as silent
#: seconds for a cluster to be whole at the first check: a new queue gets its members after a moment
FIRST_CHECK_PATIENCE = 15


class Standby:
    """Puts controllers into standby. Implements contract.Drain.

    model: not used, role: not used. ask (Ask): how functions are called on nodes.
    """

    stages = frozenset({"system"})

    def __init__(self, model: Model, role: str, ask: Ask):
        self._nodes = ask

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise RolloutError QUORUM_AT_RISK when a cluster of one of the nodes (minion ids) is not whole."""
        require_whole_clusters(self._nodes, nodes)

    def capacity(self, nodes: Sequence[str]) -> int:
        """One at most: two members of a cluster are never drained at the same time."""
        return min(1, len(nodes))

    def drain(self, node: str, record: Record) -> str:
        """Check the node's clusters, put it into standby, and wait until its resources are gone.

        Raises RolloutError QUORUM_AT_RISK, DRAIN_FAILED, NODE_SILENT, or the reason that the node gives.
        """
        if not record.data:
            self._call(node, "cluster_member.may_stop", "QUORUM_AT_RISK")
        record.data["standby"] = True
        record.save()
        found = self._call(node, "pacemaker.standby", "DRAIN_FAILED", timeout=RESOURCES_TIMEOUT)
        if not found:
            return "its clusters can do without it"
        if found.get("was"):
            return "left in standby: an operator had put it there"
        return f"in standby; resources moved away: {', '.join(found['left']) or 'none'}"

    def restore(self, node: str, record: Record) -> str:
        """End the standby that drain began, and wait until the node is back in all its clusters.

        Raises RolloutError RESTORE_FAILED, NODE_SILENT, or the reason that the node gives.
        """
        if not record.data.get("standby"):
            return "nothing to restore"
        found = self._call(node, "pacemaker.unstandby", "RESTORE_FAILED", timeout=RESOURCES_TIMEOUT)
        members = self._call(node, "cluster_member.is_back", "RESTORE_FAILED", timeout=CLUSTERS_TIMEOUT)
        kept = "; left in standby: an operator had put it there" if found and found.get("was") else ""
        return f"back in the clusters of {', '.join(members) or 'nothing'}{kept}"

    def _call(self, node: str, function: str, reason: str, **keywords: Any) -> Any:
        """What a function returns on a node. Raises RolloutError: the node's reason, else `reason`."""
        return _values(self._nodes, [node], function, reason, **keywords)[node]


def require_whole_clusters(ask: Ask, nodes: Sequence[str]) -> None:
    """Raise RolloutError QUORUM_AT_RISK when a cluster of one of these nodes is not whole. Changes nothing.

    ask (Ask): how functions are called on nodes. nodes: minion ids. Raises NODE_SILENT too.
    """
    if nodes:
        _values(ask, nodes, "cluster_member.may_stop", "QUORUM_AT_RISK", patience=FIRST_CHECK_PATIENCE)


def _values(ask: Ask, nodes: Sequence[str], function: str, reason: str, **keywords: Any) -> dict[str, Any]:
    """What a function returns on each node. Raises RolloutError for the first node that fails.

    reason (str): of that error, where the node gives none.
    """
    answers = ask.ask(nodes, function, keywords, timeout=_SILENCE_TIMEOUT)
    for node in nodes:
        answer = answers[node]
        if answer.reason == "NODE_SILENT":
            raise RolloutError("NODE_SILENT", f"{node}: no answer to {function}", [node])
        if answer.error:
            raise RolloutError(answer.reason or reason, f"{node}: {one_line(answer.error)}", [node])
    return {node: answers[node].value for node in nodes}
