"""Updates of the cloud: begin and run one, pause it, have it go on, answer what it asks, end it.

The work is done in `openstack_rollout`. Here it is given Salt, and its refusals become lines: salt-run ends
with 0 when the work is done, 1 when it was refused or the run paused, 2 for wrong use. What shows an update,
and what tells of earlier ones, are files of their own beside this one, of the same virtual name.
"""

from openstack_rollout.on_salt import (
    console,
    interrupts,
    master_pillar,
    orchestrating,
    windows,
    wiring,
)
from openstack_rollout.on_salt.fleet import SaltFleet
from openstack_rollout.on_salt.terminal import SaltRunTerminal
from openstack_rollout.rollout import asking, control, going_back, restoration
from openstack_rollout.rollout.asking import NOTHING, Given
from openstack_rollout.rollout.membership import Membership
from openstack_rollout.rollout.run import UPDATE, Rollout
from openstack_rollout.screens import questions

console.hide_salts_own_messages()


@console.command(
    limit=console.text,
    until=console.text,
    confirm=console.text,
    break_=console.mapping,
    accept=console.names,
)
def begin(  # noqa: PLR0917
    limit=None, until=None, confirm=None, break_=None, accept=None, pillar_keys=()
):
    """Check everything, open a run or go on with the unfinished one, prefetch on every node.

    A step of orch/update.sls, which hands over what is in its pillar.

    limit
        As for `rollout.run`.

    until
        As for `rollout.run`.

    confirm
        As for `rollout.run`.

    break
        As for `rollout.run`.

    accept
        As for `rollout.run`.

    pillar_keys
        The keys of the orchestration's pillar: one that is no argument is refused.

    Returns {"run": identifier, "target": version}, "gone" where nodes of the last run are no accepted minions
    any more, and "warnings" where something was seen of conditions (`rollout.preflight`). Refuses with one
    line, under any reason of the checks or of a node.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.update
        salt-run state.orchestrate orch.update pillar='{"limit": "gtw*"}'
    """
    opts, given = _opts(), Given(limit, until, confirm, break_, accept)
    asking.refuse_unknown(pillar_keys, lambda: master_pillar.handed_out(opts))
    with SaltFleet(opts) as fleet:
        run = going_back.begin(_ports(opts, fleet), given)
    warnings = {name: one["seen"] for name, one in run.conditions.items()}
    more = {"gone": run.gone, "warnings": warnings}
    return {"run": run.id, "target": run.target, **{key: told for key, told in more.items() if told}}


@console.command(
    stage=console.text,
    limit=console.text,
    until=console.text,
    confirm=console.text,
    break_=console.mapping,
    accept=console.names,
    wait=console.flag,
)
def run(  # noqa: PLR0917
    stage=None,
    limit=None,
    until=None,
    confirm=None,
    break_=None,
    accept=None,
    wait=False,
    pillar_keys=(),
):
    """The whole update, or one stage, which must not be out of order.

    stage
        ovn, control_plane, services, ovs or system. In an orchestration that has begun a run it is a part
        of that run, else it is a run of its own.

    limit
        A compound target: the nodes that the run may touch; by pillar (I@) and nodegroups (N@) too, since the
        master alone reads it. The others are measured: the run is refused, by name, while one of them has to
        go first. A run that goes on keeps its own.

    until
        A stage, or stage:role: the run stops behind it under GATED, and `rollout.resume` goes on.

    confirm
        never, stage, role, wave or node: before each such step the run shows what comes and waits under
        CONFIRMATION for `rollout.confirm`, `rollout.resume` or `rollout.skip`; in place of what policies
        want.

    break
        {moment: compound target}, of any moment that hooks know, or {stage:moment: …}: these nodes rest there
        until they are confirmed or skipped.

    accept
        NAME,NAME: conditions (`rollout.preflight`) that are accepted for this run, with who and when in its
        record.
    wait
        Whether to wait where a window is closed, and to go on when it opens. Without it the run pauses.

    Returns the run with its state. When it is refused or pauses, it ends with one line under its reason.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.run
        salt-run rollout.run services
        salt-run rollout.run limit='cmp1*'
        salt-run rollout.run until=ovn confirm=node
        salt-run rollout.run control_plane break='{before_apply: ctl1}'
        salt-run rollout.run accept=installers,clocks
        salt-run rollout.run wait=True
    """
    given = Given(limit, until, confirm, break_, accept)
    if stage is None:
        return windows.go_through(_opts, wait, lambda: _orchestrate(UPDATE, given))
    if not wiring.lock(_opts()).mine():  # else the step that began the run has refused them
        asking.refuse_unknown(pillar_keys, lambda: master_pillar.handed_out(_opts()))
    return windows.go_through(_opts, wait, lambda: _stage(stage, given))


def _stage(stage, given):
    opts = _opts()
    with SaltFleet(opts) as fleet:
        return going_back.stage(_ports(opts, fleet), stage, given)


@console.command()
def finish():
    """Measure everything once more and close the run. A step of orch/update.sls.

    Returns {run, state}. Refuses with one line when a node is not what the release wants.

    CLI Example:

    .. code-block:: bash

        salt-run state.orchestrate orch.update
    """
    opts = _opts()
    with SaltFleet(opts) as fleet:
        return Rollout(_ports(opts, fleet)).finish()


@console.command(run=console.text)
def pause(run=None):
    """Start no new node, and pause the run under PAUSED_BY_OPERATOR within seconds, whatever hangs.

    A prefetch is ended. What else is under way may end by itself for some seconds; then it is left in flight,
    and the run that goes on waits for it.

    run
        The identifier of the run that is meant: another one is left alone. By default whichever there is.

    Returns {run, state, in_flight}: the state is `pausing` until that is so. Refuses under NO_RUN when there
    is no run to pause, WRONG_ARGUMENT when it is another one.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.pause
    """
    opts = _opts()
    return control.pause(wiring.journal(opts), wiring.lock(opts), run or "")


