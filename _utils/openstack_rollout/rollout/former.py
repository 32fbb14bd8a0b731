"""What nodes are before a run moves them, in the journal: written once, before the run touches them.

As what a report tells was before (node_log), it is never taken of a node that the run has moved already.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from openstack_rollout.declared.comparison import Compared
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, Run
from openstack_rollout.records.way_back import Former


def remember(
    journal: Journal,
    run: Run,
    records: Mapping[str, NodeRecord],
    found: Mapping[str, Compared],
    stages: Collection[str],
) -> None:
    """Write what the nodes are that a run has something to do on; of those that it has written that stays,
    and of those that it has moved without that nothing is made up.

    records: node id → what the run did to it. found: node id → what it is. stages: those that are about to
    begin. Raises RolloutError JOURNAL_FAILED.
    """
    if run.rollback:
        return  # what its nodes were is what the run that it undoes has made of them
    moved = {node for node, record in records.items() if record.moved}
    open_ = {node: one for node, one in found.items() if node not in moved and one.open(stages)}
    formers = {node: Former(**one.former) for node, one in open_.items()}
    journal.way_back.save_formers(run.id, formers, journal.run_ids())
