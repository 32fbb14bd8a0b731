"""The latest run in numbers, for monitoring: read from the journal, with few and bounded names.

No node's id is among them, nor any other word that there may be thousands of.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from openstack_rollout.errors import REASONS
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, RunState, StageState
from openstack_rollout.rollout import control

#: Releases of a role that are told apart; the others count as one.
MOST_RELEASES = 10
OTHER, BETWEEN, UNKNOWN = "other", "none", "unknown"
_BREAK = "break_"
QUARANTINED = "quarantined"
#: The states of a node, of those of a record.
NODE_STATES = (*(state.value for state in NodeState), QUARANTINED)


def figures(journal: Journal, found: Callable[[Run], Run], now: float) -> dict[str, Any]:
    """The latest run in numbers.

    found: the run as it is found now, e.g. interrupted. now (float): seconds since the epoch. Returns {"run"
    (None before the first: "id", "orchestration", "target", "rollback": the run that it undoes, "" for one
    that does not, "state", "reason", "created", "ended", "remaining": seconds or None), "stages": {stage:
    state}, "nodes": {(role, state): how many}, "steps": {(stage, step, role): (how many ended, their
    seconds)}, "failures": {(reason, role): how many}, "last": when anything was written last, None before the
    first run, "drained": {role: how many nodes}, "releases": {(role, release): how many nodes, as they were
    measured last}}.
    """
    drained = Counter(one.role for one in journal.all_drained().values())
    told: dict[str, Any] = {"run": None, "stages": {}, "nodes": {}, "steps": {}, "failures": {}, "last": None}
    run = journal.latest()
    if run is None:
        return {**told, "drained": dict(drained), "releases": {}}
    run = found(run)
    records = journal.nodes(run.id)
    starts = [record.started for record in records.values()]
    ends = [step.finished for record in records.values() for step in record.history]
    last = max([run.updated, *starts, *ends])
    estimate = control.estimate(journal, run, records, now) if run.state is RunState.RUNNING else None
    return {
        "run": {
            **{"id": run.id, "orchestration": run.orchestration},
            **{"target": run.target, "rollback": run.rollback},
            **{"state": run.state.value, "reason": _reason(run.reason) if run.reason else ""},
            **{"created": run.created, "ended": None if run.state is RunState.RUNNING else last},
            "remaining": estimate["seconds"] if estimate else None,
        },
        "stages": {
            name: one.state.value for name, one in run.stage.items() if one.state is not StageState.OPEN
        },
        "nodes": dict(Counter((record.role, _state(record)) for record in records.values())),
        "steps": _steps(records),
        "failures": _failures(records),
        "last": last,
        "drained": dict(drained),
        "releases": _releases(records),
    }


def _state(record: NodeRecord) -> str:
    aside = record.quarantined and record.state is NodeState.FAILED
    return QUARANTINED if aside else record.state.value


def _steps(records: Mapping[str, NodeRecord]) -> dict[tuple[str, str, str], tuple[int, float]]:
    found: dict[tuple[str, str, str], tuple[int, float]] = {}
    for record in records.values():
        for step in record.history:
            if step.outcome == "done" and not step.step.startswith(_BREAK):  # nobody works while a node rests
                key = step.stage, step.step, record.role
                count, seconds = found.get(key, (0, 0.0))
                found[key] = count + 1, seconds + max(step.finished - step.started, 0.0)
    return found


def _failures(records: Mapping[str, NodeRecord]) -> dict[tuple[str, str], int]:
    failed = (
        (_reason(step.reason), record.role)
        for record in records.values()
        for step in record.history
        if step.outcome not in ("done", "skipped")
    )
    return dict(Counter(failed))


def _releases(records: Mapping[str, NodeRecord]) -> dict[tuple[str, str], int]:
    of_role: dict[str, Counter[str]] = {}
    for record in records.values():
        if record.after:
            of_role.setdefault(record.role, Counter())[record.after.release or BETWEEN] += 1
    found: dict[tuple[str, str], int] = {}
    for role, counted in of_role.items():
        for number, (release, count) in enumerate(counted.most_common()):
            key = role, release if number < MOST_RELEASES else OTHER
            found[key] = found.get(key, 0) + count
    return found


def _reason(word: str) -> str:
    return word if word in REASONS else UNKNOWN
