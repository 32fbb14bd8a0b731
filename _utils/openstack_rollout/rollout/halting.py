"""An operator's request that a run stops, as the error that ends it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeGuard

from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run

_REQUESTS = ("PAUSED_BY_OPERATOR", "ABORTED")


def is_lost(error: RolloutError | None) -> TypeGuard[RolloutError]:
    """Whether an error says that another engine may go on: nothing is touched any more, nor written."""
    return error is not None and error.reason == "LOCK_LOST"


class Interrupted(RolloutError):
    """Ctrl-C on the process of a run: it pauses when the nodes in flight have finished."""


def is_request(error: RolloutError | None) -> TypeGuard[RolloutError]:
    """Whether an error is what an operator asked for, and takes effect whatever is in flight."""
    return error is not None and error.reason in _REQUESTS and not isinstance(error, Interrupted)


def interrupted(run: Run | None = None) -> RolloutError:
    """What ends a run (its record, None where none is opened yet) after Ctrl-C."""
    what = f"run {run.id} is paused" if run else "no run was opened"
    return Interrupted("PAUSED_BY_OPERATOR", f"Ctrl-C: {what}")


def requested(journal: Journal, run: Run) -> RolloutError | None:
    """What an operator asked of a run, as the error that ends it."""
    action = journal.requested(run.id)
    if action == "pause":
        return RolloutError("PAUSED_BY_OPERATOR", f"run {run.id} is paused")
    if action == "abort":
        return RolloutError("ABORTED", f"run {run.id} has ended")
    return None


def left(halt: RolloutError, in_flight: Iterable[str], how: str = "still in flight") -> RolloutError:
    """The error that ends a run while nodes are in flight: the next one waits for what runs there."""
    if nodes := sorted(in_flight):
        halt.reword(f"{halt.message}; {how}: {some(nodes)}", nodes)
    return halt
