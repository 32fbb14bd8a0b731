"""A run that is paused as WINDOW_CLOSED: whether it may go on, and waiting until it may.

Nothing is kept for it but the run's own record: whoever waits may die, and the next one decides alike.
"""

from __future__ import annotations

from collections.abc import Callable

from openstack_rollout.errors import REASONS, RolloutError
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Closed, Run, RunState
from openstack_rollout.rollout.openings import Openings

LOOK_EVERY = 60.0  # seconds: the window may be edited meanwhile
_REASON = "WINDOW_CLOSED"


def waiting(journal: Journal) -> Run | None:
    """The run that is paused as WINDOW_CLOSED, if any."""
    run = journal.unfinished()
    return run if run and run.state is RunState.PAUSED and run.reason == _REASON else None


def may_go_on(run: Run, openings: Openings, now: float) -> bool:
    """Whether the window is open for what a run waits for.

    now (float): seconds since the epoch. Raises RolloutError CALENDAR_UNREADABLE.
    """
    return run.closed is None or _opens(run.closed, openings, now) == now


def nothing_to_do(journal: Journal, reason: str, openings: Callable[[], Openings], now: float) -> str:
    """Why there is nothing to go on with for who waits for a reason alone, as one line; "" where there is.

    reason (str): under which the run has to be paused. openings: the windows, read anew. now (float): seconds
    since the epoch. Raises RolloutError WRONG_ARGUMENT, or CALENDAR_UNREADABLE.
    """
    if reason not in REASONS:
        raise RolloutError("WRONG_ARGUMENT", f"only: {reason!r} is none of the reasons")
    run = journal.unfinished()
    if run is None:
        return "nothing to do: no run is paused"
    if run.state is not RunState.PAUSED or run.reason != reason:
        return f"nothing to do: run {run.id} is {' '.join(filter(None, (run.state, run.reason)))}"
    if reason == _REASON and not may_go_on(run, openings(), now):
        return f"nothing to do: {run.message}"
    return ""


def wait(
    journal: Journal,
    openings: Callable[[], Openings],
    clock: Callable[[], float],
    sleep: Callable[[float], None],
) -> None:
    """Wait until the run may go on that is paused as WINDOW_CLOSED.

    openings: the windows, read anew. clock: seconds since the epoch, looked at again and again: it may be
    set. sleep: waits for some seconds. Raises RolloutError when the run does not wait any more: an operator
    paused or ended it, or another process goes on with it.
    """
    first = waiting(journal)
    while run := waiting(journal):
        try:
            if may_go_on(run, openings(), clock()):
                return
        except RolloutError:
            pass  # of a pillar, or a calendar, that is edited: it is read again
        sleep(LOOK_EVERY)
    run = journal.run(first.id) if first else None
    if run is None:
        raise RolloutError("NO_RUN", "no run waits for its window")
    if run.state is RunState.RUNNING:
        raise RolloutError("RUN_IN_PROGRESS", f"another process goes on with run {run.id}")
    raise RolloutError(run.reason or "NO_RUN", f"run {run.id} is {run.state} now: {run.message}")


def _opens(closed: Closed, openings: Openings, now: float) -> float | None:
    return openings.opening(closed.role, closed.stage, closed.seconds, now, closed.group)