@console.command(
    limit=console.text,
    until=console.text,
    confirm=console.text,
    break_=console.mapping,
    accept=console.names,
    only=console.text,
    wait=console.flag,
    run=console.text,
)
def resume(  # noqa: PLR0917
    limit=None, until=None, confirm=None, break_=None, accept=None, only=None, wait=False, run=None
):
    """Go on with the run that is paused, by its own orchestration.

    limit
        Another limit than the run had, as for `rollout.run`; '*' for all nodes.

    until
        Where it stops next, as for `rollout.run`. Without it, a run that stands at the stop that it was given
        goes on to its end; one that paused before that keeps it.

    confirm
        As for `rollout.run`.

    break
        As for `rollout.run`, in place of those that the run has; '{}' for none.

    accept
        As for `rollout.run`, beside what was accepted for it before.
    only
        A reason: go on only where the run is paused under that one, for Salt's scheduler. Under
        WINDOW_CLOSED, only where the window is open. Else nothing happens, which is no failure.

    wait
        As for `rollout.run`.

    run
        The identifier of the run that is meant: another one is left alone. By default whichever there is.

    Returns {run, state} when the run is completed, or one line when a running one goes on by itself: it only
    had to forget that it should pause, or waited for a yes, which this is. Refuses under NO_RUN when there is
    no run, WRONG_ARGUMENT when it is another one, RUN_IN_PROGRESS when it is not paused, and under the run's
    reason when it pauses again.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.resume
        salt-run rollout.resume until=services:gateway
        salt-run rollout.resume only=WINDOW_CLOSED
    """
    opts, accepting = _opts(), Given(accept=accept)
    if only and (nothing := windows.nothing_to_do(opts, only)):
        return nothing
    given = Given(limit, until, confirm, break_)
    orchestration = control.to_resume(wiring.journal(opts), wiring.lock(opts), given, _meant, run or "")
    if not orchestration:
        return "the run goes on"
    return windows.go_through(_opts, wait, lambda: _orchestrate(orchestration, accepting))


@console.command(node=console.text, run=console.text, question=console.text)
def confirm(node=None, run=None, question=None):
    """Say yes to what the run asks before it goes on: to all that it asks now, or to one node of it.

    node
        A minion's id.

    run
        The identifier of the run that is meant: another one is left alone. By default whichever there is.

    question
        The id of the question that is meant, as `rollout.live` tells it: to no other one is it a yes.

    Returns {run, state, confirmed: what was asked}. A run that nobody drives any more keeps the answer, and
    goes on by `rollout.resume`. Refuses under NO_RUN, WRONG_ARGUMENT, or NOTHING_ASKED.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.confirm
        salt-run rollout.confirm cmp1
    """
    opts = _opts()
    return control.confirm(wiring.journal(opts), wiring.lock(opts), node or "", run or "", question or "")


@console.command(node=console.text, run=console.text)
def skip(node, run=None):
    """Have the run leave a node out: it starts nothing there any more, and goes on with the others.

    It then ends as incomplete, and names the node under SKIPPED_BY_OPERATOR.

    node
        A minion's id. One that is in flight finishes first: it is refused.

    run
        The identifier of the run that is meant: another one is left alone. By default whichever there is.

    Returns {run, state, skipped}. Refuses under NO_RUN, NO_NODES, or WRONG_ARGUMENT.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.skip cmp7
    """
    opts = _opts()
    return control.skip(wiring.journal(opts), wiring.lock(opts), node, run or "")


@console.command(run=console.text)
def abort(run=None):
    """End the run within seconds, whatever hangs. A run whose process is gone ends at once.

    What is under way becomes what it becomes at a pause. Healthy nodes that the run drained are restored
    afterwards; the others are named in `still_drained`.

    run
        The identifier of the run that is meant: another one is left alone. By default whichever there is.

    Returns {run, state, in_flight}: the state is `aborting` until the run has ended. Refuses under NO_RUN
    when there is no run to end, WRONG_ARGUMENT when it is another one.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.abort
    """
    opts = _opts()
    ended = control.abort(wiring.journal(opts), wiring.lock(opts), run or "")
    if ended["state"] == "aborted" and restoration.drained_by_runs(wiring.journal(opts)):
        with SaltFleet(opts) as fleet:
            ended["still_drained"] = Rollout(wiring.ports(opts, fleet)).restore_drained()
    return ended


@console.command()
def repair():
    """Drop records of the journal that cannot be read, e.g. after a power cut of the master; no others.

    Nothing is taken for done because it was written there: the next run measures. What a node's drain took
    away is not known any more where its record is dropped: look at that node before the next run.

    Returns {dropped: what could not be read}. Refuses under RUN_IN_PROGRESS while a run has the lock.

    CLI Example:

    .. code-block:: bash

        salt-run rollout.repair
    """
    opts = _opts()
    wiring.lock(opts).refuse_others()
    return {"dropped": wiring.journal(opts).repair()}


def _orchestrate(orchestration, given=NOTHING):
    return orchestrating.run(__salt__["state.orchestrate"], wiring.journal(_opts()), orchestration, given)


def _meant(asked, stages):
    opts = _opts()
    with SaltFleet(opts) as fleet:
        asking.meant(asked, Membership.of(wiring.model(opts), fleet), fleet, stages)


def _ports(opts, fleet):
    """The ports of a run that this process drives."""
    interrupts.catch()
    return wiring.ports(opts, fleet, SaltRunTerminal(questions.text))


def _opts():
    return wiring.master_options(__opts__)
