"""Updates whose canaries go back by themselves where they fail (on_failure: rollback).

Going back is a rollback as any other, of these nodes in this stage alone, in the process of the run that it
ends. Who is due is in that run's record (proving): whoever goes on with it has them go back first.
"""

from __future__ import annotations

from typing import Any

from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.run_record import GoesBack, Run
from openstack_rollout.rollout import asking
from openstack_rollout.rollout.asking import Given
from openstack_rollout.rollout.ports import Ports
from openstack_rollout.rollout.rollback import Asked, Rollback
from openstack_rollout.rollout.run import Rollout

#: Why it was not even tried: it stays due.
_LATER = ("RUN_IN_PROGRESS", "PAUSED_BY_OPERATOR", "ABORTED", "JOURNAL_FAILED")


def begin(ports: Ports, given: Given) -> Run:
    """As Rollout.begin, of an update. Raises as it, and as `settle`."""
    settle(ports)
    return Rollout(ports).begin(given=given)


def stage(ports: Ports, name: str, given: Given = asking.NOTHING) -> dict[str, Any]:
    """As Rollout.stage; canaries that fail in it go back. Raises as it, and as `settle`."""
    settle(ports)
    try:
        return Rollout(ports).stage(name, given)
    except RolloutError:
        settle(ports)
        raise


def settle(ports: Ports) -> None:
    """Have the canaries go back that are due; nothing where none are.

    Raises the RolloutError under which they failed, with what became of them: the run has ended then. Where
    they cannot go back it stays paused under that, and goes on as any other. Where their rollback pauses,
    that is the run to go on with.
    """
    run = ports.journal.unfinished()
    due = run.goes_back if run else None
    if run is None or due is None:
        return
    nodes = some(due.nodes)
    try:
        _go(ports, run, due)
    except RolloutError as error:
        last = ports.journal.latest()
        if last is not None and last.rollback == run.id:
            raise RolloutError(
                error.reason,
                f"{error.message}; run {last.id} has {nodes} go back, since {due.reason}: {due.message}",
                error.nodes,
            ) from error
        if error.reason in _LATER:
            raise
        said = f"{due.message}; {nodes} cannot go back by {due.stage}: {error}"
        _give_up(ports, run.id, said)
        raise RolloutError(due.reason, said, due.nodes) from error
    done = ports.journal.latest()
    after = f" ({done.message})" if done is not None and done.message else ""
    raise RolloutError(due.reason, f"{due.message}; {nodes} went back by {due.stage}{after}", due.nodes)


def _go(ports: Ports, run: Run, due: GoesBack) -> None:
    # What was accepted for the run is no reason to stay half-way.
    asked = Asked(run.id, " or ".join(due.nodes), (due.stage,), tuple(run.accepted))
    Rollback(ports).begin(asked)
    Rollout(ports).stage(due.stage)
    Rollout(ports).finish()


def _give_up(ports: Ports, run_id: str, said: str) -> None:
    if (run := ports.journal.run(run_id)) is not None:
        run.goes_back = None
        run.message = said if run.reason else run.message
        ports.journal.save(run)
