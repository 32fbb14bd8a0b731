"""Where the latest run is at this moment, for those who follow it from elsewhere by its events.

Everything comes from the journal, as in the account of a run; nothing is measured.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run
from openstack_rollout.rollout import consent
from openstack_rollout.rollout.account import account
from openstack_rollout.vocabulary import PREFETCH


def now_of(journal: Journal, found: Callable[[Run], Run]) -> dict[str, Any] | None:
    """The account of the latest run (rollout.account), and where it is; None before the first.

    found: the run as it is found now, e.g. interrupted. Beside the account "asked" (pause or abort, where
    that has not taken effect yet, else ""), "questions" ({"id", "line", "nodes", "since", "record"}),
    "planned" (stage → how many nodes it takes), "newest" (when a node's record changed last), "counts" (state
    of a node → how many), and of each node "at" (when it changed last), "stage", "round", "step", "began" (of
    the step under way), "slow", "cells" (stage → what became of it there: done, skipped, failed).
    """
    journal = _Once(journal)
    try:
        data = account(journal, None, found)
    except RolloutError as error:
        if error.reason != "NO_RUN":
            raise
        return None
    run = journal.run(data["run"]["id"])
    records = journal.nodes(data["run"]["id"])
    for name, record in records.items():
        if name in data["nodes"]:  # the run goes on while it is read
            data["nodes"][name] |= _place(record)
    questions = [
        {
            **{"id": consent.identity(one), "line": consent.line(one)},
            **{"nodes": list(one.nodes), "since": one.since},
            "record": {**vars(one), "comes": [vars(each) for each in one.comes]},
        }
        for one in (run.questions.values() if run else ())
    ]
    plan = run.plan if run else None
    planned = {one.stage: len(one.nodes) for one in plan.stages} if plan else {}
    planned[PREFETCH] = len(plan.prefetch) if plan else 0
    asked = journal.requested(data["run"]["id"]) or ""
    states = Counter(node["state"] for node in data["nodes"].values())
    newest = max((node["at"] for node in data["nodes"].values()), default=0.0)
    told = {"asked": asked, "questions": questions, "planned": planned}
    return {**data, **told, "newest": newest, "counts": dict(states)}


class _Once(Journal):
    """A journal that reads the nodes of a run only once: there may be thousands of them."""

    def __init__(self, journal: Journal):
        vars(self).update(vars(journal))
        self._known: dict[str, dict[str, NodeRecord]] = {}

    def nodes(self, run_id: str) -> dict[str, NodeRecord]:
        if run_id not in self._known:
            self._known[run_id] = super().nodes(run_id)
        return self._known[run_id]


def _place(record: NodeRecord) -> dict[str, Any]:
    here = record.state in (NodeState.IN_FLIGHT, NodeState.FAILED)
    ended = max((step.finished for step in record.history), default=0.0)
    return {
        "at": max(record.started, ended),
        "state": record.state.value,
        **{"stage": record.stage if here else "", "round": record.round if here else ""},
        **{"step": record.step if here else "", "slow": record.slow if here else 0.0},
        "began": record.started if record.state is NodeState.IN_FLIGHT else None,
        "cells": _cells(record),
    }


def _cells(record: NodeRecord) -> dict[str, str]:
    """What became of each stage; one that was done stays so where a run that goes on finds it done."""
    cells: dict[str, str] = {}
    for one in record.history:
        if one.outcome != "skipped" or cells.get(one.stage) != "done":
            cells[one.stage] = one.outcome if one.outcome in ("done", "skipped") else "failed"
    return cells
