"""What the journal keeps of runs: who had them begin, how they ended, two compared; and forgetting."""

from __future__ import annotations

from typing import Any

from openstack_rollout.declared.model import Model
from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import Journal, opened_at
from openstack_rollout.records.run_record import Called, NodeRecord, Run
from openstack_rollout.vocabulary import by_role

_DAY = 86_400
SHOWN = 20  # runs
_SLOWER = 20  # nodes that a comparison names because they took longer


def history(journal: Journal, last: int = SHOWN) -> dict[str, Any]:
    """The latest runs, the newest first.

    last (int): how many. Returns {"history": [{"id", "orchestration", "target", "rollback": the run that it
    undoes, "" for one that does not, "limit", "state", "reason", "created", "seconds", "begun": [{"user",
    "terminal", "schedule", "at"}], "accepted": {condition: the same}, "warnings": [condition], "nodes":
    {state: how many, in the stage where most were}}], "kept": how many runs there are}. A run that cannot be
    read has its id, its time, and the reason.
    """
    ids = journal.run_ids()
    shown = list(reversed(ids[-last:]))
    return {"history": [_entry(journal, run_id) for run_id in shown], "kept": len(ids)}


def compare(journal: Journal, first: str, second: str) -> dict[str, Any]:
    """Two runs side by side. first, second (str): their ids.

    Returns {"compared": [two summaries, as of `history`], "stages": {stage: {"state", "seconds"}}, "nodes":
    {node: {"role", "state", "seconds", "failed"}}, "slower": [node]}: a pair each of what the first and what
    the second has, None where it has none. nodes: those with another outcome; slower: those that took longest
    beyond what they took before. Raises RolloutError NO_RUN.
    """
    runs = [_run(journal, run_id) for run_id in (first, second)]
    records = [journal.nodes(run.id) for run in runs]
    stages = dict.fromkeys(name for run in runs for name in run.stage)
    roles = {node: one.role for some in records for node, one in some.items()}
    nodes = {node: _pair(node, records) for node in by_role(roles)}
    longer = {
        node: one["seconds"][1] - one["seconds"][0]
        for node, one in nodes.items()
        if None not in one["seconds"] and one["seconds"][1] > one["seconds"][0]
    }
    slower = sorted(longer, key=lambda node: -longer[node])[:_SLOWER]
    differing = [node for node, one in nodes.items() if one["state"][0] != one["state"][1]]
    return {
        "compared": [_summary(run) for run in runs],
        "stages": {
            name: {
                "state": [run.stage[name].state.value if name in run.stage else None for run in runs],
                "seconds": [_stage_seconds(run, name) for run in runs],
            }
            for name in stages
        },
        "nodes": {node: nodes[node] for node in dict.fromkeys([*differing, *slower])},
        "slower": slower,
    }


def prune(journal: Journal, model: Model, now: float) -> list[str]:
    """Forget the runs that the pillar does not want to be kept; returns their ids. now: seconds since the
    epoch.
    """
    days = model.history.days
    return journal.prune(model.history.runs, now - days * _DAY if days else None)


def pruned(
    journal: Journal, keep: int | None, days: int | None, now: float, *, test: bool = False
) -> dict[str, Any]:
    """Forget old runs for an operator.

    keep (int): how many of the newest stay, None for all. days (int): after how many days none stays, None
    for never. now: seconds since the epoch. test: forget none, tell which. Returns {"pruned": ids, "kept":
    how many are left}. Raises RolloutError WRONG_ARGUMENT where neither is given.
    """
    if keep is None and days is None:
        raise RolloutError("WRONG_ARGUMENT", "say what stays: keep=NUMBER, days=NUMBER, or both")
    kept = len(journal.run_ids()) if keep is None else keep
    before = None if days is None else now - days * _DAY
    found = journal.old(kept, before) if test else journal.prune(kept, before)
    return {"pruned": found, "kept": len([one for one in journal.run_ids() if one not in found])}


def who(called: Called) -> dict[str, Any]:
    """Who asked something of a run, for programs."""
    return {**vars(called.by), "at": called.at}


def _run(journal: Journal, run_id: str) -> Run:
    run = journal.run(run_id)
    if run is None:
        known = ", ".join(journal.run_ids()[-5:]) or "none"
        raise RolloutError("NO_RUN", f"there is no run {run_id}; known: {known}")
    return run


def _entry(journal: Journal, run_id: str) -> dict[str, Any]:
    try:
        return _summary(_run(journal, run_id))
    except RolloutError as error:
        if error.reason not in ("JOURNAL_DAMAGED", "JOURNAL_VERSION"):
            raise
        return {"id": run_id, "created": opened_at(run_id), "state": "", "reason": error.reason}


def _summary(run: Run) -> dict[str, Any]:
    nodes = max((one.counts for one in run.stage.values()), key=lambda one: sum(one.values()), default={})
    return {
        **{"id": run.id, "orchestration": run.orchestration, "target": run.target, "rollback": run.rollback},
        **{"limit": run.asked.limit, "state": run.state.value, "reason": run.reason},
        **{"created": run.created, "seconds": round((run.finished or run.updated) - run.created, 1)},
        "begun": [who(one) for one in run.begun],
        "accepted": {name: who(one) for name, one in run.accepted.items()},
        "approved": who(run.approved) if run.approved else None,
        "warnings": [name for name, one in run.conditions.items() if one.get("verdict") == "warn"],
        "nodes": dict(nodes),
    }


def _pair(node: str, records: list[dict[str, NodeRecord]]) -> dict[str, Any]:
    both = [some.get(node) for some in records]
    return {
        "role": next(one.role for one in both if one),
        "state": [one.state.value if one else None for one in both],
        "seconds": [_seconds(one) if one else None for one in both],
        "failed": [_failed(one) if one else None for one in both],
    }


def _seconds(record: NodeRecord) -> float:
    """What its steps took that were done."""
    return round(sum(one.finished - one.started for one in record.history if one.outcome == "done"), 1)


def _failed(record: NodeRecord) -> str:
    """Its last failure, "" where it had none."""
    failed = (one for one in reversed(record.history) if one.outcome not in ("done", "skipped"))
    return next((f"{one.stage}/{one.step}: {one.outcome}" for one in failed), "")


def _stage_seconds(run: Run, name: str) -> float | None:
    one = run.stage.get(name)
    if one is None or one.started is None or one.finished is None:
        return None
    return round(one.finished - one.started, 1)
