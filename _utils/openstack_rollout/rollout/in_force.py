"""The rollback that is in force, and what it makes of what is declared: for all nodes, and for one.

It is one for its own target alone: an operator who sets another target_version has ended it.
"""

from __future__ import annotations

from openstack_rollout.declared.model import Model
from openstack_rollout.declared.way_back import Rollback
from openstack_rollout.errors import RolloutError, some
from openstack_rollout.records.journal import Journal
from openstack_rollout.records.run_record import Run, RunState
from openstack_rollout.records.stored import plain
from openstack_rollout.records.way_back import InForce


def turned(model: Model, journal: Journal) -> Model:
    """What is declared, with the rollback in force. Raises RolloutError JOURNAL_DAMAGED, JOURNAL_VERSION."""
    known = journal.way_back.in_force()
    if known is None or known.target != model.target_version:
        return model
    return model.turned({node: plain(back) for node, back in journal.way_back.backs().items()})


def of_node(model: Model, journal: Journal, node: str) -> Rollback | None:
    """The rollback in force as one node (its id) has it; None without one. Raises as `turned` does."""
    known = journal.way_back.in_force()
    if known is None or known.target != model.target_version:
        return None
    back = journal.way_back.back(node)
    return Rollback(known.of, known.by, plain(back) if back else None)


def lapse(model: Model, journal: Journal) -> None:
    """End a rollback of another target than what is declared: it would come back with that target."""
    if model.backs is None and journal.way_back.in_force():
        journal.way_back.end()


def settle(journal: Journal) -> None:
    """End a rollback that has brought its nodes to the target that is set: there is nothing to hold any more.

    Raises RolloutError JOURNAL_FAILED.
    """
    known = journal.way_back.in_force()
    if known is not None and known.release and known.release == known.target:
        run = journal.run(known.by)
        if run is None or run.state is RunState.COMPLETED:
            journal.way_back.end()


def told(journal: Journal, run: Run) -> str:
    """What an operator has to know of a run that has ended: of a rollback, which target to set."""
    known = journal.way_back.in_force()
    if not run.rollback or known is None:
        return ""
    # Others may be further then: no target is that of all.
    if run.asked.limit and known.release != known.target:
        there = some(run.asked.nodes or [])
        return (
            f"{there}: what run {run.rollback} moved by {', '.join(run.stages)} is as before it, and held:"
            " set another target_version, or salt-run rollout.end_rollback"
        )
    before = f"nodes are what they were before run {run.rollback}"
    if not known.release:
        return f"{before}, and are held there: set another target_version"
    held = f", and are held there: set openstack:target_version to {known.release}"
    return before if known.release == known.target else before + held


def end(journal: Journal) -> InForce:
    """Have nodes belong to the target again. Returns what was in force.

    Raises RolloutError NO_RUN without one, RUN_UNFINISHED while its run is.
    """
    known, unfinished = journal.way_back.in_force(), journal.unfinished()
    if known is None:
        raise RolloutError("NO_RUN", "no rollback is in force")
    if unfinished is not None and unfinished.rollback:
        raise RolloutError("RUN_UNFINISHED", f"run {unfinished.id} (the rollback of {known.of}) is under way")
    journal.way_back.end()
    return known
