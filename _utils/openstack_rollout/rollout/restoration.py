"""Nodes that a run left drained: which of them can be restored, and restoring them.

A node is restored when it is healthy and no stage of the run is going to drain it again. What an operator
drained by hand stays drained.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from openstack_rollout.declared import words
from openstack_rollout.records.drain_record import BY_HAND, DrainRecord
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run
from openstack_rollout.rollout.engine import Engine
from openstack_rollout.rollout.limit import NO_LIMIT, Limit
from openstack_rollout.rollout.membership import Measured, Membership
from openstack_rollout.vocabulary import in_order

TOGETHER = 8


def drained_by_runs(journal: Journal) -> dict[str, DrainRecord]:
    """The records of nodes that runs drained, by node id, as people count them."""
    found = {node: record for node, record in journal.all_drained().items() if record.run != BY_HAND}
    return {node: found[node] for node in in_order(found)}


def concerned(journal: Journal, run: Run, limit: Limit) -> Limit:
    """The nodes that a run may restore: those of its limit, those that it left drained itself before its
    limit was changed, and all that the run it undoes left drained.

    No other run would: the one that is undone has ended, and this one names what it leaves.
    """
    if limit.nodes is None:
        return limit
    runs = (run.id, run.rollback)
    left = (node for node, record in drained_by_runs(journal).items() if record.run in runs)
    return replace(limit, nodes=limit.nodes.union(left))


def restore(
    engine: Engine,
    journal: Journal,
    members: Membership,
    measured: Measured,
    keep: Collection[str] = (),
    *,
    pausing: bool = True,
) -> None:
    """Restore the drained nodes that are healthy.

    keep: nodes that are to stay drained, but for those that an operator has the run leave out: no stage is
    going to drain these again. pausing: a failure counts against the budget of its role and raises
    RolloutError; else every node is tried.
    """
    by_stage: dict[str, list[str]] = {}
    staying = set(keep) - engine.consents.skipped()
    for node, record in drained_by_runs(journal).items():
        if node not in staying and node in measured.nodes and not measured.nodes[node].health:
            by_stage.setdefault(record.stage, []).append(node)
    for stage, nodes in by_stage.items():
        failures = None if pausing else len(members.ids)
        engine.take(stage, "restore", [members.node(node) for node in nodes], TOGETHER, failures)


def still_drained(
    journal: Journal,
    measured: Measured | None = None,
    limit: Limit = NO_LIMIT,
    aside: Collection[str] = (),
) -> str:
    """The nodes that are still drained, each with the reason, as one line; empty when there are none.

    limit: those outside of it were none of the run's affairs. aside: those that are to stay so.
    """
    lines = []
    drained = drained_by_runs(journal)
    for node, record in ((node, drained[node]) for node in limit.of(drained) if node not in aside):
        failure = (measured.failures if measured else {}).get(node)
        unhealthy = (
            words.differences(measured.nodes[node].health) if measured and node in measured.nodes else []
        )
        why = (
            f"{failure[0]}: {failure[1]}"
            if failure
            else "; ".join(unhealthy) or record.message or "not restored"
        )
        lines.append(f"{node} ({record.kind}: {why})")
    return ", ".join(lines)
