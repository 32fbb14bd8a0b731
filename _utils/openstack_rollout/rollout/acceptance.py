"""An operator's word that the result of a run is to stay: what was before the run before it may go then."""

from __future__ import annotations

from typing import Any

from openstack_rollout.errors import RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import UNFINISHED, Called, Run, RunState
from openstack_rollout.rollout import history

_GOOD = (RunState.COMPLETED, RunState.OPEN_ENDS)


def accept(journal: Journal, run_id: str | None, called: Called) -> dict[str, Any]:
    """Accept a run; a second time changes nothing.

    run_id (str): its identifier, None for the last one. called: by whom, and when. Returns {"run", "state",
    "target", "approved": by whom and when}. Raises RolloutError NO_RUN; RUN_UNFINISHED for one that can go
    on, WRONG_ARGUMENT for one that did not complete.
    """
    run = journal.latest() if run_id is None else journal.run(run_id)
    if run is None:
        known = ", ".join(journal.run_ids()[-5:]) or "none"
        raise RolloutError(
            "NO_RUN", f"there is no run {run_id or ''}; known: {known}".replace("run ;", "run;")
        )
    if run.state in UNFINISHED:
        raise RolloutError("RUN_UNFINISHED", f"run {run.id} is {run.state.value}: it cannot be accepted yet")
    if run.state not in _GOOD:
        raise RolloutError(
            "WRONG_ARGUMENT", f"run {run.id} is {run.state.value}: only what is completed can be accepted"
        )
    if run.approved is None:
        run.approved = called
        journal.save(run)
    who = history.who(run.approved)
    return {"run": run.id, "state": run.state.value, "target": run.target, "approved": who}


def require(journal: Journal) -> Run:
    """The run by which nodes are what they are: the last that moved any. Raises RolloutError NO_RUN without
    one, RUN_UNFINISHED while one can go on, NOT_ACCEPTED where neither it nor a later one is accepted.
    """
    if (unfinished := journal.unfinished()) is not None:
        raise RolloutError("RUN_UNFINISHED", f"run {unfinished.id} is {unfinished.state.value}")
    approved = False
    for run in filter(None, map(journal.run, reversed(journal.run_ids()))):
        approved = approved or run.approved is not None
        if any(one.moved for one in journal.nodes(run.id).values()):
            if not approved:
                what = f"run {run.id} ({run.orchestration} to {run.target or 'the newest packages'})"
                raise RolloutError("NOT_ACCEPTED", f"{what} moved nodes, and nobody has accepted it")
            return run
    raise RolloutError("NO_RUN", "no run that is kept has moved a node: nothing tells what is needed no more")
