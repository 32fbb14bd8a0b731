"""What the end of a step means: for its node, for the budget of its role, for the run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from openstack_rollout.declared import words
from openstack_rollout.declared.comparison import Compared
from openstack_rollout.declared.differences import Difference
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.run_record import NodeRecord

#: Why a node that an operator has a run leave out is not done.
BY_OPERATOR = "SKIPPED_BY_OPERATOR"
#: Excluded by policy, or by an operator: named at the end, no failure on the way.
EXCLUDED = ("SERVERS_UNMOVABLE", BY_OPERATOR)
#: What one node says, and every other would: no budget is for it.
OF_ALL = ("TARGET_CHANGED",)


def verdict(compared: Compared, open_: Sequence[Difference], target: str) -> tuple[str, str]:
    """Why a measured node did not pass (reason, message); ("", "") when it did.

    open_: what still differs of what it went through.
    """
    if compared.target != target:
        return "TARGET_CHANGED", f"the node's share wants {compared.target!r}, this run is for {target!r}"
    wrong = [*open_, *compared.health]
    return ("NOT_AT_RELEASE", "; ".join(words.differences(wrong, compared))) if wrong else ("", "")


def counted(failed: Mapping[str, NodeRecord]) -> dict[str, NodeRecord]:
    """The nodes that count against a budget."""
    return {node: record for node, record in failed.items() if record.reason not in EXCLUDED}


def because(stage: str, failed: Mapping[str, NodeRecord], node: str, why: str = "") -> RolloutError:
    """The error that pauses a run after a node failed, naming the others that had failed before it.

    why (str): what does not allow so many, where that is not the role.
    """
    record = failed[node]
    others = sorted(set(failed) - {node})
    also = f" (failed before: {', '.join(others)})" if others else ""
    message = f"{node} failed at {stage}/{record.step}: {record.message}{also}{why and f'; {why}'}"
    return RolloutError(record.reason, message, [node, *others])
