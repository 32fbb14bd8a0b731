"""The drain of controllers: before a node is disturbed as a whole, its clusters agree, and Pacemaker's
resources
leave it by standby; afterwards it is back in all of them. A standby that an operator had set stays set.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.drains.contract import Ask, Record
from openstack_rollout.errors import RolloutError, one_line

PATIENCE = 300  # seconds for resources to leave, and to come back
CLUSTERS = 900  # seconds for a node's clusters to be whole again
_GRACE = 15  # seconds without a sign of the call
#: seconds a cluster may take to be whole at a first look: a new queue gets its members after a moment
MOMENT = 15


class Standby:
    """Implements drain.Drain. model: what is declared. role: the controllers'. ask: how nodes are asked."""

    stages = frozenset({"system"})

    def __init__(self, model: Model, role: str, ask: Ask):
        self._nodes = ask

    def refuse(self, nodes: Sequence[str]) -> None:
        """Raise QUORUM_AT_RISK when a cluster of one of the nodes is not whole."""
        require_whole_clusters(self._nodes, nodes)

    def room(self, nodes: Sequence[str]) -> int:
        """One: of each cluster, never two members."""
        return min(1, len(nodes))

    def drain(self, node: str, record: Record) -> str:
        """Have the node's clusters agree, then put it to standby and wait until its resources are gone."""
        if not record.data:
            self._ask(node, "cluster_member.may_stop", "QUORUM_AT_RISK")
        record.data["standby"] = True
        record.save()
        found = self._ask(node, "pacemaker.standby", "DRAIN_FAILED", timeout=PATIENCE)
        if not found:
            return "its clusters can spare it"
        if found.get("was"):
            return "is in standby by an operator's hand"
        return f"in standby, left by {', '.join(found['left']) or 'nothing'}"

    def restore(self, node: str, record: Record) -> str:
        """End our standby, and wait until the node is a member of all its clusters again."""
        if not record.data.get("standby"):
            return "nothing had been done"
        found = self._ask(node, "pacemaker.unstandby", "RESTORE_FAILED", timeout=PATIENCE)
        members = self._ask(node, "cluster_member.is_back", "RESTORE_FAILED", timeout=CLUSTERS)
        kept = "; stays in standby, as its operator had it" if found and found.get("was") else ""
        return f"back in the clusters of {', '.join(members) or 'nothing'}{kept}"

    def _ask(self, node: str, function: str, reason: str, **keywords: Any) -> Any:
        """Call a function on the node. Raises RolloutError under its own word, else `reason`."""
        return _values(self._nodes, [node], function, reason, **keywords)[node]


def require_whole_clusters(ask: Ask, nodes: Sequence[str]) -> None:
    """Raise QUORUM_AT_RISK when a cluster of one of these nodes is not whole. Nothing is touched."""
    if nodes:
        _values(ask, nodes, "cluster_member.may_stop", "QUORUM_AT_RISK", patience=MOMENT)


def _values(ask: Ask, nodes: Sequence[str], function: str, reason: str, **keywords: Any) -> dict[str, Any]:
    """What each node returns. Raises RolloutError of the first that fails, its own word or `reason`."""
    answers = ask.ask(nodes, function, keywords, timeout=_GRACE)
    for node in nodes:
        answer = answers[node]
        if answer.reason == "NODE_SILENT":
            raise RolloutError("NODE_SILENT", f"{node}: no answer to {function}", [node])
        if answer.error:
            raise RolloutError(answer.reason or reason, f"{node}: {one_line(answer.error)}", [node])
    return {node: answers[node].value for node in nodes}
