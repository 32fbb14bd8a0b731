"""The whole account of a run, for those who have to explain it: what `rollout.report` prints in every format.

Everything comes from the journal: nothing is measured here, and no message is read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict
from typing import Any

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import NodeRecord, NodeState, Run, RunState
from openstack_rollout.records.snapshot import Snapshot
from openstack_rollout.rollout import control, felt

_SUCCEEDED = ("done", "skipped")


def account(
    journal: Journal, run_id: str | None = None, found: Callable[[Run], Run] = lambda run: run
) -> dict[str, Any]:
    """What a run did, as control.report, and beside that all that a reader has to know.

    run_id (str): the last run by default. found: the run as it is found now, e.g. interrupted. Returns
    {"run", "stages", "nodes", "failures", "left", "audit"}; times are seconds since the epoch. Of the run
    also "ended" (None while it is under way), "latest", "pauses" ({"from", "to", "state", "reason",
    "message"}, to None for one that lasts), "windows" ({"roles", "from", "to"}: when they were open in its
    time), "expected" (when it began, as of Estimate), "verified", "left_out", "undone" ({"run", "limit",
    "state"} of each run that undoes it). Of a stage "started", "finished", "paused" (the
    seconds of it in which the run stood still), "expected" (seconds, None where nobody knew). Of a node
    "reason", "message", "remedy", "quarantined", "before", "after" (as of Snapshot, None where nothing was
    written), "versions" ({"kind", "subject", "have", "want"}: of all that a release has, before and after).
    failures: {"node", "stage", "round", "step", "at", "reason", "outcome", "remedy", "open"} in the order of
    time. left: {"node", "kind", "subject", "have", "want"}. audit: as of felt.of, None where nobody was
    to be probed. Raises RolloutError NO_RUN.
    """
    data = control.report(journal, run_id)
    run = journal.run(data["run"]["id"])
    assert run is not None  # noqa: S101 - control.report has just read it
    run = found(run)
    records = journal.nodes(run.id)
    expected = (run.expected or {}).get("stages", {})
    latest = run.created + data["run"]["seconds"]
    going = run.state is RunState.RUNNING
    data["run"] |= {
        **{"state": run.state.value, "reason": run.reason, "message": run.message},
        "remedy": REASONS.get(run.reason, ""),
        **{"stages": list(run.stages), "verified": run.verified, "expected": run.expected},
        "ended": None if going else latest,
        "latest": latest,
        "pauses": list(_pauses(run, records, latest)),
        "windows": list(_windows(run, latest)),
        "tags": dict(run.tags),
        "undone": list(_undone(journal, run)),
    }
    for name, stage in data["stages"].items():
        stage["started"], stage["finished"] = run.stage[name].started, run.stage[name].finished
        stage["paused"] = _within(
            data["run"]["pauses"], stage["started"], stage["finished"] or latest, latest
        )
        stage["expected"] = expected.get(name, {}).get("seconds")
    for name, node in data["nodes"].items():
        node.update(_node(records[name]))
    skipped = journal.skipped(run.id)
    data["failures"] = sorted(_failures(records), key=lambda one: one["at"])
    data["left"] = [one for name in data["nodes"] for one in _left(name, records[name])]
    data["run"]["left_out"] = sorted(skipped)
    data["audit"] = felt.of(journal.audits, run.id, records, run.created, latest)
    return data


def _undone(journal: Journal, run: Run) -> Iterator[dict[str, str]]:
    """The runs that undo a run, oldest first; one that cannot be read hides nothing of this one."""
    for run_id in journal.run_ids():
        try:
            later = journal.run(run_id)
        except RolloutError:
            continue
        if later and later.rollback == run.id:
            yield {"run": run_id, "limit": later.asked.limit, "state": later.state.value}


def _node(record: NodeRecord) -> dict[str, Any]:
    before, after = record.before, record.after
    return {
        **{"reason": record.reason, "message": record.message, "remedy": REASONS.get(record.reason, "")},
        "quarantined": record.quarantined,
        "before": asdict(before) if before else None,
        "after": asdict(after) if after else None,
        "versions": list(_versions(before, after)) if before and after else [],
    }


def _versions(before: Snapshot, after: Snapshot) -> Iterator[dict[str, str]]:
    had, has = before.versions(), after.versions()
    for kind, subject in sorted({**had, **has}):
        have, want = had.get((kind, subject), ""), has.get((kind, subject), "")
        yield {"kind": kind, "subject": subject, "have": have, "want": want}


def _pauses(run: Run, records: Mapping[str, NodeRecord], latest: float) -> Iterator[dict[str, Any]]:
    """From when to when the run stood still: as it wrote down, or because its process was gone."""
    ends = [step.finished for record in records.values() for step in record.history]
    for number, called in enumerate(run.begun[1:], 1):
        since, until = run.begun[number - 1].at, called.at
        noted = [one for one in run.stopped if since <= one.at <= until]
        if noted:
            yield {"from": noted[-1].at, "to": until, **_why(noted[-1])}
        else:
            seen = max((at for at in ends if since <= at <= until), default=since)
            told = {"state": RunState.INTERRUPTED.value, "reason": "INTERRUPTED", "message": ""}
            yield {"from": seen, "to": until, **told}
    if run.state in (RunState.PAUSED, RunState.INTERRUPTED):
        last = [one for one in run.stopped if not run.begun or one.at >= run.begun[-1].at]
        told = _why(last[-1]) if last else {"state": run.state.value, "reason": run.reason, "message": ""}
        yield {"from": last[-1].at if last else latest, "to": None, **told}


def _windows(run: Run, latest: float) -> Iterator[dict[str, Any]]:
    """When windows were open while the run was: those of several roles at once are one."""
    found: dict[tuple[float, float], list[str]] = {}
    for role, windows in run.windows.items():
        for since, until in windows:
            if until > run.created and since < latest:
                found.setdefault((since, until), []).append(role)
    for since, until in sorted(found):
        yield {"roles": found[since, until], "from": since, "to": until}


def _within(pauses: Iterable[Mapping[str, Any]], since: float, until: float, latest: float) -> float:
    """How much of a time the run stood still."""
    both = ((max(one["from"], since), min(one["to"] or latest, until)) for one in pauses)
    return round(sum(max(end - begin, 0.0) for begin, end in both), 1)


def _why(stopped: Any) -> dict[str, str]:
    return {"state": stopped.state.value, "reason": stopped.reason, "message": stopped.message}


def _failures(records: Mapping[str, NodeRecord]) -> Iterator[dict[str, Any]]:
    for name, record in records.items():
        for step in record.history:
            if step.outcome in _SUCCEEDED:
                continue
            last = record.state is NodeState.FAILED and step is record.history[-1]
            reason = step.reason or (record.reason if last else "")
            yield {
                **{"node": name, "stage": step.stage, "round": step.round, "step": step.step},
                **{"at": step.finished, "reason": reason, "outcome": step.outcome},
                **{"remedy": REASONS.get(reason, ""), "open": last},
            }


def _left(name: str, record: NodeRecord) -> Iterator[dict[str, Any]]:
    if record.state is NodeState.FAILED:
        kind = "quarantined" if record.quarantined else "failed"
        yield {"node": name, "kind": kind, "subject": "", "have": record.reason, "want": record.message}
    elif record.state is NodeState.IN_FLIGHT:
        place = f"{record.stage}/{record.step}"
        yield {"node": name, "kind": "in_flight", "subject": "", "have": place, "want": ""}
    if record.after:
        yield from ({"node": name, **asdict(one)} for one in record.after.left)
