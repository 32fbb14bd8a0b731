"""Nodes that the last run knew and that are no accepted minions now: no target shows their absence.

A node that was really taken away is named until a run has ended without it.
"""

from __future__ import annotations

from collections.abc import Mapping

from openstack_rollout.records.durations import Durations
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, Run
from openstack_rollout.rollout.fleet import Fleet
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.vocabulary import in_order

NO_KEY = "deleted"


def for_run(
    journal: Journal, unfinished: Run | None, members: Membership, fleet: Fleet
) -> dict[str, dict[str, str]]:
    """The nodes that a run names when it begins, or goes on with an unfinished one; none of them twice."""
    last = journal.latest()
    Durations(journal).forget_others(members.accepted, members.roles)
    found = since(last, journal.nodes(last.id) if last else {}, members, fleet)
    told = last.gone if last and unfinished is None else {}
    return {node: one for node, one in found.items() if node not in told}


def since(
    run: Run | None, records: Mapping[str, NodeRecord], members: Membership, fleet: Fleet
) -> dict[str, dict[str, str]]:
    """The nodes of a run that are gone: node id → {"role", "key": deleted, pending, rejected or denied}.

    run: the last one, None before the first. records: what it did to its nodes. members: the nodes as they
    are now.
    """
    if run is None:
        return {}
    known = {
        **{node: one["role"] for node, one in run.gone.items()},
        **{node: record.role for node, record in records.items()},
    }
    missing = in_order(known.keys() - {*members.accepted, *members.ids})
    keys = fleet.keys() if missing else {}
    return {node: {"role": known[node], "key": keys.get(node, NO_KEY)} for node in missing}
