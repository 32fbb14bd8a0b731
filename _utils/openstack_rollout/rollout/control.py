"""What an operator asks of a run that exists: pause, abort, go on, and what it did so far."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from openstack_rollout.declared.problems import shown
from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.records.asked import Asked
from openstack_rollout.records.durations import Durations
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.lock import Lock
from openstack_rollout.records.run_record import UNFINISHED, NodeRecord, NodeState, Run, RunState, StageState
from openstack_rollout.rollout import asking, breakpoints, consent, history, stops
from openstack_rollout.rollout.asking import NOTHING, Given
from openstack_rollout.rollout.estimate import Estimate, Opens, at_once
from openstack_rollout.vocabulary import by_role


def pause(journal: Journal, lock: Lock, run_id: str = "") -> dict[str, Any]:
    """Ask the engine to start nothing more; a run that nobody drives any more is paused at once.

    run_id (str): the run that is meant, "" for whichever there is. Returns {"run", "state", "in_flight"}:
    state is `pausing` until that has taken effect. Raises RolloutError NO_RUN, or WRONG_ARGUMENT where
    another run is under way.
    """
    run = _unfinished(journal, run_id)
    if _driven(run, lock):
        answer = _answer(journal, run, "pausing")  # first: a request takes effect soon
        journal.ask(run.id, "pause")
        return answer
    waits = run.state is RunState.PAUSED and run.reason == "WINDOW_CLOSED"
    if run.state is RunState.RUNNING or waits:
        was = "it waited for its window" if waits else "its process was gone"
        run.state, run.reason = RunState.PAUSED, "PAUSED_BY_OPERATOR"
        run.message = f"{was} when a pause was asked for"
        journal.save(run)
    return _answer(journal, run, run.state.value)


def abort(journal: Journal, lock: Lock, run_id: str = "") -> dict[str, Any]:
    """Ask the engine to end the run; a run that nobody drives any more ends at once.

    run_id: as of pause. Returns {"run", "state", "in_flight"}. Raises RolloutError as pause.
    """
    run = _unfinished(journal, run_id)
    if _driven(run, lock):
        answer = _answer(journal, run, "aborting")  # first: a request takes effect soon
        journal.ask(run.id, "abort")
        return answer
    run.message = f"ended on request; it was {run.state}"
    run.state, run.reason = RunState.ABORTED, "ABORTED"
    for record in run.stage.values():
        if record.state is StageState.RUNNING:
            record.state = StageState.ABORTED
    journal.save(run)
    return _answer(journal, run, "aborted")


def to_resume(
    journal: Journal,
    lock: Lock,
    given: Given = NOTHING,
    meant: Callable[[Asked, Sequence[str]], object] = lambda *_: None,
    run_id: str = "",
) -> str | None:
    """The orchestration that goes on with the paused run; None when a live engine goes on by itself: it only
    had to forget a request, or waited for a yes, and this is one.

    given: what an operator gave with the command: it is the run's from now on. meant: refuses what no node is
    meant by, or no stage of the run; nothing is changed then. run_id: as of pause. Raises RolloutError as
    pause, or RUN_IN_PROGRESS when there is nothing to resume, or something is given for a run that is under
    way; RUN_UNFINISHED for another limit of a rollback.
    """
    run = _unfinished(journal, run_id)
    if run.rollback and given.limit not in (None, run.asked.limit):
        raise RolloutError(
            "RUN_UNFINISHED",
            f"run {run.id} (the rollback of {run.rollback}) goes on with the nodes that it began with",
        )
    if not _driven(run, lock):
        asked = replace(run.asked, passed=list(run.asked.passed))
        stops.passed(asked)
        asking.change(asked, given)
        if given != NOTHING:
            meant(asked, run.stages)
        if asked.limit != run.asked.limit:
            journal.forget_confirmed(run.id)  # it was a yes to other nodes
        journal.clear_request(run.id)
        run.asked = asked
        journal.save(run)
        return run.orchestration
    if given != NOTHING:
        raise RolloutError("RUN_IN_PROGRESS", f"run {run.id} is under way: nothing of it can be changed")
    if journal.requested(run.id) == "pause":
        journal.clear_request(run.id)
    elif run.questions:
        confirm(journal, lock)
    else:
        raise RolloutError("RUN_IN_PROGRESS", f"run {run.id} is not paused")
    return None


def confirm(
    journal: Journal, lock: Lock, node: str = "", run_id: str = "", question: str = ""
) -> dict[str, Any]:
    """Say yes to all that a run asks at the moment, or to what it asks of one node.

    run_id: as of pause. question (str): the identity of the one that is meant, "" for all. Returns {"run",
    "confirmed": the lines of the questions, "state"}: a run that nobody drives has to be resumed. Raises
    RolloutError as pause, or NOTHING_ASKED.
    """
    run = _unfinished(journal, run_id)
    asked = (one for one in run.questions.values() if question in ("", consent.identity(one)))
    found = [one for one in asked if consent.keys_of(one, node)]
    if not found:
        other = "; ".join(map(consent.line, run.questions.values())) or "nothing"
        about = f" about {node}" if node else " that was meant" if question else ""
        raise RolloutError("NOTHING_ASKED", f"run {run.id} asks nothing{about}: it asks {other}")
    for one in found:
        journal.confirm(run.id, consent.keys_of(one, node))
    alone = run.state is RunState.RUNNING and not _driven(run, lock)
    state = RunState.INTERRUPTED if alone else run.state
    return {"run": run.id, "confirmed": [consent.line(one) for one in found], "state": state.value}


def skip(journal: Journal, lock: Lock, node: str, run_id: str = "") -> dict[str, Any]:
    """Have the run leave a node out, before it starts there or where it rests.

    run_id: as of pause. Returns {"run", "skipped", "state"}. Raises RolloutError as pause, NO_NODES for one
    that the run does not take, WRONG_ARGUMENT for one in flight.
    """
    run = _unfinished(journal, run_id)
    planned = {one for stage in run.plan.stages for one in stage.nodes} if run.plan else set()
    if node not in planned:
        raise RolloutError("NO_NODES", f"run {run.id} has nothing to do on {shown(node)}", [node])
    record = journal.node(run.id, node)
    in_flight = record is not None and record.state is NodeState.IN_FLIGHT
    if record and in_flight and _driven(run, lock) and not breakpoints.rests(record):
        raise RolloutError(
            "WRONG_ARGUMENT", f"{node} is in flight ({record.stage}/{record.step}): it finishes"
        )
    journal.skip(run.id, node)
    return {"run": run.id, "skipped": node, "state": run.state.value}


def outcome(run: Run) -> dict[str, Any]:
    """What a command tells of a run that has ended: {"run", "state"}, and "limit" of one that has one; "next"
    of a rollback: what an operator has to do then.
    """
    limit = {"limit": run.asked.limit} if run.asked.limit else {}
    ended = run.state in (RunState.COMPLETED, RunState.OPEN_ENDS)
    after = {"next": run.message} if run.rollback and ended else {}
    return {"run": run.id, "state": run.state.value, **limit, **after}


def report(journal: Journal, run_id: str | None = None) -> dict[str, Any]:
    """What a run did: its stages with their duration and counts, and every step of every node.

    run_id (str): the last run by default. Raises RolloutError NO_RUN.
    """
    run = journal.run(run_id) if run_id else journal.latest()
    if run is None:
        known = ", ".join(journal.run_ids()[-5:]) or "none"
        raise RolloutError("NO_RUN", f"there is no run {run_id or ''}".rstrip() + f"; known: {known}")
    records = journal.nodes(run.id)
    # Inside a stage only the nodes' records are written.
    latest = max(run.updated, *(step.finished for record in records.values() for step in record.history), 0)
    stages = {
        name: {
            "state": record.state.value,
            "seconds": round((record.finished or latest) - record.started, 1),
            "counts": record.counts,
        }
        for name, record in run.stage.items()
        if record.started is not None
    }
    order = by_role({node: record.role for node, record in records.items()})
    nodes = {node: _node_report(records[node]) for node in order}
    summary = {
        **{"id": run.id, "target": run.target, "orchestration": run.orchestration, "state": run.state.value},
        **{"reason": run.reason, "message": run.message, "created": run.created},
        "seconds": round(latest - run.created, 1),
        "remedy": REASONS.get(run.reason, ""),
        "gone": run.gone,
        "limit": run.asked.limit,
        "until": run.asked.until,
        "begun": [history.who(one) for one in run.begun],
        "accepted": {name: history.who(one) for name, one in run.accepted.items()},
        "conditions": run.conditions,
        "open_ends": run.open_ends,
        "estimate": estimate(journal, run, records, latest),
        "rollback": run.rollback,
    }
    return {"run": summary, "stages": stages, "nodes": nodes}


def estimate(
    journal: Journal, run: Run, records: Mapping[str, NodeRecord], now: float, opens: Opens = at_once
) -> dict[str, Any] | None:
    """How long the rest of a run takes, as of Estimate.of_run; None of one that does not go on.

    records: what it did to its nodes. now (float): seconds since the epoch. opens: as of Estimate.
    """
    return Estimate(Durations(journal), opens).of_run(run, records, now) if run.state in UNFINISHED else None


def _node_report(record: NodeRecord) -> dict[str, Any]:
    steps = [
        {
            "stage": step.stage,
            "round": step.round,
            "step": step.step,
            "started": step.started,
            "finished": step.finished,
            "seconds": round(step.finished - step.started, 1),
            "slow": step.slow,
            "failed": step.outcome not in ("done", "skipped"),
            "reason": step.reason,
            "outcome": ": ".join(filter(None, (step.outcome, step.said))),
        }
        for step in record.history
    ]
    silences = [vars(one) for one in record.silences]
    about = {"role": record.role, "zone": record.zone, "state": record.state.value}
    return {**about, "steps": steps, "silences": silences}


def _unfinished(journal: Journal, run_id: str) -> Run:
    run = journal.unfinished()
    if run is None:
        raise RolloutError("NO_RUN", "no run is running or paused")
    if run_id not in ("", run.id):
        raise RolloutError("WRONG_ARGUMENT", f"run: {shown(run_id)} is not under way: run {run.id} is")
    return run


def _driven(run: Run, lock: Lock) -> bool:
    holder = lock.holder()
    return bool(holder and holder["run"] == run.id)


def _answer(journal: Journal, run: Run, state: str) -> dict[str, Any]:
    records = journal.nodes(run.id)
    in_flight = {node: one.role for node, one in records.items() if one.state is NodeState.IN_FLIGHT}
    return {"run": run.id, "state": state, "in_flight": by_role(in_flight)}
