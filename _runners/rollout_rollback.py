"""The way back: undo a run, end a rollback. The parts of it are steps of orch/rollback.sls."""

from openstack_rollout.on_salt import console, interrupts, master_pillar, orchestrating, windows, wiring
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.refusal import REFUSED as _REFUSED
from openstack_rollout.on_salt.terminal import SaltRunTerminal
from openstack_rollout.records.stored import plain as _plain
from openstack_rollout.rollout import asking, in_force, rollback_plan
from openstack_rollout.rollout.preconditions import ROLLBACK
from openstack_rollout.rollout.rollback import KEYS, Asked, Rollback
from openstack_rollout.screens import questions

__virtualname__ = "rollout"

console.hide_salts_own_messages()


def __virtual__():
    return __virtualname__


@console.command(
    run_id=console.text,
    limit=console.text,
    stages=console.names,
    accept=console.names,
    wait=console.flag,
    test=console.flag,
)
def rollback(  # noqa: PLR0917
    run_id=None, limit=None, stages=None, accept=None, wait=False, test=False
):
    """Undo a run: each node that it moved goes back to what the journal says that it was before that run.

    run_id
        The run to undo; by default the last one that moved a node, also one that is paused.

    limit
        A compound target: the nodes that go back; by default all that the run moved.

    stages
        Those that go back (services,ovs); by default all that the run moved. What has to go back before them
        is refused by name.

    accept
        As for `rollout.run`.

    wait
        As for `rollout.run`.

    test
        True: print the plan, and touch nothing.

    The stages go in the opposite order: system, ovs, services, control_plane, ovn. Nodes that the run did not
    move are left alone. When it has ended, nodes are held where they are until another target_version is set.

    Returns the run with its state, or the plan. Refuses with one line under IRREVERSIBLE, and names all that
    cannot go back before anything starts; NO_RUN, NO_NODES, STAGE_OUT_OF_ORDER, or any reason of an update.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.rollback test=True
        salt-run rollout.rollback
        salt-run rollout.rollback limit='cmp1*' stages=services
    """
    asked = _asked(run_id, limit, stages, accept)
    if not test:
        return windows.go_through(_opts, wait, lambda: _orchestrate(asked))
    opts = _opts()
    with SaltFleet(opts) as fleet:
        data = rollback_plan.planned(wiring.ports(opts, fleet), asked)
    data["retcode"] = _REFUSED if data["refused"] else 0  # the exit status of salt-run
    return {"data": data, "outputter": "rollout"}


@console.command(run_id=console.text, limit=console.text, stages=console.names, accept=console.names)
def begin_rollback(run_id=None, limit=None, stages=None, accept=None, pillar_keys=()):
    """Check everything, put the rollback of a run in force, prefetch; or go on with one under way.

    A step of orch/rollback.sls, which hands over what is in its pillar.

    run_id
        As for `rollout.rollback`.

    limit
        As for `rollout.rollback`.

    stages
        As for `rollout.rollback`.

    accept
        As for `rollout.rollback`.

    pillar_keys
        The keys of the orchestration's pillar: one that is no argument is refused.

    Returns {"run": identifier, "rollback": the run that it undoes, "stages"}, and "gone" where nodes that the
    run moved are no accepted minions any more. Refuses as `rollout.rollback`.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.rollback
        salt-run state.orchestrate orch.rollback pillar='{limit: "cmp1*", stages: services}'
    """
    opts, asked = _opts(), _asked(run_id, limit, stages, accept)
    asking.refuse_unknown(pillar_keys, lambda: master_pillar.handed_out(opts), KEYS)
    interrupts.catch()
    with SaltFleet(opts) as fleet:
        run = Rollback(wiring.ports(opts, fleet, SaltRunTerminal(questions.text))).begin(asked)
    told = {"run": run.id, "rollback": run.rollback, "stages": run.stages}
    return {**told, "gone": run.gone} if run.gone else told


@console.command()
def end_rollback():
    """Have nodes belong to the target_version again from which they went back: the next update brings them
    there.

    Not needed where another target_version is set. Nothing is touched.

    Returns the rollback that was in force: {of, by, target, release}. Refuses under NO_RUN when none is in
    force, RUN_UNFINISHED while its run is under way or paused.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.end_rollback
    """
    opts = _opts()
    wiring.lock(opts).refuse_others()
    ended = _plain(in_force.end(wiring.journal(opts)))
    del ended["version"]
    return ended


def _orchestrate(asked):
    """Through the orchestration, in this process."""
    journal = wiring.journal(_opts())
    return orchestrating.run(__salt__["state.orchestrate"], journal, ROLLBACK, asked)


def _asked(run_id, limit, stages, accept):
    return Asked(run_id, limit, tuple(stages) if stages else None, tuple(accept) if accept else ())


def _opts():
    return wiring.master_options(__opts__)
