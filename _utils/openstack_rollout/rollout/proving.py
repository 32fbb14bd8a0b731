"""Canaries that fail to prove themselves: whether they go back by themselves, as their role's policy says.

It is noted in the run's record before the run pauses: an engine that dies in between is followed by one that
decides alike (going_back).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from openstack_rollout.declared.policies import Policy
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import GoesBack, NodeRecord, NodeState, Run, Trial
from openstack_rollout.rollout import judging

_OF_GATES = ("ALERT_FIRING", "ANALYSIS_FAILED")
_BY_OPERATOR = ("PAUSED_BY_OPERATOR", "ABORTED")


@contextmanager
def noted(  # noqa: PLR0917
    journal: Journal,
    run: Run,
    policy: Policy,
    records: Mapping[str, NodeRecord],
    stage: str,
    trial: Trial,
) -> Iterator[None]:
    """Note who goes back where canaries fail in here: one of them, or what watches them.

    records: node id → what the run did to it so far. trial: the canaries. Who was not moved yet does not go
    back; what an operator asked for is no failure, and nobody goes back when a pause was asked for meanwhile;
    nor do canaries of a rollback go forward again. Raises RolloutError JOURNAL_FAILED.
    """
    try:
        yield
    except RolloutError as error:
        asked = error.reason in _BY_OPERATOR or journal.requested(run.id)
        if policy.on_failure == "rollback" and not run.rollback and not asked:
            known = {node: records[node] for node in trial.canaries if node in records}
            moved = [node for node, record in known.items() if stage in record.moved]
            if moved and (error.reason in _OF_GATES or any(map(_failed, known.values()))):
                run.goes_back = GoesBack(stage, moved, error.reason, error.message)
                journal.save(run)
        raise


def _failed(record: NodeRecord) -> bool:
    excused = (*judging.EXCLUDED, *judging.OF_ALL)
    return record.state is NodeState.FAILED and record.reason not in excused
